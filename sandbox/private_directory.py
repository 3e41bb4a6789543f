"""Private directories of embedded servers: made under a lock, recognised as abandoned when nobody holds the lock.

The owner of a directory holds `flock` on its `lock` file until it is done. The kernel lets go of the lock however the
owner ends, SIGKILL included, and across the PID namespaces of containers that share a /tmp. So a directory whose lock can be
taken has no owner, and `reclaim` may stop the server in it and remove it. `sandbox.watchdog` waits for exactly that;
`sweep` looks for what is left where the watchdog was killed as well.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from pathlib import Path

import psutil

PREFIX = "causeway-pg-"
LOCK_NAME = "lock"
DATA_NAME = "data"

# sun_path holds 108 bytes on Linux and 104 on macOS, the terminating zero included; `/s/.s.PGSQL.65535` takes 17 of them.
LONGEST_DIRECTORY_BYTES = 104 - 1 - 17


class PrivateDirectory:
    """A directory of our own, with the lock that says it is in use."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=_parent()))
        self._lock_fd = _take_lock(self.path)
        # A forked child would share the lock and keep the directory alive after its parent's death.
        os.register_at_fork(after_in_child=self._close_lock)

    def remove(self) -> None:
        """Remove the directory, then let go of the lock. May be called twice."""
        shutil.rmtree(self.path, ignore_errors=True)
        self._close_lock()

    def _close_lock(self) -> None:
        fd, self._lock_fd = self._lock_fd, -1
        if fd >= 0:
            os.close(fd)


def _temporary_directories() -> tuple[Path, ...]:
    # mkdtemp makes unguessable names in them, for their owner only.
    return (Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp"))  # noqa: S108


def _parent() -> Path:
    """The first temporary directory whose path leaves room for a socket's name and that another account may enter."""
    for candidate in _temporary_directories():
        short = len(os.fsencode(candidate)) + len(PREFIX) + 9 <= LONGEST_DIRECTORY_BYTES
        if short and candidate.is_dir() and (os.geteuid() != 0 or open_to_others(candidate)):
            return candidate
    raise RuntimeError(
        f"no temporary directory for the embedded PostgreSQL: TMPDIR ({tempfile.gettempdir()}), /tmp and /var/tmp are "
        f"longer than {LONGEST_DIRECTORY_BYTES} bytes or closed to other accounts; set TMPDIR to a short, open one"
    )


def open_to_others(path: Path) -> bool:
    """Whether any account may enter `path` and all that lies above it."""
    return all(folder.stat().st_mode & 0o001 for folder in (path.resolve(), *path.resolve().parents))


def _take_lock(directory: Path) -> int:
    # Locked under another name first, so that a sweep never meets a `lock` that its owner has made but not yet taken.
    unready = directory / "lock.new"
    fd = os.open(unready, os.O_CREAT | os.O_RDWR, 0o600)
    fcntl.flock(fd, fcntl.LOCK_EX)
    unready.rename(directory / LOCK_NAME)
    return fd


def sweep() -> None:
    """Stop and remove what killed owners of this account have left behind."""
    for directory in _parent().glob(PREFIX + "*"):
        with contextlib.suppress(OSError):
            fd = os.open(directory / LOCK_NAME, os.O_RDWR)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                reclaim(directory)
            finally:
                os.close(fd)


def reclaim(directory: Path) -> None:
    """Stop the server whose data lie in `directory`, if one runs, and remove the directory. The caller holds its lock."""
    with contextlib.suppress(OSError, ValueError, IndexError, psutil.NoSuchProcess):
        pid = int((directory / DATA_NAME / "postmaster.pid").read_text().splitlines()[0])
        process = psutil.Process(pid)
        # The file outlives a crash, and the number may by now be another process's.
        if str(directory / DATA_NAME) in process.cmdline():
            kill_tree(process)
    shutil.rmtree(directory, ignore_errors=True)


def kill_tree(process: psutil.Process) -> None:
    """SIGKILL a postmaster and its children, and wait until all of them are gone.

    The postmaster first, so that it can't start new children. One that outlived it would hold the shared memory, and a new
    postmaster refuses to start while that is in use.
    """
    family = [process, *process.children(recursive=True)]
    for member in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            member.kill()
    psutil.wait_procs(family, timeout=10)
