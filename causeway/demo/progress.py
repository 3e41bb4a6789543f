"""Where the demo's bridge stands: the lanes' status files and the outbox, and waiting until they have come far enough."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Mapping
from typing import Any

from causeway.runfiles import RunFolder
from cdc.lsn import ZERO, Lsn
from config.errors import CausewayError, ErrorKind
from config.settings import Lane, Settings

POLL_S = 0.1


class BridgeProgress:
    """Reads what the running lanes say. `process` is the supervisor: when it is gone, waiting ends with an error."""

    def __init__(self, settings: Settings, process: subprocess.Popen[bytes], tell: Callable[[str], None]) -> None:
        self._folder = RunFolder(settings.run_dir)
        self._process = process
        self._tell = tell

    def lane(self, lane: Lane) -> dict[str, Any]:
        """Return the lane's newest status; empty before its first."""
        return self._folder.read_status(lane) or {}

    def wait_until_durable(self, lane: Lane, ends: Mapping[str, Lsn], *, timeout_s: float) -> None:
        """Wait until each source of the lane is durable up to its LSN in `ends`."""
        self._wait(lambda: self._behind(lane, ends), timeout_s)

    def wait_until_delivered(self, *, timeout_s: float) -> None:
        """Wait until the outbox holds nothing that could be delivered now."""
        self._wait(self._undelivered, timeout_s)

    def _behind(self, lane: Lane, ends: Mapping[str, Lsn]) -> str:
        sources = self.lane(lane).get("sources", {})
        behind = [name for name, end in ends.items() if _durable(sources.get(name)) < end]
        return f"{lane} lane is behind in {', '.join(behind)}" if behind else ""

    def _undelivered(self) -> str:
        outbox = self.lane(Lane.OPERATIONAL).get("outbox")
        if outbox is None:
            return "the operational lane has not said what its outbox holds"
        return f"{outbox['pending']} records are still to be delivered" if outbox.get("pending") else ""

    def _wait(self, problem: Callable[[], str], timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        told = time.monotonic()
        while text := problem():
            if self._process.poll() is not None:
                raise CausewayError(ErrorKind.INTERNAL, f"The bridge ended while {text}.")
            if time.monotonic() > deadline:
                raise CausewayError(ErrorKind.INTERNAL, f"After {timeout_s:.0f} s {text}.")
            if time.monotonic() - told > 5:
                self._tell(f"  {text}")
                told = time.monotonic()
            time.sleep(POLL_S)


def _durable(source: dict[str, Any] | None) -> Lsn:
    return Lsn.parse(source["durable"]) if source else ZERO
