"""The disk under the warehouse fills up while the analytical lane runs: it says so, loses nothing, and goes on when there is room.

Where we may mount, the disk is a small one in memory; else the lane's files may not grow, which the test's output says.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from causeway.exits import Exit
from causeway.runfiles import RunFolder
from config.settings import Lane
from tests.fixtures.bridge import Bridge
from tests.fixtures.rounds import Round

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

SMALL, LARGER, ENOUGH = 10 * 2**20, 40 * 2**20, 600 * 2**20
KILOBYTE = "(SELECT string_agg(md5(i::text || g), '') FROM generate_series(1, 32) AS g)"


class SmallDisk:
    """A folder whose files may not hold more than so many bytes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self._size = SMALL
        self._process: subprocess.Popen[str] | None = None
        self.mounted = self._mount(f"size={SMALL}")
        if not self.mounted:
            sys.stderr.write("no file system can be mounted here: the lane's files are kept from growing instead\n")

    def of(self, process: subprocess.Popen[str]) -> None:
        """Let it be the disk of this process."""
        self._process = process
        self.resize(self._size)

    def resize(self, size: int) -> None:
        self._size = size
        if self.mounted:
            assert self._mount(f"remount,size={size}")
        elif self._process is not None and self._process.poll() is None:
            _, hard = resource.prlimit(self._process.pid, resource.RLIMIT_FSIZE)
            resource.prlimit(self._process.pid, resource.RLIMIT_FSIZE, (size, hard))

    def close(self) -> None:
        if self.mounted:
            subprocess.run(["umount", "-l", str(self.folder)], check=True)

    def _mount(self, options: str) -> bool:
        try:
            command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(self.folder)]
            return subprocess.run(command, capture_output=True, check=False).returncode == 0
        except OSError:
            return False


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    small = SmallDisk(tmp_path / "disk")
    yield small
    small.close()


def eventually(true: Callable[[], Any], within_s: float = 60) -> None:
    deadline = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.2)


class FilledLane:
    """The analytical lane, started again where it has ended as one that its supervisor starts again."""

    def __init__(self, bridge: Bridge, disk: SmallDisk) -> None:
        self._bridge, self._disk = bridge, disk
        self._said = ""
        self._start()

    def is_full(self) -> bool:
        """Whether the lane has said that its disk is full: as it ended, or in its status, waiting."""
        if self.process.poll() is not None:
            self._said = self.process.communicate()[1]
            assert self.process.returncode == Exit.UNAVAILABLE, self._said
            self._start()
        else:
            status = RunFolder(self._bridge.folder / "run").read_status(Lane.ANALYTICAL)
            self._said = status["sources"].get("shop", {}).get("error", "") if status else ""
        return "make room" in self._said

    def has_all(self) -> bool:
        """Whether all that is in the shop's log is durable in the mirror."""
        self.is_full()
        with self._bridge.server.connect("shop", autocommit=True) as connection:
            return connection.execute(
                "SELECT confirmed_flush_lsn >= pg_current_wal_flush_lsn() FROM pg_replication_slots"
                " WHERE slot_name = 'causeway_shop_analytical'"
            ).fetchone() == (True,)

    def end(self) -> None:
        self.process.terminate()
        _, said = self.process.communicate(timeout=30)
        assert self.process.returncode == Exit.OK, said

    def _start(self) -> None:
        self.process = self._bridge.start("run", "--lane", "analytical")
        self._disk.of(self.process)


def insert(first: int, rows: int) -> str:
    """Insert rows of a kilobyte each."""
    return (
        f"INSERT INTO articles SELECT i, 'Article', {KILOBYTE} FROM generate_series({first}, {first + rows - 1}) AS i"
    )


def test_a_full_disk_loses_nothing_and_the_lane_goes_on_when_there_is_room(
    bridge: Bridge, tmp_path: Path, disk: SmallDisk
) -> None:
    play = Round(bridge, tmp_path)
    bridge.change_settings(
        {
            "warehouse": {"path": str(disk.folder / "warehouse.duckdb")},
            "capture": {"batch_rows": 1000, "batch_bytes": 2**20, "reconnect_longest_s": 1.0},
            "log": {"level": "ERROR"},
        }
    )
    lane = FilledLane(bridge, disk)
    eventually(lane.has_all)
    # Many transactions until there is no room for the next; then one that has not enough room by itself.
    for number in range(20):
        play.write(insert(100_000 + 1000 * number, 1000))
    eventually(lane.is_full)
    disk.resize(LARGER)
    eventually(lane.has_all)
    play.write(insert(200_000, 60_000), "UPDATE articles SET title = title || '!' WHERE id % 3 = 0")
    eventually(lane.is_full)
    disk.resize(ENOUGH)
    eventually(lane.has_all)
    lane.end()
    play.ran("verify", "shop")
