"""How long after its commit at the source a change is durable at a lane's end, under a steady load of small transactions.

The clock of a transaction starts with the commit time that Postgres wrote into its log, and stops when the lane's end has returned
from committing it: from then on every reader of DuckDB, or of the outbox, sees it. Loop, reader, destination and settings are
those of `causeway run`; views, delivery and status files are left out. The first seconds warm up and do not count.
"""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import psycopg
import pyarrow as pa
from loguru import logger

from benchmarks import lane
from benchmarks.run import cpu_seconds
from benchmarks.workload import SLOT, Workload, slot_dropped_after
from causeway.lane import LaneLoop
from causeway.source_rows import SourceRows
from cdc.batch import BatchKind, ChangeBatch
from cdc.catalog import describe
from cdc.connection import connect
from cdc.destination import Destination
from cdc.reader import PostgresReader
from config.settings import CaptureSettings, Connection, Lane, StateSettings
from loaders.arriving.outbox import Outbox
from transforms.compiler import compile_mappings
from transforms.mapper import BatchMapper
from transforms.mapping import load_mappings
from warehouse.mirror import Mirror
from warehouse.store import Warehouse

RATE_S = 1000
WARM_UP_S = 3.0
_PATIENCE_S = 60.0
_MAPPING = """\
-- mapping: bench_lines
-- entity: sales_order_line
-- source: bench
-- table: public.order_lines
-- version: 1
SELECT id AS source_key, order_id AS order_key, line_number AS line_number, 'product' AS kind, sku AS product_key,
    description AS description, quantity AS quantity, unit_price AS unit_price, discount_percent AS discount_percent
FROM public.order_lines
"""


@dataclass(frozen=True, kw_only=True)
class Latency:
    """Milliseconds from commit to durable of each transaction, and the CPU seconds of the lane for each second of the load."""

    name: str
    p50_ms: float
    p99_ms: float
    worst_ms: float
    transactions: int
    cpu_ratio: float


class _Watch:
    """Notes for every transaction how old it was when it became durable."""

    def __init__(self) -> None:
        self.transactions = 0
        self._since: list[tuple[float, np.ndarray[tuple[int], np.dtype[np.float64]]]] = []
        self._pending: list[np.ndarray[tuple[int], np.dtype[np.float64]]] = []

    def applied(self, batch: ChangeBatch) -> None:
        now = time.time()
        if batch.kind is not BatchKind.STREAM:
            return
        committed = [part.rows["_committed_at"].cast(pa.int64()).to_numpy() / 1e6 for part in batch.changes]
        self._pending += committed
        if batch.complete and self._pending:
            self._since.append((now, np.unique(np.concatenate(self._pending))))
            self._pending = []
        self.transactions += batch.transactions

    def ages_ms(self, first: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        """The ages of transactions that were committed from `first` on, in ms."""
        return np.concatenate([(now - committed[committed >= first]) * 1000 for now, committed in self._since])


class _WatchedMirror(Mirror):
    watch: _Watch

    def apply(self, batch: ChangeBatch) -> None:
        super().apply(batch)
        self.watch.applied(batch)


class _WatchedOutbox(Outbox):
    watch: _Watch

    def apply(self, batch: ChangeBatch) -> None:
        super().apply(batch)
        self.watch.applied(batch)


def warehouse_latency(workload: Workload, seconds: float) -> Latency:
    """Measure commit on the source to visible in DuckDB."""
    with tempfile.TemporaryDirectory(prefix="causeway-bench-") as folder, slot_dropped_after(workload):
        with Warehouse.open(lane.warehouse_settings(folder)) as warehouse:
            with closing(_WatchedMirror(warehouse)) as mirror:
                mirror.watch = _Watch()
                return _measure("commit on the source to visible in DuckDB", mirror, mirror.watch, workload, seconds)


def outbox_latency(workload: Workload, seconds: float) -> Latency:
    """Measure commit on the source to canonical record in the outbox, which is in another database of the same server."""
    with tempfile.TemporaryDirectory(prefix="causeway-bench-") as folder, slot_dropped_after(workload):
        Path(folder, "lines.sql").write_text(_MAPPING)
        source = lane.source_settings(workload)
        with connect(source.connection, application_name="causeway bench") as connection:
            relations = {lane.SOURCE: describe(connection, source.table_names)}
        compiled = compile_mappings(load_mappings([Path(folder)]), relations)
        state = StateSettings(connection=Connection(dsn=workload.state_dsn))
        rows = SourceRows({lane.SOURCE: source})
        outbox = _WatchedOutbox(state, BatchMapper(compiled), rows.fetch, {lane.SOURCE: 1})
        with closing(outbox):
            outbox.watch = _Watch()
            return _measure(
                "commit on the source to canonical record in the outbox", outbox, outbox.watch, workload, seconds
            )


def _measure(name: str, destination: Destination, watch: _Watch, workload: Workload, seconds: float) -> Latency:
    logger.disable("causeway")
    stop, wake, capture = threading.Event(), threading.Event(), CaptureSettings()
    reader = PostgresReader(lane.SOURCE, lane.source_settings(workload), Lane.ANALYTICAL, SLOT, capture, wake)
    loop = LaneLoop(destination, [reader], wake=wake, stop=stop, capture=capture)
    thread = threading.Thread(target=loop.run, name="lane", daemon=True)
    thread.start()
    try:
        _wait(thread, lambda: loop.progress[lane.SOURCE].state == "streaming")
        before_s, began = cpu_seconds(), time.time()
        with _writing(workload, seconds) as wanted:
            _wait(thread, lambda: watch.transactions >= wanted)
        used_s, took_s = cpu_seconds() - before_s, time.time() - began
    finally:
        stop.set()
        wake.set()
        thread.join(_PATIENCE_S)
    ages = watch.ages_ms(began + min(WARM_UP_S, seconds / 4))
    p50, p99 = np.percentile(ages, [50, 99])
    return Latency(
        name=name,
        p50_ms=float(p50),
        p99_ms=float(p99),
        worst_ms=float(ages.max()),
        transactions=len(ages),
        cpu_ratio=used_s / took_s,
    )


@contextmanager
def _writing(workload: Workload, seconds: float) -> Iterator[int]:
    """Write small transactions at a steady rate in a process of their own; yields how many there were, once all are written."""
    wanted = int(RATE_S * seconds)
    writer = get_context("spawn").Process(target=_write, args=(workload.dsn, wanted), daemon=True)
    writer.start()
    writer.join(seconds * 4 + _PATIENCE_S)
    if writer.exitcode != 0:
        raise RuntimeError("the writing process did not end as it should")
    yield wanted


def _write(dsn: str, wanted: int) -> None:
    """Insert a row in a transaction of its own, RATE_S times a second; what falls behind is caught up with at once."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        (last,) = connection.execute("SELECT max(id) FROM public.order_lines").fetchone() or (0,)
        began = time.perf_counter()
        for number in range(1, wanted + 1):
            connection.execute("CALL public.insert_lines(%s, 1)", [int(last or 0) + number])
            ahead = number / RATE_S - (time.perf_counter() - began)
            if ahead > 0:
                time.sleep(ahead)


def _wait(thread: threading.Thread, reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while not reached():
        if not thread.is_alive() or time.monotonic() > deadline:
            raise RuntimeError("the lane did not get there; what it said is on standard error")
        time.sleep(0.02)
