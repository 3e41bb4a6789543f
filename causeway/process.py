"""One lane as a process: its lock, its signals, its status file.

SIGTERM and SIGINT end it cleanly: the batch at hand is finished or rolled back, the slot has been told what is durable, exit 0.
What waits inside a driver (a connection, a lock, a source's open transaction) can't be told; then the process ends where it
stands, as by a kill: nothing is lost by it.
A lane that a supervisor started ends by itself when that supervisor is gone, so that nothing is left running.
"""

from __future__ import annotations

import ctypes
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from datetime import UTC, datetime
from types import FrameType
from typing import Any

import psutil
import pyarrow as pa
from loguru import logger

from causeway.analytical import AnalyticalLane
from causeway.console import err
from causeway.control import ControlServer
from causeway.exits import Exit
from causeway.lane import SourceProgress
from causeway.metrics import serving
from causeway.operational import OperationalLane
from causeway.runfiles import RunFolder
from causeway.slot_watch import watching
from causeway.sources import Sources, current_ends
from causeway.table_bars import TableBars
from config.errors import CausewayError, in_our_words
from config.settings import Lane, Settings

SUPERVISOR_VARIABLE = "CAUSEWAY_SUPERVISOR_PID"
STATUS_INTERVAL_S = 1.0
# A walsender tells how far it has sent, which is no further than we have read: the lag of a slow lane would look like none.
ENDS_INTERVAL_S = 10.0
# A lane promises to end within 5 s of a signal.
LONGEST_END_S = 4.5
# glibc's M_ARENA_MAX, and how many a lane gets: what threads free stays in their arenas. Of one each, a lane over five sources needs 20 MB
# more at its peak (412 MB, 391 with two). Arrow's own pool would keep batches that are gone, too: 15 MB of a large transaction's peak.
_M_ARENA_MAX, ARENAS = -8, 2


def run_lane(settings: Settings, lane: Lane, *, until_caught_up: bool) -> None:
    """Run one lane in this process until a signal comes, or until it has caught up."""
    _bound_memory()
    stop, wake = threading.Event(), threading.Event()
    folder = RunFolder(settings.run_dir)
    lock = folder.lock(lane)
    try:
        # A bounded run is over soon: it watches nothing. Else the watch begins first: it must see what a lane that can't start lets grow.
        watch = nullcontext() if until_caught_up else watching(settings, folder)
        with _signals(stop, wake), _deadline(stop), watch:
            kind = OperationalLane if lane is Lane.OPERATIONAL else AnalyticalLane
            running = kind(settings, stop=stop, wake=wake)
            status = _Status(folder, running, stop, wake)
            control = ControlServer(folder.path, lane, {"status": lambda _: status.now(), **running.commands()})
            with control, status, _server_ends(settings.sources_of(lane), running):
                with serving(settings, lane, status.now, folder):
                    try:
                        running.run(bounded=until_caught_up)
                    finally:
                        running.turns.end()
    finally:
        lock.close()


def _bound_memory() -> None:
    """Let the threads of this process share ARENAS of glibc's, and Arrow use them; another C library has none to share."""
    pa.set_memory_pool(pa.system_memory_pool())
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, ARENAS)


