"""One source's transaction in the warehouse: snapshot, batches and pieces of batches, each with its position.

Contract: `Mirror` has one session a source, so that a large transaction of one source, open over many pieces, never commits or
loses with another source's batch. Called from the lane's applying thread only. After any failure nothing uncommitted is left, and
the source's reader must start again from `position`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cdc.batch import OP_INSERT, BatchKind, ChangeBatch, CopyProgress, Position, TableChanges, Unread
from cdc.lsn import Lsn
from cdc.relation import Relation
from cdc.table_facts import AskCatalog
from config.errors import CausewayError, ErrorKind
from config.failpoints import failpoint
from warehouse import copying, tables, value_exceptions
from warehouse.apply import apply_changes, check_keys
from warehouse.batch_order import check_order
from warehouse.evolution import Unfollowable, check_capturable, check_names
from warehouse.following import Following
from warehouse.histories import Histories, WantedHistory
from warehouse.lookups import LookUp, with_values
from warehouse.memory import rows_of
from warehouse.names import MirrorTable, mirror_schema
from warehouse.positions import forget_position, read_position, write_position
from warehouse.store import Warehouse, lacked_memory, translated
from warehouse.tables import TableRecord, TableState

_KEEPING = (
    TableState.SNAPSHOT,
    TableState.STREAMING,
)  # a table that is copied begins its history anew once it is exact


class SourceSession:
    """The mirrors of one source and how far they are durable."""

    def __init__(
        self,
        warehouse: Warehouse,
        source: str,
        ask: AskCatalog | None = None,
        look_up: LookUp | None = None,
        *,
        history: WantedHistory | None = None,
    ) -> None:
        self._warehouse = warehouse
        self._look_up = look_up
        self._connection = warehouse.cursor()
        self._source = source
        self._open = False  # a transaction is open: pieces were applied that wait for their last one
        self._lost = False  # pieces were forgotten: their reader has to ask for the position first
        self._resumable = self._interrupted = False
        self._captured: frozenset[str] | None = None  # names of the tables of the settings, once the lane has said
        self._histories = Histories(self._connection, source, history)
        self._following = Following(self._connection, source, ask, self._histories)
        self._load()

    def position(self) -> Position | None:
        """Return the durable position; a reader whose pieces were forgotten asks before it begins anew."""
        self._lost = False
        if self._interrupted:
            self._load()
        return self._position

    def begin_snapshot(self, relations: Sequence[Relation]) -> None:
        """Make empty mirrors for these tables; what an interrupted snapshot left, and the position, are dropped."""
        self.rollback()
        self._lost = False
        for relation in relations:
            check_capturable(self._source, relation)
        check_names(self._source, relations)
        with self._between_batches("beginning a snapshot"):
            copying.forget_all(self._connection, self._source)
            tables.recreate(self._connection, self._source, relations)
            for relation in relations:
                value_exceptions.forget_table(self._connection, MirrorTable(self._source, relation))
            forget_position(self._connection, self._source)
            self._following.start(relations)
            self._histories.begin_snapshot(relations)
        self._load()

    def captured(self, relations: Sequence[Relation], troubles: Mapping[str, str]) -> tuple[str, ...]:
        """Note which tables are captured now; return those that have no mirror yet.

        `troubles`: captured tables that the source can't give any more. CausewayError SCHEMA where one never had a mirror.
        """
        check_names(self._source, relations)
        self._captured = frozenset(relation.qualified_name for relation in relations) | troubles.keys()
        if troubles:
            self._stop_troubled(troubles)
        self._check_unlogged()
        if any(record.relation.qualified_name not in self._captured for record in self.records()):
            with self._between_batches("looking at the captured tables"):
                tables.drop_others(self._connection, self._source, self.records(), self._captured)
            self._load()
        self._resume_snapshot()
        return copying.uncopied(self.records(), relations)

    def _resume_snapshot(self) -> None:
        """Tables that an interrupted snapshot has read in part are gone on with, where they are as they were."""
        if self._position is None:
            return
        found = copying.unread_tables(self._connection, self._source, self._position.lsn)
        partly = {
            record.relation.oid: (record, found[record.relation.qualified_name])
            for record in self.records()
            if record.state is TableState.SNAPSHOT and record.relation.qualified_name in found
        }
        if not partly:
            return
        usable = self._following.unaltered(partly)
        with self._between_batches("going on with a snapshot"):
            for record, unread in (partly[oid] for oid in usable):
                copying.resume(self._connection, self._source, record, unread, self._position.lsn)
        self._load()

    def _stop_troubled(self, troubles: Mapping[str, str]) -> None:
        records = {record.relation.qualified_name: record for record in self.records()}
        for table in troubles.keys() - records.keys():
            message = f"{self._source}: the table {table} {troubles[table]}."
            raise CausewayError(ErrorKind.SCHEMA, message, source=self._source, table=table)
        with self._between_batches("stopping tables"):
            for table, problem in troubles.items():
                if not records[table].stopped:
                    copying.forget(self._connection, self._source, records[table].relation)
                    at = self._position.lsn if self._position is not None else None
                    self._following.stop(records[table], problem, None, at)
        self._load()

    def _check_unlogged(self) -> None:
        if changed := self._following.changed_unlogged():
            with self._between_batches("looking at the catalog"):
                self._following.follow_unlogged(changed, self._position.lsn if self._position is not None else None)
            self._load()

    def follow(self, relations: Sequence[Relation]) -> None:
        """Bring mirrors to the versions that the source has exactly at the stored position, though no row came since they changed."""
        if self._open or self._position is None or not self._following.behind(relations):
            return
        with self._between_batches("following the catalog"):
            self._following.follow_catalog(relations, self._position.lsn)

    def copies(self) -> tuple[CopyProgress, ...]:
        """Return how far the unfinished copies of tables are."""
        return self._copies.unfinished

    def begin_copy(self, progress: CopyProgress) -> None:
        """Begin to copy a table, from its first row."""
        check_capturable(self._source, progress.relation)
        facts = self._following.facts_of(progress.relation)
        with self._between_batches(f"beginning to copy {progress.table}"):
            copying.begin(self._connection, self._source, progress, self.records(), facts)
        self._load()

    def apply(self, batch: ChangeBatch) -> None:
        """Apply a batch, and commit it with its position where it is complete."""
        check_order(self._source, batch, self._position, is_open=self._open, lost=self._lost)
        try:
            with translated(f"applying a batch of {self._source}", source=self._source, lsn=batch.position.lsn):
                if batch.copy is not None:
                    self._apply_copied(batch, batch.copy)
                    return
                self._begin()
                self._histories.start(self._exact(), self._position)
                self._repairing = batch.kind is BatchKind.REPAIR
                self._apply_changes(batch)
                self._finish(batch)
        except BaseException as error:
            self.rollback()
            if lacked_memory(error.__cause__):
                self._warehouse.lacked_memory()
            raise

    def prune_histories(self, now: datetime) -> int:
        """Remove what is older than the histories' retention, in a transaction of its own; return how many rows went."""
        if self._open:
            return 0
        with self._between_batches("pruning histories"):
            return self._histories.prune(self._exact(), now)

    def _exact(self) -> list[Relation]:
        """Tables whose mirrors are exact: only of these a history can begin, or go on."""
        records = self._following.records.values()
        return [record.relation for record in records if record.state is TableState.STREAMING]

    def records(self) -> list[TableRecord]:
        """Return how each captured table stands."""
        return list(self._following.records.values())

    def rollback(self) -> None:
        """Forget what was applied since the last commit."""
        if self._open:
            with suppress(duckdb.Error):  # a COMMIT that failed has rolled back already, a failed file has nothing open
                self._connection.execute("ROLLBACK")
            self._open, self._lost = False, True
            with translated(f"reading what is durable of {self._source}", source=self._source):
                self._load()
        self._interrupted = self._resumable  # or another source was: this one's reader then goes on

    def close(self) -> None:
        """Give the cursor back; nothing uncommitted survives."""
        self.rollback()
        self._connection.close()

    def _load(self) -> None:
        """Read what is durable; the transaction's own view of tables and exceptions goes with it."""
        self._position = read_position(self._connection, self._source)
        self._histories.load()
        self._following.load()
        self._copies = copying.read(self._connection, self._source)
        counts = value_exceptions.counts(self._connection, self._source)
        self._exceptions = {
            oid: (mirror_schema(self._source, record.relation.schema), record.relation.table) in counts
            for oid, record in self._following.records.items()
        }
        self.value_exceptions = sum(counts.values())  # values kept as text, as of the last commit
        self._recount = False  # the open transaction may have changed that
        self._rows = self._transactions = 0
        self._repairing = False
        self._interrupted = False
        self._resumable = (
            False  # of the snapshot at hand some table is whole, and with it the position that it began at
        )

    @contextmanager
    def _between_batches(self, doing: str) -> Iterator[None]:
        """A transaction of its own; one that fails leaves nothing, and no piece of a batch is lost by it."""
        lost = self._lost
        try:
            with translated(f"{doing} of {self._source}", source=self._source):
                self._begin()
                yield
                self._commit()
        except BaseException:
            self.rollback()
            self._lost = lost
            raise

    def _begin(self) -> None:
        if not self._open:
            self._connection.execute("BEGIN")
            self._open = True

    def _commit(self) -> None:
        self._following.finish()
        failpoint("mirror.before_commit")
        self._connection.execute("COMMIT")
        self._open = False
        if self._recount:
            self.value_exceptions = sum(value_exceptions.counts(self._connection, self._source).values())
            self._recount = False
        self._following.committed()
        self._histories.committed()
        if self._histories.changed:
            self._warehouse.show_histories()
            self._histories.changed = False
        failpoint("mirror.after_commit")

    def _wanted(self, changes: Sequence[TableChanges]) -> list[TableChanges]:
        """Leave out what the log still says of tables that are no longer captured, and what a copy has in it already."""
        captured = self._captured
        known = [part for part in changes if captured is None or part.relation.qualified_name in captured]
        return [part for part in known if not self._copies.supersedes(part)]

    def _apply_changes(self, batch: ChangeBatch) -> None:
        poisoned: set[int] = set()
        for part in filter(self._copies.breaks, batch.changes):
            record = self._following.records[part.relation.oid]
            copying.forget(self._connection, self._source, record.relation)
            self._copies.progress.pop(record.relation.qualified_name)
            words = "was altered before its interrupted snapshot was gone on with"
            self._following.stop(record, words, None, Lsn(part.rows["_lsn"][0].as_py()))
        copied, others = self._copies.divide(sorted(self._wanted(batch.changes), key=_first_seq))
        mirrored = self._following.ready(others, set(batch.announced) - self._copies.filling)
        for table, changes in [*copied, *mirrored]:
            record = self._following.records[table.relation.oid]
            if table.relation.oid in poisoned:
                self._following.skip(record, changes)
                continue
            try:
                self._write(table, record, self._completed(table, record, changes), batch)
            except Unfollowable as reason:
                self._stop(record, str(reason), changes)
                poisoned.add(table.relation.oid)

    def _write(self, table: MirrorTable, record: TableRecord, changes: TableChanges, batch: ChangeBatch) -> None:
        """Write one table's changes, with nothing of them written where Unfollowable is raised."""
        oid = table.relation.oid
        check_keys(self._connection, table, changes.rows)
        kept = record.state in _KEEPING and not table.fresh
        had_exceptions = self._exceptions[oid]
        others = int(np.count_nonzero(pc.not_equal(changes.rows["_op"], pa.scalar(OP_INSERT)).to_numpy()))
        self._warehouse.touching(
            table.name, others, changes.rows.num_rows - others, lambda: rows_of(self._connection, table.name)
        )
        history = self._histories.writer(table, batch, self._rows) if kept else None
        for piece in self._histories.pieces(changes, batch) if history is not None else (changes,):
            self._exceptions[oid] = apply_changes(
                self._connection,
                table,
                piece,
                exceptions_kept=table.fresh or self._exceptions[oid],
                upserts=self._catching_up(record),
                record=history,
            )
        self._recount = self._recount or had_exceptions or self._exceptions[oid]
        self._following.written.add(oid)

    def _completed(self, table: MirrorTable, record: TableRecord, changes: TableChanges) -> TableChanges:
        """Read what the log left out where the mirror may not have it: it was copied, and has not been caught up with."""
        if not changes.unchanged or self._look_up is None or not (table.fresh or self._catching_up(record)):
            return changes
        completed, read_at = with_values(self._look_up, self._source, changes)
        if not table.fresh:  # a copy's last watermark is yet to come, and lies behind this
            self._following.exact_later(record, read_at)
        return completed

    def _stop(self, record: TableRecord, problem: str, changes: TableChanges) -> None:
        """Leave a table as it is; a copy of it is given up."""
        copying.forget(self._connection, self._source, record.relation)
        self._copies.progress.pop(record.relation.qualified_name, None)
        self._following.stop(record, problem, changes)

    def _apply_copied(self, batch: ChangeBatch, progress: CopyProgress) -> None:
        """Write a chunk's rows over those with their keys; with the last one the fresh mirror takes the old one's place.

        CausewayError SCHEMA, with the table stopped, where a row cannot be mirrored.
        """
        if progress.table not in self._copies.progress:
            raise self._given_up(progress)
        self._begin()
        record = self._following.records[progress.relation.oid]
        try:
            for changes in batch.changes:
                table = MirrorTable(self._source, changes.relation, fresh=True)
                apply_changes(self._connection, table, changes, exceptions_kept=True, upserts=True)
        except Unfollowable as reason:  # nothing was written
            self._stop(record, str(reason), batch.changes[0])
            self._commit()
            raise self._given_up(progress) from reason
        copying.store(self._connection, self._source, progress, record)
        if progress.last:
            copying.swap(self._connection, self._source, record)
            self._following.start([progress.relation])
            failpoint("copy.before_swap")
        self._commit()
        failpoint("copy.after_swap" if progress.last else "copy.chunk_applied")
        self._load()

    def _given_up(self, progress: CopyProgress) -> CausewayError:
        record = self._following.records.get(progress.relation.oid)
        words = record.problem if record is not None else f"{progress.table} is no longer copied."
        return CausewayError(ErrorKind.SCHEMA, f"{self._source}: {words}", source=self._source, table=progress.table)

    def _note_caught_up(self, position: Position) -> None:
        for record in copying.note_caught_up(self._connection, self.records(), self._copies, position.lsn):
            self._following.records[record.relation.oid] = record
            self._histories.begin_if_wanted(record.relation, position)

    def _finish(self, batch: ChangeBatch) -> None:
        """A snapshot's pieces may be committed without a position; a transaction's pieces wait for their last one."""
        self._rows += batch.row_count
        self._transactions += batch.transactions
        if batch.complete:
            self._store_position(batch)
        elif batch.copied is not None:
            self._note_copied(batch, batch.copied, batch.unread)
        if batch.complete or batch.kind is BatchKind.SNAPSHOT:
            self._commit()
        if batch.copied is not None and batch.unread is None:
            failpoint("mirror.snapshot_table_whole")
        if batch.complete:
            self._position, self._rows, self._transactions = batch.position, 0, 0
            self._resumable = self._interrupted = False

    def _note_copied(self, batch: ChangeBatch, relation: Relation, unread: Unread | None) -> None:
        """A table of the snapshot, or a part of one, is whole. From the first one on the position is durable: a snapshot that is
        interrupted now is not begun anew, but its other rows are copied while the stream goes on from here.
        """
        copying.note_unread(self._connection, self._source, relation, unread, batch.position.lsn)
        if unread is None:
            self._following.whole(relation)
        if not self._resumable:
            write_position(self._connection, batch, first=True, rows=0, transactions=0)
            self._resumable = True

    def _store_position(self, batch: ChangeBatch) -> None:
        first = self._position is None and not self._resumable
        if batch.kind is BatchKind.REPAIR and batch.position == self._position:
            return
        if batch.kind is BatchKind.SNAPSHOT:
            self._following.snapshot_is_whole()
            self._histories.snapshot_is_whole(batch.position)
        write_position(self._connection, batch, first=first, rows=self._rows, transactions=self._transactions)
        self._note_caught_up(batch.position)

    def _catching_up(self, record: TableRecord) -> bool:
        """Whether the mirror may hold rows that its inserts bring again: it was copied while the log went on.

        Of a row that a repair brings back at least the exceptions may be there.
        """
        exact_from = record.exact_from
        return self._repairing or (
            exact_from is not None and (self._position is None or self._position.lsn < exact_from)
        )


def _first_seq(changes: TableChanges) -> int:
    return int(changes.rows["_seq"][0].as_py()) if changes.rows.num_rows else 0
