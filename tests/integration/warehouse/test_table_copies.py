"""Tables copied while streaming goes on: whatever is written meanwhile, the mirror ends exact, compared row by row."""

from __future__ import annotations

import random
import threading
from typing import Any

import pytest

from causeway.exits import Exit, exit_code
from causeway.sources import row_reader
from cdc.table_copy import TableReader
from config.errors import CausewayError, ErrorKind
from tests.fixtures.capture import captured
from tests.fixtures.postgres import FreshDatabase
from tests.integration.warehouse.copying_lane import CopyingLane
from warehouse.mirror import Mirror
from warehouse.store import Warehouse

LONG = "(SELECT string_agg(md5(random()::text), '') FROM generate_series(1, 120))"


def lane(
    database: FreshDatabase, warehouse: Warehouse, mirror: Mirror, tables: list[str], *ddl: str, **capture: Any
) -> CopyingLane:
    source = captured(database, tables, *ddl, **{"status_interval_s": 0.05, **capture})
    return CopyingLane(source=source, warehouse=warehouse, mirror=mirror)


ITEMS = (
    "CREATE TABLE public.items (id int PRIMARY KEY, n numeric(10,2), note text)",
    "INSERT INTO items SELECT i, i / 3.0, 'note ' || i FROM generate_series(1, 300) AS i",
)


def test_a_table_is_copied_anew_and_rows_that_the_source_does_not_have_disappear(
    database: FreshDatabase, warehouse: Warehouse, mirror: Mirror
) -> None:
    shop = lane(database, warehouse, mirror, ["public.items"], *ITEMS)
    shop.catch_up()
    spoilt = warehouse.cursor()
    spoilt.execute("INSERT INTO shop.items VALUES (1000, 1, 'not there'), (1, 2, 'twice')")
    spoilt.execute("DELETE FROM shop.items WHERE id BETWEEN 50 AND 90")
    spoilt.execute("UPDATE shop.items SET note = 'other' WHERE id = 7")
    shop.copy("public.items")
    shop.assert_equal()
    assert shop.chunks >= 300 // 40  # and not all at once
    assert shop.state("items") == "streaming"
    assert warehouse.cursor().execute("SELECT count(*) FROM meta.copies").fetchone() == (0,)


CHANGES = (
    "INSERT INTO items SELECT {k} * 1000 + i, i, 'new' FROM generate_series(1, 9) AS i ON CONFLICT DO NOTHING",
    "UPDATE items SET note = note || '!', n = n + 1 WHERE id % 7 = {k} % 7",
    "DELETE FROM items WHERE id % 41 = {k} % 41",
    (
        "UPDATE items SET id = id + 5000 WHERE id % 31 = {k} % 31 AND id < 5000"
        " AND NOT EXISTS (SELECT FROM items AS o WHERE o.id = items.id + 5000)"
    ),
    "UPDATE items SET id = -id WHERE id % 37 = {k} % 37 AND NOT EXISTS (SELECT FROM items AS o WHERE o.id = -items.id)",
    "DELETE FROM items WHERE id = 100; INSERT INTO items VALUES (100, {k}, 'again')",
    "INSERT INTO items VALUES (-7777, 1, 'short') ON CONFLICT DO NOTHING; DELETE FROM items WHERE id = -7777",
)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_random_changes_between_the_chunks_leave_an_exact_mirror(
    database: FreshDatabase, warehouse: Warehouse, mirror: Mirror, seed: int
) -> None:
    shop = lane(database, warehouse, mirror, ["public.items"], *ITEMS)
    shop.catch_up()
    picks = random.Random(seed)

    def write(_: int) -> None:
        for _ in range(3):
            shop.source.transaction(*(picks.choice(CHANGES).format(k=picks.randrange(100)) for _ in range(3)))

    shop.copy("public.items", between=write)
    shop.assert_equal()
    assert shop.state("items") == "streaming"
    write(0)
    shop.catch_up()
    shop.assert_equal()


