"""Carries a step of `warehouse.evolution` out: on a table of the warehouse, and on changes of the version before it.

Contract: runs inside the session's transaction, before the rows of the batch are written. DuckDB 1.5 cannot alter a table whose
rows the open transaction has changed (it fails at the commit: "another transaction has altered this table"), so such a table is
copied: seldom, DDL in the middle of a transaction too large for one batch.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cdc.batch import META_COLUMNS, OP_INSERT, OP_UPDATE, TableChanges
from cdc.relation import Column
from transforms.columns import cast_sql, duckdb_type
from warehouse.evolution import Addition, Reshape, Unfollowable
from warehouse.names import literal, quoted

_COPY = "_copy_of_"
_COLUMNS = """
    SELECT column_name FROM duckdb_columns()
    WHERE database_name = current_database() AND schema_name = ? AND table_name = ? ORDER BY column_index
"""


def reshape(
    connection: duckdb.DuckDBPyConnection, schema: str, table: str, step: Reshape, *, written: bool, dropped_at: str
) -> bool:
    """Bring a table into its next shape; return whether the next step in this transaction has to copy it.

    `written`: the open transaction has changed rows of it, or its shape: of two shapes in one transaction and rows behind them
    DuckDB may refuse the commit, too.
    """
    name = f"{quoted(schema)}.{quoted(table)}"
    copied = step.alters and (written or any(_is_nested(addition) for addition in step.added))
    if copied:
        _copy(connection, schema, table, step)
    elif step.alters:
        for action in _alterations(step):
            connection.execute(f"ALTER TABLE {name} {action}")
    for column in step.dropped:
        comment = literal(f"dropped at the source by {dropped_at}: NULL in rows written since")
        connection.execute(f"COMMENT ON COLUMN {name}.{quoted(column)} IS {comment}")
    return step.alters or written


def columns_of(connection: duckdb.DuckDBPyConnection, schema: str, table: str) -> tuple[str, ...]:
    """Return the names of a table's columns, in their order."""
    return tuple(column for (column,) in connection.execute(_COLUMNS, [schema, table]).fetchall())


def check_missing(connection: duckdb.DuckDBPyConnection, added: Collection[Addition], *, rows: bool) -> None:
    """Refuse columns of which old rows (`rows`: there are any) have values that are not known, or that DuckDB's type cannot hold."""
    for addition in added if rows else ():
        column = addition.column
        if addition.rewritten:
            raise Unfollowable(
                f"got the column {column.name} while its rows were written anew, so that they may have values that no log tells"
            )
        if addition.missing is not None and _typed(connection, addition) is None:
            raise Unfollowable(f"got the column {column.name} with a default that its DuckDB type cannot hold")


def in_next_shape(changes: TableChanges, step: Reshape) -> TableChanges:
    """Return changes of the version before the step as if they were of the one behind it, as far as the table's columns go."""
    renamed = dict(step.renamed)
    columns = [replace(column, name=renamed.get(column.name, column.name)) for column in changes.relation.columns]
    meta = [name for name, _ in META_COLUMNS]
    rows = changes.rows.rename_columns([*meta, *(column.name for column in columns)])
    for addition in step.added:
        if addition.missing is not None:
            rows = rows.append_column(addition.column.name, _missing_texts(rows, addition.missing))
            columns.append(replace(addition.column, is_key=False))
    key = tuple(renamed.get(name, name) for name in changes.relation.primary_key)
    relation = replace(changes.relation, columns=tuple(columns), primary_key=key)
    unchanged = {renamed.get(name, name): mask for name, mask in changes.unchanged.items()}
    return replace(changes, relation=relation, rows=rows, unchanged=unchanged)


def _missing_texts(rows: pa.Table, text: str) -> pa.Array[Any]:
    """The text in inserts and updates: the rows are there when the column is added."""
    written = pc.is_in(rows["_op"], pa.array([OP_INSERT, OP_UPDATE], pa.string())).to_numpy(zero_copy_only=False)
    return pa.array([text] * rows.num_rows, pa.string(), mask=~np.asarray(written, dtype=np.bool_))


def _alterations(step: Reshape) -> list[str]:
    through = {old: f"_renamed_{number}" for number, old in enumerate(step.renamed)}  # names may be exchanged
    actions = [f"RENAME COLUMN {quoted(old)} TO {quoted(between)}" for old, between in through.items()]
    actions += [f"RENAME COLUMN {quoted(through[old])} TO {quoted(new)}" for old, new in step.renamed.items()]
    actions += [f"ALTER COLUMN {quoted(each.name)} SET DATA TYPE {duckdb_type(each)}" for each in step.widened]
    for addition in step.added:
        name, kind = quoted(addition.column.name), duckdb_type(addition.column)
        if addition.missing is None:
            actions.append(f"ADD COLUMN {name} {kind}")
        else:
            default = _constant(addition)
            actions += [f"ADD COLUMN {name} {kind} DEFAULT {default}", f"ALTER COLUMN {name} DROP DEFAULT"]
    return actions


def _is_nested(addition: Addition) -> bool:
    """Whether old rows have a value that no DEFAULT can say in DuckDB: a list or a struct takes a lambda to make."""
    kind = duckdb_type(addition.column)
    return addition.missing is not None and (kind.endswith("]") or kind.startswith(("STRUCT", "MAP", "UNION")))


def _copy(connection: duckdb.DuckDBPyConnection, schema: str, table: str, step: Reshape) -> None:
    wider = {column.name: column for column in step.widened}
    values = []
    for old in columns_of(connection, schema, table):
        new = step.renamed.get(old, old)
        kind = f"CAST({quoted(old)} AS {duckdb_type(wider[new])})" if new in wider else quoted(old)
        values.append(f"{kind} AS {quoted(new)}")
    values += [f"{_constant(addition)} AS {quoted(addition.column.name)}" for addition in step.added]
    name, copy = f"{quoted(schema)}.{quoted(table)}", f"{quoted(schema)}.{quoted(_COPY + table)}"
    connection.execute(f"CREATE TABLE {copy} AS SELECT {', '.join(values)} FROM {name}")
    connection.execute(f"DROP TABLE {name}")
    connection.execute(f"ALTER TABLE {copy} RENAME TO {quoted(table)}")


def _constant(addition: Addition) -> str:
    """SQL for the value of old rows, from the catalog's text of it, as any other value of the column."""
    column: Column = addition.column
    if addition.missing is None:
        return f"CAST(NULL AS {duckdb_type(column)})"
    return f"CAST({cast_sql(column, f'CAST({literal(addition.missing)} AS VARCHAR)')} AS {duckdb_type(column)})"


def _typed(connection: duckdb.DuckDBPyConnection, addition: Addition) -> object:
    found = connection.execute(f"SELECT CAST({_constant(addition)} AS VARCHAR)").fetchone()
    return found[0] if found else None
