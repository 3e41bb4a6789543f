"""Both lanes as processes, with every wire that they have to a database cut, stalled and truncated, and the state database stopped
under them: no lane ends that has begun to capture, and what they have made is row-exact.

CAUSEWAY_FAULT_SEED repeats a run; CAUSEWAY_FAULT_ROUNDS=all runs many more rounds, a number so many.
"""

from __future__ import annotations

import os
import random
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from sandbox.postgres import EmbeddedPostgres
from tests.fixtures.bridge import Bridge
from tests.fixtures.faulty_wire import FaultyWire
from tests.fixtures.postgres import own_server
from tests.fixtures.rounds import Round

FEW, MANY = 4, 60
ROUNDS = os.environ.get("CAUSEWAY_FAULT_ROUNDS", str(FEW))
SEED = int(os.environ.get("CAUSEWAY_FAULT_SEED", str(random.SystemRandom().randrange(10**6))))

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500 if ROUNDS == "all" else 240)]

Fault = Callable[[], None]


class Faults:
    """What may happen to the wires and to the state database; each fault is over, or at work on every connection, when it returns."""

    def __init__(
        self, source: FaultyWire, state: FaultyWire, state_server: EmbeddedPostgres, rng: random.Random
    ) -> None:
        self._wires = {"source": source, "state": state}
        self._server = state_server
        self._rng = rng

    def kinds(self) -> dict[str, Fault]:
        return {
            "the source's wire is cut": lambda: self._cut("source"),
            "the state's wire is cut": lambda: self._cut("state"),
            "the source's wire is cut again and again": lambda: self._cut_again("source", 200_000),
            "the state's wire is cut again and again": lambda: self._cut_again("state", 3_000),
            "the state database is stopped fast": lambda: self._restart("fast"),
            "the state database is stopped at once": lambda: self._restart("immediate"),
        }

    def heal(self) -> None:
        for wire in self._wires.values():
            wire.heal()

    def _cut(self, name: str) -> None:
        wire = self._wires[name]
        wait_until(lambda: wire.connected > 0)
        wire.cut_all()

    def _cut_again(self, name: str, most_bytes: int) -> None:
        """Every new connection is cut, too, until three were."""
        wire = self._wires[name]
        wire.cut_after = self._rng.randrange(1, most_bytes)
        wire.cut_sent_after = self._rng.choice((None, self._rng.randrange(1, most_bytes)))
        wire.stall_s = self._rng.choice((0.0, 0.3))
        self._cut(name)
        enough = wire.cuts + 3
        with suppress(TimeoutError):  # so many bytes may be more than what there is to say
            wait_until(lambda: wire.cuts >= enough, within_s=5)

    def _restart(self, how: str) -> None:
        self._server.stop("fast" if how == "fast" else "immediate")
        time.sleep(self._rng.uniform(0, 0.5))
        self._server.start()


def wait_until(true: Callable[[], bool], within_s: float = 60) -> None:
    deadline = time.monotonic() + within_s
    while not true():
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.1)


def delivered(play: Round) -> bool:
    """Whether all that the source has is in the outbox and in Odoo; the test's end says what is missing."""
    try:
        play.assert_delivered()
    except AssertionError:
        return False
    return True


def capturing(bridge: Bridge) -> int:
    """How many lanes read the shop's log."""
    with bridge.server.connect("shop", autocommit=True) as connection:
        return connection.execute("SELECT pid FROM pg_stat_replication").rowcount


def mirrored(bridge: Bridge) -> bool:
    """Whether the analytical lane has told the shop that all is durable that is in its log now."""
    with bridge.server.connect("shop", autocommit=True) as connection:
        return connection.execute(
            "SELECT confirmed_flush_lsn >= pg_current_wal_flush_lsn() FROM pg_replication_slots"
            " WHERE slot_name = 'causeway_shop_analytical'"
        ).fetchone() == (True,)


def test_lanes_cut_off_from_their_databases_go_on_and_are_row_exact(bridge: Bridge, tmp_path: Path) -> None:
    sys.stderr.write(f"CAUSEWAY_FAULT_SEED={SEED}\n")
    rng = random.Random(SEED)
    with own_server() as state_server, FaultyWire(bridge.server) as source, FaultyWire(state_server) as state:
        state_server.create_database("causeway")
        play = Round(bridge, tmp_path, state=state_server)
        bridge.change_settings(
            {
                "sources": {"shop": {"connection": {"dsn": source.dsn("shop")}}},
                "state": {"connection": {"dsn": state.dsn("causeway")}},
                "capture": {"reconnect_first_s": 0.1, "reconnect_longest_s": 1.0},
                "delivery": {"retry_first_s": 0.1, "retry_longest_s": 1.0},
                "log": {"level": "ERROR"},  # nobody reads what so many warnings would fill a pipe with
            }
        )
        bridge.catch_up()
        faults = Faults(source, state, state_server, rng)
        kinds = faults.kinds()
        rounds = MANY if ROUNDS == "all" else int(ROUNDS)
        names = [*kinds] * (rounds // len(kinds)) + rng.sample([*kinds], rounds % len(kinds))
        rng.shuffle(names)
        with bridge.lane("operational") as operational, bridge.lane("analytical") as analytical:
            wait_until(lambda: capturing(bridge) == len((operational, analytical)))
            for name in names:
                sys.stderr.write(f"{name}\n")
                play.load()
                time.sleep(rng.uniform(0, 1.0))
                kinds[name]()
                play.load()
                time.sleep(rng.uniform(0, 1.0))
                faults.heal()
            source.cut_all()
            play.load()
            wait_until(lambda: delivered(play))
            wait_until(lambda: mirrored(bridge))
            for lane in (operational, analytical):
                assert lane.poll() is None, lane.communicate()
        for lane_name in ("operational", "analytical"):
            play.catch_up(lane_name)
