"""Killed just before and just after a commit, at every kind of batch, and started again: nothing lost, nothing twice."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cdc.lsn import Lsn
from config.failpoints import VARIABLE
from config.settings import WarehouseSettings
from tests.integration.warehouse.replay import FIRST_LSN, traffic
from tests.integration.warehouse.test_mirror_merge import rows
from warehouse.mirror import Mirror
from warehouse.store import Warehouse

BATCHES = 30


def run(file: Path, seed: int, failpoint: str | None) -> int:
    environment = {name: value for name, value in os.environ.items() if name != VARIABLE}
    if failpoint is not None:
        environment[VARIABLE] = failpoint
    command = [sys.executable, "-m", "tests.integration.warehouse.replay", str(file), str(seed), str(BATCHES)]
    return subprocess.run(command, env=environment, cwd=Path(__file__).parents[3], check=False).returncode


@pytest.mark.parametrize("seed", [1])
def test_the_mirror_is_exact_after_kills_around_commits(tmp_path: Path, seed: int) -> None:
    file = tmp_path / "w.duckdb"
    moments = random.Random(seed)
    for point in ("mirror.before_commit", "mirror.after_commit") * 3:
        assert run(file, seed, f"{point}:{moments.randrange(1, 7)}") == -signal.SIGKILL
    assert run(file, seed, None) == 0
    _, source = traffic(seed, BATCHES)
    with Warehouse.open(WarehouseSettings(path=file, extracts=tmp_path)) as warehouse:
        assert rows(warehouse) == source.expected()
        mirror = Mirror(warehouse)
        stored = mirror.position("shop")
        mirror.close()
        assert stored is not None
        assert stored.lsn == Lsn(FIRST_LSN + BATCHES)