def test_a_truncate_between_the_chunks_empties_what_was_copied(
    database: FreshDatabase, warehouse: Warehouse, mirror: Mirror
) -> None:
    shop = lane(database, warehouse, mirror, ["public.items"], *ITEMS)
    shop.catch_up()

    def truncate(chunk: int) -> None:
        if chunk == 3:
            shop.source.transaction(
                "TRUNCATE items", "INSERT INTO items SELECT i, 1, 'b' FROM generate_series(5, 250, 5) AS i"
            )

    shop.copy("public.items", between=truncate)
    shop.assert_equal()


KEYS = {
    "composite, in another order": (
        "CREATE TABLE public.items (a int, n text, b uuid, c int, PRIMARY KEY (c, b, a))",
        "INSERT INTO items SELECT i % 5, i::text, md5(i::text)::uuid, i % 3 FROM generate_series(1, 200) AS i",
    ),
    "text of a collation": (
        'CREATE TABLE public.items (id text COLLATE "C" PRIMARY KEY, n int)',
        (
            "INSERT INTO items SELECT (ARRAY['ä','Z','a','_','É','ß'])[i % 6 + 1] || chr(60 + i % 60) || i, i"
            " FROM generate_series(1, 200) AS i"
        ),
    ),
    "uuid": (
        "CREATE TABLE public.items (id uuid PRIMARY KEY, n int)",
        "INSERT INTO items SELECT md5(i::text)::uuid, i FROM generate_series(1, 200) AS i",
    ),
    "int stored as text would sort": (
        "CREATE TABLE public.items (id numeric PRIMARY KEY, n int)",
        "INSERT INTO items SELECT i * 1.5 - 100, i FROM generate_series(1, 200) AS i",
    ),
    "timestamptz and a quoted name": (
        'CREATE TABLE public.items ("At ""x""" timestamptz, copied int, PRIMARY KEY ("At ""x""", copied))',
        (
            "INSERT INTO items SELECT '2026-01-01'::timestamptz + i * interval '1 hour', i % 2"
            " FROM generate_series(1, 200) AS i"
        ),
    ),
    "replica identity full": (
        "CREATE TABLE public.items (id int PRIMARY KEY, n int)",
        "ALTER TABLE items REPLICA IDENTITY FULL",
        "INSERT INTO items SELECT i, i FROM generate_series(1, 200) AS i",
    ),
    "replica identity index": (
        "CREATE TABLE public.items (id int PRIMARY KEY, code char(8) NOT NULL, n int)",
        "CREATE UNIQUE INDEX by_code ON items (code)",
        "ALTER TABLE items REPLICA IDENTITY USING INDEX by_code",
        "INSERT INTO items SELECT i, 'c' || i, i FROM generate_series(1, 200) AS i",
    ),
    "partitioned, children of other column orders": (
        "CREATE TABLE public.items (id int, n int, PRIMARY KEY (id)) PARTITION BY RANGE (id)",
        "CREATE TABLE low (n int, id int NOT NULL)",
        "ALTER TABLE items ATTACH PARTITION low FOR VALUES FROM (MINVALUE) TO (100)",
        "CREATE TABLE high PARTITION OF items DEFAULT",
        "INSERT INTO items SELECT i, i FROM generate_series(1, 200) AS i",
    ),
}


@pytest.mark.parametrize("case", KEYS)
def test_a_table_is_copied_by_whatever_key_it_has(
    database: FreshDatabase, warehouse: Warehouse, mirror: Mirror, case: str
) -> None:
    shop = lane(database, warehouse, mirror, ["public.items"], *KEYS[case])
    shop.catch_up()
    warehouse.cursor().execute("DELETE FROM shop.items")
    shop.copy("public.items")
    shop.assert_equal()
    assert shop.chunks >= 5


