"""How fast a slot's retained WAL grows, when that comes to an end, and how old a place in the log is. Pure: samples in, numbers out.

Postgres keeps no times with places in its log that a reader could ask for; so the log's end is sampled, and a place's age is how
long ago the end passed it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from cdc.lsn import Lsn

# Samples thin out with their age: within this part of it. A day is kept in less than 200.
_THINNING = 0.05
_LONGEST_S = 7 * 86_400.0
# The growth is that of the last minutes: an hour's mean would hide that a reader has just gone away.
GROWTH_WINDOW_S = 300.0


@dataclass(kw_only=True)
class LogClock:
    """When the end of one server's log was where: pairs of seconds since 1970 and LSN, oldest first."""

    samples: list[tuple[float, Lsn]] = field(default_factory=list)

    def add(self, at: float, head: Lsn) -> None:
        """Take a sample in. One behind the last (another server, a clock set back) begins anew."""
        if self.samples and (head < self.samples[-1][1] or at < self.samples[-1][0]):
            self.samples.clear()
        self.samples.append((at, head))
        self.samples = _thinned(self.samples)

    def age_s(self, lsn: Lsn, now: float) -> float | None:
        """Return how long ago the log's end passed `lsn`: 0 where it has not yet, None where that was before the first sample."""
        if not self.samples or lsn < self.samples[0][1]:
            return None
        before = self.samples[0]
        for after in self.samples:
            if after[1] > lsn:
                part = (lsn - before[1]) / (after[1] - before[1])
                return max(0.0, now - (before[0] + part * (after[0] - before[0])))
            before = after
        return 0.0


def growth_bytes_a_minute(samples: Sequence[tuple[float, int]]) -> float | None:
    """Return how retained WAL grew over the last minutes, from pairs of seconds and bytes, oldest first; None without two."""
    if len(samples) < 2:
        return None
    last = samples[-1]
    first = next(each for each in samples if last[0] - each[0] <= GROWTH_WINDOW_S)
    if first is last:
        first = samples[-2]
    elapsed = last[0] - first[0]
    return (last[1] - first[1]) * 60 / elapsed if elapsed > 0 else None


def seconds_until(left_bytes: int | None, growth: float | None) -> float | None:
    """Return when `left_bytes` are used up at this growth; 0 where they are already, None where they never are."""
    if left_bytes is None:
        return None
    if left_bytes <= 0:
        return 0.0
    return left_bytes * 60 / growth if growth is not None and growth > 0 else None


def _thinned(samples: Iterable[tuple[float, Lsn]]) -> list[tuple[float, Lsn]]:
    newest_first = list(samples)[::-1]
    now = newest_first[0][0]
    kept = newest_first[:1]
    for number, each in enumerate(newest_first[1:], start=1):
        age = now - each[0]
        apart = kept[-1][0] - each[0]
        oldest = number == len(newest_first) - 1
        if (apart >= age * _THINNING or oldest) and age <= _LONGEST_S:
            kept.append(each)
    return kept[::-1]
