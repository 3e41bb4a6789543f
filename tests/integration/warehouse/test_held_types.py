"""Types that only the catalog knows, from a real log into the mirror; and mirrors that hold a type as it was held before."""

from __future__ import annotations

import json
from pathlib import Path

from causeway.comparing import compared
from cdc.catalog import describe
from cdc.checksum import bucket_rows as source_rows
from cdc.relation import Relation
from config.settings import WarehouseSettings
from tests.fixtures.capture import CapturedDatabase, captured
from tests.fixtures.postgres import FreshDatabase
from tests.integration.transforms.oracle import prepare
from tests.integration.warehouse.copying_lane import CopyingLane
from tests.integration.warehouse.test_reader_to_mirror import MirrorReplay
from transforms.compiler import compile_mappings
from transforms.mapping import load_mappings
from warehouse.checksum import bucket_rows, postgres_expressions
from warehouse.differences import Kind
from warehouse.mirror import Mirror
from warehouse.mirror_view import MirrorView
from warehouse.store import Warehouse
from warehouse.views import build_views

TYPES = (
    "CREATE TYPE pair AS (a int, b text)",
    "CREATE DOMAIN price AS numeric(10,2)",
    "CREATE DOMAIN net_price AS price",
    "CREATE TYPE mood AS ENUM ('ok')",
)
TABLE = """CREATE TABLE public.t (id int PRIMARY KEY, p pair, price net_price, tags text[], span interval, days daterange,
    prices net_price[], m mood)"""
ROW = "'(1,\"x y\")', 1.50, '{a,NULL}', '-1 days +02:03:00', '[2026-01-01,2026-02-01)', '{1.5,NULL}', 'ok'"


def columns(warehouse: Warehouse) -> dict[str, str]:
    with warehouse.cursor() as cursor:
        return {row[0]: row[1] for row in cursor.execute("DESCRIBE shop.t").fetchall()}


def described(source: CapturedDatabase) -> Relation:
    with source.database.connect() as connection:
        return describe(connection, ["public.t"])[0]


def snapshot_of(source: CapturedDatabase, mirror: Mirror) -> None:
    source.replay = MirrorReplay(mirror)
    mirror.begin_snapshot("shop", [described(source)])
    source.catch_up()


def assert_equal(source: CapturedDatabase, warehouse: Warehouse) -> None:
    relation = described(source)
    with source.database.connect() as connection:
        prepare(connection)
        theirs = source_rows(connection, relation, postgres_expressions(relation), digits=0, bucket="").to_pylist()
    ours = bucket_rows(warehouse, "shop", relation, digits=0, bucket="").to_pylist()
    assert sorted(ours, key=str) == sorted(theirs, key=str)


def test_types_are_what_they_are_made_of(database: FreshDatabase, mirror: Mirror, warehouse: Warehouse) -> None:
    source = captured(database, ["public.t"], *TYPES, TABLE, f"INSERT INTO t VALUES (1, {ROW})")
    snapshot_of(source, mirror)
    source.execute(f"INSERT INTO t VALUES (2, {ROW})")
    source.catch_up()
    assert columns(warehouse) == {
        "id": "INTEGER",
        "p": "STRUCT(a INTEGER, b VARCHAR)",
        "price": "DECIMAL(10,2)",
        "tags": "VARCHAR[]",
        "span": "INTERVAL",
        "days": "STRUCT(lower DATE, upper DATE, lower_inc BOOLEAN, upper_inc BOOLEAN, isempty BOOLEAN)",
        "prices": "DECIMAL(10,2)[]",
        "m": "VARCHAR",
    }
    with warehouse.cursor() as cursor:
        one, two = cursor.execute("SELECT * EXCLUDE (id) FROM shop.t ORDER BY id").fetchall()
    assert one == two
    assert_equal(source, warehouse)


def test_a_type_that_came_while_streaming_is_asked_for(
    database: FreshDatabase, mirror: Mirror, warehouse: Warehouse
) -> None:
    source = captured(database, ["public.t"], "CREATE TABLE public.t (id int PRIMARY KEY)")
    snapshot_of(source, mirror)
    source.transaction(
        "INSERT INTO t VALUES (1)",
        "CREATE TYPE pair AS (a int, b text)",
        "CREATE DOMAIN price AS numeric(10,2)",
        "ALTER TABLE t ADD p pair, ADD pairs pair[], ADD c price",
        "INSERT INTO t VALUES (2, '(1,x)', '{\"(2,y)\"}', 1.5)",
        "CREATE TYPE mood AS ENUM ('ok')",
        "ALTER TABLE t ADD m mood",
        "INSERT INTO t VALUES (3, NULL, NULL, NULL, 'ok')",
    )
    source.catch_up()
    pair = "STRUCT(a INTEGER, b VARCHAR)"
    found = columns(warehouse)
    assert found == {"id": "INTEGER", "p": pair, "pairs": f"{pair}[]", "c": "DECIMAL(10,2)", "m": "VARCHAR"}
    source.execute("ALTER TYPE mood ADD VALUE 'better'", "INSERT INTO t VALUES (4, NULL, NULL, NULL, 'better')")
    source.catch_up()
    assert_equal(source, warehouse)


