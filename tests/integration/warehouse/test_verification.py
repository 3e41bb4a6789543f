"""Checksums of source and mirror: equal where every row is equal, exact values included, and different where one is not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from causeway.comparing import LISTED_ROWS, compared, digits_for
from cdc.batch import TableChanges
from cdc.catalog import describe
from cdc.checksum import bucket_checksums as source_checksums
from cdc.relation import Relation
from config.errors import CausewayError, ErrorKind
from tests.fixtures.postgres import FreshDatabase
from tests.integration.transforms.oracle import as_text, prepare
from tests.integration.warehouse.source_table import meta_columns, relation, snapshot
from warehouse.checksum import bucket_checksums, postgres_expressions
from warehouse.differences import Kind
from warehouse.mirror import Mirror
from warehouse.mirror_view import MirrorView
from warehouse.store import Warehouse

SCHEMA = """
    CREATE TYPE mood AS ENUM ('good', 'bad');
    CREATE TABLE everything (
        id bigint, part text, flag boolean, amount numeric(12,2), free numeric, ratio double precision, small real,
        name text, fixed char(5), at timestamptz, local timestamp, day date, clock time, span interval,
        doc jsonb, raw bytea, tags text[], numbers numeric[], uid uuid, "Mixed Case" mood, net inet, number int, bucket text,
        PRIMARY KEY (part, id));
    INSERT INTO everything
    SELECT i, 'p' || i % 3, i % 2 = 0, i * 1.5, i / 7.0::numeric, i / 7.0, i / 3.0, 'n' || i || chr(233), 'ab',
        '2026-03-02 10:00+00'::timestamptz + i * interval '1 hour', '2026-03-02'::timestamp + i * interval '1.5 s',
        date '2026-01-01' + i, time '10:00' + i * interval '1 ms', i * interval '1 day -1 minute',
        jsonb_build_object('i', i, 'x', i / 3.0), decode(md5(i::text), 'hex'), ARRAY['a', NULL, 'b,' || i],
        ARRAY[i / 3.0, NULL], md5(i::text)::uuid, 'good', '10.0.0.1'
    FROM generate_series(1, 500) AS i;
    INSERT INTO everything (id, part) VALUES (0, '');
    INSERT INTO everything (id, part, free, amount, local, numbers, tags, day) VALUES
        (1, '', 'NaN', 'NaN', '294276-12-31', '{NaN}', '{{a},{b}}', '0044-03-15 BC'),
        (2, '', 'Infinity', 1, 'infinity', '{1e40}', '[0:1]={a,b}', '-infinity'),
        (3, '', 1.000000000000000000001, 1, NULL, '{}', '{}', NULL);
