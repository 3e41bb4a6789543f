"""Retention of a history: what no question about the time since the horizon needs any more is removed.

Of each row the newest change before the horizon stays, so that the table as of any later moment is right; of a row that was
deleted by then, nothing does.
"""

from __future__ import annotations

from datetime import datetime

import duckdb

from warehouse.history import HistoryTable
from warehouse.names import literal, quoted

_LSN_TEXT = "printf('%X/%X', t._lsn >> 32, t._lsn & 4294967295)"


def prune(connection: duckdb.DuckDBPyConnection, table: HistoryTable, horizon: datetime) -> int:
    """Remove what is older than the horizon and not needed; return how many rows went."""
    found = connection.execute(f"SELECT max(_lsn) FROM {table.name} WHERE _committed_at < ?", [horizon]).fetchone()
    if found is None or found[0] is None:
        return 0
    old = f"t._lsn <= {int(found[0])}"
    gone = connection.execute(_delete_sql(table, old)).fetchone()
    if not gone or not gone[0]:
        return 0
    connection.execute(
        f"UPDATE meta.history AS h SET begins_lsn = ?, begins_at = ? WHERE {table.of} AND begins_lsn < ?",
        [found[0], horizon, found[0]],
    )
    connection.execute(f"""
        DELETE FROM meta.value_exceptions
        WHERE source = {literal(table.source)} AND "schema" = {literal(table.schema)} AND "table" = {literal(table.relation.table)}
            AND (key, lsn) NOT IN (SELECT ({table.key_text("t")}, {_LSN_TEXT}) FROM {table.name} AS t WHERE _op <> 't')
    """)
    return int(gone[0])


def _delete_sql(table: HistoryTable, old: str) -> str:
    keys = ", ".join(f"t.{quoted(key.name)}" for key in table.keys)
    return f"""
        DELETE FROM {table.name} WHERE rowid IN (
            WITH old AS (
                SELECT t.rowid AS _history_place, t._op, (t._lsn, t._seq) AS _history_order, {keys} FROM {table.name} AS t WHERE {old}
            ), emptied AS (
                SELECT max(_history_order) AS last FROM old WHERE _op = 't'
            ), kept AS (
                SELECT arg_max(_history_place, t._history_order) AS _history_place, arg_max(_op, t._history_order) AS _op FROM old AS t, emptied AS e
                WHERE t._op <> 't' AND (e.last IS NULL OR t._history_order > e.last) GROUP BY {keys}
            )
            SELECT _history_place FROM old WHERE _history_place NOT IN (SELECT _history_place FROM kept WHERE _op <> 'd')
        )
    """
