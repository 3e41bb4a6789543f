"""Tables of a source that are copied while streaming goes on: a fresh mirror beside the old one, and how far it is filled.

Contract: runs inside the transaction of the session whose connection it is given. From `begin` on the stream's changes go to the
fresh mirror, `_copying_TABLE`; what analysts see stays as it was until `swap`, so that rows that are gone at the source go with it.
Changes from before the copy's first watermark are in its rows already: where they have another shape than the copy, they are left
out, and what has the shape is harmless, because inserts are upserts until the position reaches `exact_from`.

A first snapshot that was interrupted in the middle of a table is gone on with the same way: what it has written becomes the fresh
mirror, exact at the snapshot's point for the rows that are in it, and the stream begins there; the rows of the pages that it had not
read are either unchanged since then, and still there, or the stream brings them whole (`cdc.batch.Unread`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace

import duckdb
import pyarrow.compute as pc

from cdc.batch import CopyProgress, PageRange, TableChanges, Unread
from cdc.lsn import ZERO, Lsn
from cdc.relation import Relation, relation_from_json, relation_to_json
from cdc.table_facts import TableFacts
from warehouse import dropped_columns, tables, value_exceptions
from warehouse.held_types import as_mirrored
from warehouse.names import MirrorTable, quoted
from warehouse.tables import TableRecord, TableState

_READ = """
    SELECT CAST(relation AS VARCHAR), began_at, exact_from, CAST(last_key AS VARCHAR), rows, whole, CAST(pages AS VARCHAR)
    FROM meta.copies LEFT JOIN meta.unread USING (source, source_schema, table_name) WHERE source = ?
"""
_FORGET = "DELETE FROM meta.copies WHERE source = ? AND source_schema = ? AND table_name = ?"
_WRITE = "INSERT INTO meta.copies VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, now())"
_UNREAD = """
    SELECT source_schema || '.' || table_name, CAST(pages AS VARCHAR) FROM meta.unread WHERE source = ? AND as_of = ?
"""
_FORGET_UNREAD = "DELETE FROM meta.unread WHERE source = ? AND source_schema = ? AND table_name = ?"
_WRITE_UNREAD = "INSERT INTO meta.unread VALUES (?, ?, ?, ?, ?)"
_NAMES = "SELECT source_schema, table_name, CAST(relation AS VARCHAR) FROM meta.copies WHERE source = ?"


@dataclass(kw_only=True)
class Copies:
    """The copies of one source's tables that are not exact yet, by the table's qualified name."""

    source: str
    progress: dict[str, CopyProgress] = field(default_factory=dict)

    @property
    def unfinished(self) -> tuple[CopyProgress, ...]:
        """Those that rows are to be read for yet."""
        return tuple(copy for copy in self.progress.values() if not copy.last)

    @property
    def filling(self) -> set[int]:
        """The tables (OIDs) of the unfinished ones."""
        return {copy.relation.oid for copy in self.unfinished}

    def supersedes(self, part: TableChanges) -> bool:
        """Whether changes are of another shape of their table than its copy, and are in it already, or will be in the next one.

        Of what came before the first watermark every row was read after it. What comes behind it in another shape means that the
        table was altered while its copy runs: the lane sees that, too, and begins it anew.
        """
        copy = self.progress.get(part.relation.qualified_name)
        if copy is None or not part.rows.num_rows or _shape(copy.relation) == _shape(part.relation):
            return False
        return (copy.unread is None and not copy.last) or int(pc.max(part.rows["_lsn"]).as_py()) <= copy.began_at

    def breaks(self, part: TableChanges) -> bool:
        """Whether changes are of another shape of their table than what an interrupted snapshot has left of it, which then can't be used."""
        copy = self.progress.get(part.relation.qualified_name)
        if copy is None or copy.unread is None or copy.last or not part.rows.num_rows:
            return False
        return _shape(copy.relation) != _shape(part.relation)

    def divide(
        self, ordered: Iterable[TableChanges]
    ) -> tuple[list[tuple[MirrorTable, TableChanges]], list[TableChanges]]:
        """Part the changes that go to fresh mirrors, with these, from all others."""
        copied, others = [], []
        for part in ordered:
            copy = self.progress.get(part.relation.qualified_name)
            if copy is None or copy.last:
                others.append(part)
            else:
                relation = as_mirrored(copy.relation, part.relation)
                copied.append((MirrorTable(self.source, relation, fresh=True), replace(part, relation=relation)))
        return copied, others