@pytest.mark.case(
    "a table added to the publication while running",
    "once it is in the settings it is copied by itself, while the others stream",
)
def test_a_table_that_came_later_is_copied_by_itself_while_the_others_stream(
    database: FreshDatabase, warehouse: Warehouse, mirror: Mirror
) -> None:
    shop = lane(
        database, warehouse, mirror, ["public.items"], *ITEMS,
        "CREATE TABLE public.later (id int PRIMARY KEY, t text)",
        "INSERT INTO later SELECT i, 't' FROM generate_series(1, 150) AS i",
        "CREATE TABLE public.latest (id int PRIMARY KEY, t text)",
        "INSERT INTO latest SELECT i, 't' FROM generate_series(1, 50) AS i",
    )  # fmt: skip
    shop.catch_up()
    shop.capture("public.items", "public.later", "public.latest")

    def write(chunk: int) -> None:
        shop.source.execute(
            f"UPDATE items SET note = 'chunk {chunk}' WHERE id = {chunk}",
            f"UPDATE later SET t = 'chunk {chunk}' WHERE id % 5 = {chunk} % 5",
            f"INSERT INTO latest VALUES ({1000 + chunk}, 'chunk')",
        )

    shop.go_on(write)
    shop.assert_equal()
    assert {name: shop.state(name) for name in ("items", "later", "latest")} == dict.fromkeys(
        ("items", "later", "latest"), "streaming"
    )


def test_a_copy_waits_for_what_was_open_when_its_table_was_published(
    database: FreshDatabase, warehouse: Warehouse, mirror: Mirror
) -> None:
    shop = lane(
        database, warehouse, mirror, ["public.items"], *ITEMS, "CREATE TABLE public.later (id int PRIMARY KEY, t text)",
        "INSERT INTO later SELECT i, 't' FROM generate_series(1, 50) AS i",
        "CREATE TABLE public.latest (id int PRIMARY KEY)", "INSERT INTO latest VALUES (1)",
    )  # fmt: skip
    shop.catch_up()
    with shop.source.database.connect() as open_transaction:
        open_transaction.execute("INSERT INTO later VALUES (1000, 'the log never sends this')")
        shop.capture("public.items", "public.later", "public.latest")
        timer = threading.Timer(2, open_transaction.commit)
        timer.start()
        shop.go_on()
        timer.join()
    shop.assert_equal()


def test_a_table_that_was_left_out_for_a_while_is_copied_again(
    database: FreshDatabase, warehouse: Warehouse, mirror: Mirror
) -> None:
    shop = lane(
        database, warehouse, mirror, ["public.items", "public.other"], *ITEMS,
        "CREATE TABLE public.other (id int PRIMARY KEY)", "INSERT INTO other VALUES (1)",
    )  # fmt: skip
    shop.catch_up()
    shop.source.execute("DELETE FROM other", "INSERT INTO items VALUES (9000, 1, '')")
    shop.capture("public.items")
    shop.catch_up()
    assert shop.state("other") == "dropped"
    shop.source.execute("INSERT INTO other VALUES (2), (3)")
    shop.capture("public.items", "public.other")
    shop.go_on()
    shop.assert_equal()


def test_a_column_added_while_the_copy_runs_begins_it_anew(
    database: FreshDatabase, warehouse: Warehouse, mirror: Mirror
) -> None:
    shop = lane(database, warehouse, mirror, ["public.items"], *ITEMS)
    shop.catch_up()

    def alter(chunk: int) -> None:
        if chunk == 3:
            shop.source.execute("UPDATE items SET note = 'before' WHERE id < 20")
            shop.source.execute("ALTER TABLE items ADD extra int DEFAULT 7, DROP n")
            shop.source.execute("UPDATE items SET extra = 8 WHERE id % 2 = 0")

    shop.copy("public.items", between=alter)
    shop.assert_equal()


def test_a_table_made_anew_is_copied_past_the_changes_of_the_old_one(
    database: FreshDatabase, warehouse: Warehouse, mirror: Mirror
) -> None:
    shop = lane(database, warehouse, mirror, ["public.items"], *ITEMS)
    shop.catch_up()
    shop.source.execute("UPDATE items SET note = 'old' WHERE id < 50")
    shop.source.transaction("DROP TABLE items", "CREATE TABLE items (id bigint PRIMARY KEY, m text)")
    shop.source.execute(
        f"ALTER PUBLICATION {shop.source.slot} ADD TABLE ONLY items", "INSERT INTO items VALUES (1, 'new')"
    )
    shop.copy("public.items")
    shop.assert_equal()


