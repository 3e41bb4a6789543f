"""One source's transaction in the warehouse: snapshot, batches and pieces of batches, each with its position.

Contract: `Mirror` has one session a source, so that a large transaction of one source, open over many pieces, never commits or
loses with another source's batch. Called from the lane's applying thread only. After any failure nothing uncommitted is left, and
the source's reader must start again from `position`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime

import duckdb

from cdc.batch import BatchKind, ChangeBatch, CopyProgress, Position, TableChanges
from cdc.relation import Relation
from cdc.table_facts import AskCatalog
from config.errors import CausewayError, ErrorKind
from config.failpoints import failpoint
from warehouse import copying, tables, value_exceptions
from warehouse.apply import apply_changes, check_keys
from warehouse.evolution import Unfollowable, check_capturable
from warehouse.following import Following
from warehouse.histories import Histories, WantedHistory
from warehouse.lookups import LookUp, with_values
from warehouse.names import MirrorTable, mirror_schema
from warehouse.positions import forget_position, read_position, write_position
from warehouse.store import Warehouse, translate
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
        self._captured: frozenset[str] | None = None  # names of the tables of the settings, once the lane has said
        self._histories = Histories(self._connection, source, history)
        self._following = Following(self._connection, source, ask, self._histories)
        self._load()

    def position(self) -> Position | None:
        """Return the durable position; a reader whose pieces were forgotten asks before it begins anew."""
        self._lost = False
        return self._position

    def begin_snapshot(self, relations: Sequence[Relation]) -> None:
        """Make empty mirrors for these tables; what an interrupted snapshot left, and the position, are dropped."""
        self.rollback()
        self._lost = False
        for relation in relations:
            check_capturable(self._source, relation)
        self._check_names(relations)
        with _Translated("beginning a snapshot", self._source):
            self._begin()
            copying.forget_all(self._connection, self._source)
            tables.recreate(self._connection, self._source, relations)
            for relation in relations:
                value_exceptions.forget_table(self._connection, MirrorTable(self._source, relation))
            forget_position(self._connection, self._source)
            self._following.start(relations)
            self._histories.begin_snapshot(relations)
            self._commit()
        self._load()

    def captured(self, relations: Sequence[Relation], troubles: Mapping[str, str]) -> tuple[str, ...]:
        """Note which tables are captured now; return those that have no mirror yet.

        `troubles`: captured tables that the source can't give any more. CausewayError SCHEMA where one never had a mirror.
        """
        self._check_names(relations)
        self._captured = frozenset(relation.qualified_name for relation in relations) | troubles.keys()
        if troubles:
            self._stop_troubled(troubles)
        if any(record.relation.qualified_name not in self._captured for record in self.records()):
            with _Translated("looking at the captured tables", self._source):
                self._begin()
                tables.drop_others(self._connection, self._source, self.records(), self._captured)
                self._commit()
            self._load()
        return copying.uncopied(self.records(), relations)

    def _stop_troubled(self, troubles: Mapping[str, str]) -> None:
        records = {record.relation.qualified_name: record for record in self.records()}
        for table in troubles.keys() - records.keys():
            message = f"{self._source}: the table {table} {troubles[table]}."
            raise CausewayError(ErrorKind.SCHEMA, message, source=self._source, table=table)
        with _Translated("stopping tables", self._source):
            self._begin()
            for table, problem in troubles.items():
                if not records[table].stopped:
                    copying.forget(self._connection, self._source, records[table].relation)
                    at = self._position.lsn if self._position is not None else None
                    self._following.stop(records[table], problem, None, at)
            self._commit()
        self._load()

    def follow(self, relations: Sequence[Relation]) -> None:
        """Bring mirrors to the versions that the source has exactly at the stored position, though no row came since they changed."""
        if self._open or self._position is None or not self._following.behind(relations):
            return
        with _Translated("following the catalog", self._source):
            self._begin()
            self._following.follow_catalog(relations, self._position.lsn)
            self._commit()

    def copies(self) -> tuple[CopyProgress, ...]:
        """Return how far the unfinished copies of tables are."""
        return self._copies.unfinished

    def begin_copy(self, progress: CopyProgress) -> None:
        """Begin to copy a table, from its first row."""
        check_capturable(self._source, progress.relation)
        with _Translated(f"beginning to copy {progress.table}", self._source):
            self._begin()
            copying.begin(self._connection, self._source, progress, self.records())
            self._commit()
        self._load()

    def apply(self, batch: ChangeBatch) -> None:
        """Apply a batch, and commit it with its position where it is complete."""
        self._check(batch)
        try:
            with _Translated("applying a batch", self._source, lsn=batch.position.lsn):
                if batch.copy is not None:
                    self._apply_copied(batch, batch.copy)
                    return
                self._begin()
                self._histories.start(self._exact(), self._position)
                self._apply_changes(batch)
                self._finish(batch)
        except BaseException:
            self.rollback()
            raise

    def prune_histories(self, now: datetime) -> int:
        """Remove what is older than the histories' retention, in a transaction of its own; return how many rows went."""
        if self._open:
            return 0
        with _Translated("pruning histories", self._source):
            self._begin()
            gone = self._histories.prune(self._exact(), now)
            self._commit()
        return gone

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
            with _Translated("reading what is durable", self._source):
                self._load()

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
        copying.store(self._connection, self._source, progress)
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
        if batch.complete or batch.kind is BatchKind.SNAPSHOT:
            self._commit()
        if batch.complete:
            self._position, self._rows, self._transactions = batch.position, 0, 0

    def _store_position(self, batch: ChangeBatch) -> None:
        first = self._position is None
        if batch.kind is BatchKind.REPAIR and batch.position == self._position:
            return
        if batch.kind is BatchKind.SNAPSHOT:
            self._following.snapshot_is_whole()
            self._histories.snapshot_is_whole(batch.position)
        write_position(self._connection, batch, first=first, rows=self._rows, transactions=self._transactions)
        self._note_caught_up(batch.position)

    def _catching_up(self, record: TableRecord) -> bool:
        """Whether the mirror may hold rows that its inserts bring again: it was copied while the log went on."""
        exact_from = record.exact_from
        return exact_from is not None and (self._position is None or self._position.lsn < exact_from)

    def _check(self, batch: ChangeBatch) -> None:
        """Progress is monotonic: what is durable already is never applied again, and no piece is applied without the others."""
        stored, given = self._position, batch.position
        if self._lost:
            raise self._bug(
                batch, "follows pieces that were rolled back; the reader must start from the stored position"
            )
        if batch.kind is BatchKind.REPAIR:  # may move the position anywhere: to another slot's, or another cluster's
            if stored is None:
                raise self._bug(batch, "repairs a mirror that is not whole")
            return
        if batch.kind is BatchKind.SNAPSHOT and stored is not None:
            raise self._bug(
                batch, f"is a snapshot's, but the source is durable at {stored.lsn}; begin_snapshot comes first"
            )
        if batch.kind is BatchKind.COPY and (stored is None or given.lsn != stored.lsn or self._open):
            raise self._bug(batch, "is a copied chunk, which comes between two batches and at the stored position")
        if batch.kind is BatchKind.COPY:
            return
        if batch.kind is BatchKind.STREAM and stored is None:
            raise self._bug(batch, "came before the source's snapshot was whole")
        if stored is None or given.lsn > stored.lsn or (given.lsn == stored.lsn and not self._repeats(batch)):
            return
        raise self._bug(batch, f"is not above the stored position {stored.lsn}")

    def _repeats(self, batch: ChangeBatch) -> bool:
        """A batch at the stored LSN may only be an empty one; a piece may not know yet where its transaction ends."""
        return batch.complete and batch.row_count > 0

    def _check_names(self, relations: Sequence[Relation]) -> None:
        """Two tables must not share a mirror: DuckDB's names are case-insensitive, and public's schema is the source's."""
        seen: dict[str, Relation] = {}
        for relation in relations:
            name = MirrorTable(self._source, relation).name.casefold()
            if name in seen:
                both = f"{seen[name].qualified_name} and {relation.qualified_name}"
                message = f"{self._source}: the tables {both} would have one mirror, {name}."
                raise CausewayError(ErrorKind.SCHEMA, message, hint="Leave one of them out.", source=self._source)
            seen[name] = relation

    def _bug(self, batch: ChangeBatch, problem: str) -> CausewayError:
        message = f"{self._source}: the batch that ends at {batch.position.lsn} {problem}."
        return CausewayError(ErrorKind.INTERNAL, message, source=self._source, lsn=batch.position.lsn)


class _Translated:
    """DuckDB's exceptions in this block become the bridge's."""

    def __init__(self, doing: str, source: str, **objects: object) -> None:
        self._doing = f"{doing} of {source}"
        self._objects = {"source": source, **objects}

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, duckdb.Error):
            raise translate(error, self._doing, **self._objects) from error


def _first_seq(changes: TableChanges) -> int:
    return int(changes.rows["_seq"][0].as_py()) if changes.rows.num_rows else 0
