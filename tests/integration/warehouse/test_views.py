"""Canonical views: every entity has one, whatever is mapped, and mirrors that lag behind the catalog do not break them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from cdc.relation import Relation
from tests.integration.warehouse.source_table import insert, relation, snapshot, table_changes
from transforms.canonical import ENTITIES
from transforms.compiled import CompiledMapping
from transforms.compiler import compile_mappings
from transforms.fields import entity_fields
from transforms.mapping import load_mappings
from transforms.scope import left_out
from warehouse.mirror import Mirror
from warehouse.store import Warehouse
from warehouse.views import MARTS, build_views

PLACES = relation("public.places", [("id", "int8"), ("title", "text"), ("town", "text")], oid=5)
MAPPING = """-- mapping: shop_places
-- entity: location
-- source: shop
-- table: public.places
-- version: 4
SELECT id AS source_key, 'P' || id AS code, title AS name, 'warehouse' AS kind, town AS city FROM public.places
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with one mapping."""
    made = tmp_path / "mappings"
    made.mkdir()
    (made / "places.sql").write_text(MAPPING)
    (made / "maps.yaml").write_text("shop: {}\n")
    return made


def compiled(folder: Path, of: Relation) -> Sequence[CompiledMapping]:
    return compile_mappings(load_mappings([folder]), {"shop": [of]})


def test_every_entity_has_a_view_with_all_its_columns(warehouse: Warehouse) -> None:
    build_views(warehouse, [])
    with warehouse.cursor() as cursor:
        for entity in ENTITIES:
            described = cursor.execute(f'DESCRIBE canonical."{entity}"').fetchall()
            expected = ["canonical_id", "source", "source_key", "record_id", "mapping_version", *entity_fields(entity)]
            assert [row[0] for row in described] == expected
        for mart in MARTS:
            assert cursor.execute(f"SELECT count(*) FROM mart.{mart}").fetchone() == (0,)


def test_a_view_shows_the_mirror_under_canonical_names(warehouse: Warehouse, mirror: Mirror, folder: Path) -> None:
    mirror.begin_snapshot("shop", [PLACES])
    mirror.apply(snapshot(10, table_changes(PLACES, [insert(id="1", title="Leeds", town="LDS")])))
    build_views(warehouse, compiled(folder, PLACES))
    with warehouse.cursor() as cursor:
        query = "SELECT canonical_id, source, source_key, mapping_version, code, name, city, country_code FROM canonical.location"
        expected = ("location:shop:1", "shop", "1", 4, "P1", "Leeds", "LDS", None)
        assert cursor.execute(query).fetchall() == [expected]
        assert cursor.execute("SELECT name, version FROM meta.mappings").fetchall() == [("shop_places", 4)]


def test_the_bridges_identity_gives_the_canonical_id_once_it_is_mirrored(
    warehouse: Warehouse, mirror: Mirror, folder: Path
) -> None:
    mirror.begin_snapshot("shop", [PLACES])
    mirror.apply(snapshot(10, table_changes(PLACES, [insert(id="1"), insert(id="2")])))
    columns = [
        ("entity", "text"),
        ("source", "text"),
        ("source_key", "text"),
        ("canonical_id", "text"),
        ("matched_by", "text"),
    ]
    identity = relation("causeway.identity", columns, ["entity", "source", "source_key"], oid=6)
    mirror.begin_snapshot("causeway", [identity])
    linked = insert(entity="location", source="shop", source_key="2", canonical_id="location:wms:L", matched_by="self")
    mirror.apply(snapshot(10, table_changes(identity, [linked]), source="causeway"))
    build_views(warehouse, compiled(folder, PLACES))
    with warehouse.cursor() as cursor:
        rows = cursor.execute("SELECT source_key, canonical_id FROM canonical.location ORDER BY ALL").fetchall()
    assert rows == [("1", "location:shop:1"), ("2", "location:wms:L")]


def test_a_table_without_a_mirror_gives_no_rows(warehouse: Warehouse, folder: Path) -> None:
    build_views(warehouse, compiled(folder, PLACES))
    with warehouse.cursor() as cursor:
        assert cursor.execute("SELECT count(*) FROM canonical.location").fetchone() == (0,)


def test_a_column_that_the_mirror_has_yet_to_get_is_null(warehouse: Warehouse, mirror: Mirror, folder: Path) -> None:
    narrow = replace(PLACES, columns=PLACES.columns[:2])
    mirror.begin_snapshot("shop", [narrow])
    mirror.apply(snapshot(10, table_changes(narrow, [insert(id="1", title="Leeds")])))
    build_views(warehouse, compiled(folder, PLACES))
    with warehouse.cursor() as cursor:
        assert cursor.execute("SELECT name, city FROM canonical.location").fetchall() == [("Leeds", None)]


ORDERS = relation("public.orders", [("id", "int8"), ("placed_at", "timestamptz")], oid=6)
ORDER_MAPPING = """-- mapping: shop_orders
-- entity: sales_order
-- source: shop
-- table: public.orders
-- version: 1
-- backfill: {policy}
SELECT id AS source_key, id AS order_number, 'c' AS customer_key, 'confirmed' AS status, placed_at AS ordered_at,
    'GBP' AS currency FROM public.orders
"""


def out_of_scope(warehouse: Warehouse, mirror: Mirror, folder: Path, policy: str) -> list[str]:
    (folder / "places.sql").write_text(ORDER_MAPPING.format(policy=policy))
    mirror.begin_snapshot("shop", [ORDERS])
    days = {"1": "2016-05-01", "2": "2026-05-01", "3": "2026-07-01"}
    rows = [insert(id=key, placed_at=f"{day} 12:00:00+00") for key, day in days.items()]
    mirror.apply(snapshot(10, table_changes(ORDERS, rows)))
    mappings = compiled(folder, ORDERS)
    build_views(warehouse, mappings, left_out(mappings, {}))
    with warehouse.cursor() as cursor:
        found = cursor.execute("SELECT record_id FROM canonical.out_of_scope ORDER BY 1").fetchall()
        return [record_id.rpartition(":")[2] for (record_id,) in found]


def test_orders_from_before_a_mappings_date_are_out_of_scope(
    warehouse: Warehouse, mirror: Mirror, folder: Path
) -> None:
    assert out_of_scope(warehouse, mirror, folder, "from 2026-01-01 on placed_at") == ["1"]
    assert out_of_scope(warehouse, mirror, folder, "all") == []


def test_without_backfill_the_orders_from_before_the_first_record_are_out_of_scope(
    warehouse: Warehouse, mirror: Mirror, folder: Path
) -> None:
    assert out_of_scope(warehouse, mirror, folder, "none") == []  # where the outbox is not mirrored nothing tells
    with warehouse.cursor() as cursor:
        cursor.execute("CREATE SCHEMA causeway")
        cursor.execute("CREATE TABLE causeway.outbox (source VARCHAR, record_id VARCHAR, first_seen_at TIMESTAMPTZ)")
        cursor.execute("INSERT INTO causeway.outbox VALUES ('shop', 'product:shop:7', '2026-06-01 00:00:00+00')")
    assert out_of_scope(warehouse, mirror, folder, "none") == ["1", "2"]
