"""The operational lane over a publication of what its mappings read: what it asks for later is held back, and never taken for NULL."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from loguru import logger

from cdc import slots
from cdc.batch import BatchKind
from cdc.catalog import describe
from cdc.connection import connect
from tests.fixtures.capture import captured
from tests.fixtures.operational_end import DDL, PLACES, OperationalEnd
from tests.fixtures.postgres import EVERY_POSTGRES, FreshDatabase

NAMED = """-- mapping: products
-- entity: product
-- source: shop
-- table: public.products
-- version: 1
SELECT id AS source_key, title AS name, 'goods' AS kind, 'unit' AS unit, true AS active FROM public.products WHERE kind <> 'draft'
"""
DESCRIBED = NAMED.replace("title AS name", "title AS name, notes AS description").replace("version: 1", "version: 2")
LONG = len("long" * 3000)


@pytest.fixture
def end(database: FreshDatabase, tmp_path: Path) -> Iterator[OperationalEnd]:
    (tmp_path / "products.sql").write_text(NAMED)
    opened = OperationalEnd(captured(database, ["public.products", "public.places"], *DDL), tmp_path)
    opened.run()
    assert opened.records() == {
        "1": ("one", None, "upsert", "snapshot"),
        "2": ("two", None, "upsert", "snapshot"),
    }
    yield opened
    opened.close()


def publish(end: OperationalEnd) -> list[str]:
    """What `causeway slots create` does."""
    with connect(end.source.settings.connection, application_name="test") as connection:
        wanted = end.files.wanted("shop")
        steps = slots.create(connection, end.source.settings, end.source.lane, end.source.slot, wanted)
    return [step.statement for step in steps]


@EVERY_POSTGRES
def test_a_column_that_is_published_later_is_read_for_all_that_changed_before(end: OperationalEnd) -> None:
    (end.folder / "products.sql").write_text(DESCRIBED)
    end.reading.finish()
    end.source.execute(
        "INSERT INTO products VALUES (3, 'three', 'short')",
        "UPDATE products SET title = 'uno' WHERE id = 1",
        "DELETE FROM products WHERE id = 2",
    )
    end.run()
    assert {key: row[:3] for key, row in end.records().items()} == {
        "1": ("one", None, "upsert"),
        "2": ("two", None, "upsert"),
    }
    assert end.held() == [("public.products", "products", {"id": str(key)}, "mapping") for key in (1, 2, 3)]
    (said,) = end.reading.status()["mappings"]
    assert (
        f"products.sql:6: needs column notes of public.products, which publication {end.source.slot} does not publish:"
        " `causeway slots create shop`" in said["problem"]
    )
    assert publish(end) == [
        f'ALTER PUBLICATION "{end.source.slot}" SET TABLE ONLY "public"."products" ("id", "title", "notes", "kind")'
    ]
    end.source.execute("INSERT INTO products VALUES (4, 'four', 'new')")
    end.run()
    assert {key: row[:3] for key, row in end.records().items()} == {
        "1": ("uno", LONG, "upsert"),
        "2": ("two", None, "delete"),
        "3": ("three", 5, "upsert"),
        "4": ("four", 3, "upsert"),
    }
    assert end.held() == []
    assert end.reading.status()["mappings"] == []
    assert end.copied == []  # published anew with other columns, but without a gap


def test_rows_from_before_the_publication_was_altered_are_never_taken_for_null(end: OperationalEnd) -> None:
    """The mapping, the rows and the publication have changed before the lane looks: the log's older rows lack the column still."""
    (end.folder / "products.sql").write_text(DESCRIBED)
    with end.source.database.connect() as open_transaction:
        open_transaction.execute("INSERT INTO products VALUES (3, 'three', 'short')")
        end.source.execute("UPDATE products SET title = 'uno' WHERE id = 1")
        end.reading.finish()
        publish(end)
        end.source.execute("UPDATE products SET title = 'dos', notes = 'second' WHERE id = 2")
        open_transaction.execute("INSERT INTO products VALUES (4, 'four', 'behind')")
    end.reading.finish()
    assert end.reading.status()["mappings"] == []
    end.source.catch_up()
    assert ("public.products", "products", {"id": "1"}, "mapping") in end.held()
    # Which list the open transaction's first row comes with is the server's affair: it is whole, or held.
    true = {"1": ("uno", LONG), "2": ("dos", 6), "3": ("three", 5), "4": ("four", 6)}
    held = {key["id"] for _, _, key, _ in end.held()}
    records = {key: row[:2] for key, row in end.records().items()}
    assert {key: records.get(key) for key in true.keys() - held} == {key: true[key] for key in true.keys() - held}
    assert records["1"] == ("one", None)
    end.reading.finish()
    assert {key: row[:2] for key, row in end.records().items()} == true


