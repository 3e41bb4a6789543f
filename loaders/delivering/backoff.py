"""How long to wait after failures that may pass: twice as long each time, up to a longest wait, never all at once."""

from __future__ import annotations

import random
import time


class Backoff:
    """Waits between attempts. `first_s`, `longest_s`: of the settings; `clock` in seconds, monotonic."""

    def __init__(self, first_s: float, longest_s: float) -> None:
        self._first_s = first_s
        self._longest_s = longest_s
        self._failures = 0
        self._until = 0.0

    @property
    def remaining_s(self) -> float:
        """Seconds until the next attempt; 0 when it is due."""
        return max(0.0, self._until - time.monotonic())

    def failed(self, at_least_s: float | None = None) -> float:
        """Note a failure and return the wait. `at_least_s`: what the server asked for."""
        longest = min(self._longest_s, self._first_s * 2.0 ** min(self._failures, 30))
        wait_s = max(longest * random.uniform(0.5, 1.0), at_least_s or 0.0)  # noqa: S311  spread, not secrecy
        self._failures += 1
        self._until = time.monotonic() + wait_s
        return wait_s

    def succeeded(self) -> None:
        """Forget all failures."""
        self._failures, self._until = 0, 0.0
