"""The run folder: one lock and one status file a lane.

A lane holds its lock for as long as it lives, so that two of a kind can't run on one run folder; the kernel drops the lock with
the process, however it ends. The status file is written whole and renamed: a reader never sees half of it.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from pathlib import Path
from typing import IO, Any

from config.errors import CausewayError, ErrorKind
from config.settings import Lane

# `causeway status` holds a lock for an instant, to see whether a lane has it.
_LOOK_S = 0.5


class RunFolder:
    """The lock and status files of the lanes that share a settings file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def lock(self, lane: Lane) -> IO[str]:
        """Take the lane's lock and return the open file that holds it; SLOT_IN_USE where another process has it."""
        file = self._open_lock(lane)
        if not _locked_within(file, _LOOK_S):
            pid = file.read().strip() or "unknown"
            file.close()
            raise CausewayError(
                ErrorKind.SLOT_IN_USE,
                f"The {lane} lane is already running as process {pid} (lock {self.path / f'{lane}.lock'}).",
                hint="Stop that one first.",
                lane=lane,
            )
        file.seek(0)
        file.truncate()
        file.write(str(os.getpid()))
        file.flush()
        return file

    def _open_lock(self, lane: Lane) -> IO[str]:
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.path / f"{lane}.lock", os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise CausewayError(
                ErrorKind.SETTINGS,
                f"run_dir: {self.path} cannot be written: {error.strerror or error}.",
                hint="Name a folder that the bridge's user may write.",
            ) from error
        return os.fdopen(descriptor, "r+", encoding="utf-8")

    def is_running(self, lane: Lane) -> bool:
        """Return whether some process holds the lane's lock."""
        if not (self.path / f"{lane}.lock").exists():
            return False
        with self._open_lock(lane) as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False

    def write_status(self, lane: Lane, status: dict[str, Any]) -> None:
        """Replace the lane's status; `status` must be JSON."""
        partial = self.path / f".{lane}.json.partial"
        partial.write_text(json.dumps(status), encoding="utf-8")
        partial.replace(self.path / f"{lane}.json")

    def read_status(self, lane: Lane) -> dict[str, Any] | None:
        """Return what the lane last said of itself, also after its end; None where it never ran."""
        try:
            status = json.loads((self.path / f"{lane}.json").read_text(encoding="utf-8"))
        except (FileNotFoundError, json.JSONDecodeError):
            return None
        return status if isinstance(status, dict) else None


def _locked_within(file: IO[str], patience_s: float) -> bool:
    """Take the exclusive lock; False where somebody holds it all the time."""
    deadline = time.monotonic() + patience_s
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        else:
            return True
