"""What the figures were measured on, without a date or a name: they stand in the documentation."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import duckdb
import psutil

from benchmarks import debezium
from benchmarks.workload import Workload


def facts(workload: Workload, load: float) -> dict[str, str]:
    """Return the machine and the versions, by name, in the order to show them; `load`: its load average before all began."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "processor": f"{_processor()}, {cores} cores",
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.machine()}",
        "Python": platform.python_version(),
        "PostgreSQL": f"{workload.server_version}, on the same machine, fsync off",
        "DuckDB": duckdb.__version__,
        "Debezium": debezium.version() or "not installed",
        "other programs": _others(load, os.nice(0)),
    }


def _others(load: float, nice: int) -> str:
    """Say how busy the machine was: on a quiet one the first number is near 0."""
    waiting = f"{load:.1f} waiting or running on average in the minute before"
    return waiting if nice == 0 else f"{waiting}; the benchmark ran with nice {nice}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "unknown"
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown"