def test_a_composite_that_got_a_field_is_kept_as_text_until_the_table_is_copied_anew(
    database: FreshDatabase, mirror: Mirror, warehouse: Warehouse
) -> None:
    source = captured(database, ["public.t"], TYPES[0], "CREATE TABLE public.t (id int PRIMARY KEY, p pair)")
    snapshot_of(source, mirror)
    source.execute("ALTER TYPE pair ADD ATTRIBUTE c int", "INSERT INTO t VALUES (1, '(1,x,2)'), (2, NULL)")
    source.catch_up()
    assert columns(warehouse)["p"] == "STRUCT(a INTEGER, b VARCHAR)"
    with warehouse.cursor() as cursor:
        assert cursor.execute("SELECT id, p FROM shop.t ORDER BY id").fetchall() == [(1, None), (2, None)]
        kept = cursor.execute('SELECT key, "column", text FROM meta.value_exceptions').fetchall()
    assert kept == [("1", "p", "(1,x,2)")]
    CopyingLane(source=source, warehouse=warehouse, mirror=mirror).copy("public.t")
    assert columns(warehouse)["p"] == "STRUCT(a INTEGER, b VARCHAR, c INTEGER)"
    assert_equal(source, warehouse)


KEYS = {
    "span": ("interval", "'1 day'::interval * i - '1 mon'::interval * (i % 3)"),
    "during": ("tstzrange", "tstzrange('2026-01-01'::timestamptz + i * '1 h'::interval, CASE WHEN i % 2 = 0 THEN 'infinity'::timestamptz END)"),
    "days": ("datemultirange", "datemultirange(daterange('2026-01-01', '2026-01-01'::date + i))"),
    "p": ("pair", "ROW(i, CASE WHEN i % 3 > 0 THEN 'x\"' || i END)::pair"),
    "tags": ("text[]", "ARRAY['a', NULL, i::text]"),
    "price": ("net_price", "i / 2.0"),
    "bits": ("bit varying", "i::bit(12)"),
    "cents": ("money", "i::money"),
    "at": ("timetz", "'10:00+02'::timetz + i * '1 min'::interval"),
}  # fmt: skip


def test_rows_are_found_by_keys_of_every_kind_of_type(
    database: FreshDatabase, mirror: Mirror, warehouse: Warehouse
) -> None:
    columns = ", ".join(f"{name} {kind}" for name, (kind, _) in KEYS.items())
    listed = ", ".join(f"({value})" for _, value in KEYS.values())
    tables = [f"public.t{number}" for number in range(len(KEYS) + 1)]
    keys = [*KEYS, ", ".join(KEYS)]
    ddl = [
        f"CREATE TABLE {table} ({columns}, n int, PRIMARY KEY ({key}))" for table, key in zip(tables, keys, strict=True)
    ]
    source = captured(database, tables, *TYPES, *ddl)
    for table in tables:
        source.execute(f"INSERT INTO {table} SELECT {listed}, i FROM generate_series(1, 40) AS i")
    source.replay = MirrorReplay(mirror)
    with database.connect() as connection:
        relations = describe(connection, tables)
    mirror.begin_snapshot("shop", relations)
    source.catch_up()
    for table, key in zip(tables, keys, strict=True):
        moved = next(iter(KEYS))
        source.transaction(
            f"UPDATE {table} SET n = n + 100 WHERE n % 3 = 0",
            f"DELETE FROM {table} WHERE n % 5 = 0",
            f"INSERT INTO {table} SELECT {listed}, i FROM generate_series(41, 45) AS i",
            f"UPDATE {table} SET {moved} = {moved} + '1000 days' WHERE n = 7",
            f"UPDATE {table} SET ({key}) = (SELECT {key} FROM (SELECT {listed}) AS s ({', '.join(KEYS)})) FROM (SELECT 99 AS i) AS moved WHERE n = 8",
        )
    source.catch_up()
    with database.connect() as connection:
        prepare(connection)
        for relation in relations:
            expressions = postgres_expressions(relation)
            theirs = source_rows(connection, relation, expressions, digits=0, bucket="").to_pylist()
            ours = bucket_rows(warehouse, "shop", relation, digits=0, bucket="").to_pylist()
            assert sorted(ours, key=str) == sorted(theirs, key=str), relation.qualified_name


