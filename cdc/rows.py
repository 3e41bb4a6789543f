"""Whole rows looked up at a source by their keys: for values that the log left out because they did not change (TOAST).

What comes back is the row as it is now, which may be newer than the change that asked for it: the newer change follows in the log.
"""

from __future__ import annotations

import psycopg
import pyarrow as pa
from psycopg import sql

from cdc.connection import PlainConnection
from cdc.driver_errors import translate
from cdc.relation import Column, Relation
from cdc.snapshot import output_functions, text_columns

_TYPE_NAMES = "SELECT format_type(t.oid, NULL) FROM unnest(%s::oid[]) WITH ORDINALITY AS t (oid, n) ORDER BY t.n"


def fetch_rows(connection: PlainConnection, relation: Relation, keys: pa.Table) -> pa.Table:
    """Return the rows with these keys, in no particular order; a key that is gone has no row.

    keys: the relation's key columns by name, as text (n rows). Returned: all its columns as text, in Postgres's output form.
    CausewayError SCHEMA where the table is no longer what the relation says.
    """
    columns = [column for column in relation.columns if column.name in relation.key_columns]
    values = [_texts(keys, column.name) for column in columns]
    try:
        types = connection.execute(_TYPE_NAMES, [[column.type_oid for column in columns]]).fetchall()
        query = _query(connection, relation, columns, [name for (name,) in types])
        rows = connection.execute(query, values).fetchall() if keys.num_rows else []
    except psycopg.Error as error:
        raise translate(
            error, f"looking up rows of {relation.qualified_name}", table=relation.qualified_name
        ) from error
    arrays = [pa.array([row[i] for row in rows], type=pa.string()) for i in range(len(relation.columns))]
    return pa.Table.from_arrays(arrays, names=list(relation.column_names))


def _query(connection: PlainConnection, relation: Relation, keys: list[Column], types: list[str]) -> sql.Composed:
    """Build the query: keys are cast to their columns' types, so that the key's index is used."""
    outputs = output_functions(connection, [relation])
    names = [sql.Identifier(f"k{number}") for number in range(len(keys))]
    matches = [
        # format_type's text is SQL already.
        sql.SQL("{} = wanted.{}::{}").format(sql.Identifier(column.name), name, sql.SQL(type_name))
        for column, name, type_name in zip(keys, names, types, strict=True)
    ]
    arrays = sql.SQL(", ").join(sql.SQL("%s::text[]") for _ in keys)
    return sql.SQL("SELECT {} FROM {}, unnest({}) AS wanted ({}) WHERE {}").format(
        text_columns(relation, outputs),
        sql.Identifier(relation.schema, relation.table),
        arrays,
        sql.SQL(", ").join(names),
        sql.SQL(" AND ").join(matches),
    )


def _texts(keys: pa.Table, name: str) -> list[str | None]:
    texts: list[str | None] = keys.column(name).to_pylist()
    return texts
