"""PostgresReader: the application's one door for capturing one source in one lane.

    reader = PostgresReader("shop", settings, Lane.ANALYTICAL, "causeway_shop_analytical", capture, wake)
    relations = reader.open(destination.position("shop"))
    while (batch := reader.poll()) is not None: destination.apply(batch); reader.confirm(batch.position.lsn)

Contract: one thread calls open, poll, confirm and close; the receiving thread is the reader's own (`cdc.receiving`). poll decodes
the stream in the caller's thread. After an error: close, and open again from the destination's position.

To compare the destination with the source at one point: hold (poll hands out nothing), open a view of the source at C, cut_at(C)
(poll hands out exactly what the view sees, then `at_cut`), look at the destination, release. The same thread, between batches.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence

from cdc import preconditions, publications, server_settings, slots
from cdc.batch import BatchKind, ChangeBatch, Position
from cdc.catalog import ServerFacts, check_identities, describe, find_described, server_facts
from cdc.column_types import ColumnType
from cdc.connection import PlainConnection, connect
from cdc.decoder import Decoded, StreamDecoder
from cdc.handover import Chunk, SnapshotChunk, SnapshotEnd, StreamChunk, TableCopied
from cdc.lifecycle import ReaderEvent, ReaderState, advance
from cdc.lsn import ZERO, Lsn
from cdc.receiving import Receiving, Task
from cdc.relation import Column, Relation
from cdc.snapshot_copier import TableProgress
from cdc.table_troubles import find_capturable, to_compare
from cdc.timelines import failed_over
from cdc.type_catalog import described_types, needs_catalog
from cdc.wanted import Wanted, everything
from config.errors import CausewayError, ErrorKind
from config.failpoints import failpoint
from config.settings import CaptureSettings, Lane, SourceSettings


class PostgresReader:
    """Reads one source for one lane: a snapshot where there is no position, then the slot's whole transactions.

    `wake` is set whenever poll() may have something: a batch or an error. `why_dropped`: why the guard dropped the slot, or nothing.
    `typed_copies`: the snapshot's rows come as typed values where that is exact (`cdc.batch.TableChanges`).
    `wanted`: what is read of the source, asked for whenever it is opened; without it everything.
    """

    def __init__(
        self,
        name: str,
        settings: SourceSettings,
        lane: Lane,
        slot: str,
        capture: CaptureSettings,
        wake: threading.Event,
        *,
        why_dropped: Callable[[], str] = str,
        typed_copies: bool = False,
        wanted: Callable[[], Wanted] | None = None,
    ) -> None:
        self._why_dropped = why_dropped
        self._typed_copies = typed_copies
        self._wanted = wanted or (lambda: everything(self.settings, lane))
        self.name = name
        self.lane = lane
        self.slot = slot
        self.settings = settings  # as of the next `open`
        self._capture = capture
        self._wake = wake
        self.troubles: dict[
            str, str
        ] = {}  # captured tables that the source can't give any more, since `open`: what is wrong
        self._state = ReaderState.NEW
        self._until: Lsn | None = None
        self._identity = ("", 0)
        self._decoder: StreamDecoder | None = None
        self._receiving: Receiving | None = None
        self._confirmed = self._handed_out = self._server_end = ZERO
        self._holding = self._look_again = False
        self._held_until = 0.0

    @property
    def state(self) -> ReaderState:
        """Where the reader is, see `cdc.lifecycle`."""
        if self._receiving is not None and self._receiving.failed and self._state is not ReaderState.CLOSED:
            return ReaderState.FAILED
        return self._state

    @property
    def caught_up(self) -> bool:
        """Whether all that was committed up to `until` has been handed out by poll()."""
        return self._decoder is not None and self._decoder.reached_until

    @property
    def received(self) -> Lsn:
        """End of what has come in from the server."""
        return self._receiving.received if self._receiving is not None else ZERO

    @property
    def confirmed(self) -> Lsn:
        """What the destination has made durable, as far as `confirm` was told."""
        return self._confirmed

    @property
    def server_end(self) -> Lsn:
        """Last known end of the server's log."""
        return max(self._server_end, self._receiving.server_end if self._receiving is not None else ZERO)

    @property
    def snapshot(self) -> dict[str, TableProgress]:
        """How far the initial copy is, by table; empty where none was taken."""
        return self._receiving.snapshot if self._receiving is not None else {}

    @property
    def holding(self) -> bool:
        """Whether poll() hands out nothing, or nothing behind a cut. An error, and close(), end a hold."""
        return self._holding

    @property
    def at_cut(self) -> bool:
        """Whether exactly the transactions before the cut have been handed out."""
        return self._holding and self._decoder is not None and self._decoder.at_cut

    def hold(self, longest_s: float) -> None:
        """Hand out nothing from now on, until `cut_at` or `release`, or until `longest_s` are over.

        CausewayError TRANSIENT where no stream is being read, or it is held already.
        """
        if self._decoder is None or self._until is not None or self.state is not ReaderState.STREAMING or self._holding:
            raise CausewayError(
                ErrorKind.TRANSIENT,
                f"{self.name}: capture cannot be held now, it is {'held already' if self._holding else self.state}.",
                hint="Try again when the source is streaming: `causeway status` tells.",
                source=self.name,
            )
        self._holding, self._held_until = True, time.monotonic() + longest_s

    def cut_at(self, lsn: Lsn) -> None:
        """Let a held reader hand out exactly the transactions whose commit record begins before `lsn`; then it holds again."""
        if not self._holding or self._decoder is None or self._receiving is None:
            raise CausewayError(ErrorKind.INTERNAL, "a reader that is not held was to be cut.", source=self.name)
        self._decoder.cut_at(lsn)
        self._look_again = True
        self._receiving.aim(lsn)

    def release(self) -> None:
        """Go on; harmless where nothing is held."""
        if self._holding and self._decoder is not None:
            self._decoder.release()
            self._look_again = True
            if self._receiving is not None:
                self._receiving.aim(None)
            self._wake.set()
        self._holding = False

    def open(self, position: Position | None, until: Lsn | None = None) -> tuple[Relation, ...]:
        """Check everything and start receiving; return the captured tables as they are now.

        position: where the destination is; None lets a snapshot come first. until: transactions whose commit record begins
        at or behind it are not handed out, and `caught_up` becomes true before them.
        CausewayError: CONNECTION, AUTHENTICATION, PRIVILEGE, SERVER_SETTINGS, SCHEMA, SLOT_IN_USE, SLOT_MISSING, GAP,
        IDENTITY, SETTINGS.
        """
        self._state = advance(self._state, ReaderEvent.OPEN)
        self._reset(until)
        try:
            wanted = self._wanted()
            relations, facts = self._check(position, wanted)
        except CausewayError as error:
            self._state = advance(self._state, ReaderEvent.ERROR)
            error.objects.setdefault("source", self.name)
            raise
        self._identity = (facts.system_identifier, facts.timeline)
        self._server_end = facts.current_lsn
        if position is None:
            self._state = advance(self._state, ReaderEvent.CHECKED_NO_POSITION)
        else:
            self._state = advance(self._state, ReaderEvent.CHECKED_POSITION)
            self._handed_out = self._confirmed = position.lsn
            self._decoder = self._new_decoder(relations, position.lsn)
        self._receiving = self._receive(position, facts, wanted)
        return relations

    def poll(self) -> ChangeBatch | None:
        """Return the next batch, None where nothing is ready; never blocks. Raises what ended the receiving thread."""
        receiving = self._receiving
        if receiving is None:
            raise CausewayError(ErrorKind.INTERNAL, f"a reader that is {self._state} was polled.", source=self.name)
        if self._holding and time.monotonic() >= self._held_until:
            self.release()
        while True:
            failed = receiving.failed  # looked at before the queue: what came before the error comes out before it
            chunk = None if self._idle_by_hold else self._next_chunk(receiving)
            if chunk is None:
                break
            batch = self._batch(chunk)
            if batch is not None:
                self._handed_out = max(self._handed_out, batch.position.lsn)
                receiving.take_pieces(small=not batch.complete)
                failpoint("reader.batch_handed_out" if batch.complete else "reader.piece_handed_out")
                return batch
        if failed is not None and not self.caught_up:
            self._state = advance(self._state, ReaderEvent.ERROR)
            self._holding = False
            raise failed
        return None

    @property
    def _idle_by_hold(self) -> bool:
        return self._holding and (self._decoder is None or not self._decoder.is_cut or self._decoder.at_cut)

    def _next_chunk(self, receiving: Receiving) -> Chunk | None:
        """Return what came next; around a cut first what the decoder keeps, as a chunk without messages."""
        if self._look_again:
            self._look_again = False
            return StreamChunk(messages=[])
        return receiving.handover.take()

    def confirm(self, lsn: Lsn) -> None:
        """Say that everything up to `lsn` is durable at the destination; CausewayError INTERNAL where that cannot be."""
        if lsn < self._confirmed or lsn > self._handed_out:
            raise CausewayError(
                ErrorKind.INTERNAL,
                f"{lsn} was confirmed; confirmed before is {self._confirmed}, handed out {self._handed_out}.",
                source=self.name,
            )
        self._confirmed = lsn
        if self._receiving is not None:
            self._receiving.confirm(lsn)

    def close(self) -> None:
        """Tell the server what is confirmed, and stop. The destination's position is what the next open starts from."""
        self._state = advance(self._state, ReaderEvent.CLOSE)
        receiving, self._receiving = self._receiving, None
        self._holding = False
        if receiving is not None:
            receiving.stop()

    def _reset(self, until: Lsn | None) -> None:
        self._until = until
        self._identity = ("", 0)
        self._decoder = self._receiving = None
        self._holding = self._look_again = False
        self._confirmed = self._handed_out = self._server_end = ZERO

    def _check(self, position: Position | None, wanted: Wanted) -> tuple[tuple[Relation, ...], ServerFacts]:
        with connect(self.settings.connection, application_name=f"causeway {self.name} check") as connection:
            facts = server_facts(connection)
            found = next(iter(slots.status(connection, [self.slot])), None)
            if position is not None:
                name = f"causeway {self.name} check"
                same = failed_over(self.settings.connection, position, facts, found, application_name=name)
                preconditions.check_identity(position, facts, self.slot, failed_over=same)
            server_settings.check_server(connection, needs_slot=found is None or position is None)
            preconditions.check_slot(found, position, self.slot, facts, dropped=self._why_dropped())
            if position is not None and found is not None:
                preconditions.check_gap(position, found)
            relations = self._described(connection, position, wanted)
            self._check_publication(connection, position, wanted)
            if position is None:
                # Publication before slot: a slot decodes with the catalogs of its time.
                slots.create(connection, self.settings, self.lane, self.slot, wanted)
                failpoint("reader.slot_created")
            return relations, facts

    def _described(
        self, connection: PlainConnection, position: Position | None, wanted: Wanted
    ) -> tuple[Relation, ...]:
        """The wanted tables. Once the mirror has them, one that is in trouble does not hold up the others; nor does one that the
        operational lane's publication has not: the mappings that read it say so.
        """
        self.troubles = {}
        if position is not None and wanted.exact:
            relations, self.troubles = find_capturable(connection, self.name, self.slot, wanted.names)
            return relations
        if position is None:
            relations = describe(connection, wanted.names)
        else:
            relations, _ = find_described(connection, wanted.names, self.slot)
        check_identities(relations)
        return relations

    def _check_publication(self, connection: PlainConnection, position: Position | None, wanted: Wanted) -> None:
        compared = wanted.only(to_compare(connection, self.slot, wanted.names, tuple(self.troubles)))
        may_lack = position is not None and not wanted.exact
        exists = publications.check_publication(connection, self.slot, compared, may_lack=may_lack)
        if not exists and position is not None:
            raise CausewayError(
                ErrorKind.SCHEMA,
                f"publication {self.slot} does not exist, though the lane has read from its slot.",
                hint="`causeway slots rebuild SOURCE` makes it again, and writes only what differs.",
                publication=self.slot,
            )

    def _receive(self, position: Position | None, facts: ServerFacts, wanted: Wanted) -> Receiving:
        task = Task(
            name=self.name,
            settings=self.settings,
            lane=self.lane,
            slot=self.slot,
            wanted=wanted,
            capture=self._capture,
            start=None if position is None else position.lsn,
            until=self._until,
            identity=self._identity,
            wal_sender_timeout_ms=facts.wal_sender_timeout_ms,
            typed_copies=self._typed_copies,
        )
        return Receiving(task, self._wake)

    def _new_decoder(self, relations: tuple[Relation, ...], start: Lsn) -> StreamDecoder:
        capture = self._capture
        return StreamDecoder(
            relations,
            start,
            until=self._until,
            piece_bytes=capture.batch_bytes // 2,
            piece_rows=capture.batch_rows,
            describe_types=self._describe_types,
            describe_table=self._describe_table,
        )

    def _describe_types(self, columns: Sequence[Column]) -> Mapping[tuple[int, int], ColumnType | None]:
        """Ask the catalog about types that came while streaming: seldom, so with a connection of its own."""
        if not any(needs_catalog(column.type_oid) for column in columns):
            return {}
        with connect(self.settings.connection, application_name=f"causeway {self.name} types") as connection:
            return described_types(connection, columns)

    def _describe_table(self, table: str) -> Relation | None:
        """Ask the catalog about a table that was published while streaming: seldom, too."""
        with connect(self.settings.connection, application_name=f"causeway {self.name} tables") as connection:
            found, _ = find_described(connection, [table])
        return next(iter(found), None)

    def _batch(self, chunk: Chunk) -> ChangeBatch | None:
        match chunk:
            case StreamChunk(messages=messages, idle_end=idle_end, settled=settled):
                assert self._decoder is not None
                decoded = self._decoder.decode(messages, idle_end, settled=settled)
                return None if decoded is None else self._stream_batch(decoded)
            case SnapshotChunk(changes=changes, lsn=lsn):
                return ChangeBatch(
                    kind=BatchKind.SNAPSHOT, position=self._position(lsn), changes=(changes,), complete=False
                )
            case TableCopied(relation=relation, lsn=lsn, unread=unread):
                return ChangeBatch(
                    kind=BatchKind.SNAPSHOT,
                    position=self._position(lsn),
                    complete=False,
                    copied=relation,
                    unread=unread,
                )
            case SnapshotEnd(relations=relations, lsn=lsn):
                self._decoder = self._new_decoder(relations, lsn)
                self._state = advance(self._state, ReaderEvent.COPIED)
                return ChangeBatch(kind=BatchKind.SNAPSHOT, position=self._position(lsn))

    def _stream_batch(self, decoded: Decoded) -> ChangeBatch:
        return ChangeBatch(
            kind=BatchKind.STREAM,
            position=self._position(decoded.end),
            changes=decoded.changes,
            complete=decoded.complete,
            transactions=decoded.transactions,
            last_commit_at=decoded.last_commit_at,
            announced=decoded.announced,
        )

    def _position(self, lsn: Lsn) -> Position:
        system_identifier, timeline = self._identity
        return Position(
            source=self.name,
            lane=self.lane.value,
            lsn=lsn,
            slot=self.slot,
            system_identifier=system_identifier,
            timeline=timeline,
        )