MAPPING = """-- mapping: shop_t
-- entity: location
-- source: shop
-- table: public.t
-- version: 1
SELECT id AS source_key, (price * 2)::numeric(12, 2)::text AS code, tags[1] AS name, 'warehouse' AS kind FROM public.t
"""


def test_a_mirror_made_before_a_type_had_its_form_goes_on_as_text(
    database: FreshDatabase, tmp_path: Path, warehouse_settings: WarehouseSettings
) -> None:
    source = captured(database, ["public.t"], *TYPES, TABLE, f"INSERT INTO t VALUES (1, {ROW})")
    with Warehouse.open(warehouse_settings) as warehouse:
        mirror = Mirror(warehouse)
        snapshot_of(source, mirror)
        mirror.close()
        as_an_earlier_version(warehouse)
    with Warehouse.open(warehouse_settings) as warehouse:
        mirror = Mirror(warehouse)
        source.replay = MirrorReplay(mirror)
        source.replay.position = mirror.position("shop")
        source.execute(f"INSERT INTO t VALUES (2, {ROW})", "UPDATE t SET span = '1 mon' WHERE id = 1")
        source.catch_up()
        source.execute("ALTER TABLE t ADD later interval DEFAULT '1 day'", f"INSERT INTO t VALUES (3, {ROW})")
        source.catch_up()
        assert {name: kind for name, kind in columns(warehouse).items() if kind == "VARCHAR"}.keys() == {
            *("p", "price", "span", "days", "prices", "m")
        }
        with warehouse.cursor() as cursor:
            found = cursor.execute("SELECT span, prices, later FROM shop.t ORDER BY id").fetchall()
        assert [row[:2] for row in found[1:]] == [("-1 days +02:03:00", "{1.50,NULL}")] * 2
        assert columns(warehouse)["later"] == "INTERVAL"
        source.execute("UPDATE t SET span = span + '1 us', later = later")
        source.catch_up()
        assert_equal(source, warehouse)
        folder = tmp_path / "mappings"
        folder.mkdir()
        (folder / "t.sql").write_text(MAPPING)
        (folder / "maps.yaml").write_text("shop: {}\n")
        build_views(warehouse, compile_mappings(load_mappings([folder]), {"shop": [described(source)]}))
        with warehouse.cursor() as cursor:
            assert cursor.execute("SELECT DISTINCT code, name FROM canonical.location").fetchall() == [("3.00", "a")]
        CopyingLane(source=source, warehouse=warehouse, mirror=mirror).copy("public.t")
        assert [name for name, kind in columns(warehouse).items() if kind == "VARCHAR"] == ["m"]
        assert_equal(source, warehouse)
        mirror.close()


def test_rows_that_differ_are_named_by_keys_that_an_older_mirror_holds_as_text(
    database: FreshDatabase, mirror: Mirror, warehouse: Warehouse
) -> None:
    rows = "INSERT INTO t SELECT ROW(i, 'x')::pair, i FROM generate_series(1, 9) AS i"
    source = captured(database, ["public.t"], TYPES[0], "CREATE TABLE public.t (p pair PRIMARY KEY, n int)", rows)
    snapshot_of(source, mirror)
    relation = described(source)
    with warehouse.cursor() as cursor:
        cursor.execute("ALTER TABLE shop.t ALTER p TYPE VARCHAR USING '(' || struct_extract(p, 'a') || ',x)'")
    assert_equal(source, warehouse)
    with warehouse.cursor() as cursor:
        cursor.execute("UPDATE shop.t SET n = 0 WHERE p = '(5,x)'; DELETE FROM shop.t WHERE p = '(7,x)'")
    with database.connect() as connection:
        prepare(connection)
        connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        with warehouse.cursor() as cursor, compared(connection, MirrorView(cursor, "shop"), relation) as comparison:
            found = [(row.kind, row.key) for row in comparison.verdict.rows]
    assert found == [(Kind.CHANGED, ("(5,x)",)), (Kind.MISSING, ("(7,x)",))]


def as_an_earlier_version(warehouse: Warehouse) -> None:
    """Make the mirror what it was when these types had no form of their own, and meta.tables knew no types."""
    texts = {
        "p": '(1,"x y")',
        "price": "1.50",
        "span": "1 mon",
        "days": "[2026-01-01,2026-02-01)",
        "prices": "{1.50,NULL}",
    }
    with warehouse.cursor() as cursor:
        for name, text in texts.items():
            cursor.execute(f"ALTER TABLE shop.t ALTER {name} TYPE VARCHAR USING '{text}'")
        (stored,) = cursor.execute("SELECT CAST(relation AS VARCHAR) FROM meta.tables").fetchone() or ("",)
        relation = json.loads(stored)
        for column in relation["columns"]:
            column.pop("type")
        cursor.execute("UPDATE meta.tables SET relation = ?", [json.dumps(relation)])