@contextmanager
def _signals(stop: threading.Event, wake: threading.Event) -> Iterator[None]:
    def ask_to_stop(_number: int, _frame: FrameType | None) -> None:
        stop.set()
        wake.set()

    before = {number: signal.signal(number, ask_to_stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _deadline(stop: threading.Event) -> Iterator[None]:
    """End the process LONGEST_END_S after `stop` was set, wherever it hangs."""
    ended = threading.Event()

    def watch() -> None:
        stop.wait()
        if not ended.wait(LONGEST_END_S):
            logger.warning("a server keeps the lane waiting: it ends without its answer")
            os._exit(Exit.OK)

    threading.Thread(target=watch, name="deadline", daemon=True).start()
    try:
        yield
    finally:
        ended.set()
        stop.set()


@contextmanager
def _server_ends(sources: Sources, lane: OperationalLane | AnalyticalLane) -> Iterator[None]:
    """Ask each source now and then, on an ordinary connection, where its log ends."""
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(ENDS_INTERVAL_S):
            for name, progress in lane.progress.items():
                with suppress(CausewayError):  # its reader meets the same trouble, and says so
                    progress.server_end = max(progress.server_end, current_ends({name: sources[name]})[name])

    threading.Thread(target=watch, name="server ends", daemon=True).start()
    try:
        yield
    finally:
        ended.set()


class _Status:
    """Writes the lane's status file once a second, and a last time at its end."""

    def __init__(
        self, folder: RunFolder, lane: OperationalLane | AnalyticalLane, stop: threading.Event, wake: threading.Event
    ) -> None:
        self._folder = folder
        self._lane = lane
        self._stop = stop
        self._wake = wake
        self._started_at = datetime.now(UTC)
        self._ended = threading.Event()
        self._highest_rss = 0
        self._extra: dict[str, Any] = {}
        # Two lanes on one terminal would draw over each other.
        self._bars = TableBars(err, quiet=SUPERVISOR_VARIABLE in os.environ)
        self._thread = threading.Thread(target=self._work, name="status", daemon=True)

    def __enter__(self) -> _Status:
        self._write("running", "")
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        self._ended.set()
        self._thread.join(timeout=2.0)
        self._bars.show([])
        self._write("failed" if error else "stopped", str(in_our_words(error)) if isinstance(error, Exception) else "")

    def _work(self) -> None:
        supervisor = int(os.environ.get(SUPERVISOR_VARIABLE, "0"))
        while not self._ended.wait(STATUS_INTERVAL_S):
            self._extra = _or_nothing(self._lane.status)
            self._write("running", "")
            self._bars.show(self._lane.loop.copying() if self._lane.loop is not None else [])
            if supervisor and os.getppid() != supervisor:
                self._stop.set()
                self._wake.set()
        self._extra = _or_nothing(self._lane.status)  # what a short run found is said, too

    def _write(self, state: str, error: str) -> None:
        said = self.now(state, error)
        with suppress(OSError):  # a full disk: what the lane captures is worth more than what it says of itself
            self._folder.write_status(self._lane.lane, said)

    def now(self, state: str = "running", error: str = "") -> dict[str, Any]:
        """Return the lane's status as JSON values."""
        rss = psutil.Process().memory_info().rss
        self._highest_rss = max(self._highest_rss, rss)
        return {
            "lane": self._lane.lane.value,
            "pid": os.getpid(),
            "state": state,
            "error": error,
            "started_at": self._started_at.isoformat(),
            "written_at": datetime.now(UTC).isoformat(),
            "uptime_s": round(time.time() - self._started_at.timestamp(), 1),
            "rss_bytes": rss,
            "highest_rss_bytes": self._highest_rss,
            "copying": self._lane.loop.copying() if self._lane.loop is not None else [],
            "sources": {name: describe_progress(item) for name, item in self._lane.progress.items()},
            **self._extra,
        }


def describe_progress(progress: SourceProgress) -> dict[str, Any]:
    """Return one source's progress as JSON values."""
    return {
        "state": progress.state,
        "error": progress.error,
        "received": str(progress.received),
        "applied": str(progress.applied),
        "durable": str(progress.durable),
        "server_end": str(progress.server_end),
        "lag_bytes": progress.lag_bytes,
        "rows": progress.rows,
        "batches": progress.batches,
        "transactions": progress.transactions,
        "value_exceptions": progress.value_exceptions,
        "stopped_tables": progress.stopped_tables,
        "skipped_rows": progress.skipped_rows,
        "last_commit_at": progress.last_commit_at.isoformat() if progress.last_commit_at else None,
    }


def _or_nothing(status: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """A status that can't be had now (the state database is away) must not end the lane: the lane itself will say so."""
    try:
        return status()
    except Exception:  # noqa: BLE001
        return {}
