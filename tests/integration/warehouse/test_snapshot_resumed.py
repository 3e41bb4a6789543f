"""A first snapshot by several connections, within tables and over them; interrupted, what is whole stays whole."""

from __future__ import annotations

from typing import Any

import pytest

from cdc.batch import BatchKind, ChangeBatch
from cdc.snapshot_copier import SnapshotCopier
from config.errors import CausewayError, ErrorKind
from tests.fixtures.capture import captured
from tests.fixtures.postgres import FreshDatabase
from tests.integration.warehouse.copying_lane import CopyingLane
from warehouse.mirror import Mirror
from warehouse.store import Warehouse

TABLES = (
    "CREATE TABLE public.first (id int PRIMARY KEY, t text)",
    "INSERT INTO first SELECT i, repeat('x', 100) FROM generate_series(1, 2000) AS i",
    "CREATE TABLE public.parts (id int, n int, PRIMARY KEY (id)) PARTITION BY RANGE (id)",
    "CREATE TABLE low (n int, id int NOT NULL)",
    "ALTER TABLE parts ATTACH PARTITION low FOR VALUES FROM (MINVALUE) TO (900)",
    "CREATE TABLE high PARTITION OF parts DEFAULT",
    "INSERT INTO parts SELECT i, i % 7 FROM generate_series(1, 2000) AS i",
    'CREATE TABLE public."Last" (id int PRIMARY KEY, t text)',
    """INSERT INTO "Last" SELECT i, 'x' FROM generate_series(1, 3000) AS i""",
    "DELETE FROM first WHERE id % 10 = 3",
    "UPDATE first SET t = 'moved to the end' WHERE id % 10 = 4",
    "CREATE TABLE public.empty (id int PRIMARY KEY)",
)
NAMES = ["public.first", "public.parts", "public.Last", "public.empty"]


def lane(database: FreshDatabase, warehouse: Warehouse, mirror: Mirror, **capture: Any) -> CopyingLane:
    source = captured(database, NAMES, *TABLES, **{"status_interval_s": 0.05, "batch_rows": 100, **capture})
    return CopyingLane(source=source, warehouse=warehouse, mirror=mirror)


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables of a few pages are divided."""
    monkeypatch.setattr(SnapshotCopier, "part_pages", 3)


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("workers", [1, 3])
def test_a_snapshot_in_parts_has_every_row_once(
    database: FreshDatabase, warehouse: Warehouse, mirror: Mirror, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied: list[int] = []
    one_part = SnapshotCopier._copy_part

    def copy_part(*given: Any) -> None:
        one_part(*given)
        copied.append(1)

    monkeypatch.setattr(SnapshotCopier, "_copy_part", copy_part)
    shop = lane(database, warehouse, mirror, snapshot_workers=workers)
    shop.catch_up()
    shop.assert_equal()
    assert len(copied) > 3 * len(NAMES), copied


@pytest.mark.usefixtures("small_parts")
def test_parts_are_of_one_snapshot_whatever_is_written_meanwhile(
    database: FreshDatabase, warehouse: Warehouse, mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = lane(database, warehouse, mirror, snapshot_workers=1)
    one_part = SnapshotCopier._copy_part

    def copy_part(*given: Any) -> None:
        one_part(*given)
        shop.source.execute(
            "UPDATE first SET t = t || '!' WHERE id % 100 = 5", "UPDATE parts SET id = -id WHERE id % 50 = 7"
        )

    monkeypatch.setattr(SnapshotCopier, "_copy_part", copy_part)
    shop.catch_up()
    shop.catch_up()
    shop.assert_equal()


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("parts", [0, 1, 14, 20])
def test_an_interrupted_snapshot_keeps_its_whole_tables_and_copies_the_others_while_it_streams(
    database: FreshDatabase, warehouse: Warehouse, mirror: Mirror, parts: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = lane(database, warehouse, mirror, snapshot_workers=1)
    one_part = SnapshotCopier._copy_part
    done: list[str] = []

    def copy_part(*given: Any) -> None:
        if len(done) == parts:
            raise CausewayError(ErrorKind.SERVER_SETTINGS, "the test interrupts the snapshot.")
        one_part(*given)
        done.append(given[3].relation.table)
        shop.source.execute(
            "UPDATE first SET t = t || '!' WHERE id % 100 = 5",
            "INSERT INTO \"Last\" VALUES (-1, 'new') ON CONFLICT DO NOTHING",
        )

    monkeypatch.setattr(SnapshotCopier, "_copy_part", copy_part)
    with pytest.raises(CausewayError, match="interrupts"):
        shop.catch_up()
    whole = shop.state("first") == "streaming"
    monkeypatch.setattr(SnapshotCopier, "_copy_part", one_part)
    again = CopyingLane(source=shop.source, warehouse=warehouse, mirror=Mirror(warehouse), chunk_rows=500)
    shop.source.execute("DELETE FROM parts WHERE id % 9 = 1", "UPDATE first SET id = id + 5000 WHERE id < 50")
    again.catch_up()
    again.assert_equal()
    assert {again.state(name.removeprefix("public.")) for name in NAMES} == {"streaming"}
    assert whole == (parts > 1)
    assert ("public.first" in again.copies.states) == (parts == 1)
    assert ("public.Last" in again.copies.states) == (parts > 0)
    again.mirror.close()


def test_a_snapshot_is_no_quicker_than_the_settings_allow(
    database: FreshDatabase, warehouse: Warehouse, mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []
    monkeypatch.setattr("cdc.snapshot_copier.time.sleep", waited.append)
    shop = lane(database, warehouse, mirror, max_rows_s=5000, snapshot_workers=2)
    shop.catch_up()
    shop.assert_equal()
    assert waited


@pytest.mark.usefixtures("small_parts")
def test_a_snapshot_that_loses_its_connection_goes_on_in_the_same_lane(
    database: FreshDatabase, warehouse: Warehouse, mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = lane(database, warehouse, mirror, snapshot_workers=1, reconnect_first_s=0.01)
    one_part = SnapshotCopier._copy_part
    done: list[str] = []

    def copy_part(*given: Any) -> None:
        if len(done) == 18:
            done.append("lost")
            raise CausewayError(ErrorKind.CONNECTION, "the test cuts the connection.")
        one_part(*given)
        done.append(given[3].relation.table)

    monkeypatch.setattr(SnapshotCopier, "_copy_part", copy_part)
    shop.catch_up()
    shop.assert_equal()
    assert done[-1] == "lost"
    assert "public.first" not in shop.copies.states
    assert "public.Last" in shop.copies.states


def test_another_source_s_trouble_does_not_disturb_a_running_snapshot(
    database: FreshDatabase, warehouse: Warehouse, mirror: Mirror
) -> None:
    shop = lane(database, warehouse, mirror)

    class Disturbed(Mirror):
        def apply(self, batch: ChangeBatch) -> None:
            super().apply(batch)
            if batch.kind is BatchKind.SNAPSHOT:
                self.rollback()  # as the lane does when any source has failed

    shop.mirror = Disturbed(warehouse)
    shop.catch_up()
    shop.assert_equal()
    assert not shop.copies.states
    shop.mirror.close()
