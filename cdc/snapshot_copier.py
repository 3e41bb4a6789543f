"""The initial copy at work: several connections under one exported snapshot, each copying parts of tables into the handover.

Contract: runs on the receiving thread, which waits for its workers; each worker has a connection and a doorbell of its own, and
decodes what it receives, while the lane's thread writes what came before. A table's
TableCopied comes behind the last of its chunks, and one behind each part of a large table, with what is left; the SnapshotEnd
comes behind all. Tables are begun in their order, so that early ones are
whole early: what is whole stays whole at a destination that can go on after a kill.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import ClassVar

import psycopg
from psycopg import pq

from cdc.batch import Unread
from cdc.catalog import check_identities, describe
from cdc.connection import PlainConnection
from cdc.copy_messages import Interrupted, Taken, await_more, command, take
from cdc.doorbell import Doorbell
from cdc.driver_errors import translate
from cdc.exported_snapshot import ConsistentView, also_at
from cdc.handover import Handover, SnapshotChunk, SnapshotEnd, TableCopied
from cdc.relation import Relation
from cdc.snapshot import CopyFrame, decode_copied, output_functions
from cdc.snapshot_parts import PART_PAGES, Part, TableParts, divide
from cdc.wanted import Wanted
from config.failpoints import failpoint
from config.settings import CaptureSettings, Connection

_LOOK_S = 1.0


@dataclass(kw_only=True)
class TableProgress:
    """How far the copy of one table is. `estimated_rows`: by the server's statistics, 0 where it has none."""

    estimated_rows: int
    table_bytes: int
    rows: int = 0
    copied_bytes: int = 0  # as they came over the wire
    parts_left: int = 0
    done: bool = False


