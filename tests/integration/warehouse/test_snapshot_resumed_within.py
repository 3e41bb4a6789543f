"""A first snapshot that is killed in the middle of a large table reads the rest of it, not all of it again, and ends row-exact.

The seed is CAUSEWAY_FAULT_SEED, which pytest's output of a failure shows; CAUSEWAY_FAULT_ROUNDS asks for so many rounds, or for all.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from causeway.sources import row_reader
from cdc.batch import BatchKind, ChangeBatch
from cdc.snapshot_copier import SnapshotCopier
from cdc.table_catalog import table_facts
from cdc.table_copy import CopiedChunk, TableReader
from cdc.table_facts import TableFacts
from config.errors import CausewayError, ErrorKind
from tests.fixtures.capture import CapturedDatabase, captured
from tests.fixtures.postgres import FreshDatabase
from tests.integration.warehouse.copying_lane import CopyingLane
from warehouse.mirror import Mirror
from warehouse.store import Warehouse

SEED = int(os.environ.get("CAUSEWAY_FAULT_SEED", "20260715"))
FEW, MANY = 4, 40
ASKED = os.environ.get("CAUSEWAY_FAULT_ROUNDS", str(FEW))
ROUNDS = MANY if ASKED == "all" else int(ASKED)
ROWS = 3000
TABLES = (
    "CREATE TABLE public.big (id int PRIMARY KEY, n int, note text, doc text)",
    "ALTER TABLE big ALTER doc SET STORAGE EXTERNAL",
    f"INSERT INTO big SELECT i, i, repeat('x', 100), repeat(md5(i::text), 80) FROM generate_series(1, {ROWS}) AS i",
    "CREATE TABLE public.parts (id int, n int, amount numeric, PRIMARY KEY (id)) PARTITION BY RANGE (id)",
    "CREATE TABLE low (amount numeric, n int, id int NOT NULL)",
    "ALTER TABLE parts ATTACH PARTITION low FOR VALUES FROM (MINVALUE) TO (900)",
    "CREATE TABLE high PARTITION OF parts DEFAULT",
    "INSERT INTO parts SELECT i, i % 7, CASE i % 50 WHEN 0 THEN numeric 'NaN' ELSE i END FROM generate_series(1, 3000) AS i",
    "DELETE FROM big WHERE id % 10 = 3",  # room for new rows among the old ones
    "VACUUM big",
)
NAMES = ["public.big", "public.parts"]

pytestmark = pytest.mark.timeout(240)


class Shop:
    """A source and its mirror's lane, which is killed now and then, and counts what it reads."""

    def __init__(
        self,
        database: FreshDatabase,
        warehouse: Warehouse,
        monkeypatch: pytest.MonkeyPatch,
        names: Sequence[str] = NAMES,
    ) -> None:
        self.names = names
        self.source: CapturedDatabase = captured(
            database, names, *TABLES, status_interval_s=0.05, batch_rows=100, snapshot_workers=2
        )
        self.warehouse = warehouse
        self.read_again = 0
        self.during: Callable[[], None] = lambda: None
        monkeypatch.setattr(SnapshotCopier, "part_pages", 8)
        for name in ("read", "read_pages"):
            monkeypatch.setattr(TableReader, name, self._counted(getattr(TableReader, name)))

    def _counted(self, read: Any) -> Any:
        def counted(*given: Any, **named: Any) -> CopiedChunk:
            chunk: CopiedChunk = read(*given, **named)
            self.read_again += chunk.rows
            self.during()
            return chunk

        return counted

    def run(self, *, killed_at: int | None = None, gives_up: str | None = None) -> CopyingLane:
        """Catch up in a new process, as it were; it dies before it writes the batch of this number.

        `gives_up`: words of the error that the run must end with.
        """
        shop, words = self, gives_up or ("kills" if killed_at is not None else None)
        sources = {"shop": self.source.settings}

        class Killed(Mirror):
            batches = 0

            def apply(self, batch: ChangeBatch) -> None:
                if batch.row_count or batch.copied is not None:
                    self.batches += 1
                if self.batches == killed_at:
                    raise CausewayError(ErrorKind.WAREHOUSE, "the test kills the lane.")
                super().apply(batch)
                if batch.kind is BatchKind.SNAPSHOT:
                    shop.during()

        def ask(_source: str, oids: Sequence[int]) -> dict[int, TableFacts]:
            with self.source.database.connect() as connection:
                return table_facts(connection, oids, self.source.slot)

        mirror = Killed(self.warehouse, ask, row_reader(sources))
        lane = CopyingLane(source=self.source, warehouse=self.warehouse, mirror=mirror, chunk_rows=300)
        try:
            lane.catch_up()
            assert gives_up is None, "nothing was given up"
        except CausewayError as error:
            if words is None or words not in str(error):
                raise
        finally:
            mirror.close()
        return lane

    def partly(self) -> set[str]:
        """The tables that the snapshot has read in part."""
        rows = self.warehouse.cursor().execute("SELECT table_name FROM meta.unread").fetchall()
        return {name for (name,) in rows}

    def rows(self) -> int:
        with self.source.database.connect() as connection:
            counted = connection.execute("SELECT (SELECT count(*) FROM big) + (SELECT count(*) FROM parts)").fetchone()
        assert counted is not None
        return int(counted[0])

    def assert_whole(self, lane: CopyingLane) -> None:
        lane.assert_equal()
        assert {lane.state(name.removeprefix("public.")) for name in self.names} == {"streaming"}
        assert not self.partly()


