"""The analytical lane: every captured database into the DuckDB mirror, with views, marts and scheduled reconciliation on it."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from apscheduler.schedulers.background import BackgroundScheduler
from loguru import logger

from causeway.control import Handler, Request
from causeway.copy_command import copy_handler
from causeway.lane import LaneLoop, SourceProgress
from causeway.lane_sources import LaneSources
from causeway.mapping_files import MappingFiles
from causeway.runfiles import RunFolder
from causeway.sources import catalog_asker, row_reader
from causeway.turns import Turns
from causeway.verifying import LaneVerifier
from cdc.lsn import Lsn
from cdc.relation import Relation
from config.errors import CausewayError, ErrorKind
from config.schedule import cron_trigger
from config.settings import Lane, Settings
from transforms.scope import left_out
from warehouse.extracts import extract
from warehouse.mirror import Mirror
from warehouse.reconciliation import reconcile
from warehouse.slot_status import write_slot_status
from warehouse.store import Warehouse
from warehouse.tables import TableRecord, read_records
from warehouse.views import build_views

PRUNE_INTERVAL_S = 600.0
MAPPINGS_INTERVAL_S = 5.0
_MIRRORED = ("streaming", "caught_up", "failed")


class AnalyticalLane:
    """Built from settings; `run` returns when stopped or caught up, and raises what a person must look at."""

    lane = Lane.ANALYTICAL

    def __init__(self, settings: Settings, *, stop: threading.Event, wake: threading.Event) -> None:
        self._settings = settings
        self._stop = stop
        self._wake = wake
        self.turns = Turns(wake)
        self._sources = LaneSources(settings, Lane.ANALYTICAL, wake)
        self._loop: LaneLoop | None = None
        self._reconcile_due = threading.Event()
        self._viewed: set[str] = set()  # sources whose mirrors were there when the views were made
        self._verifying: LaneVerifier | None = None
        self._files: MappingFiles | None = None
        self._mappings_at = 0.0
        self._prune_at = time.monotonic()
        self._stopped: dict[str, dict[str, TableRecord]] = {}
        self._folder = RunFolder(settings.run_dir)
        self._slots_at = 0.0  # of the look at the slots that was stored last
        self._slots_due = 0.0

    def run(self, *, bounded: bool) -> None:
        """Mirror until stopped (a bounded run: until caught up), then leave the views as the mappings say."""
        files = self._files = MappingFiles(self._settings.mappings, self._sources, otherwise=self._mirrored)
        warehouse = Warehouse.open(self._settings.warehouse)
        scheduler = self._schedule()
        mirror = Mirror(
            warehouse,
            catalog_asker(self._settings),
            row_reader(self._sources),
            history=self._sources.history_of,
            troubles=lambda name: self._sources.readers[name].troubles,
        )
        try:
            self._verifying = LaneVerifier(self._sources, warehouse, mirror, self.turns)
            self._loop = LaneLoop(
                mirror,
                list(self._sources.readers.values()),
                wake=self._wake,
                stop=self._stop,
                capture=self._settings.capture,
                until={} if bounded else None,
                take_up=lambda name: self._take_up(name, files),
                knock=self._sources.knock,
                after_turn=lambda: self._after_turn(warehouse, mirror, files),
                turns=self.turns,
                copies=self._sources.copies,
            )
            self._loop.run()
            if not self._stop.is_set():
                self._build_views(warehouse, files)
        finally:
            if scheduler is not None:
                scheduler.shutdown(wait=False)
            mirror.close()
            warehouse.close()

    def _take_up(self, name: str, files: MappingFiles) -> Lsn:
        end = self._sources.take_up(name)
        files.take_up(name)
        return end

    def _mirrored(self, source: str) -> tuple[Relation, ...]:
        """The tables as the mirrors have them: what a source has no more goes on to be seen."""
        if not self._settings.warehouse.path.exists():
            return ()
        with Warehouse.open(self._settings.warehouse) as warehouse, warehouse.cursor() as cursor:
            return tuple(record.relation for record in read_records(cursor, source).values())

    def commands(self) -> dict[str, Handler]:
        """What the lane does on request, over its control channel."""
        return {
            "copy": copy_handler(self, self._sources, lambda name: self._sources[name].table_names),
            "verify": self._verify,
        }

    def _verify(self, request: Request) -> dict[str, Any]:
        if self._verifying is None:
            raise CausewayError(ErrorKind.TRANSIENT, "the lane is starting.", hint="Ask again in a moment.")
        return self._verifying.verify(request)

    def status(self) -> dict[str, Any]:
        """Tables that have stopped, by source; what they left out is not in their mirrors."""
        stopped = self._stopped
        return {
            **(self._files.status() if self._files is not None else {}),
            "stopped_tables": {
                source: {name: record.problem for name, record in tables.items()} for source, tables in stopped.items()
            },
            "skipped_rows": sum(record.skipped_rows for tables in stopped.values() for record in tables.values()),
        }

    @property
    def loop(self) -> LaneLoop | None:
        """The capture loop, once it runs."""
        return self._loop

    @property
    def progress(self) -> Mapping[str, SourceProgress]:
        """Progress by source, once the loop runs."""
        return self._loop.progress if self._loop is not None else {}

    def _after_turn(self, warehouse: Warehouse, mirror: Mirror, files: MappingFiles) -> None:
        """Between two batches: what the mirrors count, the views once every mirror is there, and what the schedule asks for."""
        assert self._loop is not None
        for name, progress in self._loop.progress.items():
            progress.value_exceptions = mirror.value_exceptions(name)
        self._note_stopped(mirror)
        self._prune_if_due(mirror)
        self._build_views_if_due(warehouse, files)
        self._watch_mappings(warehouse, files)
        self._reconcile_if_due(warehouse)
        self._store_slots_if_due(warehouse)

    def _store_slots_if_due(self, warehouse: Warehouse) -> None:
        if time.monotonic() < self._slots_due:
            return
        every_s = self._settings.slots.history_s
        self._slots_due = time.monotonic() + min(every_s, self._settings.slots.sample_s)
        watched = self._folder.read_slots()
        sampled_at = watched.get("sampled_at", 0.0)
        if sampled_at < self._slots_at + every_s:
            return
        keep = timedelta(days=self._settings.slots.history_days)
        try:
            write_slot_status(warehouse, datetime.fromtimestamp(sampled_at, UTC), watched["slots"], keep=keep)
        except CausewayError as error:  # the mirror is worth more than what is said of the slots
            logger.warning("{}", error)
            return
        self._slots_at = sampled_at

    def _prune_if_due(self, mirror: Mirror) -> None:
        """Retention is counted in hours: a look now and then is enough."""
        if time.monotonic() < self._prune_at:
            return
        self._prune_at = time.monotonic() + PRUNE_INTERVAL_S
        gone = mirror.prune_histories(datetime.now(UTC))
        if gone:
            logger.info("histories: {} changes were older than their retention", gone)

    def _note_stopped(self, mirror: Mirror) -> None:
        """Say it once of each table that it has stopped."""
        for source in self._sources:
            tables = mirror.stopped(source)
            for name in tables.keys() - self._stopped.get(source, {}).keys():
                logger.error("{}: {} Its mirror stays as it is, the other tables go on.", source, tables[name].problem)
            self._stopped[source] = tables
            if self._loop is not None:
                progress = self._loop.progress[source]
                progress.stopped_tables = len(tables)
                progress.skipped_rows = sum(record.skipped_rows for record in tables.values())

    def _watch_mappings(self, warehouse: Warehouse, files: MappingFiles) -> None:
        """Make the views again where a mapping's file has changed, or one that did not fit its table may fit now."""
        if time.monotonic() < self._mappings_at or not self._viewed:
            return
        self._mappings_at = time.monotonic() + MAPPINGS_INTERVAL_S
        if files.changed() or (files.broken and files.look_again()):
            self._build_views(warehouse, files)

    def _build_views_if_due(self, warehouse: Warehouse, files: MappingFiles) -> None:
        """Once every source that answers has its mirrors, and again with each that answers later."""
        assert self._loop is not None
        states = {name: progress.state for name, progress in self._loop.progress.items()}
        mirrored = {name for name, state in states.items() if state in _MIRRORED}
        if mirrored <= self._viewed or any(files.has_answered(name) for name in states.keys() - mirrored):
            return
        self._build_views(warehouse, files)
        self._viewed |= mirrored

    def _build_views(self, warehouse: Warehouse, files: MappingFiles) -> None:
        """Of the mappings that fit their tables; `causeway status` names the others."""
        filters = {name: source.row_filters for name, source in self._sources.items()}
        build_views(warehouse, files.whole, left_out(files.whole, filters))

    def _schedule(self) -> BackgroundScheduler | None:
        """The lane is the file's only writer, so scheduled reconciliation runs in it, between two batches."""
        if self._settings.reconcile.schedule is None:
            return None
        scheduler = BackgroundScheduler(timezone="UTC")
        scheduler.add_job(self._reconcile_due.set, cron_trigger(self._settings.reconcile.schedule))
        scheduler.start()
        return scheduler

    def _reconcile_if_due(self, warehouse: Warehouse) -> None:
        if not self._reconcile_due.is_set():
            return
        self._reconcile_due.clear()
        try:
            with warehouse.querying():
                report = reconcile(warehouse, self._settings.reconcile)
                files = extract(warehouse, self._settings.warehouse.extracts, report.run_id)
        except CausewayError as error:  # a full disk under the extracts must not stop the mirror, nor its slots
            logger.error("the scheduled reconciliation failed: {}", error)
            return
        logger.info(
            "reconciliation {}: {} extracts in {}", report.run_id, len(files), self._settings.warehouse.extracts
        )
