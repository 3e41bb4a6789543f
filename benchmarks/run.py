"""What one run of a contestant says of itself, in the process of its own that it ran in."""

from __future__ import annotations

import re
import resource
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Run:
    """`rows` row changes (or rows of a snapshot) in `seconds`, and what it cost, where it was looked at.

    `cpu_s`: user and system time of the contestant's process; `server_cpu_s`: of the server's process that served it.
    """

    rows: int
    seconds: float
    peak_rss_bytes: int | None = None
    cpu_s: float | None = None
    server_cpu_s: float | None = None

    @property
    def rows_per_s(self) -> float:
        return self.rows / self.seconds


def cpu_seconds(who: int = resource.RUSAGE_SELF) -> float:
    """Return the user and system time of this process so far, or of its children that have ended (RUSAGE_CHILDREN)."""
    usage = resource.getrusage(who)
    return usage.ru_utime + usage.ru_stime


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
