"""The process that cleans up after an owner that can't: started with every embedded server, waits for the owner's end.

Run as a script with the private directory as its argument. It blocks on the directory's lock, which costs nothing, and the
kernel hands it the lock when the owner ends in whatever way. An owner that ended well has removed the directory already.
"""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path


def start(directory: Path) -> subprocess.Popen[bytes]:
    """Start the watchdog of `directory`, whose lock the caller holds."""
    # Its own session and no inherited streams: Ctrl-C is for the owner, and nobody's pipe stays open for it.
    # The checkout's root goes first on its path, so that it finds this package wherever it is started.
    return subprocess.Popen(
        [sys.executable, "-P", "-c", _PROGRAM, str(Path(__file__).parents[1]), str(directory)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        cwd="/",
    )


def finish(process: subprocess.Popen[bytes]) -> None:
    """Wait for a watchdog whose directory has been removed and unlocked."""
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        # Somebody else holds the lock: a process forked past Python, which did not close it.
        process.kill()
        process.wait()


_PROGRAM = "import sys; sys.path.insert(0, sys.argv[1]); from sandbox.watchdog import watch; watch(sys.argv[2])"


def watch(directory: str) -> None:
    """Wait until nobody holds the lock of `directory`, then stop its server and remove it."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    from sandbox.private_directory import LOCK_NAME, reclaim

    try:
        fd = os.open(Path(directory) / LOCK_NAME, os.O_RDWR)
    except FileNotFoundError:
        return
    fcntl.flock(fd, fcntl.LOCK_EX)
    reclaim(Path(directory))
