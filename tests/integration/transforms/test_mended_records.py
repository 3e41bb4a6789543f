"""Records that their status map made invalid: mended by themselves once the map knows the word, or read again when somebody asks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from loaders.tracing.deadletters import Closed, DeadLetters, Replayed, Selection
from tests.fixtures.capture import captured
from tests.fixtures.operational_end import DDL, PLACES, OperationalEnd
from tests.fixtures.postgres import FreshDatabase

PRODUCTS = """-- mapping: products
-- entity: product
-- source: shop
-- table: public.products
-- version: 1
SELECT id AS source_key, title AS name, map_status('product.kind', kind) AS kind, 'unit' AS unit, true AS active
FROM public.products
"""
WORDS = "shop: {product.kind: {goods: goods}}"


@pytest.fixture
def end(database: FreshDatabase, tmp_path: Path) -> Iterator[OperationalEnd]:
    (tmp_path / "products.sql").write_text(PRODUCTS)
    (tmp_path / "places.sql").write_text(PLACES)
    (tmp_path / "maps.yaml").write_text(WORDS)
    more = "INSERT INTO products VALUES (3, 'three', NULL, NULL, 'gizmo'), (4, NULL, NULL, NULL, 'goods'), (5, 'five', NULL, NULL, 'gadget')"
    source = captured(database, ["public.products", "public.places"], *DDL, more)
    opened = OperationalEnd(source, tmp_path)
    opened.run()
    yield opened
    opened.close()


def statuses(end: OperationalEnd) -> dict[str, str]:
    return dict(end.query("SELECT source_key, status FROM outbox WHERE entity = 'product'"))


def test_a_word_that_is_added_to_the_map_sends_the_records_that_lacked_it_also_while_the_lane_was_stopped(
    end: OperationalEnd,
) -> None:
    assert statuses(end) == {"1": "pending", "2": "pending", "3": "dead", "4": "dead", "5": "dead"}
    with DeadLetters(end.state) as letters:
        shown = letters.show("product:shop:3")
        assert shown is not None
        assert shown["source_row"]["table"] == "public.products"
        assert shown["source_row"]["key"] == {"id": "3"}
        assert "maps.yaml" in shown["suggestion"]
        letters.close_records(["product:shop:5"], Closed.WAIVED, by="Ann", why="not ours")
    (end.folder / "maps.yaml").write_text("shop: {product.kind: {goods: goods, gizmo: service, gadget: service}}")
    end.run()
    assert statuses(end) == {"1": "pending", "2": "pending", "3": "pending", "4": "dead", "5": "waived"}
    assert end.records()["3"] == ("three", None, "upsert", "mapping")
    assert end.held() == []
    end.run()
    assert end.held() == []  # what is still wrong under this map is not asked for again
    (end.folder / "products.sql").write_text(PRODUCTS.replace("title AS name", "coalesce(title, 'nameless') AS name"))
    end.restart()
    end.run()
    assert statuses(end)["4"] == "pending"
    assert end.records()["4"][0] == "nameless"


def test_a_replayed_invalid_record_is_read_at_its_source_once_more(end: OperationalEnd) -> None:
    with DeadLetters(end.state) as letters:
        letters.close_records(["product:shop:5"], Closed.WAIVED, by="Ann", why="not ours")
        assert letters.replay(Selection(record_ids=["product:shop:5"])) == Replayed(read=1)
    assert end.held() == [("public.products", "products", {"id": "5"}, "mapping")]
    end.run()
    assert statuses(end)["5"] == "dead"
