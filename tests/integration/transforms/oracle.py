"""Postgres as the oracle of mappings: the same rows in Postgres and, as the mirror would hold them, in DuckDB."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import duckdb
import psycopg
import pyarrow as pa

from cdc.catalog import describe
from cdc.connection import TEXT_FORMAT
from cdc.relation import Relation
from transforms.columns import cast_sql

FAILED = "<fails>"


def prepare(connection: psycopg.Connection) -> None:
    """Make a session write values as capture's sessions do."""
    connection.autocommit = True
    for name, value in TEXT_FORMAT.items():
        connection.execute(f"SET {name} = '{value}'".encode())


def relation_of(connection: psycopg.Connection, table: str) -> Relation:
    return describe(connection, [table])[0]


def as_text(connection: psycopg.Connection, relation: Relation) -> pa.Table:
    """All rows of a table as capture hands them on: text in Postgres's output form."""
    names = relation.column_names
    listed = ", ".join(f"""CASE WHEN "{name}" IS NULL THEN NULL ELSE format('%s', "{name}") END""" for name in names)
    rows = connection.execute(f"SELECT {listed} FROM {relation.qualified_name}".encode()).fetchall()
    return pa.table({name: pa.array([row[at] for row in rows], pa.string()) for at, name in enumerate(names)})


@dataclass(frozen=True)
class Oracle:
    """One table in both databases; `rows` in DuckDB has the mirror's types."""

    source: psycopg.Connection
    relation: Relation
    duckdb: duckdb.DuckDBPyConnection

    def in_postgres(self, sql: str) -> list[tuple[Any, ...]] | str:
        """The rows that the source gives, FAILED where it raises."""
        try:
            found = self.source.execute(sql.encode()).fetchall()
        except psycopg.DataError:
            return FAILED
        return [tuple(plain(value) for value in row) for row in found]

    def in_duckdb(self, sql: str) -> list[tuple[Any, ...]] | str:
        """The rows that the compiled SQL gives, FAILED where it raises."""
        try:
            found = self.duckdb.execute(sql).to_arrow_table()
        except (duckdb.DataError, duckdb.InvalidInputException):
            return FAILED
        return [tuple(plain(value) for value in row.values()) for row in found.to_pylist()]


def make_oracle(connection: psycopg.Connection, table: str) -> Oracle:
    """Copy a table of Postgres into an in-memory DuckDB, through the casts of the mirror."""
    prepare(connection)
    relation = relation_of(connection, table)
    mirror = duckdb.connect(":memory:")
    mirror.execute("SET TimeZone = 'UTC'")
    mirror.register("texts", as_text(connection, relation))
    casts = ", ".join(f'{cast_sql(column, f""""{column.name}" """)} AS "{column.name}"' for column in relation.columns)
    mirror.execute(f"CREATE TABLE rows AS SELECT {casts} FROM texts")
    return Oracle(connection, relation, mirror)


def plain(value: Any) -> Any:
    """A value without what the two drivers show differently: scale, zone, and blanks at the end of a char(n)."""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int | Decimal):
        return Decimal(value).normalize() + 0
    if isinstance(value, datetime):
        return value.astimezone(UTC) if value.tzinfo else value
    return str(value) if isinstance(value, UUID) else value


def sorted_rows(rows: Sequence[tuple[Any, ...]] | str) -> list[str]:
    """Rows in an order that does not depend on their types."""
    assert not isinstance(rows, str), "the query failed"
    return sorted(map(repr, rows))
