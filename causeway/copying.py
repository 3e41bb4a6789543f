"""Copies of one source's tables, in a lane that goes on streaming: which are due, and the next chunk of the one at hand.

Contract: everything here is called by the lane's applying thread, between two batches; only the reading of a chunk runs in a thread
of its own. While a chunk is being read the lane applies nothing of this source (its other sources go on), so that the chunk is no
older than what is applied. One chunk and one batch take turns, so that neither waits for the other's end.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field, replace

import numpy as np
from loguru import logger

from cdc.batch import BatchKind, ChangeBatch, CopyProgress
from cdc.connection import connect
from cdc.destination import Destination
from cdc.lsn import ZERO, Lsn
from cdc.table_copy import CopiedChunk, TableReader
from cdc.wanted import wanted_filters
from config.errors import CausewayError, Disposition, ErrorKind
from config.settings import CaptureSettings, Lane, Settings, SourceSettings

CHUNK_ROWS = 20_000
_OPEN_AGAIN_S = 0.5
# Transactions as the stream numbers them, the newest ones: any that a new snapshot still takes for running is among them.
_REMEMBERED = 100_000


@dataclass(kw_only=True)
class CopyState:
    """What a table's copy has come to, for whoever asked for it. `state`: waiting, copying, done or failed."""

    table: str
    state: str = "waiting"
    rows: int = 0
    estimated_rows: int = 0
    copied_bytes: int = 0  # since the lane's start
    exact_from: Lsn = ZERO  # of a copy that is done: the table is exact once the source's position is there
    error: CausewayError | None = None

    def as_dict(self) -> dict[str, str | int]:
        """Return it as JSON values."""
        return {
            "table": self.table,
            "state": self.state,
            "rows": self.rows,
            "estimated_rows": self.estimated_rows,
            "error": str(self.error or ""),
        }


