"""SIGKILL at every named failpoint, in the process of the command that passes it: the source and its mirror end equal, the outbox
and Odoo hold exactly what the source says.

By default a sample of FEW cases is run, drawn by a seed that is printed. CAUSEWAY_FAULT_SEED repeats a sample,
CAUSEWAY_FAULT_ROUNDS=all runs every case, and a number runs so many.
"""

from __future__ import annotations

import os
import random
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from config.failpoints import NAMES, VARIABLE
from tests.fixtures.bridge import Bridge
from tests.fixtures.rounds import Round, lane_command

FEW = 4
ROUNDS = os.environ.get("CAUSEWAY_FAULT_ROUNDS", str(FEW))
# Drawn anew each time, so that in the end every case had its turn.
SEED = int(os.environ.get("CAUSEWAY_FAULT_SEED", str(random.SystemRandom().randrange(10**6))))


@dataclass(frozen=True, kw_only=True)
class Case:
    """A failpoint, the command that passes it, and what has to be so before. `again`: it is run anew behind the kill."""

    point: str
    command: tuple[str, ...]
    before: Callable[[Round], None] | None = None
    again: bool = False

    @property
    def lane(self) -> str:
        """Whose work is killed."""
        return "operational" if "operational" in self.command else "analytical"

    def __str__(self) -> str:
        return f"{self.point} of causeway {' '.join(self.command)}"


def _cases() -> Iterator[Case]:
    operational, analytical = lane_command("operational"), lane_command("analytical")
    for command in (operational, analytical):
        for point in ("reader.slot_created", "reader.snapshot_table_copied"):
            yield Case(point=point, command=command, before=Round.begin_anew)
        for point in ("batch_handed_out", "piece_handed_out", "before_confirm", "after_confirm"):
            yield Case(point=f"reader.{point}", command=command)
    yield Case(point="mirror.snapshot_table_whole", command=analytical, before=Round.begin_anew)
    yield Case(point="outbox.snapshot_table_whole", command=operational, before=Round.begin_anew)
    for point in ("mirror.before_commit", "mirror.after_commit"):
        yield Case(point=point, command=analytical)
    for point in ("watermark_written:2", "chunk_read:2", "chunk_applied", "before_swap", "after_swap"):
        yield Case(point=f"copy.{point}", command=("copy", "shop", "articles"), before=Round.spoil_for_copy)
    into_outbox = ("copy", "shop", "articles", "--lane", "operational")
    for point in ("watermark_written:2", "chunk_read:2", "chunk_applied"):
        yield Case(point=f"copy.{point}", command=into_outbox, before=Round.lose_deletes)
    for point in ("before_commit", "after_commit"):
        yield Case(point=f"outbox.{point}", command=operational)
    for point in ("before_rows_read", "after_rows_read"):
        yield Case(point=f"outbox.{point}", command=operational, before=Round.hold_rows)
    for point in ("slot_dropped", "slot_created"):
        yield Case(point=f"rebuild.{point}", command=("slots", "rebuild", "shop"), before=Round.lose_slot, again=True)
    yield Case(point="repair.piece_written", command=("slots", "rebuild", "shop"), before=Round.lose_slot, again=True)
    yield Case(point="repair.piece_written", command=("verify", "shop", "--repair"), before=Round.spoil, again=True)
    for point in ("before_call", "after_call:2", "after_recorded"):
        yield Case(point=f"delivery.{point}", command=operational)


CASES = tuple(_cases())


def test_every_failpoint_has_a_case() -> None:
    assert {case.point.partition(":")[0] for case in CASES} == set(NAMES)


@pytest.mark.slow
@pytest.mark.timeout(1500 if ROUNDS == "all" else 300)
def test_a_kill_at_a_failpoint_loses_nothing_and_repeats_nothing(bridge: Bridge, tmp_path: Path) -> None:
    cases = random.Random(SEED).sample(CASES, len(CASES) if ROUNDS == "all" else int(ROUNDS))
    sys.stderr.write(f"CAUSEWAY_FAULT_SEED={SEED}\n")
    play = Round(bridge, tmp_path)
    bridge.catch_up()
    for case in cases:
        sys.stderr.write(f"{case}\n")
        kill_and_compare(play, case)
    for lane in ("operational", "analytical"):
        play.catch_up(lane)


def kill_and_compare(play: Round, case: Case) -> None:
    if case.before is not None:
        case.before(play)
    play.load()
    killed = play.bridge.causeway(*case.command, environment={VARIABLE: case.point}, timeout_s=120)
    assert killed.code == -signal.SIGKILL, f"{case}: never reached\n{killed.out}{killed.err}"
    play.load()
    if case.again:
        play.ran(*case.command)
    play.catch_up(case.lane)
