"""Tables that change at the source while they are captured: the mirror follows in order with the rows, or that one table stops.

Each case is a list of transactions, each a list of statements. It is run in one go before the lane sees any of it, step by step
while the lane follows, and in pieces of a few rows; the mirror must have equal checksums each time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import pytest

from cdc.catalog import describe
from cdc.checksum import bucket_checksums as source_checksums
from cdc.table_catalog import table_facts
from cdc.table_facts import TableFacts
from tests.fixtures.capture import CapturedDatabase, captured
from tests.fixtures.postgres import EVERY_POSTGRES, FreshDatabase
from tests.integration.transforms.oracle import prepare
from tests.integration.warehouse.test_reader_to_mirror import MirrorReplay
from warehouse.checksum import bucket_checksums, postgres_expressions
from warehouse.mirror import Mirror
from warehouse.store import Warehouse

TABLES = (
    "CREATE TABLE public.items (id int PRIMARY KEY, sku varchar(20), qty int, price numeric(10,2), note text)",
    "CREATE TABLE public.others (id int PRIMARY KEY, v text)",
    "INSERT INTO items SELECT i, 'sku' || i, i, i / 3.0, repeat('n', i) FROM generate_series(1, 40) AS i",
    "INSERT INTO others SELECT i, 'v' || i FROM generate_series(1, 10) AS i",
)
PARTITIONED = (
    "DROP TABLE items",
    "CREATE TABLE public.items (id int PRIMARY KEY, sku text, note text) PARTITION BY RANGE (id)",
    "CREATE TABLE items_low PARTITION OF items FOR VALUES FROM (0) TO (20)",
    "CREATE TABLE items_high (note text, id int PRIMARY KEY, sku text)",
    "ALTER TABLE items ATTACH PARTITION items_high FOR VALUES FROM (20) TO (2000)",
    "INSERT INTO items SELECT i, 'sku' || i, repeat('n', i) FROM generate_series(1, 40) AS i",
)
TOUCH = "UPDATE items SET note = note || '.' WHERE id % 4 = 1"
MORE = "INSERT INTO items (id, sku) SELECT i, 'more' || i FROM generate_series(101, 110) AS i"
OTHER = "UPDATE others SET v = v || '+'"


class Shop:
    """A source with two tables and its mirrors, with everything that the lane would ask the source."""

    def __init__(self, database: FreshDatabase, warehouse: Warehouse, *ddl: str, **capture: int) -> None:
        self.source: CapturedDatabase = captured(database, ("public.items", "public.others"), *TABLES, *ddl, **capture)
        self.warehouse = warehouse
        self.mirror = Mirror(warehouse, self.ask)
        self.source.replay = MirrorReplay(self.mirror)
        with database.connect() as connection:
            self.mirror.begin_snapshot("shop", describe(connection, ["public.items", "public.others"]))
        self.source.catch_up()

    def ask(self, _source: str, oids: Sequence[int]) -> dict[int, TableFacts]:
        with self.source.database.connect() as connection:
            return table_facts(connection, oids, self.source.slot)

    def assert_equal(self, *tables: str) -> None:
        assert not {name: record.problem for name, record in self.mirror.stopped("shop").items() if name in tables}
        with self.source.database.connect() as connection:
            prepare(connection)
            for relation in describe(connection, tables):
                theirs = source_checksums(connection, relation, postgres_expressions(relation), digits=1)
                ours = bucket_checksums(self.warehouse, "shop", relation, digits=1)
                assert {name: (one.rows, one.hash_sum) for name, one in ours.items()} == {
                    name: (one.rows, one.hash_sum) for name, one in theirs.items()
                }, relation.qualified_name

    def columns(self) -> list[str]:
        with self.warehouse.cursor() as cursor:
            return [row[0] for row in cursor.execute("DESCRIBE shop.items").fetchall()]


FOLLOWED = {
    "a column": [[TOUCH, "ALTER TABLE items ADD extra text", TOUCH, "UPDATE items SET extra = 'x' WHERE id < 9"]],
    "a column with a default": [[TOUCH, "ALTER TABLE items ADD extra numeric(8,3) NOT NULL DEFAULT 1.5", TOUCH, MORE]],
    "a default that is dropped at once": [
        [TOUCH, "ALTER TABLE items ADD extra jsonb DEFAULT '{\"a\": \"it''s\"}'"],
        ["ALTER TABLE items ALTER extra DROP DEFAULT", MORE],
    ],
    "a default of the moment": [[TOUCH, "ALTER TABLE items ADD at timestamptz DEFAULT now()"], [MORE]],
    "an array as default": [["ALTER TABLE items ADD tags text[] DEFAULT ARRAY['a', NULL, 'b c']", TOUCH], [MORE]],
    "two columns, the first dropped again": [
        ["ALTER TABLE items ADD one int DEFAULT 1", TOUCH],
        ["ALTER TABLE items ADD two int DEFAULT 2, DROP one", TOUCH],
    ],
    "a column dropped": [[TOUCH, "ALTER TABLE items DROP qty", TOUCH, MORE]],
    "a column renamed": [[TOUCH, "ALTER TABLE items RENAME qty TO quantity", TOUCH, MORE]],
    "the last column renamed": [[TOUCH], ["ALTER TABLE items RENAME note TO remark", "DELETE FROM items WHERE id = 3"]],
    "the key renamed": [[TOUCH, "ALTER TABLE items RENAME id TO item", "DELETE FROM items WHERE item = 3"]],
    "one dropped, another added": [[TOUCH, "ALTER TABLE items DROP note, ADD remark text DEFAULT 'none'", MORE]],
    "one dropped and added under its name": [[TOUCH, "ALTER TABLE items DROP qty, ADD qty bigint DEFAULT 7", TOUCH, MORE]],
    "dropped, and added again later": [[TOUCH, "ALTER TABLE items DROP qty", TOUCH], ["ALTER TABLE items ADD qty text", MORE]],
    "a column that came and went between rows, and later another": [
        ["ALTER TABLE items ADD one int", "ALTER TABLE items DROP one"],
        [TOUCH],
        [MORE],
    ],
    "an array with a default, and another column": [
        ["ALTER TABLE items ADD tags text[] DEFAULT '{x}'", TOUCH, "ALTER TABLE items ADD more int DEFAULT 1", TOUCH]
    ],
    "names exchanged": [
        [TOUCH, "ALTER TABLE items RENAME sku TO s", "ALTER TABLE items RENAME note TO sku", "ALTER TABLE items RENAME s TO note"],
        ["UPDATE items SET note = sku WHERE id < 5"],
    ],
    "wider integers": [[TOUCH, "ALTER TABLE items ALTER qty TYPE bigint", "UPDATE items SET qty = 5000000000 WHERE id < 9"]],
    "wider decimals": [[TOUCH, "ALTER TABLE items ALTER price TYPE numeric(14,4)", "UPDATE items SET price = 1.2345 WHERE id < 9"]],
    "decimals without a precision": [[TOUCH, "ALTER TABLE items ALTER price TYPE numeric", MORE]],
    "integers to decimals": [[TOUCH, "ALTER TABLE items ALTER qty TYPE numeric(12,2)", "UPDATE items SET qty = 0.5"]],
    "a longer varchar, then text": [
        ["ALTER TABLE items ALTER sku TYPE varchar(40)", "UPDATE items SET sku = repeat('s', 40) WHERE id = 2"],
        ["ALTER TABLE items ALTER sku TYPE text", "UPDATE items SET sku = repeat('s', 400) WHERE id = 3"],
    ],
    "another key": [
        ["ALTER TABLE items DROP CONSTRAINT items_pkey, ALTER sku SET NOT NULL, ADD PRIMARY KEY (sku)", TOUCH],
        ["UPDATE items SET id = id + 1000", "DELETE FROM items WHERE sku = 'sku5'", "UPDATE items SET sku = 'new' WHERE sku = 'sku6'"],
    ],
    "another replica identity": [
        ["ALTER TABLE items REPLICA IDENTITY FULL", TOUCH],
        ["ALTER TABLE items REPLICA IDENTITY DEFAULT", TOUCH, "DELETE FROM items WHERE id = 8"],
    ],
    "a table emptied, then widened by a rewrite": [
        ["TRUNCATE items", "ALTER TABLE items ADD r float8 NOT NULL DEFAULT random()", MORE]
    ],
}  # fmt: skip


@pytest.mark.case("a column added", "added to the mirror; old rows have its default")
@pytest.mark.case("a column dropped", "stays in the mirror, marked; later rows have NULL")
@pytest.mark.case("a column renamed", "renamed in the mirror")
@pytest.mark.case(
    "a changed type or modifier",
    "widened where nothing is lost; otherwise that table stops, with the command that copies it anew",
)
@pytest.mark.parametrize("way", ["at once", "step by step", "in pieces"])
@pytest.mark.parametrize("case", FOLLOWED)
def test_is_followed(database: FreshDatabase, warehouse: Warehouse, case: str, way: str) -> None:
    shop = Shop(database, warehouse, **({"batch_rows": 4, "batch_bytes": 2**16} if way == "in pieces" else {}))
    for statements in FOLLOWED[case]:
        if way == "step by step":
            for statement in statements:
                shop.source.transaction(statement, OTHER)
                shop.source.catch_up()
        else:
            shop.source.transaction(*statements, OTHER)
    shop.source.catch_up()
    shop.assert_equal("public.items", "public.others")


STOPPED = {
    "a column added, dropped and added again": (
        ["ALTER TABLE items ADD e int DEFAULT 7", "INSERT INTO items (id, e) VALUES (500, 100)", "ALTER TABLE items DROP e, ADD e int DEFAULT 3", TOUCH],
        "got the column e and was altered again",
    ),
    "another type": (["ALTER TABLE items ALTER qty TYPE text", TOUCH], "another type for qty"),
    "a narrower varchar": (["ALTER TABLE items ALTER sku TYPE varchar(9)", TOUCH], "another type for sku"),
    "fewer decimals": (["ALTER TABLE items ALTER price TYPE numeric(10,1)", TOUCH], "another type for price"),
    "a volatile default": (["ALTER TABLE items ADD r float8 DEFAULT random()", TOUCH], "got the column r while its rows"),
    "the last column again": (["ALTER TABLE items DROP note, ADD note text", MORE], "got a column of the same name"),
    "another table": (
        ["DROP TABLE items", TABLES[0], "ALTER PUBLICATION causeway_{name}_analytical ADD TABLE ONLY items", MORE],
        "was dropped and created again",
    ),
}  # fmt: skip


@pytest.mark.case("a changed type or modifier")
@pytest.mark.case(
    "one poison table neither stalls the others nor pins the slot",
    "the table stops with a reason, its changes are counted and skipped, the slot moves on, the others go on",
)
@pytest.mark.parametrize("case", STOPPED)
def test_stops_that_one_table(database: FreshDatabase, warehouse: Warehouse, case: str) -> None:
    shop = Shop(database, warehouse)
    reader = shop.source.reader()
    statements, words = STOPPED[case]
    shop.source.transaction(OTHER, *(one.replace("{name}", database.name) for one in statements), OTHER)
    reader.open(shop.source.replay.position, shop.source.end())
    shop.source.drain(reader)
    reader.close()
    (record,) = shop.mirror.stopped("shop").values()
    assert words.replace("\\", "") in record.problem
    assert record.skipped_rows
    shop.assert_equal("public.others")


def test_a_renamed_table_stops_alone(database: FreshDatabase, warehouse: Warehouse) -> None:
    shop = Shop(database, warehouse)
    reader = shop.source.reader()
    reader.open(shop.source.replay.position)
    shop.source.transaction("ALTER TABLE items RENAME TO things", "DELETE FROM things", OTHER)
    try:
        while not shop.mirror.stopped("shop"):
            batch = reader.poll()
            if batch is not None:
                shop.source.replay.apply(batch)
            shop.source.wake.wait(0.05)
    finally:
        reader.close()
    assert "public.items is called public.things now" in shop.mirror.stopped("shop")["public.items"].problem
    shop.assert_equal("public.others")


@pytest.mark.parametrize("then", ["nothing", "a row", "another column"])
def test_what_no_row_announced_is_followed_where_the_mirror_stands_at_the_catalogs_point(
    database: FreshDatabase, warehouse: Warehouse, then: str
) -> None:
    shop = Shop(database, warehouse)
    shop.source.transaction("ALTER TABLE items ADD extra int DEFAULT 5, DROP sku, ALTER note TYPE varchar", OTHER)
    shop.source.catch_up()
    with database.connect() as connection:
        shop.mirror.follow("shop", describe(connection, ["public.items", "public.others"]))
    shop.assert_equal("public.items", "public.others")
    if then == "another column":
        shop.source.transaction("ALTER TABLE items ADD more text DEFAULT 'm'", TOUCH)
    elif then == "a row":
        shop.source.transaction(TOUCH)
    shop.source.catch_up()
    shop.assert_equal("public.items", "public.others")


def test_a_default_of_a_partitioned_table_is_that_of_its_partitions(
    database: FreshDatabase, warehouse: Warehouse
) -> None:
    shop = Shop(database, warehouse, *PARTITIONED)
    shop.source.transaction("ALTER TABLE items ADD extra int DEFAULT 5", TOUCH, "DELETE FROM items WHERE id = 30")
    shop.source.catch_up()
    shop.assert_equal("public.items")


@pytest.mark.case("a column added")
@pytest.mark.case("a column renamed")
@pytest.mark.case("a column dropped")
@pytest.mark.case("a changed type or modifier")
@pytest.mark.case("a column dropped and added again under the same name")
@EVERY_POSTGRES
@pytest.mark.parametrize(
    "case",
    [
        "a column with a default",
        "a column dropped",
        "one dropped and added under its name",
        "the last column renamed",
        "wider decimals",
    ],
)
def test_is_followed_on_every_version(database: FreshDatabase, warehouse: Warehouse, case: str) -> None:
    shop = Shop(database, warehouse)
    for statements in FOLLOWED[case]:
        shop.source.transaction(*statements, OTHER)
    shop.source.catch_up()
    shop.assert_equal("public.items", "public.others")


def test_a_column_that_came_and_went_unseen_does_not_stop_a_later_one(
    database: FreshDatabase, warehouse: Warehouse
) -> None:
    shop = Shop(database, warehouse)
    shop.source.transaction("ALTER TABLE items ADD one int", "ALTER TABLE items DROP one")
    for statement in (TOUCH, MORE, "ALTER TABLE items ADD two int DEFAULT 2", TOUCH):
        shop.source.transaction(statement)
        shop.source.catch_up()
    shop.assert_equal("public.items")


@EVERY_POSTGRES
@pytest.mark.case("a table dropped from the publication and added again while nobody read")
def test_a_table_that_leaves_the_publication_for_a_while_is_stopped_by_its_next_row(
    database: FreshDatabase, warehouse: Warehouse
) -> None:
    shop = Shop(database, warehouse)
    reader = shop.source.reader()
    reader.open(shop.source.replay.position)

    def read_until(done: Callable[[], object]) -> None:
        deadline = time.monotonic() + 30
        while not done():
            assert time.monotonic() < deadline, "it did not come in time"
            if (batch := reader.poll()) is not None:
                shop.source.replay.apply(batch)

    def others() -> tuple[object, ...]:
        return warehouse.cursor().execute("SELECT v FROM shop.others WHERE id = 1").fetchone() or ()

    shop.source.execute(TOUCH, "UPDATE others SET v = 'before' WHERE id = 1")
    read_until(lambda: others() == ("before",))
    publication = f"ALTER PUBLICATION {shop.source.slot} {{}} TABLE ONLY items"
    shop.source.execute(publication.format("DROP"), MORE, publication.format("ADD"), TOUCH)
    shop.source.execute("UPDATE others SET v = 'behind' WHERE id = 1")
    read_until(lambda: others() == ("behind",))
    reader.close()
    stopped = shop.mirror.stopped("shop")
    assert stopped.keys() == {"public.items"}
    assert "put back" in stopped["public.items"].problem
    shop.assert_equal("public.others")
