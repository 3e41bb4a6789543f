"""How many calls a second go to Odoo: a token bucket, whose rate falls when Odoo asks to slow down, and grows back.

Hosted Odoo throttles by an unpublished measure: its 429 halves the rate, and every half minute without one doubles it again, up to what
the settings allow. Where they allow anything, the rate at which Odoo first protested is the one that is halved.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

_SLOWEST_S = 0.2  # a call in five seconds
_FASTEST_S = 1000.0  # more than one connection can make: as good as no limit
_DOUBLES_IN_S = 30.0
_WINDOW_S = 10.0


class TokenBucket:
    """`max_calls_s`: calls a second, None for no limit; `burst`: calls that may go at once after a pause."""

    def __init__(
        self,
        max_calls_s: float | None,
        burst: int,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._ceiling_s = max_calls_s
        self._burst = burst
        self._clock = clock
        self._sleep = sleep
        self._rate_s = max_calls_s
        self._tokens = float(burst)
        self._counted_at = clock()
        self._not_before = float("-inf")
        self._recent: deque[float] = deque()

    @property
    def calls_s(self) -> float | None:
        """Calls a second that may go now; None: any number."""
        return self._rate_s

    def take(self) -> None:
        """Wait until a call may go."""
        self._grow()
        wait_s = max(0.0, self._not_before - self._clock())
        if self._rate_s is not None:
            wait_s = max(wait_s, (1 - self._tokens) / self._rate_s)
        if wait_s > 0:
            self._sleep(wait_s)
            self._grow()
        self._tokens -= 1
        self._remember()

    def throttled(self, retry_after_s: float | None) -> None:
        """Odoo asked to slow down: halve the rate, and let nothing go before `retry_after_s` have passed."""
        self._grow()
        now = self._clock()
        current = self._rate_s or max(len(self._recent), 1) / _WINDOW_S
        self._rate_s = max(_SLOWEST_S, current / 2)
        self._tokens = min(self._tokens, 1.0)
        self._not_before = max(self._not_before, now + (retry_after_s or 0.0))

    def _grow(self) -> None:
        """Add the tokens that have come since, and let a lowered rate rise."""
        now = self._clock()
        passed_s = now - self._counted_at
        self._counted_at = now
        if self._rate_s is None:
            self._tokens = float(self._burst)
            return
        self._tokens = min(float(self._burst), self._tokens + passed_s * self._rate_s)
        grown = self._rate_s * 2.0 ** (passed_s / _DOUBLES_IN_S)
        self._rate_s = min(grown, self._ceiling_s or _FASTEST_S)
        if self._ceiling_s is None and self._rate_s >= _FASTEST_S:
            self._rate_s = None

    def _remember(self) -> None:
        now = self._clock()
        self._recent.append(now)
        while self._recent[0] <= now - _WINDOW_S:
            self._recent.popleft()
