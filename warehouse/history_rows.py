"""Changes as rows of a history: each one, not only the last of a key, with the values that Postgres did not send.

Contract: runs in the session's transaction, before the same changes are merged into the mirror, which therefore still has what rows
looked like before them. Takes pieces of `toast.independent_parts`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from cdc.batch import TableChanges
from cdc.relation import Column
from transforms.columns import cast_sql
from warehouse import toast, value_exceptions
from warehouse.history import BASE, META_LIST, HistoryTable
from warehouse.lent_rows import Lent
from warehouse.names import quoted

_CHUNK_ROWS = 8192
_SENT = "_history_sent"


def write(connection: duckdb.DuckDBPyConnection, table: HistoryTable, changes: TableChanges) -> None:
    """Append the changes to the history."""
    table = table.given(changes.rows.schema)
    rows = toast.with_flags(changes)
    lent = Lent(pa.Table.from_batches(rows.to_batches(max_chunksize=_CHUNK_ROWS), schema=rows.schema))
    connection.register("_history", lent)
    try:
        if changes.unchanged:
            # Copied: joins with string_view columns fail in pyarrow, see warehouse.apply.
            connection.execute(f"CREATE OR REPLACE TEMP TABLE {_SENT} AS SELECT * FROM _history")
            connection.execute(_completed_sql(table, tuple(changes.unchanged)))
            connection.execute(f"DROP TABLE {_SENT}")
        else:
            values = ", ".join(table.value(column, "c") for column in table.relation.columns)
            connection.execute(f"{_into(table)} SELECT {META_LIST}, {values} FROM _history AS c")
        value_exceptions.record_misfits(connection, table, "_history", changes)
    finally:
        connection.unregister("_history")
        lent.take_back()


def stamped(changes: TableChanges, *, base: bool, in_pieces_since: int | None, first_seq: int) -> TableChanges:
    """Return the changes with one `_lsn` a transaction and one order within it, however many pieces it comes in.

    A transaction in pieces has the beginning of its commit record for its `_lsn` (cdc.batch): one more than that is behind
    every position before the commit, and before every position behind it.
    """
    rows = changes.rows
    lsn = rows["_lsn"].to_numpy()
    if in_pieces_since is not None:
        lsn = lsn + (lsn == np.uint64(in_pieces_since)).astype(np.uint64)
    rows = _with(rows, "_lsn", pa.array(lsn, pa.uint64()))
    if first_seq:
        rows = _with(rows, "_seq", pa.array(rows["_seq"].to_numpy() + first_seq, pa.int64()))
    if base:
        rows = _with(rows, "_op", pa.array([BASE] * rows.num_rows, pa.string()))
    return replace(changes, rows=rows)


def _with(rows: pa.Table, name: str, values: pa.Array[Any]) -> pa.Table:
    return rows.set_column(rows.schema.get_field_index(name), name, values)


def _into(table: HistoryTable) -> str:
    return f"INSERT INTO {table.name} ({META_LIST}, {table.column_list})"


def _completed_sql(table: HistoryTable, unchanged: tuple[str, ...]) -> str:
    """Every change with its values: sent with it, with an earlier change of the same row in this batch, or in the mirror.

    A row's life begins where it took its key: before that another row may have had it. What it had then is found in the
    mirror under the key that it had then.
    """
    keys = ", ".join(quoted(key.name) for key in table.keys)
    typed = ", ".join(f"{cast_sql(key, f'c.{quoted(key.name)}')} AS {quoted(key.name)}" for key in table.keys)
    flags = ", ".join(f"_unchanged_{n}" for n in range(len(unchanged)))
    known = ", ".join(
        f"max(_seq) FILTER (_op <> 'd' AND NOT _unchanged_{n}) OVER ("
        f"PARTITION BY {keys}, _since ORDER BY _seq) AS _known_{n}"
        for n in range(len(unchanged))
    )
    then = " AND ".join(
        f"o.{quoted(key.name)} = CASE WHEN h._since IS NULL THEN h.{quoted(key.name)}"
        f" ELSE {cast_sql(key, f'm.{quoted(key.name)}')} END"
        for key in table.keys
    )
    sent = " ".join(f"LEFT JOIN {_SENT} AS k{n} ON k{n}._seq = h._known_{n}" for n in range(len(unchanged)))
    return f"""
        {_into(table)}
        WITH keyed AS (
            SELECT {typed}, _seq, _op, _from_seq, {flags} FROM {_SENT} AS c
        ), lives AS (
            SELECT *, max(_from_seq) OVER (PARTITION BY {keys} ORDER BY _seq) AS _since FROM keyed
        ), homes AS (
            SELECT *, {known} FROM lives
        )
        SELECT {", ".join(f"c.{name}" for name in META_LIST.split(", "))}, {_values(table, unchanged)}
        FROM homes AS h JOIN {_SENT} AS c ON c._seq = h._seq {sent}
        LEFT JOIN {_SENT} AS m ON m._seq = h._since
        LEFT JOIN {table.mirror.name} AS o ON {then}
    """


def _values(table: HistoryTable, unchanged: tuple[str, ...]) -> str:
    numbers = {name: number for number, name in enumerate(unchanged)}

    def value(column: Column) -> str:
        name, number = quoted(column.name), numbers.get(column.name)
        own = cast_sql(column, f"c.{name}")
        if number is None:
            return own
        before = f"CASE WHEN h._known_{number} IS NULL THEN o.{name} ELSE {cast_sql(column, f'k{number}.{name}')} END"
        return f"CASE WHEN c._unchanged_{number} THEN {before} ELSE {own} END"

    return ", ".join(value(column) for column in table.relation.columns)
