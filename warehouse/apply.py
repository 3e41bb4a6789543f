"""One table's changes onto its mirror: rows that are only new are appended, all others are merged.

Contract: runs inside the session's transaction and commits nothing. The mirror has the columns of `table.relation` already.
Merging keeps the last change of each key, deletes the keys that the batch touched with one hash join, and inserts what
survives (DESIGN, "The mirror": MERGE INTO takes 2 to 60 times as long).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cdc.batch import OP_INSERT, OP_TRUNCATE, TableChanges
from transforms.columns import may_not_fit, read_quickly
from warehouse import completion, toast, value_exceptions
from warehouse.evolution import Unfollowable
from warehouse.lent_rows import Lent
from warehouse.names import MirrorTable, quoted

# DuckDB's threads take an Arrow table record batch by record batch: smaller ones let both cores cast (+20 %).
_CHUNK_ROWS = 8192
_SURVIVORS = "(SELECT * FROM _changes WHERE _last AND _op <> 'd')"


def apply_changes(
    connection: duckdb.DuckDBPyConnection,
    table: MirrorTable,
    changes: TableChanges,
    *,
    exceptions_kept: bool,
    upserts: bool = False,
    record: Callable[[TableChanges], None] | None = None,
) -> bool:
    """Apply the changes in their order; return whether meta.value_exceptions may now hold anything of the table.

    `upserts`: the mirror may hold rows that an insert brings again. `record` is given the changes piece by piece, each before the
    mirror takes it; a TRUNCATE among them has to stand alone then. Unfollowable, with nothing written, where a key does not
    fit its type.
    """
    changes = _read_quickly(changes, table)
    table = table.given(changes.rows.schema)
    check_keys(connection, table, changes.rows)
    operations = _operations(changes)
    if OP_TRUNCATE in operations:
        if record is not None:
            record(changes)
        changes = _after_truncate(connection, table, changes)
        exceptions_kept, operations = False, _operations(changes)
    if operations == {OP_INSERT} and not upserts:
        if record is not None:
            record(changes)
        return _append(connection, table, changes) or exceptions_kept
    for part in toast.independent_parts(changes, table) if operations else ():
        if record is not None:
            record(part)
        exceptions_kept = _merge(connection, table, part, exceptions_kept=exceptions_kept, upserts=upserts)
    return exceptions_kept


def _read_quickly(changes: TableChanges, table: MirrorTable) -> TableChanges:
    """Replace texts by typed values where that is quicker than DuckDB's casts; where values lack, others are to be joined as texts."""
    if changes.unchanged:
        return changes
    rows, typed = changes.rows, table.given(changes.rows.schema).typed
    for column in table.relation.columns:
        values = None if column.name in typed else read_quickly(column, rows[column.name])
        if values is not None:
            rows = rows.set_column(rows.schema.get_field_index(column.name), column.name, values)
    return changes if rows is changes.rows else replace(changes, rows=rows)


def _operations(changes: TableChanges) -> set[str]:
    return {str(operation) for operation in pc.unique(changes.rows["_op"]).to_pylist()}


def _after_truncate(connection: duckdb.DuckDBPyConnection, table: MirrorTable, changes: TableChanges) -> TableChanges:
    """Empty the mirror and return the changes behind the last TRUNCATE: what stood before it is gone in any case."""
    connection.execute(f"DELETE FROM {table.name}")
    value_exceptions.forget_table(connection, table)
    truncates = np.flatnonzero(pc.equal(changes.rows["_op"], pa.scalar(OP_TRUNCATE)).to_numpy())
    return toast.part_of(changes, int(truncates[-1]) + 1, changes.rows.num_rows)


def _append(connection: duckdb.DuckDBPyConnection, table: MirrorTable, changes: TableChanges) -> bool:
    with _registered(connection, toast.with_flags(changes)):
        _insert(connection, table, _values(table), "_changes")
        return value_exceptions.record_misfits(connection, table, "_changes", changes)


