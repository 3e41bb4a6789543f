"""Postgres is the oracle: it renders the value, the cast must return it, and both checksums must name it alike."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import duckdb
import psycopg
import pytest

from cdc.relation import Column
from tests.fixtures.postgres import FreshDatabase
from transforms.columns import (
    cast_sql,
    checksum_sql_duckdb,
    checksum_sql_postgres,
    checksum_sql_text,
    duckdb_type,
    may_not_fit,
)

HELD: list[tuple[str, list[str]]] = [
    ("boolean", ["t", "f"]),
    ("smallint", ["-32768", "32767"]),
    ("integer", ["-2147483648", "0"]),
    ("bigint", ["-9223372036854775808", "9223372036854775807"]),
    ("oid", ["4294967295"]),
    ("numeric(12,2)", ["0", "-0.01", "1234567890.12"]),
    ("numeric(3,-2)", ["99900"]),
    ("numeric(3,5)", ["0.00999"]),
    ("numeric(38,10)", ["1234567890123456789012345678.0123456789"]),
    ("numeric(60,30)", ["123.5"]),
    ("numeric(38,38)", ["0.25"]),
    ("numeric", ["1.10", "100", "-0.0000000001", "1.000000000000000000000", "12345678901234567890"]),
    ("real", ["1.1", "Infinity", "-0", "1e-45", "NaN"]),
    ("double precision", ["0.1", "1e15", "123456789012345680", "-Infinity", "NaN", "5e-324", "-0"]),
    ("text", ["", "NULL", "it's", "naïve — ☃ 😀", "a\nb\t\\N"]),
    ("varchar(10)", ["ab ", ""]),
    ("char(4)", ["ab", "abcd"]),
    ('"char"', ["x"]),
    ("bytea", ["", "\\x00ff10"]),
    ("date", ["2026-03-02", "infinity", "-infinity", "0044-03-15 BC", "5874897-12-31", "4713-01-01 BC"]),
    ("time", ["00:00:00", "24:00:00", "10:11:12.000001"]),
    ("timetz", ["10:00:00+02"]),
    (
        "timestamp",
        ["2026-03-02 10:00:00.5", "infinity", "-infinity", "0044-03-15 10:00:00.25 BC", "12345-06-07 00:00:01"],
    ),
    (
        "timestamptz",
        ["2026-03-02 10:00:00+02", "infinity", "0044-03-15 10:00:00+00 BC", "1900-01-01 00:00:00.000001+00"],
    ),
    ("interval", ["1 year 2 mons -3 days 04:05:06.7", "-1 days +02:03:00"]),
    ("uuid", ["A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11"]),
    ("json", ['{"a": 1,  "a": 2}', "null", '"x"']),
    ("jsonb", ['{"b": [1, 2.50], "a": "é"}', "null"]),
    ("inet", ["10.0.0.1", "10.0.0.0/8"]),
    ("money", ["1234.5"]),
    ("int4range", ["[1,5)"]),
    ("bit(3)", ["101"]),
    ("integer[]", ["{}", "{1,NULL,3}"]),
    ("boolean[]", ["{t,f,NULL}"]),
    ("numeric(8,2)[]", ["{1.10,2}"]),
    ("numeric[]", ["{1.10,2.000,NULL}"]),
    ("double precision[]", ["{0.1,1e20,NaN,-0}"]),
    ("date[]", ["{2026-01-01,infinity,NULL}", '{"0044-03-15 BC"}']),
    ("timestamptz[]", ['{"2026-01-01 10:00:00+00"}']),
    ("uuid[]", ["{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}"]),
    ("text[]", ["{}", '{"",NULL,"NULL",null,it\'s,"a,b","{x}","say \\"hi\\"","back\\\\slash","two\nlines"," ",[1]}']),
    ("char(3)[]", ["{a,abc}"]),
]
NOT_HELD: list[tuple[str, list[str]]] = [
    ("numeric(12,2)", ["NaN"]),
    ("numeric", ["NaN", "Infinity", "1.00000000001", "12345678901234567890123456789", "0." + "0" * 30 + "10"]),
    ("numeric(60,30)", ["1.0000000000000000001"]),
    ("timestamp", ["294276-12-31 23:59:59"]),
    ("integer[]", ["{{1,2},{3,4}}", "[0:1]={1,2}"]),
    ("text[]", ['{{a,NULL},{"b c",d}}', "[2:2]={x}"]),
    ("numeric[]", ["{1.5,NaN}", "{1.00000000001}"]),
    ("json", ['"\\ud800"']),
]


@pytest.fixture
def source(database: FreshDatabase) -> Iterator[psycopg.Connection]:
    with database.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("SET DateStyle = 'ISO'")
        yield connection


@pytest.fixture
def duck() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        yield connection


def column_of(source: psycopg.Connection, type_name: str) -> Column:
    source.execute(f"CREATE TEMP TABLE one (value {type_name})")
    row = source.execute("SELECT atttypid, atttypmod FROM pg_attribute WHERE attrelid = 'one'::regclass AND attnum = 1")
    oid, typmod = row.fetchone() or (0, 0)
    return Column(name="value", type_oid=oid, typmod=typmod, type_name=type_name)


def rendered(source: psycopg.Connection, column: Column, value: str) -> tuple[str, str]:
    """The text that the log would carry, and the source's checksum text."""
    literal = f"CAST(%s AS {column.type_name})"
    row = source.execute(
        f"SELECT concat(v), {checksum_sql_postgres(column, 'v')} FROM (SELECT {literal} AS v) AS x", [value]
    ).fetchone()
    assert row is not None
    return row


