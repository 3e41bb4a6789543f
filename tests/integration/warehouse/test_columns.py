"""Postgres is the oracle: it renders the value, the cast must return it, and both checksums must name it alike."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import duckdb
import psycopg
import pytest

from cdc.catalog import describe
from cdc.column_types import ColumnType, TypeKind
from cdc.relation import Column
from tests.fixtures.postgres import FreshDatabase
from tests.integration.transforms.oracle import prepare
from transforms.columns import (
    cast_sql,
    checksum_sql_any_text,
    checksum_sql_duckdb,
    checksum_sql_postgres,
    checksum_sql_text,
    duckdb_type,
    literal_sql,
    may_not_fit,
    suspect_sql,
)

TYPES = """
    CREATE TYPE mood AS ENUM ('ok', 'not ok');
    CREATE DOMAIN price AS numeric(10,2);
    CREATE DOMAIN net_price AS price CHECK (VALUE > -1000);
    CREATE DOMAIN flag AS boolean;
    CREATE DOMAIN code AS char(4);
    CREATE DOMAIN tags AS varchar(5)[];
    CREATE TYPE pair AS (a int, "B ""x"" b" text);
    CREATE TYPE nested AS (p pair, q pair[], at timestamptz, amount numeric, r numrange);
    CREATE TYPE alike AS (a int, "A" int);
    CREATE TYPE nothing AS ();
    CREATE TYPE floats AS RANGE (subtype = float8);
    CREATE TYPE texts AS RANGE (subtype = text, multirange_type_name = texts_many);
    CREATE TYPE prices AS RANGE (subtype = price);
    CREATE DOMAIN rows AS nested;
