"""SIGTERM ends a lane, and the supervisor with both, cleanly and soon; nothing that was confirmed is missing afterwards."""

from __future__ import annotations

import signal
import time

import psutil
import pytest

from tests.fixtures.bridge import Bridge

# A lane that is asked to end does so within LONGEST_END_S, or its supervisor kills it and says so. A busy machine needs longer: this is
# for a process that hangs.
HANGS_S = 30

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


def wait_for_status(bridge: Bridge, lanes: set[str]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        said = {lane: bridge.said(lane) for lane in lanes}
        if all(lane["running"] and lane["sources"] for lane in said.values()):
            return
        time.sleep(0.1)
    raise AssertionError(f"{lanes} did not come up")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_supervisor_ends_both_lanes_and_kills_neither(bridge: Bridge, number: signal.Signals) -> None:
    process = bridge.start("run")
    try:
        wait_for_status(bridge, {"operational", "analytical"})
        children = psutil.Process(process.pid).children(recursive=True)
        assert len(children) == 2
        assert bridge.causeway("status").code == 0
        process.send_signal(number)
        _, err = process.communicate(timeout=HANGS_S)
        assert process.returncode == 0, err
        assert "is killed" not in err
        assert not any(child.is_running() for child in children)
    finally:
        process.kill()
        process.communicate()
    assert bridge.causeway("status").code == 1


def test_a_lane_that_waits_for_a_sources_transaction_ends_without_it(bridge: Bridge) -> None:
    process = bridge.start("run", "--lane", "analytical")
    try:
        with bridge.server.connect("shop") as connection:
            connection.execute("SELECT pg_current_xact_id()")  # the slot can't be made before this transaction ends
            wait_until_a_slot_is_being_made(bridge)
            process.terminate()
            _, err = process.communicate(timeout=HANGS_S)
            assert process.returncode == 0, err
    finally:
        process.kill()
        process.communicate()
    bridge.catch_up()


def wait_until_a_slot_is_being_made(bridge: Bridge) -> None:
    deadline = time.monotonic() + 30
    query = "SELECT count(*) FROM pg_replication_slots WHERE slot_name = 'causeway_shop_analytical'"
    with bridge.server.connect(autocommit=True) as connection:
        while connection.execute(query).fetchone() != (1,):
            assert time.monotonic() < deadline
            time.sleep(0.1)


def test_lanes_do_not_outlive_a_killed_supervisor(bridge: Bridge) -> None:
    process = bridge.start("run")
    try:
        wait_for_status(bridge, {"operational", "analytical"})
        children = psutil.Process(process.pid).children(recursive=True)
    finally:
        process.kill()
        process.communicate()
    _, alive = psutil.wait_procs(children, timeout=10)
    assert alive == []


def test_a_killed_lane_is_started_again_and_the_other_is_left_alone(bridge: Bridge) -> None:
    process = bridge.start("run")
    try:
        wait_for_status(bridge, {"operational", "analytical"})
        lanes = bridge.causeway("status", "--json").json["lanes"]
        psutil.Process(lanes["analytical"]["pid"]).kill()
        time.sleep(0.5)
        wait_for_status(bridge, {"operational", "analytical"})
        now = bridge.causeway("status", "--json").json["lanes"]
        assert now["operational"]["pid"] == lanes["operational"]["pid"]
        assert now["analytical"]["pid"] != lanes["analytical"]["pid"]
    finally:
        process.terminate()
        process.communicate(timeout=10)
