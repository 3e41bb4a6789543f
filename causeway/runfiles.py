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
_SLOTS = "slots.json"
_DROPPED = "dropped_slots.json"


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
        self._write(f"{lane}.json", status)

    def read_status(self, lane: Lane) -> dict[str, Any] | None:
        """Return what the lane last said of itself, also after its end; None where it never ran."""
        return self._read(f"{lane}.json")

    def write_slots(self, watched: dict[str, Any]) -> None:
        """Replace what was last seen of the slots; JSON."""
        self._write(_SLOTS, watched)

    def read_slots(self) -> dict[str, Any]:
        """Return what was last seen of the slots (`causeway.slot_watch`), empty where nobody looked."""
        return self._read(_SLOTS) or {}

    def note_dropped(self, slot: str, reason: str) -> None:
        """Keep why the guard drops a slot, before it does, so that its lane can say so whenever it looks."""
        self.path.mkdir(parents=True, exist_ok=True)
        self._write(_DROPPED, {**(self._read(_DROPPED) or {}), slot: reason})

    def why_dropped(self, slot: str) -> str:
        """Return why the guard dropped a slot, empty where it did not."""
        return str((self._read(_DROPPED) or {}).get(slot, ""))

    def forget_dropped(self, slot: str) -> None:
        """Forget it: the slot is there again, or its lane begins anew."""
        dropped = self._read(_DROPPED) or {}
        if dropped.pop(slot, None) is not None:
            self._write(_DROPPED, dropped)

    def watch_lock(self) -> IO[str] | None:
        """Take the right to watch the slots, for as long as the returned file is open; None where another process has it."""
        self.path.mkdir(parents=True, exist_ok=True)
        file = (self.path / "slots.lock").open("a", encoding="utf-8")
        if _locked_within(file, 0):
            return file
        file.close()
        return None

    def _write(self, name: str, value: dict[str, Any]) -> None:
        partial = self.path / f".{name}.partial"
        partial.write_text(json.dumps(value), encoding="utf-8")
        partial.replace(self.path / name)

    def _read(self, name: str) -> dict[str, Any] | None:
        try:
            value = json.loads((self.path / name).read_text(encoding="utf-8"))
        except (FileNotFoundError, json.JSONDecodeError):
            return None
        return value if isinstance(value, dict) else None


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
