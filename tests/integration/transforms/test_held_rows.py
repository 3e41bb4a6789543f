"""A mapping that a schema change breaks, and values that the log leaves out, on a real Postgres: what is held, read and delivered."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from config.errors import CausewayError, ErrorKind
from loaders.arriving.rows_to_read import note_repaired
from tests.fixtures.capture import captured
from tests.fixtures.operational_end import DDL, PLACES, OperationalEnd
from tests.fixtures.postgres import FreshDatabase

PRODUCTS = """-- mapping: products
-- entity: product
-- source: shop
-- table: public.products
-- version: 1
SELECT id AS source_key, title AS name, notes AS description, 'goods' AS kind, 'unit' AS unit, true AS active
FROM public.products
"""
LONG = "long" * 3000


@pytest.fixture
def end(database: FreshDatabase, tmp_path: Path) -> Iterator[OperationalEnd]:
    (tmp_path / "products.sql").write_text(PRODUCTS)
    (tmp_path / "places.sql").write_text(PLACES)
    source = captured(database, ["public.products", "public.places"], *DDL)
    # Published whole, as an older version or a DBA did.
    opened = OperationalEnd(source, tmp_path, narrow=False)
    opened.run()
    assert opened.records() == {
        "1": ("one", len(LONG), "upsert", "snapshot"),
        "2": ("two", None, "upsert", "snapshot"),
    }
    yield opened
    opened.close()


def test_a_renamed_column_holds_its_mapping_alone_until_the_file_is_mended(end: OperationalEnd) -> None:
    end.source.execute(
        "ALTER TABLE products RENAME title TO label",
        "UPDATE products SET label = 'uno' WHERE id = 1",
        "DELETE FROM products WHERE id = 2",
        "INSERT INTO products VALUES (3, 'three', 'short')",
        "UPDATE places SET title = 'yard'",
    )
    before = end.outbox.position("shop")
    end.run()
    assert end.records()["1"][0] == "one"
    assert end.records("location")["1"][0] == "yard"
    assert end.held() == [("public.products", "products", {"id": str(key)}, "mapping") for key in (1, 2, 3)]
    assert before is not None
    position = end.outbox.position("shop")
    assert position is not None
    assert position.lsn > before.lsn
    (said,) = end.reading.status()["mappings"]
    assert (said["mapping"], said["entity"], said["table"]) == ("products", "product", "public.products")
    assert "there is no column 'title'" in said["problem"]
    end.source.execute("INSERT INTO products VALUES (4, 'four', NULL)")
    (end.folder / "products.sql").write_text(PRODUCTS.replace("title", "label").replace("version: 1", "version: 2"))
    end.run()
    assert end.records() == {
        "1": ("uno", len(LONG), "upsert", "mapping"),
        "2": ("two", None, "delete", "mapping"),
        "3": ("three", 5, "upsert", "mapping"),
        "4": (
            "four",
            None,
            "upsert",
            end.records()["4"][3],
        ),  # as the lane meets the mended file before the row or behind it
    }
    assert end.held() == []
    assert end.reading.status()["mappings"] == []


def test_a_column_that_comes_back_lets_its_mapping_go_on(end: OperationalEnd) -> None:
    end.source.execute("ALTER TABLE products DROP COLUMN title", "INSERT INTO products VALUES (3, NULL)")
    end.run()
    assert "3" not in end.records()
    end.source.execute("ALTER TABLE products ADD COLUMN title text", "UPDATE products SET title = 'three' WHERE id = 3")
    end.run()
    assert end.records()["3"][0] == "three"
    assert end.held() == []


def test_a_truncate_while_a_mapping_is_broken_ends_its_records_when_it_is_mended(end: OperationalEnd) -> None:
    end.source.execute("ALTER TABLE products RENAME title TO label")
    end.source.execute("UPDATE products SET label = 'uno'", "TRUNCATE products", "INSERT INTO products VALUES (2, 'b')")
    end.run()
    assert [key for _, _, key, _ in end.held()] == [{}, {"id": "2"}]
    (end.folder / "products.sql").write_text(PRODUCTS.replace("title", "label"))
    end.run()
    assert {key: row[2] for key, row in end.records().items()} == {"1": "delete", "2": "upsert"}
    assert end.records()["2"][0] == "b"


def test_a_mapping_that_is_broken_when_the_lane_starts_holds_and_does_not_refuse(end: OperationalEnd) -> None:
    end.source.execute("ALTER TABLE products RENAME title TO label", "UPDATE products SET label = 'dos' WHERE id = 2")
    end.restart()
    end.run()
    assert end.held() == [("public.products", "products", {"id": "2"}, "mapping")]
    end.restart()
    (end.folder / "products.sql").write_text(PRODUCTS.replace("title", "label"))
    end.run()
    assert end.records()["2"][0] == "dos"


def test_a_file_that_is_no_mapping_any_more_leaves_the_old_one_in_force(end: OperationalEnd) -> None:
    (end.folder / "products.sql").write_text("-- mapping: products\nSELECT")
    end.source.execute("UPDATE products SET title = 'dos' WHERE id = 2")
    end.reading.finish()
    end.run()
    assert end.records()["2"][0] == "dos"
    assert "products.sql" in end.reading.status()["mappings_unread"]


def test_an_unchanged_large_value_is_read_at_the_source_and_marked(end: OperationalEnd) -> None:
    end.source.transaction(
        "INSERT INTO products VALUES (3, 'three', repeat('x', 9000))", "UPDATE products SET title = 'tres' WHERE id = 3"
    )
    end.source.execute("UPDATE products SET title = 'uno' WHERE id = 1", "UPDATE products SET id = 7 WHERE id = 3")
    end.run()
    assert end.records() == {
        "1": ("uno", len(LONG), "upsert", "looked_up"),
        "2": ("two", None, "upsert", "snapshot"),
        "7": ("tres", 9000, "upsert", "looked_up"),
    }


def test_under_replica_identity_full_the_old_row_has_the_value(end: OperationalEnd) -> None:
    end.source.execute("ALTER TABLE products REPLICA IDENTITY FULL", "UPDATE products SET title = 'uno' WHERE id = 1")
    end.fail = CausewayError(ErrorKind.INTERNAL, "nothing was to be looked up.")
    end.run()
    assert end.records()["1"] == ("uno", len(LONG), "upsert", "stream")


def test_a_row_that_is_gone_when_it_is_looked_up_is_deleted_by_its_own_delete(end: OperationalEnd) -> None:
    end.source.execute("UPDATE products SET title = 'uno' WHERE id = 1", "DELETE FROM products WHERE id = 1")
    end.run()
    assert end.records()["1"][2] == "delete"


def test_a_source_that_can_not_be_asked_holds_the_row_and_not_the_slot(end: OperationalEnd) -> None:
    end.fail = CausewayError(ErrorKind.CONNECTION, "nobody answers.")
    end.source.execute(
        "UPDATE products SET title = 'uno' WHERE id = 1", "UPDATE products SET title = 'dos' WHERE id = 2"
    )
    end.source.catch_up()
    assert end.records()["1"] == ("one", len(LONG), "upsert", "snapshot")
    assert end.records()["2"][0] == "dos"
    assert end.held() == [("public.products", "", {"id": "1"}, "looked_up")]
    end.fail = None
    end.reading.finish()
    assert end.records()["1"] == ("uno", len(LONG), "upsert", "looked_up")
    assert end.held() == []


def test_a_row_whose_table_was_dropped_stays_noted_with_the_reason(
    end: OperationalEnd,
) -> None:
    end.source.execute("DROP TABLE products")
    note_repaired(end.state, "shop", "public.products", [{"id": "1"}], "0/1")
    end.reading.finish()
    assert end.held() == [("public.products", "", {"id": "1"}, "repaired")]
    (said,) = end.reading.status()["rows_to_read"]
    assert "no such table" in said["problem"]


def test_a_row_whose_large_column_is_dropped_meanwhile_waits_for_its_mapping(end: OperationalEnd) -> None:
    end.source.execute("UPDATE products SET title = 'uno' WHERE id = 1", "ALTER TABLE products DROP COLUMN notes")
    end.run()
    assert end.records()["1"] == ("one", len(LONG), "upsert", "snapshot")
    assert {key["id"] for _, _, key, _ in end.held()} == {"1"}
    (end.folder / "products.sql").write_text(PRODUCTS.replace("notes AS description, ", ""))
    end.run()
    assert end.records()["1"][:3] == ("uno", None, "upsert")
    assert end.held() == []


def test_rows_that_a_repair_notes_are_read_and_marked(end: OperationalEnd) -> None:
    end.query("UPDATE outbox SET content_hash = 'wrong', payload = '{}' WHERE source_key = '1' RETURNING 1")
    note_repaired(end.state, "shop", "public.products", [{"id": "1"}, {"id": "99"}], "0/1")
    end.reading.finish()
    assert end.records()["1"] == ("one", len(LONG), "upsert", "repaired")
    assert "99" not in end.records()
    assert end.held() == []


def test_rows_that_were_read_are_not_read_twice_and_older_changes_do_not_come_back(end: OperationalEnd) -> None:
    end.source.execute("UPDATE products SET title = 'a' WHERE id = 2", "UPDATE products SET title = 'b' WHERE id = 2")
    note_repaired(end.state, "shop", "public.products", [{"id": "2"}], "0/1")
    end.reading.finish()
    assert end.records()["2"] == ("b", None, "upsert", "repaired")
    end.run()
    assert end.records()["2"] == ("b", None, "upsert", "repaired")
    end.source.execute("UPDATE products SET title = 'c' WHERE id = 2")
    end.run()
    assert end.records()["2"] == ("c", None, "upsert", "stream")


@pytest.mark.parametrize(("point", "left"), [("outbox.before_rows_read", 1), ("outbox.after_rows_read", 0)])
def test_a_lane_that_dies_while_rows_are_read_loses_none_and_begins_none_twice(
    end: OperationalEnd, monkeypatch: pytest.MonkeyPatch, point: str, left: int
) -> None:
    def die(name: str) -> None:
        if name == point:
            raise SystemExit

    end.source.execute("UPDATE products SET title = 'uno' WHERE id = 1")
    note_repaired(end.state, "shop", "public.products", [{"id": "1"}], "0/1")
    monkeypatch.setattr("loaders.arriving.outbox.failpoint", die)
    with pytest.raises(SystemExit):
        end.reading.finish()
    monkeypatch.undo()
    end.restart()
    assert len(end.held()) == left
    assert end.records()["1"][0] == ("one" if left else "uno")
    end.run()
    assert end.records()["1"][:3] == ("uno", len(LONG), "upsert")
    assert end.held() == []
