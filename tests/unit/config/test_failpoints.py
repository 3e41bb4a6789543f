from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from config.failpoints import NAMES, VARIABLE

_PROGRAM = "from config.failpoints import failpoint\nfor n in range(5): failpoint({name!r}); print(n, flush=True)"


def passes(name: str, value: str) -> tuple[int, int]:
    program = [sys.executable, "-c", _PROGRAM.format(name=name)]
    done = subprocess.run(
        program, env={VARIABLE: value, "PYTHONPATH": "."}, capture_output=True, text=True, check=False
    )
    return done.returncode, len(done.stdout.splitlines())


def test_the_process_dies_at_the_asked_pass() -> None:
    assert passes(NAMES[0], NAMES[0]) == (-signal.SIGKILL, 0)
    assert passes(NAMES[0], f"{NAMES[0]}:3") == (-signal.SIGKILL, 2)


@pytest.mark.parametrize("value", ["", NAMES[1]])
def test_unset_or_another_point_costs_nothing(value: str) -> None:
    assert passes(NAMES[0], value) == (0, 5)


@pytest.mark.parametrize("name", NAMES)
def test_every_point_is_passed_somewhere(name: str) -> None:
    packages = ("cdc", "warehouse", "loaders", "causeway")
    assert any(f'"{name}"' in file.read_text() for package in packages for file in Path(package).rglob("*.py"))


def test_an_unknown_point_is_refused() -> None:
    assert passes(NAMES[0], "no.such.point")[0] == 1