def read(connection: duckdb.DuckDBPyConnection, source: str) -> Copies:
    """Read what is durable of a source's copies."""
    found = {}
    for relation, began_at, exact_from, last_key, rows, whole, pages in connection.execute(_READ, [source]).fetchall():
        progress = CopyProgress(
            relation=relation_from_json(relation),
            began_at=Lsn.parse(began_at),
            exact_from=Lsn.parse(exact_from),
            last_key=None if last_key is None else tuple(json.loads(last_key)),
            rows=rows,
            last=whole,
            unread=None if pages is None else _unread_from_json(pages),
        )
        found[progress.table] = progress
    return Copies(source=source, progress=found)


def begin(
    connection: duckdb.DuckDBPyConnection,
    source: str,
    progress: CopyProgress,
    known: Sequence[TableRecord],
    facts: TableFacts | None,
) -> None:
    """Make the fresh mirror, empty; a table that has no mirror yet gets an empty one to be seen, too.

    facts: the catalog's, as no row has been read yet: what it shows later of which the log says nothing is not in the copy.
    """
    relation = progress.relation
    fresh = MirrorTable(source, relation, fresh=True)
    tables.make_empty(connection, fresh)
    value_exceptions.forget_table(connection, fresh)
    if not any(record.relation.qualified_name == relation.qualified_name for record in known):
        tables.make_empty(connection, MirrorTable(source, relation))
        value_exceptions.forget_table(connection, MirrorTable(source, relation))
    seen = TableRecord(relation=relation, state=TableState.COPYING)
    if facts is not None:
        seen = replace(seen, leaves=dict(facts.leaves), published=facts.published)
    store(connection, source, progress, seen)


def store(connection: duckdb.DuckDBPyConnection, source: str, progress: CopyProgress, seen: TableRecord) -> None:
    """Store how far the copy is. `seen`: the record since it began."""
    relation = progress.relation
    forget(connection, source, relation)
    key = None if progress.last_key is None else json.dumps(progress.last_key)
    row = [source, relation.schema, relation.table, relation_to_json(relation)]
    connection.execute(
        _WRITE, [*row, str(progress.began_at), str(progress.exact_from), key, progress.rows, progress.last]
    )
    if progress.unread is not None:
        note_unread(connection, source, relation, progress.unread, progress.began_at)
    record = TableRecord(
        relation=relation,
        state=TableState.COPYING,
        exact_from=progress.exact_from,
        leaves=seen.leaves,
        published=seen.published,
    )
    tables.write_record(connection, source, record)


def note_unread(
    connection: duckdb.DuckDBPyConnection, source: str, relation: Relation, unread: Unread | None, as_of: Lsn = ZERO
) -> None:
    """Store what is left to read of a table, None where nothing is; `as_of`: the snapshot's point."""
    connection.execute(_FORGET_UNREAD, [source, relation.schema, relation.table])
    if unread is not None:
        row = [source, relation.schema, relation.table, str(as_of), json.dumps(asdict(unread))]
        connection.execute(_WRITE_UNREAD, row)


def unread_tables(connection: duckdb.DuckDBPyConnection, source: str, position: Lsn) -> dict[str, Unread]:
    """Return what is left to read of tables that were read in part, by qualified name: of the snapshot at the source's position.

    Behind another position changes are missing.
    """
    rows = connection.execute(_UNREAD, [source, str(position)]).fetchall()
    return {name: _unread_from_json(pages) for name, pages in rows}


