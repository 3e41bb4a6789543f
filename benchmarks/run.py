"""What one run of a contestant says of itself, in the process of its own that it ran in."""

from __future__ import annotations

import re
import resource
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Run:
    """`rows` row changes (or rows of a snapshot) in `seconds`; the process's highest RSS where it was looked at."""

    rows: int
    seconds: float
    peak_rss_bytes: int | None = None

    @property
    def rows_per_s(self) -> float:
        return self.rows / self.seconds


def peak_rss_bytes() -> int:
    """Return this process's highest resident set so far.

    Linux's ru_maxrss begins with the parent's at the fork (setmax_mm_hiwater_rss at exec), VmHWM with our own program.
    """
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024
    found = re.search(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE)
    return int(found[1]) * 1024 if found else 0
