"""Slots of a running bridge: watched by whichever lane runs, shown to Prometheus and analysts, and dropped by the guard only."""

from __future__ import annotations

import socket
import time
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from tests.fixtures.bridge import Bridge
from tests.fixtures.capture import wal_bytes

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

CUSTOMER = "INSERT INTO customers (id, company_name, created_at) VALUES (%s, %s, now())"
ANALYTICAL, OPERATIONAL = "causeway_shop_analytical", "causeway_shop_operational"


def eventually(condition: Callable[[], Any], timeout_s: float = 60) -> Any:
    deadline = time.monotonic() + timeout_s
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def scrape(port: int) -> str:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as reply:
            return str(reply.read().decode())
    except OSError:
        return ""


def slots_of(bridge: Bridge) -> set[str]:
    with bridge.server.connect("shop") as connection:
        return {
            name for (name,) in connection.execute("SELECT slot_name FROM pg_replication_slots WHERE NOT temporary")
        }


def slot_told_whole(bridge: Bridge) -> Any:
    """The analytical slot's row of `slots status`, once every stage of its ladder is known, and how fast it grows."""
    shown = bridge.causeway("slots", "status", "shop", "--json")
    assert shown.code == 0, shown.err
    row = next(each for each in shown.json["slots"] if each["slot"] == ANALYTICAL)
    ladder = all(row["lsns"][stage] for stage in ("sent", "received", "applied", "durable", "confirmed"))
    return ladder and row["growth_bytes_a_minute"] is not None and row


def test_a_dead_lanes_slot_is_dropped_by_the_other_lanes_guard_and_its_lane_says_so(bridge: Bridge) -> None:
    bridge.sources.shop.execute(CUSTOMER, [1, "Before"])
    bridge.catch_up()
    guard = {"warn_bytes": 1_000_000, "drop_bytes": 8_000_000, "drop_analytical": True}
    sources = {name: {"guard": guard} for name in yaml.safe_load(bridge.config.read_text())["sources"]}
    bridge.change_settings({"sources": sources, "slots": {"sample_s": 0.2}, "capture": {"status_interval_s": 0.5}})
    with bridge.lane("operational"):  # the analytical lane is dead
        with bridge.server.connect("shop", autocommit=True) as connection:
            wal_bytes(connection, 12_000_000)

            def dropped() -> bool:
                connection.execute("SELECT pg_log_standby_snapshot()")
                return ANALYTICAL not in slots_of(bridge)

            eventually(dropped)
    assert OPERATIONAL in slots_of(bridge)
    shown = bridge.causeway("slots", "status", "shop", "--json")
    assert shown.code == 1
    row = next(each for each in shown.json["slots"] if each["slot"] == ANALYTICAL)
    assert (row["state"], row["guard"]) == ("missing", "dropped")
    refused = bridge.causeway("run", "--lane", "analytical", "--until-caught-up")
    assert refused.code == 4
    assert "the guard dropped it" in refused.err
    assert ANALYTICAL not in slots_of(bridge)  # and no snapshot was begun
    bridge.sources.shop.execute(CUSTOMER, [2, "Missed"])
    for source in sources:
        assert bridge.causeway("slots", "drop", source, "--lane", "analytical").code == 0
    bridge.catch_up()
    assert bridge.causeway("verify", "shop").code == 0
    assert bridge.causeway("slots", "status", "shop").code == 0


def test_a_running_lane_shows_its_slots_to_prometheus_and_to_analysts(bridge: Bridge) -> None:
    bridge.sources.shop.execute(CUSTOMER, [1, "Somebody"])
    bridge.catch_up()
    port = free_port()
    bridge.change_settings({"slots": {"sample_s": 0.2, "history_s": 0.2}, "metrics": {"analytical_port": port}})
    label = f'lane="analytical",slot="{ANALYTICAL}",source="shop"'
    with bridge.lane("analytical") as process:
        streams = 'causeway_source_state{lane="analytical",source="shop",state="streaming"} 1.0'
        text = eventually(
            lambda: found if all(part in (found := scrape(port)) for part in (streams, 'stage="durable"')) else ""
        )
        assert f"causeway_slot_retained_bytes{{{label}}}" in text
        assert "# HELP causeway_slot_retained_bytes WAL that the server keeps for the slot" in text
        assert (
            f'causeway_slot_state{{lane="analytical",slot="{ANALYTICAL}",source="shop",state="reserved"}} 1.0' in text
        )
        assert (
            f'causeway_slot_state{{lane="operational",slot="{OPERATIONAL}",source="shop",state="reserved"}} 1.0' in text
        )
        row = eventually(lambda: slot_told_whole(bridge))  # the lane writes its part of it once a second
        assert row["reader_pid"] is not None
        assert "behind the head" in bridge.causeway("slots", "status").out
        process.terminate()
        process.wait(10)
    asked = bridge.causeway(
        "query",
        f"SELECT count(DISTINCT sampled_at) AS n, bool_or(is_read) AS r FROM meta.slot_status WHERE slot = '{ANALYTICAL}'",
        "--json",
    )
    assert asked.code == 0, asked.err
    assert int(asked.json[0]["n"]) > 1
