"""The loop of a lane: many readers, one applying thread, one durable end.

Contract: a reader hands out batches with `poll` and learns with `confirm` what is durable; the destination stores a batch and
its position in one transaction. Between the two, this loop keeps the order: a transaction that comes in pieces is finished
before another source is looked at, nothing is confirmed before `apply` returned, and after any failure everything starts again
from the destination's own position.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from loguru import logger

from causeway.copying import SourceCopies
from causeway.sources import naming
from causeway.turns import Turns
from cdc.batch import BatchKind, ChangeBatch, Position
from cdc.destination import Destination
from cdc.lsn import ZERO, Lsn
from cdc.relation import Relation
from cdc.snapshot_copier import TableProgress
from config.errors import CausewayError, Disposition, ErrorKind
from config.settings import CaptureSettings

# Whatever comes sets `wake`: batches, a copy's rows, commands, errors, a signal. This is for what falls due by the clock only.
IDLE_WAIT_S = 0.5
# A run that is to end waits no longer for a source that failed so often in a row, once the others have caught up.
_GIVEN_UP_AFTER = 4


class Reader(Protocol):
    """What the loop needs of a reader; `cdc.reader.PostgresReader` is one."""

    name: str

    @property
    def caught_up(self) -> bool:
        """All that was committed up to `until` has been handed out."""

    @property
    def received(self) -> Lsn:
        """The end of what has come in."""

    @property
    def server_end(self) -> Lsn:
        """The last known end of the server's log."""

    @property
    def snapshot(self) -> Mapping[str, TableProgress]:
        """How far the first snapshot is, by table."""

    def open(self, position: Position | None, until: Lsn | None = None) -> tuple[Relation, ...]:
        """Start from a stored position, or from the first row with a snapshot."""

    def poll(self) -> ChangeBatch | None:
        """Hand out the next batch if there is one; never blocks."""

    def confirm(self, lsn: Lsn) -> None:
        """Learn what is durable at the destination."""

    def close(self) -> None:
        """Let go of the slot."""


@dataclass(kw_only=True)
class SourceProgress:
    """What one source's capture has done since the lane started. `durable` only ever grows."""

    received: Lsn = ZERO  # has come in from the server
    applied: Lsn = ZERO  # is at the destination, committed or not
    durable: Lsn = ZERO
    server_end: Lsn = ZERO
    rows: int = 0
    batches: int = 0
    transactions: int = 0
    last_commit_at: datetime | None = None
    value_exceptions: int = 0  # values that the mirror's types cannot hold, kept as text; of the analytical lane
    stopped_tables: int = 0  # tables whose mirrors cannot be followed; of the analytical lane
    skipped_rows: int = 0  # changes that they left out
    state: str = "starting"  # starting, snapshot, streaming, waiting, caught_up, failed
    error: str = ""

    @property
    def lag_bytes(self) -> int:
        """How much log lies between what is durable and the server's end."""
        return max(0, self.server_end - self.durable)


@dataclass(kw_only=True)
class _Feed:
    """One reader in the loop, and when it may be opened again."""

    reader: Reader
    until: Lsn | None
    copies: SourceCopies | None = None
    progress: SourceProgress = field(default_factory=SourceProgress)
    taken_up: bool = False
    opened: bool = False
    failures: int = 0
    knocking: Future[None] | None = None
    open_at: float = 0.0
    stored_at: float = 0.0
    put_off: ChangeBatch | None = None  # only moves the position; stored when that is due, unless rows come first
    failure: CausewayError | None = None  # the last one; None again once the source is open


def _copying(feed: _Feed) -> list[dict[str, Any]]:
    snapshot = feed.reader.snapshot if feed.progress.state == "snapshot" else {}
    tables = [
        {"table": name, "rows": table.rows, "estimated_rows": table.estimated_rows, "copied_bytes": table.copied_bytes}
        for name, table in list(snapshot.items())
        if not table.done
    ]
    states = list(feed.copies.states.values()) if feed.copies is not None else []
    return tables + [
        {"table": one.table, "rows": one.rows, "estimated_rows": one.estimated_rows, "copied_bytes": one.copied_bytes}
        for one in states
        if one.state in ("waiting", "copying")
    ]


