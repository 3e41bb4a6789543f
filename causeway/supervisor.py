"""`causeway run` without a lane: both lanes as child processes, each restarted by itself, both ended together.

A lane that dies of a signal or of something that may pass is started again, later and later; one that refuses to go on is not,
and the other goes on without it. A run that is to end waits for nothing: it ends with the lanes' exit codes.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from loguru import logger

from causeway.exits import Exit
from causeway.process import SUPERVISOR_VARIABLE
from config.settings import Lane

RESTART_FIRST_S = 1.0
RESTART_LONGEST_S = 30.0
# A lane that ran this long before it died is not in a restart loop.
STEADY_S = 60.0
# The lanes promise to end within 5 s of SIGTERM.
END_GRACE_S = 6.0


@dataclass(kw_only=True)
class _Child:
    lane: Lane
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    start_at: float = 0.0
    failures: int = 0
    code: int | None = None  # set once it is not to be started again


class Supervisor:
    """Keeps both lanes running; `run` returns the exit code for the command."""

    def __init__(self, config: Path, *, until_caught_up: bool) -> None:
        self._config = config
        self._until_caught_up = until_caught_up
        self._stop = threading.Event()
        self._children = [_Child(lane=lane) for lane in Lane]

    def run(self) -> Exit:
        """Run until both lanes have ended for good, or until SIGTERM or SIGINT."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._ask_to_stop)
        try:
            while not self._stop.is_set() and any(child.code is None for child in self._children):
                for child in self._children:
                    self._tend(child)
                self._stop.wait(0.1)
        finally:
            self._end()
        codes = [child.code or 0 for child in self._children]
        return Exit.OK if self._stop.is_set() else _worst(codes)

    def _ask_to_stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stop.set()

    def _tend(self, child: _Child) -> None:
        if child.code is not None:
            return
        if child.process is None:
            if time.monotonic() >= child.start_at:
                self._start(child)
            return
        code = child.process.poll()
        if code is not None:
            self._ended(child, code)

    def _start(self, child: _Child) -> None:
        command = [sys.executable, "-m", "causeway", "run", "--lane", child.lane.value, "--config", str(self._config)]
        if self._until_caught_up:
            command.append("--until-caught-up")
        environment = os.environ | {SUPERVISOR_VARIABLE: str(os.getpid())}
        # Its own session: a Ctrl-C at the terminal reaches the supervisor alone, which then ends the lanes in order.
        child.process = subprocess.Popen(command, env=environment, start_new_session=True)
        child.started_at = time.monotonic()
        logger.info("{} lane: process {}", child.lane, child.process.pid)

    def _ended(self, child: _Child, code: int) -> None:
        child.process = None
        if code == Exit.OK and not self._until_caught_up:
            code = Exit.UNAVAILABLE  # ended by a signal that was not ours: it is wanted again
        if code >= 0 and (code != Exit.UNAVAILABLE or self._until_caught_up):
            child.code = code
            if code != Exit.OK:
                logger.error("{} lane ended with exit code {} and is not started again", child.lane, code)
            return
        steady = time.monotonic() - child.started_at >= STEADY_S
        child.failures = 0 if steady else child.failures + 1
        wait_s = min(RESTART_FIRST_S * 2 ** max(0, child.failures - 1), RESTART_LONGEST_S)
        child.start_at = time.monotonic() + wait_s
        logger.warning("{} lane ended with {}; starting it again in {:.0f} s", child.lane, code, wait_s)

    def _end(self) -> None:
        running = [child.process for child in self._children if child.process is not None]
        for process in running:
            process.terminate()
        deadline = time.monotonic() + END_GRACE_S
        for process in running:
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                logger.error("process {} did not end within {:.0f} s and is killed", process.pid, END_GRACE_S)
                process.kill()
                process.wait()


def _worst(codes: list[int]) -> Exit:
    known = [Exit(code) if code in set(Exit) else Exit.INTERNAL for code in codes]
    return max(known)
