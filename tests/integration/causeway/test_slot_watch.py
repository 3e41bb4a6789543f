"""The watch of the slots: one process at a time, growth and forecasts, and a guard that drops only what it may."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from causeway.runfiles import RunFolder
from causeway.slot_look import SlotLook
from causeway.slot_watch import SlotWatch
from cdc import slots
from cdc.connection import connect
from cdc.slot_guard import drop_analytical
from config.errors import CausewayError, ErrorKind
from config.settings import (
    Connection,
    GuardSettings,
    Lane,
    OdooSettings,
    Settings,
    SourceRole,
    SourceSettings,
    StateSettings,
    TableSettings,
    WarehouseSettings,
)
from tests.fixtures.capture import wal_bytes
from tests.fixtures.postgres import FreshDatabase

OPERATIONAL, ANALYTICAL = "causeway_shop_operational", "causeway_shop_analytical"


def settings_of(database: FreshDatabase, folder: Path, **source: Any) -> Settings:
    """Settings of which the watch uses the source and the run folder."""
    shop = SourceSettings(
        role=SourceRole.CHANNEL,
        connection=Connection(dsn=database.dsn),
        tables=(TableSettings(name="public.orders"),),
        **source,
    )
    return Settings(
        sources={"shop": shop},
        state=StateSettings(connection=Connection(dsn=database.dsn)),
        odoo=OdooSettings(url="http://localhost", database="odoo", user="bridge", password=SecretStr("x")),
        warehouse=WarehouseSettings(path=folder / "w.duckdb", extracts=folder),
        mappings=(folder,),
        run_dir=folder,
    )


@contextmanager
def watched(settings: Settings) -> Iterator[SlotWatch]:
    watch = SlotWatch(settings, RunFolder(settings.run_dir))
    try:
        yield watch
    finally:
        watch.close()


@pytest.fixture
def shop(database: FreshDatabase, tmp_path: Path) -> Iterator[FreshDatabase]:
    with database.connect(autocommit=True) as connection:
        connection.execute("CREATE TABLE orders (id int PRIMARY KEY)")
    settings = settings_of(database, tmp_path)
    with connect(settings.sources["shop"].connection, application_name="test") as connection:
        for lane in Lane:
            slots.create(connection, settings.sources["shop"], lane, settings.slot_name("shop", lane))
    yield database
    with database.connect(autocommit=True) as connection:
        connection.execute(
            "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name LIKE 'causeway_shop_%'"
        )


def write(database: FreshDatabase, size: int) -> None:
    with database.connect(autocommit=True) as connection:
        wal_bytes(connection, size)


def advance(database: FreshDatabase, slot: str) -> None:
    """Confirm all, until restart_lsn has followed: it does with a list of running transactions that is decoded."""
    kept = "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn) FROM pg_replication_slots WHERE slot_name = %s"
    with database.connect(autocommit=True) as connection:
        for _ in range(100):
            connection.execute("SELECT pg_log_standby_snapshot()")
            connection.execute("SELECT txid_current()")
            connection.execute("SELECT pg_replication_slot_advance(%s, pg_current_wal_flush_lsn())", [slot])
            row = connection.execute(kept, [slot]).fetchone()
            if row is not None and row[0] < 500_000:
                return
            time.sleep(0.05)
    raise AssertionError("restart_lsn did not follow")


def existing(database: FreshDatabase) -> set[str]:
    with database.connect() as connection:
        return {
            name
            for (name,) in connection.execute(
                "SELECT slot_name FROM pg_replication_slots WHERE slot_name LIKE 'causeway_shop_%'"
            )
        }


def turn(watch: SlotWatch, folder: Path) -> dict[str, dict[str, Any]]:
    assert watch.turn()
    return {row["slot"]: row for row in RunFolder(folder).read_slots()["slots"]}


def test_growth_and_forecast_come_from_two_looks(shop: FreshDatabase, tmp_path: Path) -> None:
    with watched(settings_of(shop, tmp_path, slot_disk_limit_bytes=10**9)) as watch:
        assert turn(watch, tmp_path)[ANALYTICAL]["growth_bytes_a_minute"] is None
        write(shop, 3_000_000)
        row = turn(watch, tmp_path)[ANALYTICAL]
        assert row["growth_bytes_a_minute"] > 3_000_000
        assert row["disk_limit_in_s"] > 0
        assert row["lost_in_s"] is None  # the server has no limit
        assert row["behind_bytes"]["confirmed"] >= 3_000_000
        assert row["behind_s"]["confirmed"] is not None
        assert row["behind_bytes"]["durable"] is None  # no lane has run


def test_one_process_watches_and_another_takes_over(shop: FreshDatabase, tmp_path: Path) -> None:
    settings = settings_of(shop, tmp_path)
    first, second, third = (SlotWatch(settings, RunFolder(tmp_path)) for _ in range(3))
    turn(first, tmp_path)
    assert not second.turn()
    first.close()
    write(shop, 1_000_000)
    assert turn(second, tmp_path)[ANALYTICAL]["growth_bytes_a_minute"] > 0  # it goes on from what the first has seen
    stopped = RunFolder(tmp_path).read_slots() | {"sampled_at": time.time() - 3600}
    RunFolder(tmp_path).write_slots(stopped)
    assert third.turn()  # the holder of the lock has looked at nothing for an hour
    second.close()
    third.close()


def test_the_guard_warns_without_leave_to_drop(shop: FreshDatabase, tmp_path: Path) -> None:
    watch = SlotWatch(
        settings_of(shop, tmp_path, guard=GuardSettings(warn_bytes=10**6, drop_bytes=2 * 10**6)), RunFolder(tmp_path)
    )
    assert turn(watch, tmp_path)[ANALYTICAL]["guard"] == "ok"
    write(shop, 4_000_000)
    row = turn(watch, tmp_path)[ANALYTICAL]
    assert row["guard"] == "warning"
    assert "drop_analytical does not let it" in row["reason"]
    assert existing(shop) == {OPERATIONAL, ANALYTICAL}
    watch.close()


def test_the_guard_drops_the_analytical_slot_and_never_the_operational_one(shop: FreshDatabase, tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    guard = GuardSettings(warn_bytes=10**6, drop_bytes=2 * 10**6, drop_analytical=True)
    settings = settings_of(shop, tmp_path, guard=guard)
    with watched(settings) as watch:
        write(shop, 4_000_000)
        rows = turn(watch, tmp_path)
        # The operational slot keeps as much: dropping the other would cost a rebuild, and free nothing.
        assert rows[ANALYTICAL]["guard"] == "useless"
        assert f"slot {OPERATIONAL} keeps" in rows[ANALYTICAL]["reason"]
        assert "never dropped" in rows[OPERATIONAL]["reason"]
        assert existing(shop) == {OPERATIONAL, ANALYTICAL}
        advance(shop, OPERATIONAL)
        rows = turn(watch, tmp_path)
        assert existing(shop) == {OPERATIONAL}
        assert rows[ANALYTICAL]["state"] == "missing"
        assert rows[ANALYTICAL]["guard"] == "dropped"
        assert "guard.drop_bytes (2,000,000)" in folder.why_dropped(ANALYTICAL)
        write(shop, 4_000_000)
        for _ in range(3):
            rows = turn(watch, tmp_path)
        assert existing(shop) == {OPERATIONAL}
        assert rows[OPERATIONAL]["guard"] == "warning"


def test_the_guards_drop_refuses_any_other_slot(shop: FreshDatabase, tmp_path: Path) -> None:
    with connect(Connection(dsn=shop.dsn), application_name="test") as connection:
        for slot in slots.status(connection, [OPERATIONAL, ANALYTICAL]):
            with pytest.raises(CausewayError) as refused:
                drop_analytical(connection, slot, Lane.OPERATIONAL)
            assert refused.value.kind is ErrorKind.INTERNAL
    assert existing(shop) == {OPERATIONAL, ANALYTICAL}


def test_a_source_out_of_reach_is_said_and_the_others_are_watched(shop: FreshDatabase, tmp_path: Path) -> None:
    settings = settings_of(shop, tmp_path)
    away = settings.sources["shop"].model_copy(update={"connection": Connection(dsn=f"{shop.dsn}_away")})
    both = settings.model_copy(update={"sources": {"away": away, **settings.sources}})
    with watched(both) as watch:
        rows = turn(watch, tmp_path)
        assert rows["causeway_away_analytical"]["state"] == "unreachable"
        assert rows[ANALYTICAL]["state"] == "reserved"


def test_a_heartbeat_moves_the_log_on_only_where_it_is_asked_for(shop: FreshDatabase, tmp_path: Path) -> None:
    for heartbeat_s, expected in ((None, 0), (0.001, 3)):
        before = messages(shop)
        with watched(settings_of(shop, tmp_path, heartbeat_s=heartbeat_s)) as watch:
            for _ in range(3):
                watch.turn()
                time.sleep(0.002)
        assert messages(shop) - before == expected


def messages(database: FreshDatabase) -> int:
    """How many heartbeats the operational slot has before it."""
    write(database, 1000)  # its commit flushes what is before it
    with database.connect() as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_logical_slot_peek_binary_changes(%s, NULL, NULL, 'proto_version', '1', 'publication_names',"
            " %s, 'messages', 'true') WHERE encode(data, 'escape') LIKE '%%causeway_heartbeat%%'",
            [OPERATIONAL, OPERATIONAL],
        ).fetchone()
        assert row is not None
        return int(row[0])


def test_a_look_without_a_lane_knows_the_server_alone(shop: FreshDatabase, tmp_path: Path) -> None:
    look = SlotLook(settings=settings_of(shop, tmp_path), folder=RunFolder(tmp_path))
    with connect(Connection(dsn=shop.dsn), application_name="test") as connection:
        rows = [row for row, _ in look.look(connection, "shop")]
    assert [row.slot for row in rows] == [OPERATIONAL, ANALYTICAL]
    assert all(row.lsns["received"] is None and row.lsns["confirmed"] for row in rows)
    assert all(row.is_well for row in rows)
