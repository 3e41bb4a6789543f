"""Whole rows looked up at a source by their keys: for values that the log left out because they did not change (TOAST), and for
rows that could not be mapped when they came.

What comes back is the row as it is now, which may be newer than the change that asked for it: the newer change follows in the log.
It is never older: see `cdc.visibility`.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
import pyarrow as pa
from psycopg import sql

from cdc.catalog import describe
from cdc.connection import PlainConnection
from cdc.driver_errors import translate
from cdc.relation import Column, Relation
from cdc.snapshot import output_functions, text_columns
from cdc.visibility import Visibility
from config.errors import CausewayError, ErrorKind

# With -1 and not NULL: without a modifier `character` would be character(1).
_TYPE_NAMES = "SELECT format_type(t.oid, -1) FROM unnest(%s::oid[]) WITH ORDINALITY AS t (oid, n) ORDER BY t.n"
_BEGIN = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
_SNAPSHOT = "SELECT pg_current_snapshot()::text"
_END = "SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_insert_lsn() END::text"
# A commit that the stream has shown becomes visible within microseconds; with synchronous standbys when they have answered.
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.001, 2.0


@dataclass(frozen=True, kw_only=True)
class LookedUp:
    """Rows as they are at the source. `relation`: the table as its catalog has it in the same view."""

    relation: Relation
    rows: pa.Table
    visibility: Visibility


def look_up(
    connection: PlainConnection,
    table: str,
    keys: pa.Table,
    *,
    xids: Collection[int] = (),
    row_filter: str | None = None,
    publication: str | None = None,
) -> LookedUp:
    """Return the rows of a table (schema.table) with these keys, in a view that shows all of the transactions `xids`.

    keys: the key columns by name, as text (n rows). row_filter: rows that do not fulfil it are not there, as in the stream.
    publication: whose columns are read; None for all. CausewayError: SCHEMA where the table or a key column is not there any more;
    TRANSIENT where a transaction stays invisible.
    """
    deadline = time.monotonic() + _LONGEST_WAIT_S
    wait_s = _FIRST_WAIT_S
    while True:
        with _one_view(connection, table) as snapshot:
            seen = Visibility.parse(snapshot, "0/0")
            if all(seen.sees(xid) for xid in xids):
                (relation,) = describe(connection, [table], publication)
                rows = fetch_rows(connection, relation, keys, row_filter=row_filter)
                with _translated(table):
                    (as_of,) = connection.execute(_END).fetchall()[0]
                return LookedUp(relation=relation, rows=rows, visibility=Visibility.parse(snapshot, as_of))
        if time.monotonic() > deadline:
            raise CausewayError(
                ErrorKind.TRANSIENT,
                f"rows of {table} that the stream has shown are not yet visible to queries.",
                hint="A synchronous standby has not answered; the rows are looked up again.",
                table=table,
            )
        time.sleep(wait_s)
        wait_s *= 2


def fetch_rows(
    connection: PlainConnection, relation: Relation, keys: pa.Table, *, row_filter: str | None = None
) -> pa.Table:
    """Return the rows with these keys, in no particular order; a key that is gone has no row.

    keys: key columns by name, as text (n rows). Returned: all of the relation's columns as text, in Postgres's output form.
    CausewayError SCHEMA where the table is no longer what the relation says.
    """
    if not keys.num_rows:
        return pa.table({name: pa.array([], type=pa.string()) for name in relation.column_names})
    columns = [column for column in relation.columns if column.name in keys.column_names]
    if len(columns) < len(relation.key_columns) or not columns:
        raise CausewayError(
            ErrorKind.SCHEMA,
            f"{relation.qualified_name} has another key than the rows that are to be looked up.",
            table=relation.qualified_name,
        )
    values = [_texts(keys, column.name) for column in columns]
    with _translated(relation.qualified_name):
        types = connection.execute(_TYPE_NAMES, [[column.type_oid for column in columns]]).fetchall()
        query = _query(connection, relation, columns, [name for (name,) in types], row_filter)
        rows = connection.execute(query, values).fetchall()
    arrays = [pa.array([row[i] for row in rows], type=pa.string()) for i in range(len(relation.columns))]
    return pa.Table.from_arrays(arrays, names=list(relation.column_names))


@contextmanager
def _one_view(connection: PlainConnection, table: str) -> Iterator[str]:
    """Run everything in one view of the database; yields its pg_current_snapshot()."""
    with _translated(table):
        connection.execute(_BEGIN)
        (snapshot,) = connection.execute(_SNAPSHOT).fetchall()[0]
    try:
        yield snapshot
    finally:
        if not connection.closed:
            with _translated(table):
                connection.execute("ROLLBACK")


@contextmanager
def _translated(table: str) -> Iterator[None]:
    try:
        yield
    except psycopg.Error as error:
        raise translate(error, f"looking up rows of {table}", table=table) from error


def _query(
    connection: PlainConnection, relation: Relation, keys: list[Column], types: list[str], row_filter: str | None
) -> sql.Composed:
    """Build the query: keys are cast to their columns' types, so that the key's index is used."""
    outputs = output_functions(connection, [relation])
    names = [sql.Identifier(f"causeway key {number}") for number in range(len(keys))]
    # format_type's text is SQL already, as a row filter of the settings is.
    wanted = sql.SQL(", ").join(
        sql.SQL("w.{}::{} AS {}").format(name, sql.SQL(type_name), name)
        for name, type_name in zip(names, types, strict=True)
    )
    arrays = sql.SQL(", ").join(sql.SQL("%s::text[]") for _ in keys)
    condition = sql.SQL(f" WHERE ({row_filter})") if row_filter else sql.SQL("")
    matches = [
        sql.SQL("{} = wanted.{}").format(sql.Identifier("row", column.name), name)
        for column, name in zip(keys, names, strict=True)
    ]
    table = sql.Identifier(relation.schema, relation.table)
    return sql.SQL(
        "SELECT {} FROM (SELECT {} FROM unnest({}) AS w ({})) AS wanted JOIN (SELECT * FROM {}{}) AS row ON {}"
    ).format(
        text_columns(relation, outputs),
        wanted,
        arrays,
        sql.SQL(", ").join(names),
        table,
        condition,
        sql.SQL(" AND ").join(matches),
    )


def _texts(keys: pa.Table, name: str) -> Sequence[str | None]:
    texts: Sequence[str | None] = keys.column(name).to_pylist()
    return texts
