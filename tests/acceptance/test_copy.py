"""`causeway copy`, by a running lane and without one; killed at any point, the lane's next run goes on with it."""

from __future__ import annotations

import signal
import time

import duckdb
import pytest
import yaml

from config.failpoints import VARIABLE
from tests.fixtures.bridge import Bridge

LEDGER = "SELECT id, amount::text, note FROM ledger ORDER BY id"
MIRROR = "SELECT id, amount::varchar, note FROM shop.ledger ORDER BY id"


def ledger(bridge: Bridge, *, rows: int = 130) -> None:
    """A captured table of some rows, in a source that both lanes have caught up with."""
    write(
        bridge,
        "CREATE TABLE ledger (id int PRIMARY KEY, amount numeric(10,2), note text)",
        f"INSERT INTO ledger SELECT i, i / 4.0, 'n' || i FROM generate_series(1, {rows}) AS i",
    )
    bridge.change_settings({
        "sources": {"shop": {"tables": ["public.*"], "exclude": ["public.customers_old*"]}},
        "capture": {"status_interval_s": 0.2},
    })  # fmt: skip
    caught_up = bridge.causeway("run", "--lane", "analytical", "--until-caught-up")
    assert caught_up.code == 0, caught_up.err


def write(bridge: Bridge, *statements: str) -> None:
    with bridge.server.connect("shop", autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def spoil(bridge: Bridge) -> None:
    """Make the mirror differ, as nothing should."""
    with duckdb.connect(bridge.folder / "warehouse.duckdb") as warehouse:
        warehouse.execute("DELETE FROM shop.ledger WHERE id % 3 = 0")
        warehouse.execute("INSERT INTO shop.ledger VALUES (70000, 1, 'not there')")


def assert_equal(bridge: Bridge) -> None:
    with bridge.server.connect("shop") as connection:
        expected = connection.execute(LEDGER).fetchall()
    with duckdb.connect(bridge.folder / "warehouse.duckdb", read_only=True) as warehouse:
        assert warehouse.execute(MIRROR).fetchall() == expected


def test_a_table_is_copied_without_a_running_lane_and_verifies(bridge: Bridge) -> None:
    ledger(bridge)
    spoil(bridge)
    done = bridge.causeway("copy", "shop", "ledger", "--json")
    assert done.code == 0, done.err
    (table,) = done.json["tables"]
    assert (table["table"], table["state"], table["rows"]) == ("public.ledger", "done", 130)
    assert_equal(bridge)
    verified = bridge.causeway("verify", "shop", "--json")
    assert verified.code == 0, verified.out
    assert bridge.causeway("copy", "shop", "nothing").code == 2


def test_a_running_lane_copies_a_table_on_request_and_goes_on_streaming(bridge: Bridge) -> None:
    ledger(bridge)
    spoil(bridge)
    bridge.change_settings({"capture": {"max_rows_s": 60}})
    with bridge.lane("analytical") as lane:
        deadline = time.monotonic() + 60
        while not bridge.said("analytical")["running"]:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        while (done := bridge.causeway("copy", "shop", "ledger", "--json")).code == 3:
            assert time.monotonic() < deadline, done.err
        assert done.code == 0, done.err
        write(bridge, "INSERT INTO ledger VALUES (5000, 1, 'after')")
        lane.send_signal(signal.SIGTERM)
        assert lane.wait(30) == 0
    assert bridge.causeway("run", "--lane", "analytical", "--until-caught-up").code == 0
    assert_equal(bridge)


POINTS = (
    "copy.watermark_written:1",
    "copy.watermark_written:2",
    "copy.chunk_read:2",
    "copy.chunk_applied:1",
    "mirror.before_commit:3",
    "copy.before_swap",
    "copy.after_swap",
)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_copy_that_is_killed_at_any_point_is_gone_on_with_and_ends_exact(bridge: Bridge) -> None:
    ledger(bridge)
    bridge.change_settings({"log": {"level": "INFO"}})
    for number, point in enumerate(POINTS):
        spoil(bridge)
        bridge.change_settings({"capture": {"max_rows_s": 50}})  # several chunks of such a small table
        killed = bridge.causeway("copy", "shop", "ledger", environment={VARIABLE: point})
        assert killed.code == -signal.SIGKILL, (point, killed.err)
        write(
            bridge,
            f"UPDATE ledger SET note = '{point}' WHERE id % 5 = {number} % 5",
            f"INSERT INTO ledger VALUES ({1000 + number}, 1, 'new'), ({-number}, 1, 'first')",
            f"DELETE FROM ledger WHERE id % 13 = {number}",
            f"UPDATE ledger SET id = id + 100000 WHERE id % 17 = {number} AND id < 100000",
        )
        bridge.change_settings({"capture": {"max_rows_s": None}})
        resumed = bridge.causeway("run", "--lane", "analytical", "--until-caught-up")
        assert resumed.code == 0, (point, resumed.err)
        if point.startswith("copy.chunk"):
            assert "goes on copying public.ledger" in resumed.err
        if point == "copy.watermark_written:1":  # nothing had begun
            assert bridge.causeway("copy", "shop", "ledger").code == 0
        assert_equal(bridge)
    assert bridge.causeway("copy", "shop", "ledger").code == 0
    assert bridge.causeway("verify", "shop").code == 0


def test_a_first_snapshot_that_is_killed_does_not_start_over(bridge: Bridge) -> None:
    write(
        bridge,
        "CREATE TABLE aaa (id int PRIMARY KEY)",
        "INSERT INTO aaa SELECT generate_series(1, 500)",
        "CREATE TABLE ledger (id int PRIMARY KEY, amount numeric(10,2), note text)",
        "INSERT INTO ledger SELECT i, i / 4.0, 'n' || i FROM generate_series(1, 130) AS i",
    )
    tables = yaml.safe_load(bridge.config.read_text())["sources"]["shop"]["tables"]
    bridge.change_settings({
        "sources": {"shop": {"tables": ["public.aaa", *tables, "public.ledger"]}},
        "capture": {"status_interval_s": 0.2, "snapshot_workers": 1},
        "log": {"level": "INFO"},
    })  # fmt: skip
    run = ("run", "--lane", "analytical", "--until-caught-up")
    killed = bridge.causeway(*run, environment={VARIABLE: "mirror.snapshot_table_whole"})
    assert killed.code == -signal.SIGKILL, killed.err
    write(
        bridge,
        "DELETE FROM aaa WHERE id % 2 = 0",
        "UPDATE ledger SET note = 'later' WHERE id < 50",
        "DELETE FROM ledger WHERE id > 120",
    )
    resumed = bridge.causeway(*run)
    assert resumed.code == 0, resumed.err
    assert "not all rows are here yet" in resumed.err
    assert_equal(bridge)
    verified = bridge.causeway("verify", "shop", "--json")
    assert verified.code == 0, verified.out


def test_the_operational_lane_s_records_are_read_anew_and_those_without_a_row_are_deletes(bridge: Bridge) -> None:
    write(bridge, "INSERT INTO customers (id, company_name, created_at) VALUES (1, 'Ann', now()), (2, 'Bob', now())")
    caught_up = bridge.causeway("run", "--lane", "operational", "--until-caught-up")
    assert caught_up.code == 0, caught_up.err
    publication = "ALTER PUBLICATION causeway_shop_operational SET (publish = '{}')"
    write(
        bridge,
        publication.format("insert, update, truncate"),
        "DELETE FROM customers WHERE id = 2",  # nobody hears of it
        publication.format("insert, update, delete, truncate"),
    )
    done = bridge.causeway("copy", "shop", "customers", "--lane", "operational", "--json")
    assert done.code == 0, done.err
    assert [(one["table"], one["state"], one["rows"]) for one in done.json["tables"]] == [
        ("public.customers", "done", 1)
    ]
    with bridge.server.connect("causeway") as connection:
        assert connection.execute(
            "SELECT source_key, operation FROM causeway.outbox WHERE entity = 'customer' ORDER BY 1"
        ).fetchall() == [("1", "upsert"), ("2", "delete")]


def test_the_operational_lane_s_first_snapshot_that_is_killed_does_not_start_over(bridge: Bridge) -> None:
    write(bridge, "INSERT INTO customers (id, company_name, created_at) VALUES (1, 'Ann', now()), (2, 'Bob', now())")
    bridge.change_settings({"capture": {"status_interval_s": 0.2, "snapshot_workers": 1}, "log": {"level": "INFO"}})
    run = ("run", "--lane", "operational", "--until-caught-up")
    killed = bridge.causeway(*run, environment={VARIABLE: "outbox.snapshot_table_whole"})
    assert killed.code == -signal.SIGKILL, killed.err
    write(bridge, "DELETE FROM customers WHERE id = 2", "UPDATE customers SET company_name = 'Anne' WHERE id = 1")
    resumed = bridge.causeway(*run)
    assert resumed.code == 0, resumed.err
    assert "not all rows are here yet" in resumed.err
    with bridge.server.connect("causeway") as connection:
        found = connection.execute(
            "SELECT source_key, payload ->> 'name' FROM causeway.outbox WHERE entity = 'customer' AND operation = 'upsert'"
        ).fetchall()
        assert found == [("1", "Anne")]
        assert connection.execute("SELECT count(*) FROM causeway.outbox WHERE status = 'pending'").fetchall() == [(0,)]
