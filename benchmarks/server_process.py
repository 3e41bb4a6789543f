"""What the server's own process for a slot's reader costs: the walsender's CPU time, looked at while it lives."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psutil

from benchmarks.workload import Workload

_LOOK_S = 0.02


@dataclass(kw_only=True)
class ServerProcess:
    """`cpu_s`: user and system time of the processes that read the slot, as last seen."""

    cpu_s: float = 0.0


@contextmanager
def watched(workload: Workload, slot: str) -> Iterator[ServerProcess]:
    """Follow whoever reads the slot until the block ends; looks 50 times a second."""
    seen, ended = ServerProcess(), threading.Event()
    thread = threading.Thread(target=_watch, args=(workload, slot, seen, ended), name="walsender", daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        ended.set()
        thread.join()


def _watch(workload: Workload, slot: str, seen: ServerProcess, ended: threading.Event) -> None:
    process: psutil.Process | None = None
    with workload.connect() as connection:
        while not ended.wait(_LOOK_S):
            if process is None:
                query = "SELECT active_pid FROM pg_replication_slots WHERE slot_name = %s"
                (pid,) = connection.execute(query, [slot]).fetchone() or (None,)
                process = psutil.Process(pid) if pid is not None and psutil.pid_exists(pid) else None
                continue
            try:
                times = process.cpu_times()
            except psutil.Error:
                return
            seen.cpu_s = times.user + times.system