@dataclass(kw_only=True)
class SnapshotCopier:
    """Copies tables to a handover. `progress` by qualified name, to be read from any thread; `typed` as for `copied_columns`."""

    handover: Handover
    doorbell: Doorbell
    stopped: Callable[[], bool]
    capture: CaptureSettings
    typed: bool
    part_pages: ClassVar[int] = PART_PAGES
    progress: dict[str, TableProgress] = field(default_factory=dict)
    _unread: dict[str, Unread | None] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _parts: deque[Part] = field(default_factory=deque)
    _failure: BaseException | None = None
    _rows: int = 0
    _began_at: float = 0.0

    def copy(self, view: ConsistentView, settings: Connection, wanted: Wanted, publication: str | None = None) -> None:
        """Hand over all wanted rows that the view sees, then a SnapshotEnd; Interrupted where the reader is closed.

        publication: whose columns are copied; None for all.
        """
        relations = describe(view.connection, wanted.names, publication)
        check_identities(relations)
        outputs = output_functions(view.connection, relations)
        row_filters = {table.name: table.row_filter for table in wanted.tables if table.row_filter}
        copied = [relation for relation in relations if relation.qualified_name in wanted.copied]
        divided = divide(view.connection, copied, outputs, row_filters, typed=self.typed, part_pages=self.part_pages)
        self._begin(divided)
        workers = min(self.capture.snapshot_workers, len(self._parts))
        with also_at(view, settings, workers - 1) as more:
            threads = [
                threading.Thread(target=self._work, args=(view, connection), name="snapshot", daemon=True)
                for connection in more
            ]
            for thread in threads:
                thread.start()
            self._work(view, view.connection)
            for thread in threads:
                thread.join()
        if self._failure is not None:
            raise self._failure
        with self._lock:
            self._wait_for_room()
            self.handover.put(SnapshotEnd(relations=relations, lsn=view.lsn))

    def _begin(self, divided: Sequence[TableParts]) -> None:
        self._began_at = time.monotonic()
        for table in divided:
            self.progress[table.relation.qualified_name] = TableProgress(
                estimated_rows=table.estimated_rows, table_bytes=table.bytes, parts_left=len(table.parts)
            )
            self._unread[table.relation.qualified_name] = table.unread
            self._parts.extend(table.parts)

    def _work(self, view: ConsistentView, connection: PlainConnection) -> None:
        """Copy parts until none is left, or until another worker has failed; only one failure is told."""
        try:
            with _doorbell() as bell:
                while (part := self._next_part()) is not None:
                    self._copy_part(view, connection, part, bell)
        except BaseException as error:  # noqa: BLE001  the receiving thread raises it
            with self._lock:
                self._failure = self._failure or _translated(error, view)

    def _next_part(self) -> Part | None:
        with self._lock:
            return self._parts.popleft() if self._parts and self._failure is None else None

    def _copy_part(self, view: ConsistentView, connection: PlainConnection, part: Part, bell: Doorbell) -> None:
        command(connection, part.statement.as_string(connection), bell, self._ended)
        copied_us = time.time_ns() // 1000
        frame = CopyFrame()
        while self._copy_chunk(view, connection.pgconn, part, frame, copied_us, bell) is not Taken.ENDED:
            pass
        _finish(connection, part.relation)
        frame.end()
        self._part_done(view, part)

    def _copy_chunk(
        self, view: ConsistentView, wire: pq.abc.PGconn, part: Part, frame: CopyFrame, copied_us: int, bell: Doorbell
    ) -> Taken:
        messages: list[bytes] = []
        taken, size = self._collect(wire, messages, bell)
        frame.strip(messages)
        if messages:
            changes = decode_copied(part.relation, part.reads, messages, view.lsn, copied_us)
            messages.clear()  # the changes have a copy of them; while there is no room, one is enough
            self._put(SnapshotChunk(changes=changes, lsn=view.lsn), size)
        return taken

    def _collect(self, wire: pq.abc.PGconn, messages: list[bytes], bell: Doorbell) -> tuple[Taken, int]:
        """Collect until a chunk is full or the copy has ended; return which, and the bytes."""
        size = 0
        most_rows = min(self.capture.batch_rows, self.capture.max_rows_s or self.capture.batch_rows)
        while True:
            before = len(messages)
            taken, moved = take(wire, messages, most_rows, self.capture.batch_bytes - size, lambda _: False)
            size += moved
            if taken is not Taken.EMPTY:
                return taken, size
            if self._ended():
                raise Interrupted
            await_more(wire, len(messages) - before, bell, _LOOK_S)

    def _put(self, chunk: SnapshotChunk, size: int) -> None:
        with self._lock:
            self._wait_for_room()
            self.handover.put(chunk)
            rows = chunk.changes.rows.num_rows
            progress = self.progress[chunk.changes.relation.qualified_name]
            progress.rows += rows
            progress.copied_bytes += size
            self._rows += rows
        self._throttle()

    def _part_done(self, view: ConsistentView, part: Part) -> None:
        name = part.relation.qualified_name
        with self._lock:
            progress, unread = self.progress[name], self._unread[name]
            progress.parts_left -= 1
            progress.done = not progress.parts_left
            if progress.done:
                unread = None
            elif unread is not None and part.pages is not None:
                unread = self._unread[name] = unread.without(part.pages)
            else:
                return
            self._wait_for_room()
            self.handover.put(TableCopied(relation=part.relation, lsn=view.lsn, unread=unread))
        if progress.done:
            failpoint("reader.snapshot_table_copied")

    def _throttle(self) -> None:
        """Wait as long as all workers together have been too quick; the server waits meanwhile, in its send buffer."""
        if self.capture.max_rows_s is None:
            return
        while (due := self._began_at + self._rows / self.capture.max_rows_s) > time.monotonic():
            if self._ended():
                raise Interrupted
            time.sleep(min(0.2, max(0.0, due - time.monotonic())))

    def _wait_for_room(self) -> None:
        """Only the worker that holds the lock puts anything."""
        while self.handover.full:
            self.doorbell.wait(None, _LOOK_S)
            if self._ended():
                raise Interrupted

    def _ended(self) -> bool:
        return self._failure is not None or self.stopped()


@contextmanager
def _doorbell() -> Iterator[Doorbell]:
    bell = Doorbell()
    try:
        yield bell
    finally:
        bell.close()


def _translated(error: BaseException, view: ConsistentView) -> BaseException:
    if isinstance(error, psycopg.Error):
        translated = translate(error, f"copying the snapshot at {view.lsn}")
        translated.__cause__ = error
        return translated
    return error


def _finish(connection: PlainConnection, relation: Relation) -> None:
    """Take the results behind the data; an error in the middle of a copy is reported here."""
    wire = connection.pgconn
    while (result := wire.get_result()) is not None:
        if result.status != pq.ExecStatus.COMMAND_OK:
            error = psycopg.errors.error_from_result(result, encoding="utf-8")
            raise translate(error, f"copying {relation.qualified_name}", table=relation.qualified_name) from error