# Troubles of one source, whatever the others do; any other that waiting does not mend is the destination's, and everybody's.
_OF_ONE_SOURCE = frozenset(
    {
        ErrorKind.AUTHENTICATION,
        ErrorKind.PRIVILEGE,
        ErrorKind.SERVER_SETTINGS,
        ErrorKind.SLOT_MISSING,
        ErrorKind.GAP,
        ErrorKind.IDENTITY,
        ErrorKind.SCHEMA,
        ErrorKind.PROTOCOL,
    }
)


class LaneLoop:
    """Pumps every reader's batches into one destination until told to stop, or until all have caught up.

    A source that fails in a way that waiting does not mend stands still with nothing half stored, and the others go on; one that
    can't be reached is tried again, later and later. `run` raises the first of these CausewayErrors when there is nothing else left
    to do: with `until`, a source that is out of reach then is given up. So it does where a table could not be copied.
    """

    def __init__(
        self,
        destination: Destination,
        readers: Sequence[Reader],
        *,
        wake: threading.Event,
        stop: threading.Event,
        capture: CaptureSettings,
        until: Mapping[str, Lsn] | None = None,
        take_up: Callable[[str], Lsn | None] | None = None,
        knock: Callable[[str], None] | None = None,
        after_turn: Callable[[], object] | None = None,
        turns: Turns | None = None,
        copies: Mapping[str, SourceCopies] | None = None,
    ) -> None:
        """`take_up` is called until it has succeeded once, before a source is opened; what it returns takes the place of `until`.

        `knock` is called in a thread of its own before a source is opened at first, and when it has failed; it raises where the source
        can't be reached.
        """
        self._turns = turns
        self._take_up = take_up
        self._knock = knock
        self._destination = destination
        self._wake = wake
        self._stop = stop
        self._capture = capture
        self._after_turn = after_turn
        self._bounded = until is not None
        self._feeds = [
            _Feed(reader=reader, until=(until or {}).get(reader.name), copies=(copies or {}).get(reader.name))
            for reader in readers
        ]

    @property
    def progress(self) -> dict[str, SourceProgress]:
        """Progress by source; read by the status writer."""
        for feed in self._feeds:  # what comes in while the applying thread is busy or stuck counts too
            feed.progress.received = max(feed.progress.received, feed.reader.received)
        return {feed.reader.name: feed.progress for feed in self._feeds}

    def copying(self) -> list[dict[str, Any]]:
        """Return the tables whose rows are being copied, by a first snapshot or anew, as JSON values; from any thread."""
        return [{"source": feed.reader.name, **table} for feed in self._feeds for table in _copying(feed)]

    def run(self) -> None:
        """Work until `stop` is set, or (with `until`) until every source has caught up."""
        try:
            while not self._stop.is_set() and not self.done:
                busy = [self._turn(feed) for feed in self._feeds if not self._stop.is_set()]
                if self._after_turn is not None:
                    self._after_turn()
                worked = self._turns is not None and self._turns.drain()
                if not (worked or any(busy)):
                    self._wake.wait(IDLE_WAIT_S)
                    self._wake.clear()
        finally:
            for feed in self._feeds:
                self._close(feed)
        failures = [feed.failure for feed in self._feeds]
        failures += [feed.copies.failure for feed in self._feeds if feed.copies is not None]
        failure = next((each for each in failures if each is not None), None)
        if failure is not None and not self._stop.is_set():
            raise failure

    @property
    def done(self) -> bool:
        """Whether there is nothing left to do for any source."""
        return all(self._ended(feed) for feed in self._feeds)

    def _ended(self, feed: _Feed) -> bool:
        if not self._bounded or feed.progress.state == "failed":
            return feed.progress.state == "failed"
        out_of_reach = feed.progress.state == "waiting" and feed.failures >= _GIVEN_UP_AFTER
        return out_of_reach or feed.progress.state == "caught_up"

    def _turn(self, feed: _Feed) -> bool:
        """Give one source its turn; True where there was something to do."""
        try:
            with naming(feed.reader.name):
                if not (feed.opened or self._open(feed)):
                    return False
                held, worked = self._copy(feed)
                return worked if held else self._pump(feed)
        except CausewayError as error:
            self._fail(feed, error)
            return False

    def _open(self, feed: _Feed) -> bool:
        if time.monotonic() < feed.open_at or feed.progress.state in ("caught_up", "failed"):
            return False
        if not self._answers(feed):
            return False
        if not feed.taken_up and self._take_up is not None:
            until = self._take_up(feed.reader.name)
            feed.until = until if self._bounded else None
        feed.taken_up = True
        position = self._destination.position(feed.reader.name)
        feed.opened, feed.put_off = True, None  # a failing open may hold resources too: closing is always due
        relations = feed.reader.open(position, feed.until)
        if position is None:
            self._destination.begin_snapshot(feed.reader.name, relations)
        else:
            new = self._destination.captured(feed.reader.name, relations)
            if feed.copies is not None:
                feed.copies.opened(self._destination, new)
        feed.progress.state, feed.progress.error = "snapshot" if position is None else "streaming", ""
        feed.failure = None
        feed.progress.durable = max(feed.progress.durable, position.lsn if position else ZERO)
        feed.progress.applied = max(feed.progress.applied, feed.progress.durable)
        logger.info(
            "{}: {} from {}", feed.reader.name, feed.progress.state, position.lsn if position else "the first row"
        )
        return True

    def _answers(self, feed: _Feed) -> bool:
        """Whether a source may be opened; at first, and when it has failed, that is found out beside the others: a host may be silent."""
        if self._knock is None or (feed.taken_up and not feed.failures):
            return True
        if feed.knocking is None:
            feed.knocking = self._asked(self._knock, feed.reader.name)
        if not feed.knocking.done():
            return False
        knocking, feed.knocking = feed.knocking, None
        knocking.result()
        return True

    def _asked(self, knock: Callable[[str], None], name: str) -> Future[None]:
        future: Future[None] = Future()

        def ask() -> None:
            try:
                knock(name)
                future.set_result(None)
            except BaseException as error:  # noqa: BLE001  the applying thread raises it
                future.set_exception(error)
            self._wake.set()

        threading.Thread(target=ask, name=f"knock {name}", daemon=True).start()
        return future

    def _copy(self, feed: _Feed) -> tuple[bool, bool]:
        """Go on copying a table; return whether the stream has to wait meanwhile, and whether anything was done."""
        if feed.copies is None or not feed.copies.active or feed.progress.state == "snapshot":
            return False, False
        reading = feed.copies.reading
        held = feed.copies.turn(self._destination)
        return held, held and not (reading and feed.copies.reading)

    def request_copies(self, source: str, tables: Sequence[str]) -> SourceCopies:
        """Begin to copy tables of a source anew; on the applying thread. CausewayError TRANSIENT where it does not stream."""
        feed = next(feed for feed in self._feeds if feed.reader.name == source)
        if feed.copies is None or not feed.opened or feed.progress.state != "streaming":
            raise CausewayError(
                ErrorKind.TRANSIENT,
                f"{source}: no table can be copied now, the source is {feed.progress.state}.",
                hint="Try again when it is streaming: `causeway status` tells.",
                source=source,
            )
        with naming(source):
            feed.copies.request(self._destination, tables)
        return feed.copies

    def _pump(self, feed: _Feed) -> bool:
        polled = feed.reader.poll()
        batch = polled or feed.put_off
        feed.progress.server_end = max(feed.progress.server_end, feed.reader.server_end)
        if batch is None:
            if feed.until is not None and feed.reader.caught_up and not (feed.copies and feed.copies.active):
                self._finish_when_exact(feed)
            return False
        if not batch.row_count and not self._due(feed, batch):
            feed.put_off = batch
            return polled is not None
        feed.put_off = None
        self._store(feed, batch)
        while not batch.complete and batch.kind is BatchKind.STREAM:
            batch = self._next_piece(feed)
            if batch is None:
                self._destination.rollback(feed.reader.name)
                return False
            self._store(feed, batch)
        return True

    def _due(self, feed: _Feed, batch: ChangeBatch) -> bool:
        """An idle source's position is stored seldom: where state and source share a cluster, storing it writes WAL again."""
        if batch.kind is BatchKind.SNAPSHOT or not batch.complete:
            return True
        if feed.until is not None and (batch.position.lsn >= feed.until or feed.reader.caught_up):
            return True
        return time.monotonic() - feed.stored_at >= self._capture.status_interval_s

    def _next_piece(self, feed: _Feed) -> ChangeBatch | None:
        """Wait for the rest of a transaction that comes in pieces; None when the lane is to stop."""
        while not self._stop.is_set():
            batch = feed.reader.poll()
            if batch is not None:
                return batch
            self._wake.wait(IDLE_WAIT_S)
            self._wake.clear()
        return None

    def _store(self, feed: _Feed, batch: ChangeBatch) -> None:
        self._destination.apply(batch)
        if feed.copies is not None:
            feed.copies.note(batch)
        feed.stored_at = time.monotonic()
        progress = feed.progress
        progress.applied = max(progress.applied, batch.position.lsn)
        progress.rows += batch.row_count
        progress.transactions += batch.transactions
        progress.last_commit_at = batch.last_commit_at or progress.last_commit_at
        if not batch.complete:
            return
        assert batch.position.lsn >= progress.durable, "progress must be monotonic"
        progress.durable = batch.position.lsn
        progress.batches += 1
        progress.state, progress.error, feed.failures = "streaming", "", 0
        feed.reader.confirm(batch.position.lsn)

    def _finish_when_exact(self, feed: _Feed) -> None:
        """End, or go on to where the tables that were copied meanwhile are exact: their chunks are newer than `until`."""
        exact_from = feed.copies.exact_from if feed.copies is not None else ZERO
        if feed.until is None or exact_from <= feed.progress.durable:
            self._finish(feed)
            return
        feed.until = exact_from
        self._close(feed)

    def _finish(self, feed: _Feed) -> None:
        feed.progress.state = "caught_up"
        self._close(feed)
        logger.info("{}: caught up at {}, {} rows", feed.reader.name, feed.progress.durable, feed.progress.rows)

    def _fail(self, feed: _Feed, error: CausewayError) -> None:
        """Roll back and close; wait and try again where that may help, else leave the source standing, or end the lane."""
        self._destination.rollback(feed.reader.name)
        self._close(feed)
        feed.failure = error
        if error.kind in _OF_ONE_SOURCE:
            feed.progress.state, feed.progress.error = "failed", str(error)
            logger.error("{} This source stands still until the lane is started again.", error)
            return
        if error.disposition is not Disposition.RETRY:
            raise error
        wait_s = min(self._capture.reconnect_first_s * 2 ** min(feed.failures, 30), self._capture.reconnect_longest_s)
        feed.failures += 1
        feed.open_at = time.monotonic() + wait_s
        feed.progress.state, feed.progress.error = "waiting", str(error)
        logger.warning("{} Next attempt in {:.1f} s.", error, wait_s)

    def _close(self, feed: _Feed) -> None:
        if feed.opened:
            feed.opened = False
            if feed.copies is not None:
                feed.copies.close()
            feed.reader.close()
