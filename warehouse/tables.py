"""meta.tables: which version of each captured table its mirror follows, and in which state the mirror is.

Contract: runs inside the transaction of the session whose connection it is given, so that a state is as durable as the rows.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

import duckdb

from cdc.lsn import ZERO, Lsn
from cdc.relation import Relation, relation_from_json, relation_to_json
from warehouse import dropped_columns
from warehouse.held_types import held_as_made
from warehouse.names import MirrorTable, mirror_schema, quoted

_READ = """
    SELECT CAST(relation AS VARCHAR), state, problem, stopped_at, skipped_rows, exact_from, CAST(catalog AS VARCHAR)
    FROM meta.tables WHERE source = ? AND state <> 'dropped'
"""
_FORGET = "DELETE FROM meta.tables WHERE source = ? AND source_schema = ? AND table_name = ?"
_WRITE = """
    INSERT INTO meta.tables BY NAME
    SELECT $source AS source, $source_schema AS source_schema, $table_name AS table_name, $mirror_schema AS mirror_schema,
        $state AS state, $relation AS relation, now() AS updated_at, $problem AS problem, $stopped_at AS stopped_at,
        $skipped_rows AS skipped_rows, $exact_from AS exact_from, $catalog AS catalog
"""
_ALL_STREAMING = (
    "UPDATE meta.tables SET state = 'streaming', updated_at = now() WHERE source = ? AND state = 'snapshot'"
)
_ALL_DROPPED = "UPDATE meta.tables SET state = 'dropped', updated_at = now() WHERE source = ?"
_COLUMNS = """
    SELECT lower(column_name) FROM duckdb_columns()
    WHERE database_name = current_database() AND schema_name = ? AND table_name = ?
"""


class TableState(StrEnum):
    """How a mirror stands to its table. All of them survive a restart."""

    SNAPSHOT = "snapshot"  # the source's first copy runs
    STREAMING = "streaming"  # exact at the source's position
    COPYING = "copying"  # the table is copied anew while streaming goes on, or has to be caught up with yet
    STOPPED = "stopped"  # cannot be followed: the mirror stays as it was, later changes are left out
    DROPPED = "dropped"  # no longer captured


@dataclass(frozen=True, kw_only=True)
class TableRecord:
    """One row of meta.tables. `problem`, `stopped_at` and `skipped_rows` are a stopped table's.

    `exact_from`: while the source's position is below it, the mirror holds rows of later than that, and every insert may be
    one of a row that is there. `attnums` (by column) and `files`: the catalog's, see `cdc.table_facts`; empty where it was not
    asked. `gone`: attnums of columns that had been dropped at `gone_at`. `leaves`: files of the
    partitions, and `published`: the entry in the publication, when they were last compared, or the table's copy began.
    """

    relation: Relation
    state: TableState
    problem: str = ""
    stopped_at: Lsn | None = None
    skipped_rows: int = 0
    exact_from: Lsn | None = None
    attnums: Mapping[str, int] = field(default_factory=dict)
    files: Mapping[int, int] = field(default_factory=dict)
    gone: tuple[int, ...] = ()
    leaves: Mapping[int, int] = field(default_factory=dict)
    published: int | None = None
    gone_at: Lsn = ZERO

    @property
    def stopped(self) -> bool:
        """Whether the table's changes are left out."""
        return self.state is TableState.STOPPED


def read_records(connection: duckdb.DuckDBPyConnection, source: str) -> dict[int, TableRecord]:
    """Return the captured tables of `source`, by the OID that their mirrors follow."""
    found = [_record(*row) for row in connection.execute(_READ, [source]).fetchall()]
    held = held_as_made(connection, source, [record.relation for record in found])
    return {relation.oid: replace(record, relation=relation) for record, relation in zip(found, held, strict=True)}


def write_record(connection: duckdb.DuckDBPyConnection, source: str, record: TableRecord) -> None:
    """Store how a table stands from now on."""
    relation = record.relation
    connection.execute(_FORGET, [source, relation.schema, relation.table])
    values = {
        "source": source,
        "source_schema": relation.schema,
        "table_name": relation.table,
        "mirror_schema": mirror_schema(source, relation.schema),
        "state": record.state.value,
        "relation": relation_to_json(relation),
        "problem": record.problem or None,
        "stopped_at": _text(record.stopped_at),
        "skipped_rows": record.skipped_rows if record.stopped else None,
        "exact_from": _text(record.exact_from),
        "catalog": json.dumps(
            {
                "attnums": dict(record.attnums),
                "files": dict(record.files),
                "gone": record.gone,
                "leaves": dict(record.leaves),
                "published": record.published,
                "gone_at": str(record.gone_at),
            }
        ),
    }
    connection.execute(_WRITE, values)


def _record(
    relation: str,
    state: str,
    problem: str | None,
    stopped_at: str | None,
    skipped: int | None,
    exact_from: str | None,
    catalog: str | None,
) -> TableRecord:
    numbers = json.loads(catalog) if catalog else {"attnums": {}, "files": {}}
    return TableRecord(
        relation=relation_from_json(relation),
        state=TableState(state),
        problem=problem or "",
        stopped_at=Lsn.parse(stopped_at) if stopped_at else None,
        skipped_rows=skipped or 0,
        exact_from=Lsn.parse(exact_from) if exact_from else None,
        attnums=numbers["attnums"],
        files={int(oid): file for oid, file in numbers["files"].items()},
        leaves={int(oid): file for oid, file in numbers.get("leaves", {}).items()},
        published=numbers.get("published"),
        gone=tuple(numbers.get("gone", ())),
        gone_at=Lsn.parse(numbers.get("gone_at", "0/0")),
    )


def _text(lsn: Lsn | None) -> str | None:
    return None if lsn is None else str(lsn)


def make_empty(connection: duckdb.DuckDBPyConnection, table: MirrorTable) -> None:
    """Make a mirror anew, without rows."""
    connection.execute(f"CREATE SCHEMA IF NOT EXISTS {quoted(table.schema)}")
    connection.execute(f"DROP TABLE IF EXISTS {table.name}")
    connection.execute(f"CREATE TABLE {table.name} ({table.definition})")


def recreate(connection: duckdb.DuckDBPyConnection, source: str, relations: Sequence[Relation]) -> None:
    """Make the mirrors of these tables empty, in their present shape; other tables of the source count as dropped."""
    connection.execute(_ALL_DROPPED, [source])
    for relation in relations:
        table = MirrorTable(source, relation)
        make_empty(connection, table)
        dropped_columns.forget(connection, table)
        write_record(connection, source, TableRecord(relation=relation, state=TableState.SNAPSHOT))


def drop_others(
    connection: duckdb.DuckDBPyConnection, source: str, records: Iterable[TableRecord], captured: Collection[str]
) -> None:
    """Note which tables are no longer captured; their mirrors stay as they are, until they are captured again."""
    for record in records:
        if record.relation.qualified_name not in captured:
            write_record(connection, source, replace(record, state=TableState.DROPPED))


def all_streaming(connection: duckdb.DuckDBPyConnection, source: str) -> None:
    """Note that the snapshot is whole."""
    connection.execute(_ALL_STREAMING, [source])


def mirrored_columns(connection: duckdb.DuckDBPyConnection, table: MirrorTable) -> frozenset[str]:
    """Return the lower-cased names of the columns that the mirror has, dropped ones too."""
    rows = connection.execute(_COLUMNS, [table.schema, table.relation.table]).fetchall()
    return frozenset(name for (name,) in rows)
