"""What a lane costs while nothing happens: real lane processes over five sources, each a database of its own."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import yaml

from causeway.runfiles import RunFolder
from config.settings import Lane
from sandbox.postgres import EmbeddedPostgres

SOURCES = 5
_SETTLE_S = 12.0  # the first status files, the first keepalives
_PATIENCE_S = 90.0
_MAPPING = """\
-- mapping: products_{source}
-- entity: product
-- source: {source}
-- table: public.products
-- version: 1
SELECT id AS source_key, name AS name, 'goods' AS kind, 'unit' AS unit, true AS active FROM public.products
"""


@dataclass(frozen=True, kw_only=True)
class IdleCost:
    """CPU seconds that a lane used for each second of the clock, as a share of one core."""

    lane: Lane
    cpu_ratio: float
    seconds: float


def idle_cost(server: EmbeddedPostgres, lane: Lane, seconds: float) -> IdleCost:
    """Run a lane over SOURCES quiet sources and look at what its process uses."""
    names = [f"idle_{number}" for number in range(SOURCES)]
    with tempfile.TemporaryDirectory(prefix="causeway-bench-") as folder, _databases(server, names):
        config = _write_settings(server, Path(folder), names)
        command = [sys.executable, "-m", "causeway", "run", "--lane", lane.value, "--config", str(config)]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            try:
                _await_streaming(RunFolder(Path(folder, "run")), lane, process)
                time.sleep(min(_SETTLE_S, seconds))
                return _looked_at(psutil.Process(process.pid), lane, seconds)
            finally:
                process.terminate()
                process.wait(30)


def _looked_at(process: psutil.Process, lane: Lane, seconds: float) -> IdleCost:
    before, began = process.cpu_times(), time.perf_counter()
    time.sleep(seconds)
    after, took = process.cpu_times(), time.perf_counter() - began
    used = after.user + after.system - before.user - before.system
    return IdleCost(lane=lane, cpu_ratio=used / took, seconds=took)


def _await_streaming(folder: RunFolder, lane: Lane, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline and process.poll() is None:
        sources = (folder.read_status(lane) or {}).get("sources", {})
        if len(sources) == SOURCES and all(item["state"] == "streaming" for item in sources.values()):
            return
        time.sleep(0.2)
    raise RuntimeError(f"the {lane.value} lane did not begin to stream; run it by hand to see what it says")


@contextmanager
def _databases(server: EmbeddedPostgres, names: list[str]) -> Iterator[None]:
    try:
        for name in [*names, "idle_state"]:
            server.create_database(name)
        for name in names:
            with server.connect(name, autocommit=True) as connection:
                connection.execute("CREATE TABLE public.products (id int PRIMARY KEY, name text NOT NULL)")
        yield
    finally:
        for name in [*names, "idle_state"]:
            server.drop_database(name)


def _write_settings(server: EmbeddedPostgres, folder: Path, names: list[str]) -> Path:
    maps = folder / "maps"
    maps.mkdir()
    for name in names:
        (maps / f"{name}.sql").write_text(_MAPPING.format(source=name))
    (folder / "secret").write_text("none")
    (folder / "secret").chmod(0o600)
    tree: dict[str, Any] = {
        "sources": {
            name: {"role": "channel", "connection": {"dsn": server.dsn(name)}, "tables": ["public.products"]}
            for name in names
        },
        "state": {"connection": {"dsn": server.dsn("idle_state")}},
        # Nobody is there: with nothing to deliver, nobody is called.
        "odoo": {"url": "http://127.0.0.1:9", "database": "odoo", "user": "bench", "password": {"file": "secret"}},
        "warehouse": {"path": "warehouse.duckdb", "extracts": "extracts"},
        "mappings": ["maps"],
        "run_dir": "run",
    }
    file = folder / "causeway.yaml"
    file.write_text(yaml.safe_dump(tree))
    return file
