"""Both lanes killed at random moments under load: the mirror is row-exact, no order is twice in Odoo, none is missing."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import threading
import time

import duckdb
import pytest

from sandbox.databases import open_sources
from sandbox.day.churn import Churn
from tests.fixtures.bridge import Bridge

KILLS = 20
TRANSACTIONS_S = 100.0
PATIENCE_S = 8.0
SEED = int(os.environ.get("CAUSEWAY_FAULT_SEED", "20260601"))

pytestmark = [pytest.mark.slow, pytest.mark.timeout(420)]


class _Lane:
    """One lane as a process that is killed and started again."""

    def __init__(self, bridge: Bridge, name: str) -> None:
        self._bridge = bridge
        self.name = name
        self._process = self._start()

    def kill(self) -> None:
        """Kill the process where it stands; a lane that had already ended by itself is a failure."""
        assert self._process.poll() is None, self._process.communicate()
        self._process.send_signal(signal.SIGKILL)
        self._process.communicate()
        self._process = self._start()

    def end(self) -> None:
        self._process.terminate()
        _, err = self._process.communicate(timeout=30)
        # Killed a moment ago, it may not have come to the point where it handles the signal.
        assert self._process.returncode in (0, -signal.SIGTERM), err

    def _start(self) -> subprocess.Popen[str]:
        return self._bridge.start("run", "--lane", self.name)


def test_twenty_kills_of_both_lanes_lose_nothing_and_repeat_nothing(whole_bridge: Bridge) -> None:
    rng = random.Random(SEED)
    # What a killed lane had told Odoo is looked at again after so long.
    whole_bridge.change_settings({"odoo": {"timeout_s": PATIENCE_S}})
    stop = threading.Event()
    with open_sources(whole_bridge.server) as load_sources:
        churn = Churn(seed=SEED)
        churn.masters(load_sources)
        load = threading.Thread(
            target=churn.run, args=(load_sources,), kwargs={"stop": stop, "pace_transactions_s": TRANSACTIONS_S}
        )
        lanes = [_Lane(whole_bridge, "operational"), _Lane(whole_bridge, "analytical")]
        load.start()
        try:
            for _ in range(KILLS):
                # A lane needs about two seconds until it captures: shorter waits hit its start, longer ones its work.
                time.sleep(rng.uniform(0.5, 4.0))
                for lane in lanes if rng.random() < 0.3 else [rng.choice(lanes)]:
                    lane.kill()
        finally:
            stop.set()
            load.join()
        for lane in lanes:
            lane.end()
    _assert_exact(whole_bridge, churn)


def _assert_exact(bridge: Bridge, churn: Churn) -> None:
    bridge.catch_up()
    for source in ("shop", "market", "wms", "odoo", "causeway"):
        verified = bridge.causeway("verify", source, "--json")
        assert verified.code == 0, verified.out + verified.err
    done = bridge.causeway("reconcile", "--json")
    assert done.code == 0, done.err
    with duckdb.connect(str(bridge.folder / "warehouse.duckdb"), read_only=True) as connection:
        found = connection.execute("SELECT source, order_key, status FROM recon.latest_orders").fetchall()
    live = {(key.source, key.source_key) for key in churn.live}
    deleted = {(key.source, key.source_key) for key in churn.deleted}
    assert len(live) > 100
    assert deleted
    assert {(source, key) for source, key, status in found if status == "matched"} == live
    # Of what was deleted, Odoo knows those that had been delivered before.
    assert {(source, key) for source, key, status in found if status != "matched"} <= deleted
    assert {status for _, _, status in found} <= {"matched", "missing_in_source"}
    _assert_no_order_twice(bridge, len(live))


def _assert_no_order_twice(bridge: Bridge, live: int) -> None:
    with bridge.server.connect("odoo") as connection:
        twice = connection.execute("SELECT name FROM sale_order GROUP BY name HAVING count(*) > 1").fetchall()
        orders = connection.execute("SELECT count(*) FROM sale_order WHERE state <> 'cancel'").fetchone()
        named = connection.execute(
            "SELECT res_id FROM ir_model_data WHERE module = 'causeway' AND model = 'sale.order' ORDER BY 1"
        ).fetchall()
    with bridge.server.connect("causeway") as connection:
        known = connection.execute(
            "SELECT odoo_id FROM causeway.crosswalk WHERE model = 'sale.order' ORDER BY 1"
        ).fetchall()
    assert twice == []
    assert orders == (live,)
    # None is there that the bridge does not know of: made by a call that was killed, and deleted before that was recorded.
    assert named == known
