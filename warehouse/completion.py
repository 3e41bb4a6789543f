"""The surviving rows of a merge with the values that Postgres did not send: from earlier changes in the batch, or the mirror.

Contract: runs between finding the latest change of each key and deleting the keys, in the session's transaction, over `_changes`
with the flags of `toast.with_flags`. Leaves the temporary tables COMPLETED and CARRIED; `drop` removes them.
"""

from __future__ import annotations

from collections.abc import Sequence

import duckdb

from cdc.relation import Column
from transforms.columns import cast_sql
from warehouse.names import MirrorTable, literal, quoted

COMPLETED = "_completed"  # all columns as text, _lsn, and _old_N (typed) where _carried_N
CARRIED = "_carried"  # rows of meta.value_exceptions that belong to carried values, under the rows' present keys
_SENT, _HOMES, _OLD = "_sent", "_homes", "_old"


def complete(connection: duckdb.DuckDBPyConnection, table: MirrorTable, unchanged: Sequence[str]) -> None:
    """Make COMPLETED and CARRIED; `unchanged` names the columns in the order of their flags."""
    # Copied: joins with string_view columns fail in pyarrow, see warehouse.apply.
    _make(connection, _SENT, "SELECT * FROM _changes")
    _make(connection, _HOMES, _homes_sql(table, len(unchanged)))
    _make(connection, _OLD, _old_sql(table, unchanged))
    _make(connection, COMPLETED, _completed_sql(table, unchanged, _sent_earlier(connection, unchanged)))
    _make(connection, CARRIED, _carried_sql(table, unchanged))


def casts(table: MirrorTable, unchanged: Sequence[str]) -> str:
    """SQL for the typed values of all columns over COMPLETED AS c."""
    numbers = {name: number for number, name in enumerate(unchanged)}

    def value(column: Column) -> str:
        cast, number = cast_sql(column, f"c.{quoted(column.name)}"), numbers.get(column.name)
        return cast if number is None else f"CASE WHEN c._carried_{number} THEN c._old_{number} ELSE {cast} END"

    return ", ".join(value(column) for column in table.relation.columns)


def restore_exceptions(connection: duckdb.DuckDBPyConnection) -> bool:
    """Write CARRIED back, the keys' own rows having been removed; return whether there were any."""
    inserted = connection.execute(f"INSERT INTO meta.value_exceptions SELECT * FROM {CARRIED}").fetchone()
    return bool(inserted and inserted[0])


def drop(connection: duckdb.DuckDBPyConnection) -> None:
    """Remove the temporary tables."""
    for name in (COMPLETED, CARRIED, _OLD, _HOMES, _SENT):
        connection.execute(f"DROP TABLE IF EXISTS {name}")


def _make(connection: duckdb.DuckDBPyConnection, name: str, sql: str) -> None:
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS {sql}")


def _sent_earlier(connection: duckdb.DuckDBPyConnection, unchanged: Sequence[str]) -> tuple[str, ...]:
    """Return the columns of which some row's value was sent by a change before its last one: seldom any."""
    tests = ", ".join(f"coalesce(bool_or(_known_{n} <> _seq), false)" for n in range(len(unchanged)))
    found = connection.execute(f"SELECT {tests} FROM {_HOMES}").fetchone() or ()
    return tuple(name for name, earlier in zip(unchanged, found, strict=True) if earlier)


def _homes_sql(table: MirrorTable, count: int) -> str:
    """One row for each key that survives: its last change, where each value was last sent, and its key in the mirror.

    Only what came since the row took this key counts: before that another row may have had it.
    """
    keys = ", ".join(quoted(key.name) for key in table.keys)
    typed = ", ".join(f"{cast_sql(key, f'c.{quoted(key.name)}')} AS {quoted(key.name)}" for key in table.keys)
    base = ", ".join(
        f"coalesce({cast_sql(key, f'm.{quoted(key.name)}')}, h.{quoted(key.name)}) AS {quoted('_base_' + key.name)}"
        for key in table.keys
    )
    known = ", ".join(
        f"max(_seq) FILTER (_op <> 'd' AND NOT _unchanged_{n} AND _seq > _since) AS _known_{n}" for n in range(count)
    )
    flags = ", ".join(f"c._unchanged_{n}" for n in range(count))
    return f"""
        WITH keyed AS (
            SELECT {typed}, c._seq, c._op, c._from_seq, {flags} FROM {_SENT} AS c
        ), lives AS (
            SELECT *, coalesce(max(_from_seq) OVER (PARTITION BY {keys}), -1) AS _since FROM keyed
        ), chain AS (
            SELECT {keys}, max(_seq) AS _seq, max(_from_seq) AS _from_seq, arg_max(_op, _seq) AS _op, {known}
            FROM lives GROUP BY {keys}
        )
        SELECT h.*, {base} FROM chain AS h LEFT JOIN {_SENT} AS m ON m._seq = h._from_seq WHERE h._op <> 'd'
    """


def _old_sql(table: MirrorTable, unchanged: Sequence[str]) -> str:
    values = ", ".join(f"o.{quoted(name)} AS _old_{n}" for n, name in enumerate(unchanged))
    same = " AND ".join(f"o.{quoted(key.name)} = h.{quoted('_base_' + key.name)}" for key in table.keys)
    lacking = " OR ".join(f"h._known_{n} IS NULL" for n in range(len(unchanged)))
    return f"SELECT h._seq, {values} FROM {table.name} AS o JOIN {_HOMES} AS h ON {same} WHERE {lacking}"


def _completed_sql(table: MirrorTable, unchanged: Sequence[str], earlier: Sequence[str]) -> str:
    """A join for each column in `earlier`: tables of a hundred wide columns would need memory for a hundred."""
    numbers = {name: number for number, name in enumerate(unchanged)}
    texts = ", ".join(
        f"{f'k{numbers[name]}' if name in earlier else 'c'}.{quoted(name)} AS {quoted(name)}"
        for name in table.relation.column_names
    )
    carried = ", ".join(f"h._known_{n} IS NULL AS _carried_{n}, o._old_{n}" for n in range(len(unchanged)))
    joins = " ".join(
        f"LEFT JOIN {_SENT} AS k{n} ON k{n}._seq = h._known_{n}" for name, n in numbers.items() if name in earlier
    )
    return f"""
        SELECT {texts}, c._lsn, {carried}
        FROM {_HOMES} AS h JOIN {_SENT} AS c ON c._seq = h._seq {joins} LEFT JOIN {_OLD} AS o ON o._seq = h._seq
    """


def _carried_sql(table: MirrorTable, unchanged: Sequence[str]) -> str:
    """The kept texts of carried values: the key by which they are kept is the row's old one."""
    lacking = " OR ".join(
        f'(e."column" = {literal(name)} AND h._known_{n} IS NULL)' for n, name in enumerate(unchanged)
    )
    return f"""
        SELECT e.source, e."schema", e."table", {table.key_text("h")} AS key, e."column", e.lsn, e.text
        FROM meta.value_exceptions AS e JOIN {_HOMES} AS h ON e.key = {table.key_text("h", "_base_")}
        WHERE e.source = {literal(table.source)} AND e."schema" = {literal(table.schema)}
            AND e."table" = {literal(table.table)} AND ({lacking})
    """