def test_what_cannot_be_copied_is_said_and_the_stream_goes_on(
    database: FreshDatabase, warehouse: Warehouse, mirror: Mirror
) -> None:
    shop = lane(database, warehouse, mirror, ["public.items"], *ITEMS)
    shop.catch_up()
    with pytest.raises(CausewayError, match="no such table") as caught:
        shop.copy("public.nowhere")
    assert caught.value.kind is ErrorKind.SCHEMA
    shop.source.execute("INSERT INTO items VALUES (999, 1, 'x')")
    shop.catch_up()
    shop.assert_equal()


def test_a_run_that_is_to_end_says_which_table_could_not_be_copied_and_the_next_goes_on_with_it(
    database: FreshDatabase, warehouse: Warehouse, mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = lane(
        database, warehouse, mirror, ["public.items"], *ITEMS,
        "CREATE TABLE public.later (id int PRIMARY KEY)", "INSERT INTO later VALUES (1)",
    )  # fmt: skip
    shop.catch_up()
    shop.capture("public.items", "public.later")
    shop.source.execute("INSERT INTO items VALUES (999, 1, 'x')")

    def refused(*_: object, **__: object) -> None:
        raise CausewayError(ErrorKind.PRIVILEGE, "permission denied.")

    with monkeypatch.context() as patched:
        patched.setattr(TableReader, "read", refused)
        with pytest.raises(CausewayError, match=r"shop: public.later is not copied: permission denied.") as caught:
            shop.catch_up()
    assert exit_code(caught.value.kind) == Exit.REFUSED
    assert warehouse.cursor().execute("SELECT count(*) FROM shop.items WHERE id = 999").fetchone() == (1,)
    shop.catch_up()
    shop.assert_equal()


def test_rows_are_read_no_faster_than_the_settings_allow(
    database: FreshDatabase, warehouse: Warehouse, mirror: Mirror
) -> None:
    shop = lane(database, warehouse, mirror, ["public.items"], *ITEMS, max_rows_s=35)
    shop.chunk_rows = 1000
    shop.catch_up()
    shop.source.execute("DELETE FROM items WHERE id > 70")
    shop.copy("public.items")
    shop.assert_equal()
    assert shop.chunks >= 3  # of a second's rows each


DOCS = (
    "CREATE TABLE public.items (id int PRIMARY KEY, n int, body text)",
    "ALTER TABLE items ALTER body SET STORAGE EXTERNAL",
    f"INSERT INTO items SELECT i, i, {LONG} || i FROM generate_series(1, 200) AS i",
)


def test_values_that_the_log_leaves_out_are_there_for_rows_that_moved_under_the_copy(
    database: FreshDatabase, warehouse: Warehouse, mirror: Mirror
) -> None:
    shop = lane(database, warehouse, mirror, ["public.items"], *DOCS)
    shop.mirror = Mirror(warehouse, look_up=row_reader({"shop": shop.source.settings}))
    shop.catch_up()

    def move(chunk: int) -> None:
        shop.source.execute(
            f"UPDATE items SET n = n + 1 WHERE id % 3 = {chunk} % 3",
            f"UPDATE items SET id = id + 10000 WHERE id BETWEEN {chunk * 7} AND {chunk * 7 + 9} AND id < 10000",
            f"UPDATE items SET id = id + 10000 WHERE id % 10000 BETWEEN {chunk * 7} AND {chunk * 7 + 3} AND id > 10000",
            f"UPDATE items SET id = -id WHERE id > 10000 AND id % 5 = {chunk} % 5",
            f"DELETE FROM items WHERE id % 29 = {chunk}",
        )

    shop.source.execute("UPDATE items SET id = id + 20000 WHERE id BETWEEN 30 AND 50")
    shop.source.execute("UPDATE items SET id = id - 40000 WHERE id BETWEEN 20030 AND 20040")
    shop.copy("public.items", between=move)
    shop.assert_equal()