"""
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
    ("timetz", ["10:00:00+02", "24:00:00-15:59", "00:00:00.000001+05:30"]),
    (
        "timestamp",
        ["2026-03-02 10:00:00.5", "infinity", "-infinity", "0044-03-15 10:00:00.25 BC", "12345-06-07 00:00:01"],
    ),
    (
        "timestamptz",
        [
            "2026-03-02 10:00:00+02",
            "infinity",
            "0044-03-15 10:00:00+00 BC",
            "1900-01-01 00:00:00.000001+00",
            "294246-11-01 03:53:14.975694+00",
        ],
    ),
    (
        "interval",
        [
            "1 year 2 mons -3 days 04:05:06.7",
            "-1 days +02:03:00",
            "-1 mons +3 days -00:00:00.000001",
            "30 days",
            "1 mon",
            "0",
            "178956970 years 7 mons 2147483646 days 2562047788:00:54.775807",
            "-178956970 years -8 mons -2147483647 days -2562047788:00:54.775807",
            "999999999:59:59.5",
            "-1000000000:59:59.5",
        ],
    ),
    ("uuid", ["A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11"]),
    ("json", ['{"a": 1,  "a": 2}', "null", '"x"']),
    ("jsonb", ['{"b": [1, 2.50], "a": "é"}', "null"]),
    ("inet", ["10.0.0.1", "10.0.0.0/8"]),
    ("money", ["1234.5", "-0.01", "92233720368547758.07", "-92233720368547758.08", "0"]),
    ("bit(3)", ["101"]),
    ("bit varying", ["1", "1" + "01" * 40]),
    ("bit(8)[]", ["{00000000,11111111,NULL}"]),
    ("xid8", ["18446744073709551615"]),
    ("xid", ["4294967295"]),
    ("pg_lsn", ["16/B374D848"]),
    ("name", ["a"]),
    ("cidr", ["10.1.2.3/32"]),
    ("macaddr", ["08:00:2b:01:02:03"]),
    ("tsvector", ["a fat cat"]),
    ("point", ["(1.5,-2)", "(NaN,Infinity)", "(-0,1e300)"]),
    ("lseg", ["[(1,2),(3,4e-10)]"]),
    ("box", ["(3,4),(1,2)"]),
    ("path", ["[(1,2),(3,4)]", "((1,2),(3,4),(5,6))"]),
    ("polygon", ["((1,2),(3,4),(5,6.5))"]),
    ("line", ["{1,2,3}"]),
    ("circle", ["<(1,2),3.5>"]),
    ("box[]", ["{(3,4),(1,2);(1,1),(0,0)}", "{}"]),
    ("point[]", ['{"(1,2)",NULL,"(3,4)"}']),
    ("int4range", ["empty", "(,)", "[1,)", "(,5]", "[1,5)"]),
    ("numrange", ["[1.50,2.500]", "(0,)", "empty"]),
    ("tstzrange", ['["2026-01-01 00:00:00+00",infinity]', '(,"0044-03-15 10:00:00+00 BC")']),
    ("daterange", ["[2026-01-01,2026-02-01)"]),
    ("int4multirange", ["{}", "{[1,3),[5,9)}", "{(,3),[5,)}"]),
    ("nummultirange", ["{[1.5,2.5],(3,4)}"]),
    ("tstzmultirange", ["{[2024-01-01,2024-02-01),[2024-03-01,)}"]),
    ("int4range[]", ['{"[1,5)",empty,NULL}']),
    ("tsmultirange[]", ['{"{[2024-01-01,2024-02-01)}","{}"}']),
    ("inet[]", ["{10.0.0.1,::1}"]),
    ("jsonb[]", [r'{"{\"a\": [1, 2]}","null",NULL}']),
    ("interval[]", ['{"1 day","-1 days +02:03:00"}']),
    ("money[]", ['{"$1,234.50",-$0.01}']),
    ("bytea[]", [r'{"\\x00ff","\\x"}']),
    ("timetz[]", ["{10:00:00+02}"]),
    ("name[]", ["{a,NULL}"]),
    ("int2vector", ["1 2 3"]),
    ("mood", ["not ok"]),
    ("mood[]", ['{ok,"not ok",NULL}']),
    ("price", ["1.50"]),
    ("net_price", ["-999.99"]),
    ("net_price[]", ["{1.5,NULL}"]),
    ("flag", ["t"]),
    ("code", ["ab"]),
    ("code[]", ["{ab,c}"]),
    ("tags", ["{a,NULL}"]),
    ("tags[]", ['{"{a,\\"b c\\"}",NULL,"{}"}']),
    ("pair", ["(1,)", "(,)", '(,"")', '(2,"a ""quoted"", \\\\ and (bracketed)")', "(3,NULL)", '(4," two\nlines")']),
    ("pair[]", ['{"(1,x)",NULL,"(,)"}', "{}"]),
    (
        "nested",
        [
            "(,,,,)",
            '("(1,x)","{""(2,y z)"",NULL}","2026-01-01 10:00:00+00",1.500,"[1,2.50)")',
            '("(,)",{},infinity,0,empty)',
        ],
    ),
    ("rows", ["(,,,1,)"]),
    ("rows[]", ['{"(,,,1,)"}']),
    ("alike", ["(1,2)"]),
    ("nothing", ["()"]),
    ("floats", ["[1.5,1e20)", "[-0,NaN]", "(,-Infinity)"]),
    ("texts", ['["",b)', '["a ""b"" \\\\ (c)","d,e"]', "(,)"]),
    ("texts_many", ['{["",b),["c d","e,]f"]}', "{}"]),
    ("prices", ["[1.5,2]"]),
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
    ("interval", ["infinity", "-infinity"]),
    ("bit varying", [""]),
    ("timetz", ["24:00:00-15:59:59", "00:00:00.5+06:00:59"]),
    ("numrange", ["[0,1.00000000001]", "[NaN,)", "(,1e40]"]),
    ("tsrange", ['["2026-01-01 00:00:00","294276-12-31 00:00:00")']),
    ("nummultirange", ["{[1.5,2.5],(3,NaN]}"]),
    ("numrange[]", ['{"[1,2]","[1,NaN]"}']),
    ("bit varying[]", ['{"",1}']),
    ("interval[]", ['{infinity,"1 day"}']),
    ("int4range[]", ['{{"[1,2)"}}']),
    ("price", ["NaN"]),
    ("net_price[]", ["{NaN}", "{{1},{2}}"]),
    ("nested", ["(,,,NaN,)", '("(1,x)","{{""(1,a)""},{""(2,b)""}}",,1.5,)', '(,,,,"[1,NaN]")']),
    ("rows[]", ['{"(,,,NaN,)"}']),
    ("prices", ["[1,NaN)"]),
]


@pytest.fixture
def source(database: FreshDatabase) -> Iterator[psycopg.Connection]:
    with database.connect() as connection:
        prepare(connection)
        connection.execute(TYPES)
        yield connection


@pytest.fixture
def duck() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        yield connection


def column_of(source: psycopg.Connection, type_name: str) -> Column:
    """The column as capture describes it."""
    source.execute("DROP TABLE IF EXISTS one")
    source.execute(f"CREATE TABLE one (value {type_name})")
    return describe(source, ["public.one"])[0].columns[0]


def rendered(source: psycopg.Connection, column: Column, value: str) -> tuple[str, str]:
    """The text that the log would carry, and the source's checksum text."""
    source.execute("TRUNCATE one")
    source.execute("INSERT INTO one VALUES (%s)", [value])
    row = source.execute(f"SELECT concat(value), {checksum_sql_postgres(column, 'value')} FROM one").fetchone()
    assert row is not None
    return row


