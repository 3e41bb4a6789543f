"""Change history: every change of a captured table as a row, beside its mirror and in the same transaction.

`history_SHOP.orders` holds the changes of `SHOP.orders`: `_op` (s: a row as it was when the history began, then i, u, d, t), `_lsn` (end
of the transaction, as a number), `_xid`, `_committed_at`, `_seq` (order within the transaction), and the row's typed columns.
meta.history says which tables have one, and since when it is whole. Written by `warehouse.histories` in the session's transaction.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property

import duckdb

from cdc.relation import Column
from warehouse.names import MirrorTable, literal, quoted

SCHEMA_PREFIX = "history_"
BASE = "s"
META = "_op VARCHAR, _lsn UBIGINT, _xid UINTEGER, _committed_at TIMESTAMPTZ, _seq BIGINT"
META_NAMES = ("_op", "_lsn", "_xid", "_committed_at", "_seq")
META_LIST = ", ".join(META_NAMES)

_SHAPE = """
    SELECT lower(column_name), data_type FROM duckdb_columns()
    WHERE database_name = current_database() AND schema_name = ? AND table_name = ?
"""
# An LSN as Postgres writes it, or a time in any form that DuckDB reads.
_AS_OF = """
    CREATE OR REPLACE MACRO {macro}(moment) AS TABLE
    WITH asked AS (
        SELECT CAST(moment AS VARCHAR) AS words, regexp_full_match(CAST(moment AS VARCHAR), '[0-9A-Fa-f]+/[0-9A-Fa-f]+') AS is_lsn
    ), wanted AS (
        SELECT CASE WHEN is_lsn THEN (CAST('0x' || split_part(words, '/', 1) AS UBIGINT) << 32)
                + CAST('0x' || split_part(words, '/', 2) AS UBIGINT) END AS lsn,
            CASE WHEN NOT is_lsn THEN CAST(words AS TIMESTAMPTZ) END AS moment_at
        FROM asked
    ), answered AS (
        SELECT lsn, moment_at, CASE WHEN coalesce(lsn < h.begins_lsn, moment_at < h.begins_at)
            THEN error({too_early} || CAST(h.begins_at AS VARCHAR) || ', LSN '
                || printf('%X/%X', h.begins_lsn >> 32, h.begins_lsn & 4294967295)) ELSE true END AS known
        FROM wanted, meta.history AS h WHERE {of}
    ), seen AS (
        SELECT t.rowid AS _history_place, t._op, (t._lsn, t._seq) AS _history_order, {keys} FROM {table} AS t, answered AS a
        WHERE a.known AND coalesce(t._lsn <= a.lsn, t._committed_at <= a.moment_at)
    ), emptied AS (
        SELECT max(_history_order) AS last FROM seen WHERE _op = 't'
    ), newest AS (
        SELECT arg_max(_history_place, s._history_order) AS _history_place, arg_max(_op, s._history_order) AS _op FROM seen AS s, emptied AS e
        WHERE s._op <> 't' AND (e.last IS NULL OR s._history_order > e.last) GROUP BY {names}
    )
    SELECT * EXCLUDE ({meta}) FROM {table} WHERE rowid IN (SELECT _history_place FROM newest WHERE _op <> 'd')
"""


@dataclass(frozen=True)
class HistoryTable(MirrorTable):
    """The history of one version of a captured table."""

    @cached_property
    def schema(self) -> str:
        return SCHEMA_PREFIX + MirrorTable(self.source, self.relation).schema

    @property
    def mirror(self) -> MirrorTable:
        """The table whose history this is."""
        return MirrorTable(self.source, self.relation)

    @property
    def of(self) -> str:
        """SQL that finds the table in meta.history AS h."""
        return f'h.source = {literal(self.source)} AND h."schema" = {literal(self.schema)} AND h."table" = {literal(self.relation.table)}'


def create(connection: duckdb.DuckDBPyConnection, table: HistoryTable) -> None:
    """Make an empty history of the table's present columns; one that was there before is dropped."""
    connection.execute(f"CREATE SCHEMA IF NOT EXISTS {quoted(table.schema)}")
    connection.execute(f"DROP TABLE IF EXISTS {table.name}")
    connection.execute(f"CREATE TABLE {table.name} ({META})")
    for name, kind in _columns(connection, table.mirror):
        connection.execute(f"ALTER TABLE {table.name} ADD COLUMN {quoted(name)} {kind}")
    create_as_of(connection, table)


def create_as_of(connection: duckdb.DuckDBPyConnection, table: HistoryTable) -> None:
    """Make the macro that gives the table as of a moment, for the key that it has."""
    name = table.relation.table
    connection.execute(
        _AS_OF.format(
            macro=f"{quoted(table.schema)}.{quoted(name + '_as_of')}",
            table=table.name,
            too_early=literal(f"the history of {table.mirror.schema}.{name} begins at "),
            of=table.of,
            keys=", ".join(f"t.{quoted(key.name)}" for key in table.keys),
            names=", ".join(f"s.{quoted(key.name)}" for key in table.keys),
            meta=META_LIST,
        )
    )


def has_shape_of_mirror(connection: duckdb.DuckDBPyConnection, table: HistoryTable) -> bool:
    """Whether the history that is there can take the mirror's rows."""
    there = set(connection.execute(_SHAPE, [table.schema, table.relation.table]).fetchall())
    return set(connection.execute(_SHAPE, [table.mirror.schema, table.relation.table]).fetchall()) <= there


def write_base(
    connection: duckdb.DuckDBPyConnection,
    table: HistoryTable,
    lsn: int,
    committed_at: str,
    columns: Collection[Column],
) -> None:
    """Begin anew with the rows that the mirror has, behind a truncate of what came before."""
    meta = "$lsn, 0, CAST($committed_at AS TIMESTAMPTZ)"
    values = {"lsn": int(lsn), "committed_at": committed_at}
    connection.execute(f"INSERT INTO {table.name} ({META_LIST}) SELECT 't', {meta}, -1", values)
    names = ", ".join(quoted(column.name) for column in columns)
    connection.execute(
        f"INSERT INTO {table.name} ({META_LIST}, {names}) SELECT '{BASE}', {meta}, 0, {names} FROM {table.mirror.name}",
        values,
    )


def _columns(connection: duckdb.DuckDBPyConnection, table: MirrorTable) -> list[tuple[str, str]]:
    rows = connection.execute(
        "SELECT column_name, data_type FROM duckdb_columns() WHERE database_name = current_database()"
        " AND schema_name = ? AND table_name = ? ORDER BY column_index",
        [table.schema, table.relation.table],
    )
    return rows.fetchall()
