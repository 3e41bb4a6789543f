"""A source whose slots were dropped is rebuilt from a new snapshot; what happened in between is neither missed nor kept."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from sandbox.databases import create_databases, open_sources
from sandbox.postgres import EmbeddedPostgres
from tests.fixtures.bridge import Bridge
from tests.fixtures.rounds import Round, lane_command

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

CUSTOMER = "INSERT INTO customers (id, company_name, created_at) VALUES (%s, %s, now())"


def test_dropping_slots_lets_the_lanes_begin_again(bridge: Bridge) -> None:
    shop = bridge.sources.shop
    shop.execute(CUSTOMER, [1, "Goes"])
    shop.execute(CUSTOMER, [2, "Stays"])
    bridge.catch_up()
    dropped = bridge.causeway("slots", "drop", "shop", "--json")
    assert dropped.code == 0, dropped.err
    assert len(dropped.json["drop"]) == 4  # a slot and a publication a lane
    shop.execute("DELETE FROM customers WHERE id = 1")
    shop.execute(CUSTOMER, [3, "Comes"])
    bridge.catch_up()
    verified = bridge.causeway("verify", "shop", "--json")
    assert verified.code == 0, verified.out + verified.err
    with bridge.server.connect("odoo") as connection:
        partners = connection.execute("SELECT name, active FROM res_partner WHERE name IN ('Goes', 'Stays', 'Comes')")
        assert set(partners) == {("Goes", False), ("Stays", True), ("Comes", True)}


def test_a_slot_that_somebody_dropped_is_refused_until_it_is_rebuilt(bridge: Bridge) -> None:
    bridge.sources.shop.execute(CUSTOMER, [1, "Somebody"])
    bridge.catch_up()
    with bridge.server.connect("shop", autocommit=True) as connection:
        connection.execute("SELECT pg_drop_replication_slot('causeway_shop_analytical')")
    bridge.sources.shop.execute(CUSTOMER, [2, "Missed"])
    refused = bridge.causeway("run", "--lane", "analytical", "--until-caught-up")
    assert refused.code == 4, refused.err
    assert "causeway_shop_analytical" in refused.err
    assert "causeway slots rebuild shop" in refused.err
    assert bridge.causeway("slots", "rebuild", "shop").code == 0
    bridge.catch_up()
    assert bridge.causeway("verify", "shop").code == 0


@pytest.mark.case("lost")
@pytest.mark.case(
    "invalidated by max_slot_wal_keep_size", "refused as a gap, with the setting's name; rebuilt by `slots rebuild`"
)
def test_a_slot_that_the_server_gave_up_is_refused_until_it_is_rebuilt(bridge: Bridge, tmp_path: Path) -> None:
    play = Round(bridge, tmp_path)
    play.ran(*lane_command("analytical"))
    let_go_of_wal(bridge)
    play.load()
    refused = bridge.causeway(*lane_command("analytical"))
    assert refused.code == 4, refused.err
    assert "is lost: the server has removed WAL that it still needed" in refused.err
    assert "max_slot_wal_keep_size" in refused.err
    assert "`causeway slots rebuild shop`" in refused.err
    play.ran("slots", "rebuild", "shop", "--lane", "analytical")
    play.load()
    play.catch_up("analytical")


def let_go_of_wal(bridge: Bridge) -> None:
    """Let the server give up the shop's slot."""
    with bridge.server.connect("shop", autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET max_slot_wal_keep_size = '1MB'")
        connection.execute("SELECT pg_reload_conf()")
        for _ in range(20):
            connection.execute("SELECT pg_logical_emit_message(false, 'test', repeat('x', 1000))")
            connection.execute("SELECT pg_switch_wal()")
            connection.execute("CHECKPOINT")
            if connection.execute("SELECT FROM pg_replication_slots WHERE wal_status = 'lost'").rowcount:
                return
    raise AssertionError("the slot was not lost")


ANALYTICAL = "causeway_shop_analytical"
GAP = (
    "UPDATE customers SET company_name = 'Changed in the gap' WHERE id % 50 = 0 AND id <= 300",
    "DELETE FROM customers WHERE id IN (3, 4)",
    "INSERT INTO customers (id, company_name, created_at) VALUES (400, 'Came in the gap', now())",
)


def mirrored(bridge: Bridge) -> None:
    """300 customers in the mirror."""
    for number in range(1, 301):
        bridge.sources.shop.execute(CUSTOMER, [number, f"Company {number}"])
    assert bridge.causeway("run", "--lane", "analytical", "--until-caught-up").code == 0


def drop_slot(bridge: Bridge, slot: str) -> None:
    with bridge.server.connect("shop", autocommit=True) as connection:
        connection.execute("SELECT pg_drop_replication_slot(%s)", [slot])


def assert_goes_on(bridge: Bridge, new: int = 500) -> None:
    bridge.sources.shop.execute(CUSTOMER, [new, "Came behind the gap"])
    bridge.sources.shop.execute("UPDATE customers SET company_name = 'And changed ' || %s WHERE id = 400", [new])
    assert bridge.causeway("run", "--lane", "analytical", "--until-caught-up").code == 0
    verified = bridge.causeway("verify", "shop", "--json")
    assert verified.code == 0, verified.out + verified.err
    at_source = bridge.sources.shop.execute("SELECT count(*) FROM customers").fetchone()
    assert ({t["table"]: t["mirror_rows"] for t in verified.json["tables"]}["public.customers"],) == at_source


def test_only_what_changed_in_the_gap_is_written(bridge: Bridge) -> None:
    mirrored(bridge)
    drop_slot(bridge, ANALYTICAL)
    for statement in GAP:
        bridge.sources.shop.execute(statement)
    rebuilt = bridge.causeway("slots", "rebuild", "shop", "--json")
    assert rebuilt.code == 0, rebuilt.out + rebuilt.err
    (analytical,) = rebuilt.json["rebuilt"]
    assert analytical["lane"] == "analytical"
    assert "does not exist" in analytical["reason"]
    assert analytical["statements"] == [f"SELECT pg_create_logical_replication_slot('{ANALYTICAL}', 'pgoutput')"]
    mended = {table["table"]: table["repaired_rows"] for table in analytical["verdict"]["tables"]}
    assert mended.pop("public.customers") == 6 + 2 + 1
    assert not any(mended.values())
    assert_goes_on(bridge)


def test_rows_that_differed_are_read_again_by_the_operational_lane(bridge: Bridge) -> None:
    for number in (1, 2, 3):
        bridge.sources.shop.execute(CUSTOMER, [number, f"Company {number}"])
    bridge.catch_up()
    drop_slot(bridge, ANALYTICAL)
    bridge.sources.shop.execute("UPDATE customers SET company_name = 'Changed' WHERE id = 1")
    bridge.sources.shop.execute("DELETE FROM customers WHERE id = 2")
    bridge.sources.shop.execute(CUSTOMER, [4, "Comes"])
    killed = bridge.causeway("slots", "rebuild", "shop", environment={"CAUSEWAY_FAILPOINT": "repair.piece_written"})
    assert killed.code == -9, killed.err
    assert bridge.causeway("slots", "rebuild", "shop").code == 0
    with bridge.server.connect("causeway", autocommit=True) as connection:
        noted = "SELECT key ->> 'id' FROM causeway.rows_to_read WHERE reason = 'repaired' AND table_name = 'public.customers'"
        assert set(connection.execute(noted).fetchall()) == {("1",), ("2",), ("4",)}
        bridge.catch_up()
        assert connection.execute(noted).fetchall() == []
    with bridge.server.connect("odoo") as connection:
        partners = connection.execute("SELECT name, active FROM res_partner WHERE name LIKE 'Co%' OR name = 'Changed'")
        assert set(partners) == {("Changed", True), ("Company 2", False), ("Company 3", True), ("Comes", True)}


KILLED_AT = (
    "rebuild.slot_dropped",
    "rebuild.slot_created",
    "repair.piece_written",
    "mirror.before_commit",
    "mirror.after_commit",
)


def test_a_rebuild_that_is_killed_is_run_again(bridge: Bridge) -> None:
    """At each point in turn: a new slot stands where the old one was, so that there is one to drop, and it has moved on."""
    mirrored(bridge)
    for number, point in enumerate(KILLED_AT):
        drop_slot(bridge, ANALYTICAL)
        bridge.sources.shop.execute("UPDATE customers SET company_name = %s WHERE id %% 50 = 1", [f"Gap {number}"])
        bridge.sources.shop.execute("DELETE FROM customers WHERE id = %s", [100 + 50 * number])
        bridge.sources.shop.execute(CUSTOMER, [400 + number, "Came in the gap"])
        with bridge.server.connect("shop", autocommit=True) as connection:
            connection.execute("SELECT pg_create_logical_replication_slot(%s, 'pgoutput')", [ANALYTICAL])
        killed = bridge.causeway("slots", "rebuild", "shop", environment={"CAUSEWAY_FAILPOINT": point})
        assert killed.code == -9, (point, killed.err)
        committed = point == "mirror.after_commit"
        went_on = bridge.causeway("run", "--lane", "analytical", "--until-caught-up")
        assert went_on.code == (0 if committed else 4), (point, went_on.err)
        again = bridge.causeway("slots", "rebuild", "shop", "--json")
        assert again.code == (4 if committed else 0), (point, again.out + again.err)
        assert_goes_on(bridge, 500 + number)


def test_a_lane_that_can_go_on_is_not_rebuilt_unasked(bridge: Bridge) -> None:
    bridge.sources.shop.execute(CUSTOMER, [1, "Somebody"])
    refused = bridge.causeway("slots", "rebuild", "shop")
    assert refused.code == 4, "a lane that never ran has nothing to compare"
    bridge.catch_up()
    refused = bridge.causeway("slots", "rebuild", "shop")
    assert refused.code == 4
    assert "nothing is to be rebuilt" in refused.err
    with bridge.server.connect("shop", autocommit=True) as connection:
        slots = "SELECT slot_name FROM pg_replication_slots WHERE slot_name LIKE 'causeway_shop%' ORDER BY 1"
        before = connection.execute(slots).fetchall()
        forced = bridge.causeway("slots", "rebuild", "shop", "--lane", "analytical", "--force", "--json")
        assert forced.code == 0, forced.err
        assert connection.execute(slots).fetchall() == before
    bridge.catch_up()
    assert bridge.causeway("verify", "shop").code == 0


def test_a_running_lane_is_not_rebuilt(bridge: Bridge) -> None:
    bridge.catch_up()
    with bridge.lane("analytical") as lane:
        deadline = time.monotonic() + 60
        while not bridge.said("analytical")["running"]:
            assert lane.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        refused = bridge.causeway("slots", "rebuild", "shop", "--lane", "analytical", "--force")
    assert refused.code == 3
    assert "already running" in refused.err


def test_a_lost_operational_slot_delivers_what_came_in_the_gap_and_nothing_twice(bridge: Bridge) -> None:
    shop = bridge.sources.shop
    shop.execute(CUSTOMER, [1, "Stays"])
    shop.execute(CUSTOMER, [2, "Goes"])
    bridge.catch_up()
    drop_slot(bridge, "causeway_shop_operational")
    shop.execute(CUSTOMER, [3, "Comes"])
    shop.execute("DELETE FROM customers WHERE id = 2")
    rebuilt = bridge.causeway("slots", "rebuild", "shop", "--json")
    assert rebuilt.code == 0, rebuilt.err
    assert [lane["lane"] for lane in rebuilt.json["rebuilt"]] == ["operational"]
    with bridge.server.connect("causeway", autocommit=True) as connection:
        calls = "SELECT count(*) FROM causeway.deliveries WHERE record_id LIKE '%:shop:1'"
        before = connection.execute(calls).fetchone()
        assert before != (0,)
        bridge.catch_up()
        assert connection.execute(calls).fetchone() == before
        origins = (
            "SELECT source_key, origin FROM causeway.outbox WHERE source = 'shop' AND source_key IN ('1', '2', '3')"
        )
        assert set(connection.execute(origins).fetchall()) == {("1", "snapshot"), ("2", "repaired"), ("3", "repaired")}
    with bridge.server.connect("odoo") as connection:
        partners = connection.execute("SELECT name, active FROM res_partner WHERE name IN ('Goes', 'Stays', 'Comes')")
        assert set(partners) == {("Goes", False), ("Stays", True), ("Comes", True)}
    assert bridge.causeway("verify", "shop").code == 0


def test_another_cluster_is_taken_over_when_told_to(bridge: Bridge) -> None:
    """As after a restored dump: the same tables with nearly the same rows, in another cluster, with a shorter log."""
    bridge.sources.shop.execute("SELECT pg_switch_wal()")
    mirrored(bridge)
    with EmbeddedPostgres() as other:
        create_databases(other)
        with open_sources(other) as sources:
            # So that its tables have other OIDs.
            sources.shop.execute("CREATE TABLE copy_of_customers (LIKE customers INCLUDING ALL)")
            with bridge.server.connect("shop") as old:
                rows = old.execute("SELECT id, company_name, created_at FROM customers").fetchall()
            for row in rows:
                insert = "INSERT INTO customers (id, company_name, created_at) VALUES (%s, %s, %s)"
                sources.shop.execute(insert, list(row))
            for statement in GAP:
                sources.shop.execute(statement)
            bridge.change_settings({"sources": {"shop": {"connection": {"dsn": other.dsn("shop")}}}})
            refused = bridge.causeway("slots", "rebuild", "shop", "--lane", "analytical")
            assert refused.code == 4
            assert "--other-cluster" in refused.err
            rebuilt = bridge.causeway("slots", "rebuild", "shop", "--lane", "analytical", "--other-cluster", "--json")
            assert rebuilt.code == 0, rebuilt.out + rebuilt.err
            (analytical,) = rebuilt.json["rebuilt"]
            mended = {table["table"]: table["repaired_rows"] for table in analytical["verdict"]["tables"]}
            assert mended["public.customers"] == 6 + 2 + 1
            assert_goes_on(replace(bridge, server=other, sources=sources))