def resume(
    connection: duckdb.DuckDBPyConnection, source: str, record: TableRecord, unread: Unread, snapshot: Lsn
) -> None:
    """Go on with an interrupted snapshot of a table as with a copy: what is there becomes the fresh mirror."""
    relation = record.relation
    fresh, mirror = MirrorTable(source, relation, fresh=True), MirrorTable(source, relation)
    (rows,) = connection.execute(f"SELECT count(*) FROM {mirror.name}").fetchone() or (0,)
    connection.execute(f"DROP TABLE IF EXISTS {fresh.name}")
    connection.execute(f"ALTER TABLE {mirror.name} RENAME TO {quoted(fresh.table)}")
    value_exceptions.forget_table(connection, fresh)
    value_exceptions.rename_table(connection, mirror, fresh)
    tables.make_empty(connection, mirror)
    progress = CopyProgress(relation=relation, began_at=snapshot, exact_from=snapshot, rows=rows, unread=unread)
    store(connection, source, progress, record)


def forget(connection: duckdb.DuckDBPyConnection, source: str, relation: Relation) -> None:
    """Forget a copy; its fresh mirror stays until the next one."""
    connection.execute(_FORGET, [source, relation.schema, relation.table])
    note_unread(connection, source, relation, None)


def swap(connection: duckdb.DuckDBPyConnection, source: str, record: TableRecord) -> None:
    """Put the fresh mirror into the old one's place. DuckDB can't do it where the transaction has written rows of either."""
    relation = record.relation
    fresh, old = MirrorTable(source, relation, fresh=True), MirrorTable(source, relation)
    connection.execute(f"DROP TABLE IF EXISTS {old.name}")
    connection.execute(f"ALTER TABLE {fresh.name} RENAME TO {quoted(old.table)}")
    dropped_columns.forget(connection, old)
    value_exceptions.forget_table(connection, old)
    value_exceptions.rename_table(connection, fresh, old)


def uncopied(records: Iterable[TableRecord], relations: Sequence[Relation]) -> tuple[str, ...]:
    """Return the captured tables that have no mirror, or one that an interrupted snapshot has left unfinished."""
    known = {record.relation.qualified_name for record in records if record.state is not TableState.SNAPSHOT}
    return tuple(relation.qualified_name for relation in relations if relation.qualified_name not in known)


def forget_all(connection: duckdb.DuckDBPyConnection, source: str) -> None:
    """Give up every copy of a source: all its tables begin anew."""
    for schema, table, relation in connection.execute(_NAMES, [source]).fetchall():
        fresh = MirrorTable(source, relation_from_json(relation), fresh=True)
        connection.execute(f"DROP TABLE IF EXISTS {fresh.name}")
        value_exceptions.forget_table(connection, fresh)
        connection.execute(_FORGET, [source, schema, table])
    connection.execute("DELETE FROM meta.unread WHERE source = ?", [source])


def note_caught_up(
    connection: duckdb.DuckDBPyConnection, records: Iterable[TableRecord], copies: Copies, position: Lsn
) -> list[TableRecord]:
    """Note which copied tables `position` makes exact, and return them as they are from now on."""
    exact = [
        replace(record, state=TableState.STREAMING, exact_from=None)
        for record in records
        if record.exact_from is not None and record.exact_from <= position and not record.stopped
        if record.relation.qualified_name not in {copy.table for copy in copies.unfinished}
    ]
    for record in exact:
        relation = record.relation
        copies.progress.pop(relation.qualified_name, None)
        forget(connection, copies.source, relation)
        tables.write_record(connection, copies.source, record)
    return exact


def _unread_from_json(text: str) -> Unread:
    tree = json.loads(text)
    files = {int(heap): file for heap, file in tree["files"].items()}
    return Unread(files=files, ranges=tuple(PageRange(**pages) for pages in tree["ranges"]))


def _shape(relation: Relation) -> tuple[object, ...]:
    columns = tuple((column.name, column.type_oid, column.typmod, column.is_key) for column in relation.columns)
    return relation.oid, relation.replica_identity, columns
