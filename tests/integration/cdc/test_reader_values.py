"""Every value has one text, Postgres's own, by the snapshot and by the stream; Arrow and DuckDB read the columns right."""

from __future__ import annotations

import duckdb
import pytest

from cdc.batch import BatchKind
from tests.fixtures.capture import captured, rows_of
from tests.fixtures.postgres import EVERY_POSTGRES, FreshDatabase

pytestmark = EVERY_POSTGRES

TYPES = (
    "CREATE TYPE mood AS ENUM ('ok', 'not ok')",
    "CREATE DOMAIN price AS numeric(10,2)",
    "CREATE DOMAIN net_price AS price CHECK (VALUE > -1000)",
    "CREATE DOMAIN flag AS boolean",
    "CREATE TYPE pair AS (a int, b text)",
)
# type: values as SQL
VALUES: dict[str, list[str]] = {
    "boolean": ["true", "false"],
    "smallint": ["-32768", "32767"],
    "bigint": ["-9223372036854775808", "0"],
    "real": ["'NaN'", "'-Infinity'", "1.1", "3.4e38", "1e-40"],
    "double precision": ["0.1", "'Infinity'", "1e300", "-0.0", "1.7976931348623157e308"],
    "numeric": ["'NaN'", "'Infinity'", "1e-30", "12345678901234567890123456789012345678901234567890.123", "0.10"],
    "numeric(12,3)": ["1.5", "-999999999.999"],
    "money": ["'1234.5'", "'-0.01'"],
    "text": [
        "''",
        "'twelve chars'",
        "'thirteen chrs'",
        "'NULL'",
        "E'tab\\t\\nnew \\\\ line'",
        "'ünïcödé €𝄞'",
        "repeat('x', 1000000)",
    ],
    "varchar(20)": ["'trailing   '", "''"],
    "char(15)": ["'ab'", "''"],
    '"char"': ["'x'", "''"],
    "name": ["'some_name'"],
    "date": ["'infinity'", "'-infinity'", "'0044-03-15 BC'", "'5874897-12-31'", "'2024-02-29'"],
    "time": ["'24:00:00'", "'00:00:00.000001'"],
    "timetz": ["'23:59:59+14'"],
    "timestamp": ["'infinity'", "'0044-03-15 12:00 BC'", "'2024-02-29 23:59:59.999999'"],
    "timestamptz": ["'-infinity'", "'2024-03-31 01:30+01'", "'0001-01-01 00:00+00 BC'"],
    "interval": ["'1 year 2 months -3 days 04:05:06.7'", "'-1 month'", "'0'"],
    "bytea": ["'\\x'", "'\\xdeadbeef00'"],
    "bit(10)": ["B'1010101010'"],
    "bit varying": ["B''", "B'1'"],
    "uuid": ["'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'"],
    "inet": ["'10.1.2.3'", "'10.0.0.0/8'", "'::1'"],
    "cidr": ["'10.0.0.0/8'", "'10.1.2.3/32'"],
    "macaddr": ["'08:00:2b:01:02:03'"],
    "json": ['\'{"a": 1,  "a": 2}\'', "'null'"],
    "jsonb": ['\'{"a": 1, "b": [1, null, "x"]}\'', "'\"\"'"],
    "int[]": ["'{}'", "'{1,NULL,3}'", "'{{1,2},{3,4}}'", "'[0:1]={5,6}'"],
    "text[]": ["ARRAY['a,b', 'c\"d', NULL, '', 'NULL']"],
    "int4range": ["'[1,10)'", "'empty'"],
    "tstzmultirange": ["'{[2024-01-01,2024-02-01),[2024-03-01,)}'"],
    "tsvector": ["'a fat cat'"],
    "oid": ["4294967295"],
    "regclass": ["'pg_class'"],
    "point": ["'(1.5,-2)'"],
    "mood": ["'not ok'"],
    "price": ["1.5"],
    "net_price": ["-999.99"],
    "flag": ["true"],
    "pair": ["ROW(1, 'x,y')", "ROW(NULL, NULL)"],
    "mood[]": ["ARRAY['ok']::mood[]"],
}


def statements(first_id: int) -> list[str]:
    """One row a value, in the column of its type, and one row of nulls."""
    pairs = [(f"c{n}", value) for n, values in enumerate(VALUES.values()) for value in values]
    inserts = [f"INSERT INTO v (id, {c}) VALUES ({first_id + i}, {value})" for i, (c, value) in enumerate(pairs)]
    return [*inserts, f"INSERT INTO v (id) VALUES ({first_id + len(pairs)})"]


