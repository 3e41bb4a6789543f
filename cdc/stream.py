"""The receiving side of a slot: START_REPLICATION, messages into chunks, standby status back. Runs on the receiving thread.

Three positions, never mixed: `received` is the end of what has come in; what is durable only the destination knows, and it says
so through `confirm`; `confirmed` is what it said, the only thing that the server is ever told, as written, flushed and applied,
even when a keepalive asks for a reply at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

from psycopg import pq, sql
from psycopg.errors import Diagnostic, UndefinedObject

from cdc.connection import PlainConnection
from cdc.copy_messages import Interrupted, Taken, await_more, command, failed, rows_of, take
from cdc.doorbell import Doorbell
from cdc.handover import Handover, StreamChunk
from cdc.lsn import ZERO, Lsn
from cdc.protocol import KEEPALIVE, KEEPALIVE_BYTES, parse_keepalive, standby_status
from config.errors import CausewayError, ErrorKind
from config.failpoints import failpoint
from config.settings import CaptureSettings

# An idle source moves its slot on, at the cost of one small commit at the destination: after so many bytes of other tables'
# WAL, or after status_interval_s.
IDLE_ADVANCE_BYTES = 1 << 20
# A server says nothing for at most wal_sender_timeout / 2 (60 s by default). Behind a dead connection nobody does.
SILENCE_S = 120.0
_TLS_LOOK_S = 0.2  # libpq may hold decrypted bytes that no poll of the socket shows
_UNTIL_PING_S = 0.3
# The WAL writer flushes whole pages, so that the log's flushed end, which `until` is taken from, may lie inside a record, at a
# page's end (XLogBackgroundFlush, src/backend/access/transam/xlog.c); a server where nobody commits stays there. No commit that
# was acknowledged is behind it: once the server has said so often enough that it waits before `until`, all is there.
_PAGE_BYTES = 8192
_SETTLED_ANSWERS = 4
# While so many messages lie in a chunk and more keep coming, it may grow for several times batch_wait_ms: a batch costs the lane
# some ms whatever it holds. One pair of runs on two busy cores, the server the slower side: 11.6 CPU s a million rows, not 14.2.
_BULK_MESSAGES = 500
_BULK_WAITS = 5
_GOODBYE_S = 1.0
_CONFIRM_DELAY_S = 0.1  # a confirmation need not travel more often


class StreamReceiver:
    """One connection's stream, from START_REPLICATION to its end.

    `until`: the server is asked where it is as soon as nothing comes, instead of when it says so by itself; `aim` changes it.
    """

    def __init__(
        self,
        connection: PlainConnection,
        capture: CaptureSettings,
        handover: Handover,
        doorbell: Doorbell,
        stopped: Callable[[], bool],
        *,
        until: Lsn | None,
        wal_sender_timeout_ms: int,
    ) -> None:
        self._connection = connection
        self._wire: pq.abc.PGconn = connection.pgconn
        self._capture = capture
        self._handover = handover
        self._doorbell = doorbell
        self._stopped = stopped
        self._until = self._aim = until
        self._status_interval_s = capture.status_interval_s
        if wal_sender_timeout_ms:
            self._status_interval_s = min(capture.status_interval_s, wal_sender_timeout_ms / 3000)
        self.in_pieces = False  # set from another thread while a transaction comes in that is larger than a chunk
        self.received = self.server_end = ZERO
        self.confirmed = self._told = ZERO
        self._reply_wanted = False
        self._messages: list[bytes] = []
        self._bytes = 0
        self._chunk_since = self._status_at = self._heard_at = self._idle_at = 0.0
        self._offered_end = ZERO
        self._same_answers = 0
        self._settled_said = False
        self._slot = ""
        self._publication_missed = False

    def start(self, slot: str, at: Lsn) -> None:
        """Ask for the slot's changes from `at` on; CausewayError SLOT_IN_USE, SLOT_MISSING, GAP, CONNECTION."""
        publication = sql.Literal(f'"{slot}"').as_string(self._connection)
        text = f"START_REPLICATION SLOT \"{slot}\" LOGICAL {at} (proto_version '1', publication_names {publication})"
        self._slot = slot
        self._connection.add_notice_handler(self._take_notice)
        command(self._connection, text, self._doorbell, self._stopped)
        self._wire.nonblocking = 1
        self.received = self._offered_end = at
        self._heard_at = self._idle_at = time.monotonic()

    def run(self) -> None:
        """Receive until interrupted; CausewayError CONNECTION when the server ends the stream."""
        try:
            while not self._stopped():
                self._turn()
            raise Interrupted
        finally:
            self._say_goodbye()

    def confirm(self, lsn: Lsn) -> None:
        """Take note, from another thread, of what is durable; the receiving thread tells the server."""
        self.confirmed = lsn
        self._doorbell.ring()

    def aim(self, until: Lsn | None) -> None:
        """Ask, from another thread, to be told as soon as possible that all before `until` has come in; None: no longer."""
        self._aim = until
        self._doorbell.ring()

    def _take_aim(self) -> None:
        if self._aim != self._until:
            # Answers given before say nothing of the WAL up to the new point.
            self._until, self._same_answers, self._settled_said = self._aim, 0, False

    def _turn(self) -> None:
        """One turn: take what is there, hand over what is due, say how far we are, wait."""
        self._take_aim()
        before = len(self._messages)
        taken = Taken.FULL if self._chunk_full() else self._take()
        count = len(self._messages) - before
        if self._publication_missed:
            raise self._unpublished()
        if taken is Taken.ENDED:
            self._hand_over()
            raise self._ended()
        self._hand_over_if_due()
        self._tell_if_due()
        if taken is Taken.FULL:
            if self._chunk_full():
                self._doorbell.wait(None, self._status_interval_s / 2)
                self._heard_at = time.monotonic()
        else:
            await_more(self._wire, count, self._doorbell, self._patience_s())
        self._check_silence()

    def _chunk_full(self) -> bool:
        return self._bytes >= self._chunk_bytes or len(self._messages) >= self._capture.batch_rows

    @property
    def _chunk_bytes(self) -> int:
        """Pieces of a large transaction are half as large: DuckDB's memory is full of its rows then (45 MiB less at the highest)."""
        return self._capture.batch_bytes // 2 if self.in_pieces else self._capture.batch_bytes

    def _take(self) -> Taken:
        if not self._messages:
            self._chunk_since = time.monotonic()
        taken, moved = take(
            self._wire,
            self._messages,
            self._capture.batch_rows,
            max(1, self._chunk_bytes - self._bytes),
            self._keepalive,
        )
        if moved:
            self._bytes += moved
            self._same_answers = 0
            self._heard_at = time.monotonic()
            self.received = max(self.received, Lsn(int.from_bytes(self._messages[-1][1:9], "big")))
        return taken

    def _keepalive(self, data: bytes) -> bool:
        """Take a keepalive in; False for anything else."""
        if len(data) != KEEPALIVE_BYTES or data[0] != KEEPALIVE:
            return False
        message = parse_keepalive(data)
        self._same_answers = self._same_answers + 1 if message.wal_end == self.server_end else 0
        self.received = self.server_end = max(self.received, message.wal_end)
        self._reply_wanted |= message.reply_wanted
        self._heard_at = time.monotonic()
        return True

    def _hand_over_if_due(self) -> None:
        """A busy consumer gets large chunks, a waiting one small chunks soon: what it has not taken yet may as well grow."""
        if self._handover.full:
            return
        if self._messages:
            waited = time.monotonic() >= self._chunk_due_at
            if self._chunk_full() or (waited and self._handover.empty):
                self._hand_over()
        elif self._idle_due():
            self._hand_over()

    @property
    def _chunk_due_at(self) -> float:
        return due_at(len(self._messages), self._chunk_since, self._heard_at, self._capture.batch_wait_ms / 1000)

    @property
    def _settled(self) -> bool:
        """Whether the server waits for WAL at a place before `until` that it can't get past."""
        if self._until is None or self._until % _PAGE_BYTES or self.server_end >= self._until:
            return False
        return self._same_answers >= _SETTLED_ANSWERS

    def _idle_due(self) -> bool:
        """Whether a source without changes for us should move its position on."""
        if self._settled:
            return not self._settled_said
        advance = self.server_end - self._offered_end
        if advance <= 0:
            return False
        reached = self._until is not None and self._offered_end < self._until <= self.server_end
        waited = time.monotonic() - self._idle_at >= self._status_interval_s
        return reached or waited or self._reply_wanted or advance >= IDLE_ADVANCE_BYTES

    def _hand_over(self) -> None:
        if self._handover.full or not (self._messages or self._settled or self.server_end > self._offered_end):
            return
        self._settled_said = self._settled
        settled = self._until if self._settled and self._until is not None else ZERO
        self._handover.put(StreamChunk(messages=self._messages, idle_end=self.server_end, settled=settled))
        self._messages, self._bytes = [], 0
        self._idle_at = time.monotonic()
        self._offered_end = self.server_end

    def _tell_if_due(self) -> None:
        now = time.monotonic()
        waited = now - self._status_at
        news = self.confirmed > self._told
        asking = self._until is not None and self.server_end < self._until and not self._messages
        asking = asking and waited > _UNTIL_PING_S
        silent = now - self._heard_at > SILENCE_S / 2 and waited > 1
        due = waited >= self._status_interval_s or (news and waited >= _CONFIRM_DELAY_S) or asking or silent
        if due or self._reply_wanted:
            self._tell(want_reply=asking or silent)

    def _tell(self, *, want_reply: bool) -> None:
        confirmed = self.confirmed
        if confirmed > self._told:
            failpoint("reader.before_confirm")
        self._wire.put_copy_data(standby_status(confirmed, datetime.now(UTC), want_reply=want_reply))
        self._wire.flush()
        if confirmed > self._told:
            self._told = confirmed
            failpoint("reader.after_confirm")
        self._reply_wanted = False
        self._status_at = time.monotonic()

    def _patience_s(self) -> float:
        """How long nothing has to be done unless something comes."""
        now = time.monotonic()
        patience = self._status_at + self._status_interval_s - now
        if self._messages:
            if self._handover.empty:  # else the consumer rings the doorbell when it takes the last chunk
                patience = min(patience, self._chunk_due_at - now)
        elif self.server_end > self._offered_end:
            patience = min(patience, self._idle_at + self._status_interval_s - now)
        if self.confirmed > self._told:
            patience = min(patience, self._status_at + _CONFIRM_DELAY_S - now)
        if self._until is not None and self.server_end < self._until:
            patience = min(patience, _UNTIL_PING_S)
        if self._wire.ssl_in_use:
            patience = min(patience, _TLS_LOOK_S)
        return max(patience, 0.001)

    def _take_notice(self, notice: Diagnostic) -> None:
        """From PostgreSQL 18 on a publication that was dropped is a warning only, and its tables' changes are left out."""
        missed = notice.sqlstate == "55000" and self._slot in (notice.message_primary or "")
        self._publication_missed = self._publication_missed or missed

    def _unpublished(self) -> CausewayError:
        return CausewayError(
            ErrorKind.GAP,
            f"publication {self._slot} was dropped: changes from then on are not in the stream.",
            hint="`causeway slots rebuild SOURCE` makes it again, and writes only what differs.",
            publication=self._slot,
        )

    def _check_silence(self) -> None:
        if time.monotonic() - self._heard_at > SILENCE_S:
            raise CausewayError(
                ErrorKind.CONNECTION,
                f"the server has said nothing for {SILENCE_S:.0f} s.",
                hint="The connection is taken for dead; the bridge opens another one.",
            )

    def _ended(self) -> CausewayError:
        """Return the error for a stream that the server has ended: by an error, or in order, at its shutdown."""
        result = self._wire.get_result()
        if result is not None and result.status == pq.ExecStatus.FATAL_ERROR:
            refused = failed(result)
            # Before PostgreSQL 18; see _take_notice.
            return self._unpublished() if _names_no_publication(refused) else refused
        return CausewayError(
            ErrorKind.CONNECTION,
            "the server has ended the replication stream.",
            hint="It is being shut down or restarted; the bridge connects again.",
        )

    def _say_goodbye(self) -> None:
        """Tell the server what is durable a last time, and let it free the slot, if it still listens."""
        if self._wire.status != pq.ConnStatus.OK or self._wire.transaction_status != pq.TransactionStatus.ACTIVE:
            return
        try:
            self._tell(want_reply=False)
            self._wire.put_copy_end()
            self._wire.flush()
            self._await_end(time.monotonic() + _GOODBYE_S)
        except Exception:  # noqa: BLE001, S110  whatever ended the stream is the error that counts
            pass

    def _await_end(self, deadline: float) -> None:
        """Skip what the server still sends before it has freed the slot: the next reader may be about to open it."""
        copying = True
        while time.monotonic() < deadline:
            size = self._wire.get_copy_data(1)[0] if copying else 0
            copying = copying and size >= 0
            if size == 0 and (copying or self._wire.is_busy()):
                self._doorbell.wait(self._wire.socket, 0.05)
                self._wire.consume_input()
            elif not copying and self._wire.get_result() is None:
                return


def due_at(messages: int, since: float, heard_at: float, wait_s: float) -> float:
    """Return when an idle consumer gets a chunk that is not full: `since`, its first message came; `heard_at`, its last one.

    A burst that is over is handed out as soon as nothing has come for `wait_s`.
    """
    if messages < _BULK_MESSAGES:
        return since + wait_s
    return min(since + _BULK_WAITS * wait_s, heard_at + wait_s)


def identify(connection: PlainConnection, doorbell: Doorbell, stopped: Callable[[], bool]) -> tuple[str, int]:
    """Return the system identifier and timeline of the server behind a replication connection."""
    (row,) = rows_of(command(connection, "IDENTIFY_SYSTEM", doorbell, stopped))
    return str(row[0]), int(row[1] or 0)


def _names_no_publication(error: CausewayError) -> bool:
    """Whether the server says that a publication does not exist (get_publication_oid, src/backend/catalog/pg_publication.c)."""
    return isinstance(error.__cause__, UndefinedObject) and 'publication "' in str(error)