@dataclass(kw_only=True)
class SourceCopies:
    """Copies tables of one source into a destination. `wake` is set when a chunk is there.

    `publication`: whose columns are copied; None for all.
    """

    name: str
    settings: SourceSettings
    lane: Lane
    capture: CaptureSettings
    wake: threading.Event
    publication: str | None = None
    chunk_rows: int = CHUNK_ROWS
    states: dict[str, CopyState] = field(default_factory=dict)
    _due: deque[CopyProgress] = field(default_factory=deque)
    _reader: TableReader | None = None
    _reading: Future[CopiedChunk] | None = None
    _streams_turn: bool = False
    _not_before: float = 0.0
    _behind: dict[str, int] = field(default_factory=dict)  # by table, the transaction before which all must have ended
    _applied: deque[int] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))

    @property
    def active(self) -> bool:
        """Whether any copy is unfinished."""
        return bool(self._due)

    @property
    def exact_from(self) -> Lsn:
        """Where all tables that were copied since the lane's start are exact."""
        return max((state.exact_from for state in self.states.values()), default=ZERO)

    @property
    def failure(self) -> CausewayError | None:
        """Why a copy was given up since the lane's start, None where none was; the lane's next run goes on with it."""
        return next((state.error for state in self.states.values() if state.error is not None), None)

    @property
    def reading(self) -> bool:
        """Whether a chunk is being read at this moment."""
        return self._reading is not None and not self._reading.done()

    def opened(self, destination: Destination, new: Sequence[str]) -> None:
        """The source streams again: go on with unfinished copies, and begin those of tables that were never copied."""
        self._due = deque(destination.copies(self.name))
        for progress in self._due:
            state = self.states.setdefault(progress.table, CopyState(table=progress.table))
            state.state, state.rows, state.error = "copying", progress.rows, None
            logger.info("{}: goes on copying {}, {} rows are copied", self.name, progress.table, progress.rows)
            self._wait_for_open_transactions(progress.table)
        if new:
            logger.info(
                "{}: not all rows are here yet of {}: copied now, while streaming goes on", self.name, ", ".join(new)
            )
            self.request(destination, new)

    def request(self, destination: Destination, tables: Sequence[str]) -> None:
        """Begin to copy these tables, each from its first row. CausewayError: SCHEMA and what the source answers.

        Nothing is read before the transactions that are open now have ended. So every chunk sees what was committed before the copy
        began, though a query may show that late (see cdc.visibility); and also what the log does not send, of a table that such a
        transaction changed before it was published.
        """
        for table in tables:
            relation, began_at, estimate = self._source().begin(table)
            self._wait_for_open_transactions(table)
            progress = CopyProgress(relation=relation, began_at=began_at, exact_from=began_at)
            destination.begin_copy(self.name, progress)
            self._due = deque(other for other in self._due if other.table != table)
            self._due.append(progress)
            self.states[table] = CopyState(table=table, estimated_rows=estimate)

    def note(self, batch: ChangeBatch) -> None:
        """Remember which transactions were applied: a chunk must see all of them."""
        for part in batch.changes if self._due else ():
            self._applied.extend(np.unique(part.rows["_xid"].to_numpy()).tolist())

    def turn(self, destination: Destination) -> bool:
        """Go on with the copy at hand; True where it is this source's turn to wait for a chunk, or a chunk was applied."""
        if not self._due or self._streams_turn:
            self._streams_turn = False
            return False
        if self._reading is None:
            if time.monotonic() < self._not_before or not self._may_read(self._due[0].table):
                return False
            self._reading = self._start_reading(self._due[0])
        if not self._reading.done():
            return True
        reading, self._reading = self._reading, None
        try:
            self._take(destination, reading.result())
        except CausewayError as error:
            if error.disposition is Disposition.RETRY or error.kind not in (ErrorKind.SCHEMA, ErrorKind.PRIVILEGE):
                raise
            self._give_up(error)
        self._streams_turn = True
        return True

    def close(self) -> None:
        """Break off what is being read; what is durable is gone on with when the source is opened again."""
        reader, self._reader = self._reader, None
        reading, self._reading = self._reading, None
        self._due.clear()
        if reader is None:
            return
        if reading is not None and not reading.done():
            with suppress(Exception):
                reader.cancel()
        reader.close()

    def _wait_for_open_transactions(self, table: str) -> None:
        following = self._source().next_transaction()
        self._behind.pop(table, None)
        if self._source().oldest_transaction() < following:
            self._behind[table] = following
            logger.info("{}: the copy of {} waits for transactions that are open now", self.name, table)

    def _may_read(self, table: str) -> bool:
        """Whether what a table's copy waits for has ended; else it is another table's turn."""
        behind = self._behind.get(table)
        if behind is None or self._source().oldest_transaction() >= behind:
            self._behind.pop(table, None)
            return True
        self._due.rotate(-1)
        self._not_before = time.monotonic() + _OPEN_AGAIN_S
        return False

    def _source(self) -> TableReader:
        if self._reader is None:
            connection = connect(self.settings.connection, application_name=f"causeway {self.name} copy")
            lane = self.lane
            typed = lane is Lane.ANALYTICAL
            self._reader = TableReader(connection, self.name, lane.value, self.publication, typed=typed)
        return self._reader

    @property
    def _most_rows(self) -> int:
        """Rows of one chunk."""
        return min(self.chunk_rows, self.capture.max_rows_s or self.chunk_rows)

    def _start_reading(self, progress: CopyProgress) -> Future[CopiedChunk]:
        reader, future = self._source(), Future[CopiedChunk]()
        row_filter = wanted_filters(self.settings, self.lane).get(progress.table)
        rows = self._most_rows

        def read() -> None:
            try:
                if progress.unread is None:
                    chunk = reader.read(progress.table, progress.last_key, rows=rows, row_filter=row_filter)
                else:
                    chunk = reader.read_pages(progress.table, progress.unread, rows=rows, row_filter=row_filter)
                future.set_result(chunk)
            except BaseException as error:  # noqa: BLE001  the applying thread raises it
                future.set_exception(error)
            self.wake.set()

        self.states[progress.table].state = "copying"
        threading.Thread(target=read, name=f"copy {self.name}", daemon=True).start()
        return future

    def _take(self, destination: Destination, chunk: CopiedChunk) -> None:
        progress = self._due[0]
        if chunk.relation != progress.relation or chunk.moved:
            logger.info("{}: {} was altered while it was copied: its copy begins anew", self.name, progress.table)
            self.request(destination, [progress.table])
            return
        if not chunk.running.isdisjoint(self._applied):
            return  # a transaction that is applied had not ended when the chunk was read; it is read again
        # Nothing was behind it, and what comes now comes by the stream.
        ended = chunk.rows < self._most_rows if chunk.unread is None else not chunk.unread.ranges
        if chunk.rows or not ended:
            self._apply(destination, chunk, progress, last=False)
        if ended:
            self._apply(destination, replace(chunk, changes=None, rows=0, last_key=None), self._due[0], last=True)
        if self.capture.max_rows_s:
            self._not_before = time.monotonic() + chunk.rows / self.capture.max_rows_s

    def _apply(self, destination: Destination, chunk: CopiedChunk, before: CopyProgress, *, last: bool) -> None:
        progress = replace(
            before,
            exact_from=chunk.ends_at,
            last_key=chunk.last_key or before.last_key,
            rows=before.rows + chunk.rows,
            last=last,
            unread=chunk.unread,
        )
        position = destination.position(self.name)
        if position is None:
            raise CausewayError(ErrorKind.INTERNAL, f"{self.name}: a table is copied before the source has a position.")
        changes = () if chunk.changes is None else (chunk.changes,)
        destination.apply(ChangeBatch(kind=BatchKind.COPY, position=position, changes=changes, copy=progress))
        state = self.states[progress.table]
        state.copied_bytes += sum(part.rows.nbytes for part in changes)
        state.exact_from = progress.exact_from
        state.rows, state.state = progress.rows, "done" if progress.last else "copying"
        if progress.last:
            self._due.popleft()
            logger.info("{}: {} is copied, {} rows", self.name, progress.table, progress.rows)
        else:
            self._due[0] = progress

    def _give_up(self, error: CausewayError) -> None:
        progress = self._due.popleft()
        state = self.states[progress.table]
        state.state = "failed"
        state.error = CausewayError(
            error.kind,
            f"{self.name}: {progress.table} is not copied: {error}",
            hint="The lane's next run goes on with it.",
            source=self.name,
            table=progress.table,
        )
        logger.error("{}", state.error)


def copies_of(settings: Settings, lane: Lane, wake: threading.Event) -> dict[str, SourceCopies]:
    """Return what a lane copies its sources' tables with."""
    return {
        name: SourceCopies(
            name=name,
            settings=source,
            lane=lane,
            capture=settings.capture,
            wake=wake,
            publication=settings.slot_name(name, lane) if lane is Lane.OPERATIONAL else None,
        )
        for name, source in (settings.sources if lane is Lane.ANALYTICAL else settings.feeding).items()
    }