def cast(duck: duckdb.DuckDBPyConnection, column: Column, text: str) -> tuple[Any, ...]:
    sql = f"""
        SELECT typeof(v), v IS NULL, {checksum_sql_duckdb(column, "v")}, {checksum_sql_text(column, "t")}
        FROM (SELECT {cast_sql(column, "t")} AS v, t FROM (SELECT CAST(? AS VARCHAR) AS t))"""
    return duck.execute(sql, [text]).fetchone() or ()


@pytest.mark.parametrize(("type_name", "values"), HELD, ids=[name for name, _ in HELD])
def test_a_value_that_fits_is_held_and_both_checksums_agree(
    source: psycopg.Connection, duck: duckdb.DuckDBPyConnection, type_name: str, values: list[str]
) -> None:
    column = column_of(source, type_name)
    for value in values:
        text, expected = rendered(source, column, value)
        kind, is_null, checksum, _ = cast(duck, column, text)
        assert (kind.replace("TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ"), is_null) == (duckdb_type(column), False), text
        assert checksum == expected, text


@pytest.mark.parametrize(("type_name", "values"), NOT_HELD, ids=[name for name, _ in NOT_HELD])
def test_a_value_that_does_not_fit_is_null_and_its_text_has_the_sources_checksum(
    source: psycopg.Connection, duck: duckdb.DuckDBPyConnection, type_name: str, values: list[str]
) -> None:
    column = column_of(source, type_name)
    assert may_not_fit(column)
    for value in values:
        text, expected = rendered(source, column, value)
        _, is_null, checksum, of_text = cast(duck, column, text)
        assert (is_null, checksum, of_text) == (True, None, expected), text


def test_null_stays_null_on_both_sides(source: psycopg.Connection, duck: duckdb.DuckDBPyConnection) -> None:
    for type_name in dict.fromkeys(name for name, _ in HELD + NOT_HELD):
        column = column_of(source, type_name)
        row = source.execute(
            f"SELECT {checksum_sql_postgres(column, 'value')} FROM (SELECT NULL::{type_name} AS value) x"
        )
        assert row.fetchone() == (None,), type_name
        sql = f"SELECT {cast_sql(column, 't')}, {checksum_sql_text(column, 't')} FROM (SELECT NULL::VARCHAR AS t)"
        assert duck.execute(sql).fetchone() == (None, None), type_name
        source.execute("DROP TABLE one")


def test_types_without_a_counterpart_are_text_and_always_fit() -> None:
    for oid in (1186, 1266, 790, 869, 3904, 99999):
        column = Column(name="value", type_oid=oid)
        assert (duckdb_type(column), may_not_fit(column)) == ("VARCHAR", False)