def cast(duck: duckdb.DuckDBPyConnection, column: Column, text: str) -> tuple[Any, ...]:
    sql = f"""
        SELECT v IS NULL, {checksum_sql_duckdb(column, "v")}, {checksum_sql_text(column, "t")}, {checksum_sql_any_text(column, "t")},
            {suspect_sql(column, "t")}
        FROM (SELECT {cast_sql(column, "t")} AS v, t FROM (SELECT CAST(? AS VARCHAR) AS t))"""
    return duck.execute(sql, [text]).fetchone() or ()


def literal_of(duck: duckdb.DuckDBPyConnection, column: Column, text: str) -> str:
    """The typed value as it is written for Postgres to read."""
    found = duck.execute(
        f"SELECT {literal_sql(column, 'v')} FROM (SELECT {cast_sql(column, 't')} AS v FROM (SELECT CAST(? AS VARCHAR) AS t))",
        [text],
    ).fetchone()
    assert found is not None
    return str(found[0])


def is_of_its_type(duck: duckdb.DuckDBPyConnection, column: Column) -> bool:
    """Whether the cast gives exactly the type that the mirror's column has."""
    duck.execute(f"CREATE OR REPLACE TEMP TABLE mirror (v {duckdb_type(column)})")
    found = duck.execute(
        f"SELECT typeof({cast_sql(column, 'NULL')}) = typeof(v) FROM (SELECT NULL) LEFT JOIN mirror ON true"
    )
    return found.fetchone() == (True,)


@pytest.mark.parametrize(("type_name", "values"), HELD, ids=[name for name, _ in HELD])
def test_a_value_that_fits_is_held_and_both_checksums_agree(
    source: psycopg.Connection, duck: duckdb.DuckDBPyConnection, type_name: str, values: list[str]
) -> None:
    column = column_of(source, type_name)
    for value in values:
        text, expected = rendered(source, column, value)
        is_null, checksum, _, of_any_text, _ = cast(duck, column, text)
        assert (is_null, checksum, of_any_text) == (False, expected, expected), text
        assert rendered(source, column, literal_of(duck, column, text))[1] == expected, text
    assert is_of_its_type(duck, column)


@pytest.mark.parametrize(("type_name", "values"), NOT_HELD, ids=[name for name, _ in NOT_HELD])
def test_a_value_that_does_not_fit_is_null_and_its_text_has_the_sources_checksum(
    source: psycopg.Connection, duck: duckdb.DuckDBPyConnection, type_name: str, values: list[str]
) -> None:
    column = column_of(source, type_name)
    assert may_not_fit(column)
    for value in values:
        text, expected = rendered(source, column, value)
        is_null, checksum, *others = cast(duck, column, text)
        assert (is_null, checksum, others) == (True, None, [expected, expected, True]), text


@pytest.mark.parametrize(("decimals", "held"), [(0, "-123456"), (1, "-12345.6"), (2, "-1234.56"), (3, "-123.456")])
def test_money_has_as_many_decimals_as_the_databases_locale(
    source: psycopg.Connection, duck: duckdb.DuckDBPyConnection, decimals: int, held: str
) -> None:
    """The session's own lc_monetary writes two, whatever the smallest unit is."""
    column = replace(column_of(source, "money"), type=ColumnType(kind=TypeKind.BASE, oid=790, typmod=decimals))
    text, expected = rendered(source, column, "-1234.56")
    assert text == "-$1,234.56"
    is_null, checksum, _, of_any_text, _ = cast(duck, column, text)
    assert (is_null, checksum, of_any_text, expected) == (False, held, held, held)
    assert duck.execute(f"SELECT CAST({cast_sql(column, 't')} AS VARCHAR) FROM (SELECT ? AS t)", [text]).fetchone() == (
        held,
    )


def test_null_stays_null_on_both_sides(source: psycopg.Connection, duck: duckdb.DuckDBPyConnection) -> None:
    for type_name in dict.fromkeys(name for name, _ in HELD + NOT_HELD):
        column = column_of(source, type_name)
        row = source.execute(
            f"SELECT {checksum_sql_postgres(column, 'value')} FROM (SELECT NULL::{type_name} AS value) x"
        )
        assert row.fetchone() == (None,), type_name
        sql = f"SELECT {cast_sql(column, 't')}, {checksum_sql_text(column, 't')} FROM (SELECT NULL::VARCHAR AS t)"
        assert duck.execute(sql).fetchone() == (None, None), type_name


def test_types_without_a_counterpart_are_text_and_always_fit() -> None:
    for oid in (869, 650, 829, 142, 3614, 3220, 99999):
        column = Column(name="value", type_oid=oid)
        assert (duckdb_type(column), may_not_fit(column)) == ("VARCHAR", False)