@pytest.mark.case("infinity and -infinity of date, timestamp and timestamptz")
@pytest.mark.case("BC dates")
@pytest.mark.case("24:00:00")
@pytest.mark.case("NaN and infinite numeric")
@pytest.mark.case("numeric of more than 38 digits")
@pytest.mark.case("numeric without precision")
@pytest.mark.case("money")
@pytest.mark.case("intervals with months")
@pytest.mark.case("arrays: nested, NULL elements, shifted bounds")
@pytest.mark.case("domains of domains")
@pytest.mark.case("enums")
@pytest.mark.case("composites")
@pytest.mark.case("json and jsonb: duplicate keys, \\u0000 refused by Postgres")
@pytest.mark.case("bytea")
@pytest.mark.case("bit")
@pytest.mark.case("uuid")
@pytest.mark.case("inet")
@pytest.mark.case("macaddr")
@pytest.mark.case("ranges and multiranges")
@pytest.mark.case("tsvector")
@pytest.mark.case("oid")
@pytest.mark.case("empty strings")
@pytest.mark.case("1 MB strings", "whole")
@pytest.mark.case("every kind of NULL")
def test_every_type_has_postgress_own_text_in_snapshot_and_stream(database: FreshDatabase) -> None:
    columns = ", ".join(f"c{n} {name}" for n, name in enumerate(VALUES))
    source = captured(
        database,
        ["public.v"],
        *TYPES,
        # A database's own settings must not show.
        f"ALTER DATABASE {database.name} SET datestyle = 'German'",
        f"ALTER DATABASE {database.name} SET intervalstyle = 'iso_8601'",
        f"ALTER DATABASE {database.name} SET bytea_output = 'escape'",
        f"ALTER DATABASE {database.name} SET timezone = 'Asia/Tokyo'",
        f"ALTER DATABASE {database.name} SET extra_float_digits = -5",
        f"CREATE TABLE v (id int PRIMARY KEY, {columns})",
    )
    source.transaction(*statements(0))
    snapshot = rows_of(source.catch_up(), kind=BatchKind.SNAPSHOT)
    source.assert_equal()
    source.transaction(*statements(1000))
    stream = rows_of(source.catch_up())
    source.assert_equal()
    names = [f"c{n}" for n in range(len(VALUES))]
    assert [[row[name] for name in names] for row in snapshot] == [[row[name] for name in names] for row in stream]


def test_duckdb_reads_the_columns_right(database: FreshDatabase) -> None:
    source = captured(database, ["public.t"], "CREATE TABLE t (id int PRIMARY KEY, a text, b text)")
    source.catch_up()
    source.execute(
        "INSERT INTO t SELECT g, CASE WHEN g % 7 > 0 THEN repeat(chr(97 + g % 26), g % 40) END, repeat('é', g % 9) FROM generate_series(0, 999) g",
        "DELETE FROM t WHERE id % 10 = 3",
    )
    (batch,) = [batch for batch in source.catch_up() if batch.changes]
    rows = batch.changes[0].rows
    sliced = rows.slice(100, 50)
    assert rows.schema.field("a").type == "string_view"
    with duckdb.connect() as connection:
        assert connection.sql("SELECT id, a, b FROM rows ORDER BY _seq").fetchall() == list(
            zip(*(rows.column(name).to_pylist() for name in ("id", "a", "b")), strict=True)
        )
        assert len(sliced) == 50
        assert connection.sql("SELECT min(id::int), max(id::int), count(a) FROM sliced").fetchone() == (100, 149, 43)
        kept = connection.sql(
            "SELECT a FROM rows WHERE length(a) BETWEEN 12 AND 13 AND _op = 'i' ORDER BY _seq"
        ).fetchall()
    assert kept == [(chr(97 + g % 26) * (g % 40),) for g in range(1000) if g % 40 in (12, 13) and g % 7]


@pytest.mark.slow
def test_a_value_larger_than_a_batch_arrives(database: FreshDatabase) -> None:
    source = captured(database, ["public.t"], "CREATE TABLE t (id int PRIMARY KEY, a text)", batch_bytes=2**16)
    source.execute("INSERT INTO t VALUES (1, repeat('a', 3000000)), (2, 'b')")
    source.catch_up()
    source.execute("INSERT INTO t VALUES (3, repeat('c', 3000000)), (4, 'd')")
    source.catch_up()
    source.assert_equal()
