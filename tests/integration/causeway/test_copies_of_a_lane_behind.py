"""A copy that begins while its lane is behind: what the log still says of rows that are gone keeps no record, and no row loses its own.

Transactions are among them that are in the log and that no query sees yet, as where a synchronous standby has not answered.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from cdc.destination import Destination
from config.settings import Lane
from sandbox.postgres import EmbeddedPostgres
from tests.fixtures.capture import captured
from tests.fixtures.copying_loop import CopyingLoop
from tests.fixtures.operational_end import OperationalEnd
from tests.fixtures.postgres import FreshDatabase, own_server

MAPPING = """-- mapping: products
-- entity: product
-- source: shop
-- table: public.products
-- version: 1
SELECT id AS source_key, title AS name, notes AS description, 'goods' AS kind, 'unit' AS unit, true AS active FROM public.products
"""
# Stored out of line, so that an update of the title leaves the notes out of the log, and the row is looked up.
DDL = (
    "CREATE TABLE products (id int PRIMARY KEY, title text, notes text)",
    "ALTER TABLE products ALTER notes SET STORAGE EXTERNAL",
    "INSERT INTO products SELECT i, 'product ' || i, CASE i % 2 WHEN 0 THEN repeat('long', 800) END FROM generate_series(1, 120) AS i",
)
SEEN = (
    "UPDATE products SET title = 'seen {k}' WHERE id % 5 = {k} % 5",
    "INSERT INTO products VALUES (1000 + {k}, 'new'), (-1 - {k}, 'first') ON CONFLICT DO NOTHING",
    "UPDATE products SET notes = repeat('other', 700) WHERE id % 9 = {k} % 9",
    "DELETE FROM products WHERE id % 31 = {k} % 31 AND id <> 60",
    "UPDATE products SET id = id + 5000 WHERE id % 29 = {k} % 29 AND id BETWEEN 1 AND 59",
    "DELETE FROM products WHERE id = 61; INSERT INTO products VALUES (61, 'again {k}')",
)
UNSEEN = (
    "UPDATE products SET title = 'unseen {k}' WHERE id % 7 = {k} % 7",
    "INSERT INTO products VALUES (2000 + {k}, 'unseen') ON CONFLICT (id) DO UPDATE SET title = 'unseen again'",
    (
        "UPDATE products SET title = 'here' WHERE id = 60; UPDATE products SET id = id - 9000 WHERE id % 23 = {k} % 23"
        " AND id > 61 AND NOT EXISTS (SELECT FROM products AS o WHERE o.id = products.id - 9000)"
    ),
)


class Products(CopyingLoop):
    """The operational lane over one table."""

    end: OperationalEnd

    def destination(self) -> Destination:
        return self.end.outbox

    def assert_equal(self) -> None:
        """There is a record of every row, and no other."""
        with self.source.database.connect() as connection:
            rows = connection.execute("SELECT id::text, title FROM products").fetchall()
        records = {key: row[0] for key, row in self.end.records("product").items() if row[2] == "upsert"}
        assert records == dict(rows)

    def delete_silently(self, remainder: int) -> None:
        """Let rows be deleted of which the log will say nothing."""
        publication = f"ALTER PUBLICATION {self.source.slot} SET (publish = '{{}}')"
        self.source.execute(
            publication.format("insert, update, truncate"),
            f"DELETE FROM products WHERE id % 11 = {remainder} AND id <> 60",
            publication.format("insert, update, delete, truncate"),
        )


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedPostgres]:
    """A server whose synchronous standby never answers; only who asks for it waits."""
    with own_server(settings={"synchronous_standby_names": "nobody", "synchronous_commit": "local"}) as opened:
        yield opened


@pytest.fixture
def products(server: EmbeddedPostgres, tmp_path: Path) -> Iterator[Products]:
    (tmp_path / "products.sql").write_text(MAPPING)
    database = FreshDatabase(server=server, name="shop", dsn=server.create_database("shop"))
    source = captured(database, ["public.products"], *DDL, status_interval_s=0.05)
    source.lane = Lane.OPERATIONAL
    end = OperationalEnd(source, tmp_path)
    made = Products(source=source, chunk_rows=25)
    made.end = end
    made.catch_up()
    yield made
    end.close()
    server.drop_database("shop")


def commit_unseen(database: FreshDatabase, statement: str) -> Callable[[], None]:
    """Commit a transaction that no query sees, though it is in the log, until what is returned is called."""
    writer = database.connect(autocommit=True)
    writer.execute("SET synchronous_commit = on")
    commit = threading.Thread(target=writer.execute, args=(statement.encode(),))
    commit.start()
    query = "SELECT wait_event FROM pg_stat_activity WHERE pid = %s"
    deadline = time.monotonic() + 30
    with database.connect(autocommit=True) as watcher:
        while watcher.execute(query, [writer.info.backend_pid]).fetchone() != ("SyncRep",):
            assert time.monotonic() < deadline

    def show() -> None:
        writer.cancel_safe()  # it waits no longer; the commit stands
        commit.join()
        writer.close()

    return show


def test_a_row_that_no_query_sees_when_its_table_s_copy_begins_keeps_its_record(products: Products) -> None:
    """The lane has taken it in before, so the stream does not speak of it again."""
    show = commit_unseen(products.source.database, "INSERT INTO products VALUES (999, 'late')")
    products.catch_up()
    assert products.end.records("product")["999"][0] == "late"
    timer = threading.Timer(1, show)
    timer.start()
    products.copy("public.products")
    timer.join()
    products.assert_equal()


def test_rows_deleted_in_silence_lose_their_records_and_no_other_whatever_the_lane_had_to_read(
    products: Products,
) -> None:
    picks = random.Random(20260715)

    def drawn(statements: Sequence[str]) -> str:
        return picks.choice(statements).format(k=picks.randrange(1, 400))

    for remainder in range(5):
        products.source.execute(f"UPDATE products SET title = 'unread' WHERE id % 11 = {remainder}")
        products.source.execute(*(drawn(SEEN) for _ in range(3)))
        products.delete_silently(remainder)
        products.source.execute(*(drawn(SEEN) for _ in range(3)))
        timer = threading.Timer(0.6, commit_unseen(products.source.database, drawn(UNSEEN)))
        timer.start()
        products.copy("public.products", between=lambda _: products.source.execute(drawn(SEEN), drawn(SEEN)))
        timer.join()
        products.assert_equal()


def test_rows_that_were_looked_up_before_their_table_s_copy_began_keep_their_records(products: Products) -> None:
    """The stream, and the copy, bring them in a state that the look-up showed already."""
    products.source.execute("UPDATE products SET title = 'first' WHERE id = 2")
    until = products.source.end()
    products.source.execute("UPDATE products SET title = 'second' WHERE id = 2")
    products.catch_up(until)
    assert products.end.records()["2"][0] == "second"
    products.copy("public.products")
    products.assert_equal()
