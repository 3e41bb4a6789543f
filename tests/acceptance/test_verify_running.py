"""Verify and repair while the analytical lane runs and the source is written to: exact, with the lane held for an instant only."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.acceptance.test_verify import DAMAGE, damage, mirrored
from tests.fixtures.bridge import Bridge

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


def eventually(condition: Callable[[], object], timeout_s: float = 60) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)


def streaming(bridge: Bridge) -> bool:
    lane = bridge.said("analytical")
    return bool(lane["running"] and lane["sources"].get("shop", {}).get("state") == "streaming")


def rows_captured(bridge: Bridge) -> int:
    return int(bridge.said("analytical")["sources"]["shop"]["rows"])


@contextmanager
def load(bridge: Bridge) -> Iterator[None]:
    """Customers are inserted, updated and deleted, 1 to 300 (which the mirror has) and others."""
    stop = threading.Event()

    def work() -> None:
        with bridge.server.connect("shop") as connection:
            number = 0
            while not stop.wait(0.005):
                number += 1
                new = 10_000 + number
                insert = "INSERT INTO customers (id, company_name, created_at) VALUES (%s, 'New', now())"
                connection.execute(insert, [new])
                update = "UPDATE customers SET company_name = company_name || '.' WHERE id %% 100 = %s OR id = %s"
                connection.execute(update, [number % 100, new - 5])
                connection.execute("DELETE FROM customers WHERE id = %s", [new - 10])
                connection.commit()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def test_a_running_lane_verifies_and_repairs_under_load(bridge: Bridge) -> None:
    mirrored(bridge)
    damage(bridge, *DAMAGE)
    with load(bridge), bridge.lane("analytical"):
        eventually(lambda: streaming(bridge))
        found = bridge.causeway("verify", "shop", "--json")
        assert found.code == 1, found.out + found.err
        (customers,) = (table for table in found.json["tables"] if not table["equal"])
        kinds = {row["key"][0]: row["kind"] for row in customers["rows"]}
        assert kinds.items() >= {"1000": "extra"}.items()
        assert kinds.keys() <= {"17", "18", "19", "20", "1000"}
        repaired = bridge.causeway("verify", "shop", "--repair", "--json")
        assert repaired.code == 0, repaired.out + repaired.err
        mended = {table["table"]: table["repaired_rows"] for table in repaired.json["tables"]}
        assert 1 <= mended.pop("public.customers") <= len(kinds)
        assert not any(mended.values())
        for _ in range(2):
            verified = bridge.causeway("verify", "shop", "--json")
            assert verified.code == 0, verified.out + verified.err
    assert bridge.causeway("verify", "shop").code == 0


def test_a_lane_killed_in_the_middle_of_a_repair_leaves_it_to_be_run_again(bridge: Bridge) -> None:
    mirrored(bridge)
    for point in ("repair.piece_written", "mirror.before_commit", "mirror.after_commit"):
        damage(bridge, *DAMAGE)
        # The source is quiet: the first commit of the lane is the repair's, or its idle position's.
        with bridge.lane("analytical", environment={"CAUSEWAY_FAILPOINT": point}) as lane:
            eventually(lambda: streaming(bridge) or lane.poll() is not None)
            bridge.causeway("verify", "shop", "--repair")
            assert lane.wait(timeout=30) == -signal.SIGKILL, point
        with bridge.lane("analytical"):
            eventually(lambda: streaming(bridge))
            repaired = bridge.causeway("verify", "shop", "--repair", "--json")
            assert repaired.code == 0, (point, repaired.out + repaired.err)
        assert bridge.causeway("verify", "shop").code == 0, point


def test_an_old_transaction_is_named_and_the_lane_goes_on(bridge: Bridge) -> None:
    mirrored(bridge)
    bridge.change_settings({"capture": {"longest_hold_s": 1.5}})
    with bridge.lane("analytical"), bridge.server.connect("shop") as old:
        eventually(lambda: streaming(bridge))
        old.execute("UPDATE customers SET company_name = 'Not yet' WHERE id = 1")
        pid = old.info.backend_pid
        refused = bridge.causeway("verify", "shop")
        assert refused.code == 3, refused.out + refused.err
        assert f"pid {pid} (for " in refused.err
        assert "UPDATE" not in refused.err
        before = rows_captured(bridge)
        bridge.sources.shop.execute("UPDATE customers SET company_name = 'Goes on' WHERE id = 2")
        eventually(lambda: rows_captured(bridge) > before)
        old.rollback()
        assert bridge.causeway("verify", "shop").code == 0


def test_a_verification_that_is_interrupted_lets_the_lane_go_on(bridge: Bridge) -> None:
    mirrored(bridge)
    bridge.change_settings({"capture": {"longest_hold_s": 600}})
    with bridge.lane("analytical"), bridge.server.connect("shop") as old:
        eventually(lambda: streaming(bridge))
        old.execute("UPDATE customers SET company_name = 'Not yet' WHERE id = 1")
        verifying = bridge.start("verify", "shop")
        with bridge.server.connect("shop", autocommit=True) as looking:
            walsender = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'causeway shop verify'"
            eventually(lambda: looking.execute(walsender).fetchone() != (0,))
            before = rows_captured(bridge)
            looking.execute("UPDATE customers SET company_name = 'Waits' WHERE id = 2")
            time.sleep(1)
            assert rows_captured(bridge) == before
            verifying.send_signal(signal.SIGINT)
            verifying.communicate(timeout=20)
            eventually(lambda: rows_captured(bridge) > before)
            eventually(lambda: looking.execute(walsender).fetchone() == (0,))