def test_only_the_published_columns_are_read_in_snapshot_stream_and_look_ups(end: OperationalEnd) -> None:
    (end.folder / "products.sql").write_text(DESCRIBED)
    end.reading.finish()
    publish(end)
    end.source.execute("UPDATE products SET title = 'uno', secret = 'no one reads this' WHERE id = 1")
    end.run()
    assert end.records()["1"] == ("uno", LONG, "upsert", "looked_up")
    assert end.looked_up == [("id", "title", "notes", "kind")]
    relations = {part.relation.column_names for batch in end.source.replay.batches for part in batch.changes}
    assert relations == {("id", "title", "kind"), ("id", "title", "notes", "kind")}
    assert {batch.kind for batch in end.source.replay.batches} == {BatchKind.SNAPSHOT, BatchKind.STREAM}


def test_a_mapping_that_reads_less_is_not_disturbed_by_a_narrower_publication(end: OperationalEnd) -> None:
    (end.folder / "products.sql").write_text(DESCRIBED)
    end.reading.finish()
    publish(end)
    (end.folder / "products.sql").write_text(NAMED.replace("version: 1", "version: 3"))
    end.source.execute(
        "UPDATE products SET title = 'eins' WHERE id = 1",
        f"ALTER PUBLICATION {end.source.slot} SET TABLE products (id, title, kind)",
        "UPDATE products SET title = 'zwei' WHERE id = 2",
    )
    end.run()
    assert {key: row[:2] for key, row in end.records().items()} == {"1": ("eins", None), "2": ("zwei", None)}
    assert end.held() == []


def test_a_dropped_column_that_takes_its_table_out_of_the_publication_is_noticed(end: OperationalEnd) -> None:
    end.source.execute("ALTER TABLE products DROP COLUMN title CASCADE", "ALTER TABLE products ADD title text")
    end.reading.finish()
    (said,) = end.reading.status()["mappings"]
    assert f"needs public.products, which publication {end.source.slot} does not have" in said["problem"]
    end.restart()
    end.run()
    assert end.reading.status()["mappings"] == [said]
    publish(end)
    end.run()
    assert end.reading.status()["mappings"] == []
    assert end.copied == [("shop", "public.products")]


def test_a_table_taken_out_of_the_publication_and_put_back_between_two_looks_is_copied(end: OperationalEnd) -> None:
    end.source.execute(
        f"ALTER PUBLICATION {end.source.slot} DROP TABLE ONLY products",
        "UPDATE products SET title = 'nobody hears of it' WHERE id = 1",
    )
    publish(end)
    end.reading.finish()
    assert end.copied == [("shop", "public.products")]
    end.reading.finish()
    assert end.copied == [("shop", "public.products")]


def test_a_mapping_new_over_a_table_that_streams_names_the_command_that_brings_its_older_rows(
    end: OperationalEnd,
) -> None:
    shelves = PLACES.replace("mapping: places", "mapping: shelves").replace("public.places", "public.products")
    told: list[str] = []
    sink = logger.add(told.append, format="{message}", filter=lambda record: "causeway copy" in record["message"])
    try:
        end.reading.finish()  # the mapping that is there has its records
        (end.folder / "shelves.sql").write_text(shelves.replace("-- version", "-- backfill: none\n-- version"))
        end.reading.finish()
        assert told == []  # it does not want them
        (end.folder / "shelves.sql").write_text(shelves)
        end.reading.finish()
        end.reading.finish()
    finally:
        logger.remove(sink)
    assert [line.partition(":")[0] for line in told] == [
        "mapping shelves has no records yet, though the rows of public.products were taken in before"
    ]
    assert "`causeway copy shop public.products --lane operational`" in told[0]
    assert end.copied == []


def test_the_first_mapping_of_a_source_has_its_table_copied(database: FreshDatabase, tmp_path: Path) -> None:
    (tmp_path / "elsewhere.sql").write_text(
        PLACES.replace("source: shop", "source: elsewhere").replace("mapping: places", "mapping: far")
    )
    end = OperationalEnd(captured(database, ["public.products", "public.places"], *DDL), tmp_path)
    try:
        end.run()
        assert end.outbox.captured("shop", ()) == ()
        (tmp_path / "places.sql").write_text(PLACES)
        end.restart()
        publish(end)
        with connect(end.source.settings.connection, application_name="test") as connection:
            relations = describe(connection, end.files.wanted("shop").names, end.source.slot)
        assert end.outbox.captured("shop", relations) == ("public.places",)
    finally:
        end.close()


def test_a_table_that_is_published_later_is_copied_and_followed(end: OperationalEnd) -> None:
    # Under FULL the log does not tell the key of a table that was not described when the stream was opened.
    end.source.execute("ALTER TABLE places REPLICA IDENTITY FULL")
    reader = end.source.reader()
    reader.open(end.outbox.position("shop"))
    try:
        (end.folder / "places.sql").write_text(PLACES)
        end.reading.finish()
        publish(end)
        end.source.execute("INSERT INTO places VALUES (3, 'yard')")
        deadline = time.monotonic() + 60
        while "3" not in end.records("location"):
            assert time.monotonic() < deadline
            end.source.wake.wait(1)
            if (batch := reader.poll()) is not None:
                end.outbox.apply(batch)
    finally:
        reader.close()
    assert end.held() == []
    assert end.records("location")["3"][::3] == ("yard", "stream")
    end.reading.finish()
    assert end.copied == [("shop", "public.places")]
