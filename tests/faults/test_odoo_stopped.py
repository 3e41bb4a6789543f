"""Odoo is away for a while: slots keep moving, the outbox grows, and everything arrives when it is back."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from sandbox.day import BusinessDay
from tests.fixtures.bridge import Bridge

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


def wait_until(true: Callable[[], bool], timeout_s: float = 60) -> None:
    deadline = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.1)


def confirmed(bridge: Bridge) -> int:
    """The operational slot of the shop, in bytes of the log."""
    with bridge.server.connect(autocommit=True) as connection:
        row = connection.execute(
            "SELECT confirmed_flush_lsn - '0/0' FROM pg_replication_slots WHERE slot_name = 'causeway_shop_operational'"
        ).fetchone()
    return int(row[0]) if row else 0


def log_end(bridge: Bridge) -> int:
    """Where the server's log ends, in bytes."""
    with bridge.server.connect(autocommit=True) as connection:
        row = connection.execute("SELECT pg_current_wal_flush_lsn() - '0/0'").fetchone()
    assert row is not None
    return int(row[0])


def outbox(bridge: Bridge, where: str) -> int:
    with bridge.server.connect("causeway", autocommit=True) as connection:
        if connection.execute("SELECT to_regclass('causeway.outbox')").fetchone() == (None,):
            return 0
        row = connection.execute(f"SELECT count(*) FROM causeway.outbox WHERE {where}").fetchone()
    return int(row[0]) if row else 0


def test_slots_move_and_the_outbox_grows_while_odoo_is_away_and_all_arrives_later(whole_bridge: Bridge) -> None:
    day = BusinessDay(seed=3, orders=150)
    day.masters(whole_bridge.sources)
    whole_bridge.change_settings({"delivery": {"retry_longest_s": 1.0}, "odoo": {"timeout_s": 8.0}})
    with whole_bridge.lane("operational") as lane:
        wait_until(lambda: outbox(whole_bridge, "entity = 'product' AND status = 'delivered'") > 0)
        masters_end = log_end(whole_bridge)
        wait_until(lambda: confirmed(whole_bridge) >= masters_end and outbox(whole_bridge, "status = 'pending'") == 0)
        dead = outbox(whole_bridge, "status = 'dead'")  # what Odoo refuses of the day, away or not
        whole_bridge.odoo.stop()
        before = confirmed(whole_bridge)
        day.trade(whole_bridge.sources)
        end = log_end(whole_bridge)
        wait_until(lambda: confirmed(whole_bridge) >= end)
        assert confirmed(whole_bridge) > before
        assert outbox(whole_bridge, "entity = 'sales_order' AND status = 'pending'") > 50
        assert outbox(whole_bridge, "status = 'dead'") == dead
        assert lane.poll() is None
        whole_bridge.odoo.start()
        wait_until(lambda: outbox(whole_bridge, "status = 'pending'") == 0, 120)
        lane.terminate()
        _, err = lane.communicate(timeout=10)
        assert lane.returncode == 0, err
    day.late(whole_bridge.sources)
    whole_bridge.catch_up()
    done = whole_bridge.causeway("reconcile", "--json")
    assert done.code == 0, done.err
    expected = {item.recon_status for item in day.exceptions if item.recon_status} | {"matched"}
    assert set(done.json["statuses"]) == expected