def change(source: CapturedDatabase, rng: random.Random) -> None:
    """Some of everything: large values left as they are, new ones, rows that go, come, and change their keys or partition."""
    some = f"id % 61 = {rng.randrange(61)}"
    new = rng.randrange(10_000, 10**8)
    source.transaction(
        rng.choice(
            (
                f"UPDATE big SET n = n + 1 WHERE {some}",
                f"UPDATE big SET id = -id WHERE {some}",
                f"UPDATE big SET doc = doc || 'y', note = NULL WHERE {some}",
                f"DELETE FROM big WHERE {some}",
                f"INSERT INTO big SELECT g, 0, '', repeat('z', 3000) FROM generate_series({new}, {new} + 30) g",
            )
        ),
        rng.choice(
            (
                f"UPDATE parts SET n = n + 1 WHERE {some}",
                f"UPDATE parts SET id = 1000000 - id WHERE {some}",
                f"DELETE FROM parts WHERE {some}",
                f"UPDATE parts SET amount = 'NaN' WHERE {some}",
            )
        ),
    )


@pytest.mark.parametrize("number", range(ROUNDS))
def test_a_snapshot_killed_anywhere_reads_only_the_rest_and_ends_exact(
    database: FreshDatabase, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    print(f"CAUSEWAY_FAULT_SEED={SEED}")  # noqa: T201
    rng = random.Random(SEED + number)
    shop = Shop(database, warehouse, monkeypatch)

    def during() -> None:
        if rng.random() < 0.4:
            change(shop.source, rng)

    shop.during = during
    shop.run(killed_at=rng.randrange(16, 38))
    assert shop.partly() == {"big"}
    for _ in range(rng.randrange(3)):  # and again while it reads the rest
        change(shop.source, rng)
        shop.run(killed_at=rng.randrange(1, 12))
    before, shop.read_again = shop.rows(), shop.read_again
    shop.during = lambda: None
    shop.assert_whole(shop.run())
    assert 0 < shop.read_again < before


def test_partitions_and_values_that_do_not_fit_are_gone_on_with_too(
    database: FreshDatabase, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = Shop(database, warehouse, monkeypatch, ["public.parts"])
    for killed_at in (24, 25, 26, 27):  # which partition's pages are whole by then is the workers' affair
        shop.run(killed_at=killed_at)
        if shop.partly():
            break
    assert shop.partly() == {"parts"}
    shop.source.execute(
        "UPDATE parts SET id = 1000000 + id WHERE id % 61 = 5",  # to the other partition
        "UPDATE parts SET amount = 'NaN' WHERE id % 61 = 6",
        "UPDATE parts SET amount = 1 WHERE id % 100 = 0",
        "DELETE FROM parts WHERE id % 61 = 7",
    )
    shop.assert_whole(shop.run())
    assert 0 < shop.read_again < 3000


@pytest.mark.parametrize(
    "meanwhile",
    [
        ("DELETE FROM big WHERE id % 10 = 5", "VACUUM FULL big"),  # the rows move to other pages
        ("ALTER TABLE big DROP doc", "ALTER TABLE big ADD doc text"),  # the log says nothing of it
        ("ALTER TABLE parts DETACH PARTITION high", "ALTER TABLE parts ATTACH PARTITION high DEFAULT"),
    ],
)
def test_a_table_that_is_not_where_it_was_is_read_from_its_first_row(
    database: FreshDatabase, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch, meanwhile: tuple[str, ...]
) -> None:
    shop = Shop(database, warehouse, monkeypatch)
    shop.run(killed_at=30)
    assert shop.partly() == {"big"}
    with database.connect(autocommit=True) as connection:
        for statement in meanwhile:
            connection.execute(statement.encode())
    shop.assert_whole(shop.run())
    is_big = "big" in meanwhile[0]
    assert (shop.read_again == shop.rows()) == is_big


def test_what_is_left_of_a_snapshot_is_of_no_use_at_another_position(
    database: FreshDatabase, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = Shop(database, warehouse, monkeypatch)
    shop.run(killed_at=30)
    warehouse.cursor().execute("UPDATE meta.unread SET as_of = '0/1'")  # as when the position has moved to a new slot's
    shop.assert_whole(shop.run())
    assert shop.read_again == shop.rows()


def test_a_table_that_was_altered_to_and_fro_meanwhile_stops(
    database: FreshDatabase, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = Shop(database, warehouse, monkeypatch)
    shop.run(killed_at=30)
    shop.source.execute(
        "ALTER TABLE big REPLICA IDENTITY FULL",
        "UPDATE big SET n = -n WHERE id < 100",
        "ALTER TABLE big REPLICA IDENTITY DEFAULT",
    )
    lane = shop.run(gives_up="was altered before its interrupted snapshot was gone on with")
    assert lane.state("big") == "stopped"
    assert lane.state("parts") == "streaming"
    lane.mirror = Mirror(warehouse)
    lane.copy("public.big")
    shop.assert_whole(lane)
