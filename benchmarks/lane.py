"""The bridge's own contestants: the analytical lane's loop over the workload, into nothing or into DuckDB.

Loop, reader, mirror and their settings are those of `causeway run --lane analytical`, without views and status files.
"""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from loguru import logger

from benchmarks.run import Run, cpu_seconds, peak_rss_bytes
from benchmarks.server_process import watched
from benchmarks.workload import SLOT, TABLE, Workload, slot_at_start, slot_dropped_after
from causeway.lane import LaneLoop
from cdc.batch import BatchKind, ChangeBatch, CopyProgress, Position
from cdc.catalog import describe
from cdc.connection import connect
from cdc.destination import Destination
from cdc.lsn import Lsn
from cdc.reader import PostgresReader
from cdc.relation import Relation
from config.settings import (
    CaptureSettings,
    Connection,
    Lane,
    SourceRole,
    SourceSettings,
    TableSettings,
    WarehouseSettings,
)
from warehouse.mirror import Mirror
from warehouse.store import Warehouse

SOURCE = "bench"


class Nowhere:
    """A destination that keeps nothing but the position."""

    def __init__(self, position: Position | None) -> None:
        self._position = position

    def position(self, source: str) -> Position | None:
        assert source == SOURCE
        return self._position

    def begin_snapshot(self, source: str, relations: Sequence[Relation]) -> None:
        """There is nothing to prepare."""

    def captured(self, source: str, relations: Sequence[Relation]) -> tuple[str, ...]:
        return ()

    def copies(self, source: str) -> tuple[CopyProgress, ...]:
        return ()

    def begin_copy(self, source: str, progress: CopyProgress) -> None:
        """Nothing is copied."""

    def apply(self, batch: ChangeBatch) -> None:
        if batch.complete:
            self._position = batch.position

    def rollback(self, source: str) -> None:
        """There is nothing to forget."""

    def close(self) -> None:
        """There is nothing to release."""


def run_reader(workload: Workload) -> Run:
    """Receive and decode the workload, and throw the batches away."""
    with slot_at_start(workload):
        return _run(workload, Nowhere(_start(workload)), workload.changes)


def run_warehouse(workload: Workload) -> Run:
    """Bring the workload from the log into DuckDB, committed."""
    with slot_at_start(workload), tempfile.TemporaryDirectory(prefix="causeway-bench-") as folder:
        with Warehouse.open(warehouse_settings(folder)) as warehouse, closing(Mirror(warehouse)) as mirror:
            _pretend_snapshot(mirror, workload)
            return _run(workload, mirror, workload.changes)


def run_snapshot(workload: Workload) -> Run:
    """Copy the table's rows into DuckDB, committed, as a lane does that sees the source for the first time."""
    with slot_dropped_after(workload), tempfile.TemporaryDirectory(prefix="causeway-bench-") as folder:
        with Warehouse.open(warehouse_settings(folder)) as warehouse, closing(Mirror(warehouse)) as mirror:
            return _run(workload, mirror, workload.table_rows)


def _run(workload: Workload, destination: Destination, rows: int) -> Run:
    logger.disable("causeway")
    wake, capture = threading.Event(), CaptureSettings()
    settings = source_settings(workload)
    reader = PostgresReader(SOURCE, settings, Lane.ANALYTICAL, SLOT, capture, wake, typed_copies=True)
    until = {SOURCE: Lsn.parse(workload.end)}
    loop = LaneLoop(destination, [reader], wake=wake, stop=threading.Event(), capture=capture, until=until)
    with watched(workload, SLOT) as server:
        began, before_s = time.perf_counter(), cpu_seconds()
        loop.run()
        seconds, cpu_s = time.perf_counter() - began, cpu_seconds() - before_s
    done = loop.progress[SOURCE].rows
    if done != rows:
        raise RuntimeError(f"{done} of {rows} rows of the workload arrived")
    return Run(
        rows=rows, seconds=seconds, peak_rss_bytes=peak_rss_bytes(), cpu_s=cpu_s, server_cpu_s=server.cpu_s or None
    )


def _pretend_snapshot(mirror: Mirror, workload: Workload) -> None:
    """Make the mirror's empty table durable at the workload's beginning."""
    with connect(source_settings(workload).connection, application_name="causeway bench") as connection:
        mirror.begin_snapshot(SOURCE, describe(connection, [TABLE]))
    mirror.apply(ChangeBatch(kind=BatchKind.SNAPSHOT, position=_start(workload)))


def _start(workload: Workload) -> Position:
    return Position(
        source=SOURCE,
        lane=Lane.ANALYTICAL.value,
        lsn=Lsn.parse(workload.start),
        slot=SLOT,
        system_identifier=workload.system_identifier,
        timeline=workload.timeline,
    )


def source_settings(workload: Workload) -> SourceSettings:
    return SourceSettings(
        role=SourceRole.CHANNEL,
        connection=Connection(dsn=workload.dsn),
        tables=(TableSettings(name=TABLE),),
    )


def warehouse_settings(folder: str) -> WarehouseSettings:
    return WarehouseSettings(path=Path(folder, "warehouse.duckdb"), extracts=Path(folder))