"""


@pytest.fixture
def mirrored(database: FreshDatabase, mirror: Mirror) -> Iterator[tuple[psycopg.Connection, Relation]]:
    with database.connect() as connection:
        yield connection, copied(connection, mirror)


def copied(connection: psycopg.Connection, mirror: Mirror) -> Relation:
    prepare(connection)
    connection.execute(SCHEMA.encode())
    (described,) = describe(connection, ["public.everything"])
    rows = as_text(connection, described)
    for name, values in reversed(meta_columns(["i"] * rows.num_rows)):
        rows = rows.add_column(0, name, values)
    mirror.begin_snapshot("shop", [described])
    mirror.apply(snapshot(10, TableChanges(relation=described, rows=rows)))
    return described


def test_the_catalogs_are_asked_once_however_many_tables_are_compared(
    mirrored: tuple[psycopg.Connection, Relation], warehouse: Warehouse
) -> None:
    connection, described = mirrored
    asked: list[str] = []

    class Cursor:
        def execute(self, sql: str, *given: object) -> object:
            asked.append(sql)
            return cursor.execute(sql, *given)

    with warehouse.cursor() as cursor:
        seen: Any = Cursor()
        view = MirrorView(seen, "shop")
        for _ in range(3):
            with compared(connection, view, described, partitioned=False) as comparison:
                assert comparison.verdict.equal
    assert len([sql for sql in asked if "md5(" in sql]) == 3
    assert len(asked) == 3 + 5  # columns, sizes, records and how they are held, kept texts


@pytest.mark.parametrize("digits", [0, 1, 2])
def test_an_exact_mirror_has_the_sources_checksums(
    mirrored: tuple[psycopg.Connection, Relation], warehouse: Warehouse, digits: int
) -> None:
    connection, described = mirrored
    expected = source_checksums(connection, described, postgres_expressions(described), digits=digits)
    found = bucket_checksums(warehouse, "shop", described, digits=digits)
    assert sum(one.rows for one in found.values()) == 504
    assert {bucket: (one.rows, one.hash_sum) for bucket, one in found.items()} == {
        bucket: (one.rows, one.hash_sum) for bucket, one in expected.items()
    }


SEVENTEEN = [("17", "p2")]


@pytest.mark.parametrize(
    ("damage", "kind", "columns", "keys"),
    [
        ("UPDATE shop.everything SET amount = amount + 0.01 WHERE id = 17", Kind.CHANGED, ("amount",), SEVENTEEN),
        (
            "UPDATE shop.everything SET name = NULL, flag = NULL WHERE id = 17",
            Kind.CHANGED,
            ("flag", "name"),
            SEVENTEEN,
        ),
        ("UPDATE shop.everything SET tags = ['a', 'NULL', 'b,17'] WHERE id = 17", Kind.CHANGED, ("tags",), SEVENTEEN),
        ("DELETE FROM shop.everything WHERE id = 17", Kind.MISSING, (), SEVENTEEN),
        ("INSERT INTO shop.everything SELECT * FROM shop.everything WHERE id = 17", Kind.REPEATED, (), SEVENTEEN),
        (
            "INSERT INTO shop.everything (id, part) VALUES (9, 'p2'), (17, 'é')",
            Kind.EXTRA,
            (),
            [("9", "p2"), ("17", "é")],
        ),
        (
            "UPDATE meta.value_exceptions SET text = 'Infinity' WHERE text = 'NaN' AND \"column\" = 'free'",
            Kind.CHANGED,
            ("free",),
            [("1", "")],
        ),
        (
            "DELETE FROM meta.value_exceptions WHERE \"column\" = 'tags'",
            Kind.CHANGED,
            ("tags",),
            [("1", ""), ("2", "")],
        ),
    ],
)
def test_a_row_that_differs_is_named_with_its_columns(
    mirrored: tuple[psycopg.Connection, Relation],
    warehouse: Warehouse,
    damage: str,
    kind: Kind,
    columns: tuple[str, ...],
    keys: list[tuple[str, str]],
) -> None:
    connection, described = mirrored
    with warehouse.cursor() as cursor:
        cursor.execute(damage)
    connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
    with warehouse.cursor() as cursor, compared(connection, MirrorView(cursor, "shop"), described) as comparison:
        verdict = comparison.verdict
    assert not verdict.equal
    assert [(row.kind, row.key, row.columns) for row in verdict.rows] == [(kind, key, columns) for key in keys]
    assert verdict.counts == {kind: len(keys)}


def test_more_rows_differ_than_are_named(mirrored: tuple[psycopg.Connection, Relation], warehouse: Warehouse) -> None:
    connection, described = mirrored
    with warehouse.cursor() as cursor:
        cursor.execute("DELETE FROM shop.everything WHERE id > 200")
    connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
    with warehouse.cursor() as cursor, compared(connection, MirrorView(cursor, "shop"), described) as comparison:
        verdict = comparison.verdict
    assert (verdict.source_rows - verdict.mirror_rows, verdict.differing_rows) == (300, 300)
    assert len(verdict.rows) == LISTED_ROWS
    assert verdict.result == "300 rows DIFFER"


@pytest.mark.parametrize(
    ("rows", "digits"), [(0, 0), (1024, 0), (1025, 1), (2_000_000, 3), (50_000_000, 4), (10**10, 4)]
)
def test_a_table_is_cut_into_more_ranges_the_larger_it_is(rows: int, digits: int) -> None:
    assert digits_for(rows) == digits


def test_a_table_without_a_mirror_is_named(warehouse: Warehouse) -> None:
    with pytest.raises(CausewayError, match=r"public\.orders has no mirror") as raised:
        bucket_checksums(warehouse, "shop", relation(), digits=1)
    assert raised.value.kind is ErrorKind.WAREHOUSE
