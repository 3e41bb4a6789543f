"""The captured tables of one source as its mirrors follow them, version by version; a table that cannot be followed stops alone.

Contract: runs inside the session's transaction. `load` reads what is durable; what was followed or stopped since goes with a
rolled-back transaction. A stopped table's mirror stays as it is, its later changes are left out and counted, in the transaction that
moves the source's position past them; `causeway copy` repairs it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import duckdb

from cdc.batch import OP_TRUNCATE, TableChanges
from cdc.lsn import ZERO, Lsn
from cdc.relation import Relation
from cdc.table_facts import AskCatalog, TableFacts
from warehouse import dropped_columns, reshaping, tables, value_exceptions
from warehouse.evolution import (
    Known,
    Reshape,
    Unfollowable,
    attnums_of,
    changed,
    check_partitions,
    check_published,
    check_unchanged,
)
from warehouse.held_types import as_mirrored
from warehouse.histories import Histories
from warehouse.names import MirrorTable
from warehouse.tables import TableRecord, TableState

_Taken = tuple[MirrorTable, TableChanges]


class Following:
    """The tables of a source, by OID, and the versions that their mirrors follow."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, source: str, ask: AskCatalog | None, histories: Histories
    ) -> None:
        self._connection = connection
        self._source = source
        self._ask = ask
        self._histories = histories
        self.load()

    def load(self) -> None:
        """Read what is durable; the open transaction's own view of the tables goes with it."""
        self.records = tables.read_records(self._connection, self._source)
        self.written: set[int] = set()  # tables (OIDs) whose rows the open transaction has changed
        self._followed: dict[Relation, MirrorTable] = {}  # by the versions that the log announced
        self._suspects: dict[
            int, Lsn
        ] = {}  # tables whose columns are others in the catalog, as of these points of the log
        self._skipped: set[int] = set()

    def start(self, relations: Sequence[Relation]) -> None:
        """Note which column is which in tables whose mirrors were just made."""
        self.load()
        facts = self._facts([relation.oid for relation in relations])
        for relation in relations:
            if relation.oid in facts:
                found = facts[relation.oid]
                record = _as_in_catalog(self.records[relation.oid], found, relation)
                # A copy has what the catalog showed as it began.
                leaves, published = record.leaves or dict(found.leaves), record.published or found.published
                self._write(replace(record, leaves=leaves, published=published))

    def snapshot_is_whole(self) -> None:
        """The mirrors are as far as the source's position, in meta.tables and here."""
        tables.all_streaming(self._connection, self._source)
        self.records = {
            oid: replace(record, state=TableState.STREAMING) if record.state is TableState.SNAPSHOT else record
            for oid, record in self.records.items()
        }

    def ready(self, ordered: Sequence[TableChanges], announced: Collection[int]) -> list[_Taken]:
        """Follow all versions in these changes, and return the changes as the mirrors have to take them now.

        All versions first: DuckDB cannot alter a table whose rows a transaction has changed. `announced`: tables that the
        log has named anew, which it also does where nothing that it shows has changed.
        """
        facts = self._facts(self._to_ask(ordered, announced))
        self.follow_unlogged(self._unlogged(facts), _first_lsn(ordered[0]) if ordered else None)
        self._check_namesakes(facts, ordered)
        taken: list[_Taken] = []
        for changes in ordered:
            record = self._record_of(changes)
            if record.stopped:
                self.skip(record, changes)
                continue
            try:
                table, step = self._follow(
                    record, changes.relation, facts.get(changes.relation.oid), taken, _first_lsn(changes)
                )
            except Unfollowable as reason:
                self.stop(record, str(reason), changes)
                continue
            if step is not None:
                taken = [self._reshaped(each, changes.relation.oid, step) for each in taken]
            taken.append((table, replace(changes, relation=table.relation)))
        return taken

    def behind(self, relations: Sequence[Relation]) -> list[tuple[TableRecord, Relation]]:
        """Return the exact tables of which the source has another version than their mirrors follow."""
        known = [(self.records[each.oid], each) for each in relations if each.oid in self.records]
        exact = [(record, each) for record, each in known if record.state is TableState.STREAMING]
        return [(record, each) for record, each in exact if as_mirrored(record.relation, each) != record.relation]

    def follow_catalog(self, relations: Sequence[Relation], lsn: Lsn) -> None:
        """Follow versions that no row has announced yet; the source has them at `lsn`, where the mirrors stand."""
        behind = self.behind(relations)
        facts = self._facts([relation.oid for _, relation in behind])
        for record, relation in behind:
            try:
                self._follow(record, relation, facts.get(relation.oid), [], lsn)
            except Unfollowable as reason:
                self.stop(record, str(reason), None, lsn)

    def unaltered(self, oids: Collection[int]) -> list[int]:
        """Return those of the tables that have had the same columns ever since their mirrors were made, as far as can be asked."""
        if self._ask is None:
            return list(oids)
        return [oid for oid, facts in self._facts(oids).items() if _has_same_columns(self.records[oid], facts)]

    def facts_of(self, relation: Relation) -> TableFacts | None:
        """Return what the catalog knows of a table now; None where it cannot be asked."""
        return self._facts([relation.oid]).get(relation.oid)

    def changed_unlogged(self) -> list[tuple[TableRecord, TableFacts]]:
        """Return the exact tables whose partitions, their files or entries in the publication are others than they were."""
        return self._unlogged(
            self._facts([oid for oid, record in self.records.items() if record.state is TableState.STREAMING])
        )

    def _unlogged(self, facts: Mapping[int, TableFacts]) -> list[tuple[TableRecord, TableFacts]]:
        known = [(self.records[oid], found) for oid, found in facts.items()]
        return [
            (record, found)
            for record, found in known
            if record.state is TableState.STREAMING
            if record.leaves != found.leaves or found.published not in (None, record.published)
        ]

    def follow_unlogged(self, found: Sequence[tuple[TableRecord, TableFacts]], at: Lsn | None) -> None:
        """Take note of partitions that came empty; stop tables that have lost or got rows without a word in the log."""
        for record, facts in found:
            try:
                check_partitions(record.leaves, facts)
                check_published(record.published, facts)
            except Unfollowable as reason:
                self.stop(record, str(reason), None, at)
            else:
                self._write(replace(record, leaves=dict(facts.leaves), published=facts.published or record.published))

    def stop(self, record: TableRecord, problem: str, changes: TableChanges | None, at: Lsn | None = None) -> None:
        """Leave the table as it is from here on; other tables of the source go on."""
        name = record.relation.qualified_name
        words = f"The table {name} {problem}. `causeway copy {self._source} {name}` copies it anew."
        at = _first_lsn(changes) if changes is not None else at
        stopped = replace(record, state=TableState.STOPPED, problem=words, stopped_at=at, skipped_rows=0)
        self._write(stopped)
        if changes is not None:
            self.skip(stopped, changes)

    def skip(self, record: TableRecord, changes: TableChanges) -> None:
        """Count changes that are left out."""
        self.records[record.relation.oid] = replace(record, skipped_rows=record.skipped_rows + changes.rows.num_rows)
        self._skipped.add(record.relation.oid)

    def whole(self, relation: Relation) -> None:
        """All rows of a snapshot's table are there."""
        self._write(replace(self.records[relation.oid], state=TableState.STREAMING))

    def exact_later(self, record: TableRecord, lsn: Lsn) -> None:
        """A copied table got values from behind the point that it was to be exact from."""
        if record.exact_from is not None and record.exact_from < lsn:
            self._write(replace(record, exact_from=lsn))

    def finish(self) -> None:
        """Store what was counted, before the commit."""
        for oid in self._skipped:
            tables.write_record(self._connection, self._source, self.records[oid])
        self._skipped.clear()

    def committed(self) -> None:
        """The transaction's rows are durable: their tables may be altered again."""
        self.written.clear()

    def _write(self, record: TableRecord) -> None:
        self.records[record.relation.oid] = record
        tables.write_record(self._connection, self._source, record)

    def _facts(self, oids: Collection[int]) -> dict[int, TableFacts]:
        return dict(self._ask(self._source, sorted(oids))) if self._ask is not None and oids else {}

    def _to_ask(self, ordered: Sequence[TableChanges], announced: Collection[int]) -> set[int]:
        """Tables whose columns may be others than they were: named anew by the log, or first seen since the start."""
        seen = {relation.oid for relation in self._followed}
        found = {changes.relation.oid for changes in ordered}
        changed_oids = {changes.relation.oid for changes in ordered if changes.relation not in self._followed}
        suspected = found & self._suspects.keys()
        wanted = (found - seen) | changed_oids | suspected | set(announced)
        return {oid for oid in wanted if oid in self.records and not self.records[oid].stopped}

    def _is_current(self, ordered: Sequence[TableChanges], oid: int) -> bool:
        current = self.records[oid].relation
        mine = [changes.relation for changes in ordered if changes.relation.oid == oid]
        return all(as_mirrored(current, relation) == current for relation in mine)

    def _check_namesakes(self, facts: dict[int, TableFacts], ordered: Sequence[TableChanges]) -> None:
        """Stop tables of which the log shows no change though the catalog does: a column dropped and added under its name."""
        for oid, found in facts.items():
            record = self.records[oid]
            if record.stopped or not self._is_current(ordered, oid):
                continue
            mine = next((changes for changes in ordered if changes.relation.oid == oid), None)
            try:
                check_unchanged(_known(record), found)
            except Unfollowable as reason:
                self._suspect(record, found.lsn, str(reason), mine)
                continue
            self._suspects.pop(oid, None)
            seen = _as_in_catalog(record, found, record.relation)
            if seen != record:
                self._write(seen)

    def _suspect(self, record: TableRecord, seen_at: Lsn, problem: str, mine: TableChanges | None) -> None:
        """Stop the table once the log is past what the catalog showed; until then it may show the change itself."""
        suspected = self._suspects.setdefault(record.relation.oid, seen_at)
        if mine is not None and _first_lsn(mine) >= suspected:
            self.stop(record, problem, None, _first_lsn(mine))

    def _record_of(self, changes: TableChanges) -> TableRecord:
        relation = changes.relation
        record = self.records.get(relation.oid)
        if record is not None:
            return record
        same = next(
            (one for one in self.records.values() if one.relation.qualified_name == relation.qualified_name), None
        )
        if same is None:
            new = TableRecord(relation=relation, state=TableState.STREAMING)
            self.stop(new, "has no mirror yet: it came after the source's snapshot", None, _first_lsn(changes))
            return self.records[relation.oid]
        if not same.stopped:
            self.stop(same, "was dropped and created again", None, _first_lsn(changes))
        return self.records[same.relation.oid]

    def _follow(
        self,
        record: TableRecord,
        announced: Relation,
        facts: TableFacts | None,
        before: Sequence[_Taken],
        lsn: Lsn,
    ) -> tuple[MirrorTable, Reshape | None]:
        """Bring the mirror to this version; return it, and the step that was taken, None where it is there."""
        followed = self._followed.get(announced)
        if followed is not None:
            return followed, None
        relation = as_mirrored(record.relation, announced)
        table = MirrorTable(self._source, relation)
        if relation == record.relation:
            self._followed[announced] = table
            return table, None
        step = changed(_known(record, lsn), relation, facts, tables.mirrored_columns(self._connection, table))
        if any(addition.missing is not None or addition.rewritten for addition in step.added):
            reshaping.check_missing(self._connection, step.added, rows=self._has_rows(table, before))
        old = MirrorTable(self._source, record.relation)
        written = relation.oid in self.written
        if reshaping.reshape(
            self._connection, table.schema, relation.table, step, written=written, dropped_at=str(lsn)
        ):
            self.written.add(relation.oid)
        self._histories.reshape(table, step, written=written, dropped_at=str(lsn))
        dropped_columns.note(self._connection, table, step, lsn)
        value_exceptions.follow(self._connection, old, table, step)
        follows = replace(record, relation=relation)
        self._write(
            follows if facts is None else replace(_as_in_catalog(record, facts, relation, lsn), relation=relation)
        )
        self._suspects.pop(relation.oid, None)
        others = {version: one for version, one in self._followed.items() if version.oid != relation.oid}
        self._followed = {**others, announced: table}
        return table, step

    def _has_rows(self, table: MirrorTable, before: Sequence[_Taken]) -> bool:
        """Whether the table had rows when it took this version; `before`: what the mirror has yet to take."""
        mine = [changes for _, changes in before if changes.relation.oid == table.relation.oid]
        operations = [operation for changes in mine for operation in changes.rows["_op"].to_pylist()]
        if OP_TRUNCATE in operations:
            return operations[-1] != OP_TRUNCATE
        return bool(operations or self._connection.execute(f"SELECT 1 FROM {table.name} LIMIT 1").fetchall())

    def _reshaped(self, one: _Taken, oid: int, step: Reshape) -> _Taken:
        if one[1].relation.oid != oid:
            return one
        changes = reshaping.in_next_shape(one[1], step)
        return MirrorTable(self._source, changes.relation), changes


def _known(record: TableRecord, at: Lsn = ZERO) -> Known:
    """What the mirror follows, at this point of the log."""
    gone = frozenset(record.gone) if at >= record.gone_at else frozenset()
    return Known(relation=record.relation, attnums=record.attnums, files=record.files, gone=gone)


def _has_same_columns(record: TableRecord, facts: TableFacts) -> bool:
    now = {column.name: column.attnum for column in facts.columns}
    mine = {name: now.get(name) for name in record.relation.column_names}
    return record.gone == facts.dropped and dict(record.attnums) == mine


def _as_in_catalog(record: TableRecord, facts: TableFacts, relation: Relation, at: Lsn = ZERO) -> TableRecord:
    """The record with the catalog's identities of the columns that the mirror follows."""
    attnums = attnums_of(_known(record, at), relation, facts)
    gone_at = record.gone_at if record.gone == facts.dropped else facts.lsn
    return replace(record, attnums=attnums, files=dict(facts.files), gone=facts.dropped, gone_at=gone_at)


def _first_lsn(changes: TableChanges) -> Lsn:
    return Lsn(changes.rows["_lsn"][0].as_py() if changes.rows.num_rows else 0)