def _merge(
    connection: duckdb.DuckDBPyConnection,
    table: MirrorTable,
    changes: TableChanges,
    *,
    exceptions_kept: bool,
    upserts: bool,
) -> bool:
    with _registered(connection, changes.rows):
        _find_latest(connection, table, "true" if upserts else "bool_or(c._op <> 'i')")
    with _registered(connection, toast.with_flags(_with_last(connection, changes))):
        values, rows = _values(table), _SURVIVORS
        unchanged = tuple(changes.unchanged)
        if unchanged:
            completion.complete(connection, table, unchanged)
            values, rows = completion.casts(table, unchanged), completion.COMPLETED
        _delete_touched(connection, table)
        if exceptions_kept:
            value_exceptions.forget_rows(connection, table, "(SELECT * FROM _latest WHERE _touched)")
        _insert(connection, table, values, rows)
        misfits = value_exceptions.record_misfits(connection, table, rows, changes)
        if unchanged:
            completion.restore_exceptions(connection)
            completion.drop(connection)
    connection.execute("DROP TABLE _latest")
    return misfits or exceptions_kept


def _with_last(connection: duckdb.DuckDBPyConnection, changes: TableChanges) -> TableChanges:
    """Mark the last change of each key in a column `_last`.

    A join with `_latest` would say the same, but DuckDB hands the join's filter down to pyarrow, which cannot filter
    string_view columns (pyarrow 26: "array_filter has no kernel"); a plain condition on `_last` DuckDB applies itself.
    """
    latest = connection.execute("SELECT _seq FROM _latest").fetchnumpy()["_seq"]
    last = np.zeros(changes.rows.num_rows, dtype=np.bool_)
    last[np.searchsorted(changes.rows["_seq"].to_numpy(), latest)] = True
    return replace(changes, rows=changes.rows.append_column("_last", pa.array(last)))


def _insert(connection: duckdb.DuckDBPyConnection, table: MirrorTable, values: str, rows: str) -> None:
    connection.execute(f"INSERT INTO {table.name} ({table.column_list}) SELECT {values} FROM {rows} AS c")


def _values(table: MirrorTable) -> str:
    return ", ".join(table.value(column, "c") for column in table.relation.columns)


@contextmanager
def _registered(connection: duckdb.DuckDBPyConnection, rows: pa.Table) -> Iterator[None]:
    """Let SQL read the Arrow table as `_changes`."""
    lent = Lent(pa.Table.from_batches(rows.to_batches(max_chunksize=_CHUNK_ROWS), schema=rows.schema))
    connection.register("_changes", lent)
    try:
        yield
    finally:
        connection.unregister("_changes")
        lent.take_back()


def _find_latest(connection: duckdb.DuckDBPyConnection, table: MirrorTable, touched: str) -> None:
    """Make `_latest`: for each key its last change, and whether the mirror may hold it (one only inserted is new).

    The casts are in a query of their own: DuckDB 1.5 fails where TRY() is grouped by (bytea: "failed to bind column reference").
    """
    keys = ", ".join(quoted(key.name) for key in table.keys)
    connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE _latest AS
        SELECT {keys}, max(c._seq) AS _seq, {touched} AS _touched
        FROM (SELECT {_typed_keys(table)}, c._seq, c._op FROM _changes AS c) AS c GROUP BY {keys}
    """)


def check_keys(connection: duckdb.DuckDBPyConnection, table: MirrorTable, rows: pa.Table) -> None:
    """Refuse, before anything is written, a row without its key: it could never be found again. Hardly any key can be unfit."""
    table = table.given(rows.schema)
    unfit = [f"{table.value(key, 'c')} IS NULL" for key in table.keys if may_not_fit(key)]
    if not unfit:
        return
    with _registered(connection, rows):
        query = f"SELECT 1 FROM _changes AS c WHERE c._op <> 't' AND ({' OR '.join(unfit)}) LIMIT 1"
        found = connection.execute(query).fetchall()
    if found:
        raise Unfollowable("has a value in its key that the key's DuckDB type cannot hold (such as NaN)")


def _typed_keys(table: MirrorTable) -> str:
    """SQL for the typed key columns of `_changes AS c` under their own names."""
    return ", ".join(f"{table.value(key, 'c')} AS {quoted(key.name)}" for key in table.keys)


def _delete_touched(connection: duckdb.DuckDBPyConnection, table: MirrorTable) -> None:
    same = " AND ".join(f"t.{quoted(key.name)} = l.{quoted(key.name)}" for key in table.keys)
    connection.execute(f"DELETE FROM {table.name} AS t USING _latest AS l WHERE l._touched AND {same}")
