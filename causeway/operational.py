"""The operational lane: channels and warehouses into the outbox, the outbox into Odoo.

Capture and delivery are two threads that share nothing but the state database: while Odoo is away the slots keep moving and
the outbox grows. A third one reads Odoo's own log, which confirms what was delivered.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from loguru import logger

from causeway.confirming import Confirming
from causeway.control import Handler
from causeway.copy_command import copy_handler
from causeway.lane import LaneLoop, SourceProgress
from causeway.lane_sources import LaneSources
from causeway.mapping_files import MappingFiles
from causeway.reading_rows import RowReading
from causeway.source_rows import SourceRows
from causeway.turns import Turns
from cdc.lsn import Lsn
from cdc.wanted import Wanted
from config.errors import CausewayError, ErrorKind, in_our_words
from config.settings import Lane, Settings
from loaders.arriving.outbox import Outbox
from loaders.confirming.confirmed import ConfirmedCounter
from loaders.delivering.delivery import Deliverer
from loaders.odoo.client import OdooClient
from transforms.mapper import BatchMapper

ATTEMPTS_AT_ODOO = 5


class OperationalLane:
    """Built from settings; `run` returns when stopped or caught up, and raises what a person must look at."""

    lane = Lane.OPERATIONAL

    def __init__(self, settings: Settings, *, stop: threading.Event, wake: threading.Event) -> None:
        self._settings = settings
        self._stop = stop
        self._sources = LaneSources(settings, Lane.OPERATIONAL, wake, wanted=self._wanted)
        self._wake = wake
        self._confirming = Confirming(settings, stop)
        self._confirmed: ConfirmedCounter | None = None
        self.turns = Turns(wake)
        self._delivery_error: CausewayError | None = None
        self._loop: LaneLoop | None = None
        self._deliverer: Deliverer | None = None
        self._reading: RowReading | None = None
        self._files: MappingFiles | None = None

    def run(self, *, bounded: bool) -> None:
        """Capture into the outbox and deliver beside it; a bounded run ends when nothing is left to deliver either."""
        publications = {name: self._settings.slot_name(name, self.lane) for name in self._sources}
        files = self._files = MappingFiles(self._settings.mappings, self._sources, publications=publications)
        priorities = {name: source.priority for name, source in self._sources.items()}
        mapper, rows = BatchMapper(files.current), SourceRows(self._sources, publications)
        self._deliverer = self._new_deliverer(at_once=bounded)
        policies = self._settings.policies
        wake = self._deliverer.wake
        outbox = Outbox(
            self._settings.state,
            mapper,
            rows.fetch,
            priorities,
            wake,
            counted=policies.counted_sources,
            policies=policies,
        )
        self._reading = RowReading(
            self._settings.state,
            self._sources,
            mapper=mapper,
            outbox=outbox,
            rows=rows,
            files=files,
            copy=self._copy_published,
        )
        self._confirmed = ConfirmedCounter(self._settings.state)
        delivery_stop = threading.Event()
        deliver = self._deliver_or_give_up if bounded else self._deliver
        thread = threading.Thread(target=deliver, args=(delivery_stop,), name="delivery", daemon=True)
        thread.start()
        if not bounded:
            self._confirming.begin()
        try:
            failure = self._capture(outbox, mapper, files, bounded=bounded)
            if bounded and not self._stop.is_set():
                self._reading.finish()
                self._wait_for_delivery()
                self._confirming.catch_up()
        finally:
            delivery_stop.set()
            self._deliverer.wake()
            thread.join(timeout=4.0)
            self._confirming.end()
            self._confirmed.close()
            self._reading.close()
            outbox.close()
        for error in (self._delivery_error, failure):
            if error is not None:
                raise error

    def commands(self) -> dict[str, Handler]:
        """What the lane does on request, over its control channel."""
        return {"copy": copy_handler(self, self._sources, lambda name: self._wanted(name).names)}

    def _wanted(self, source: str) -> Wanted:
        return self._files.wanted(source) if self._files is not None else Wanted(tables=())

    def status(self) -> dict[str, Any]:
        """What the outbox holds, what waits to be read and which mappings are broken, for the status file."""
        if self._deliverer is None or self._reading is None or self._confirmed is None:
            return {}
        return {
            "outbox": self._deliverer.backlog().as_dict(),
            "delivery": self._deliverer.status(),
            "confirmations": self._confirmed.count().as_dict(),
            **self._reading.status(),
        }

    @property
    def loop(self) -> LaneLoop | None:
        """The capture loop, once it runs."""
        return self._loop

    @property
    def progress(self) -> Mapping[str, SourceProgress]:
        """Progress by source, Odoo's own log included, once they are read."""
        return {**(self._loop.progress if self._loop is not None else {}), **self._confirming.progress}

    def _capture(
        self, outbox: Outbox, mapper: BatchMapper, files: MappingFiles, *, bounded: bool
    ) -> CausewayError | None:
        """Run the loop; return what keeps a source from going on, where the others have done all that they can."""

        def take_up(name: str) -> Lsn:
            end = self._sources.take_up(name)
            files.take_up(name)
            mapper.replace(files.current)
            return end

        self._loop = LaneLoop(
            outbox,
            list(self._sources.readers.values()),
            wake=self._wake,
            stop=self._stop,
            capture=self._settings.capture,
            until={} if bounded else None,
            take_up=take_up,
            knock=self._sources.knock,
            after_turn=self._reading.work if self._reading is not None else None,
            turns=self.turns,
            copies=self._sources.copies,
        )
        try:
            self._loop.run()
        except CausewayError as error:
            if not self._loop.done:
                raise
            return error
        return None

    def _copy_published(self, source: str, table: str) -> None:
        if self._loop is not None:
            self._loop.request_copies(source, [table])

    def _new_deliverer(self, *, at_once: bool) -> Deliverer:
        settings = self._settings
        client = OdooClient(settings.odoo)
        return Deliverer(settings.state, settings.odoo, settings.delivery, client, settings.policies, at_once=at_once)

    def _deliver(self, stop: threading.Event) -> None:
        """Deliver until told to stop. What a person must mend (a wrong password) is told and tried again later: capture goes on
        meanwhile, for a slot must never wait for Odoo.
        """
        while not stop.is_set():
            assert self._deliverer is not None
            try:
                self._deliverer.run(stop)
            except Exception as error:  # noqa: BLE001  a thread that dies would take delivery with it, and nobody would know
                logger.error("delivery to Odoo stands still: {}", in_our_words(error))
                stop.wait(self._settings.delivery.retry_longest_s)
                self._deliverer.close()

    def _deliver_or_give_up(self, stop: threading.Event) -> None:
        """Deliver for a run that is to end: an Odoo that stays away ends it, with what is left safe in the outbox."""
        assert self._deliverer is not None
        failures = 0
        try:
            while not stop.is_set():
                report = self._deliverer.run_once(stop)
                failures = 0 if report.worked else failures + (report.error is not None)
                if failures >= ATTEMPTS_AT_ODOO:
                    left = self._deliverer.backlog().pending
                    message = f"{left} records are kept in the outbox for the next run: {report.error}"
                    raise CausewayError(ErrorKind.CONNECTION, message)
                if not report.worked or report.wait_s:
                    stop.wait(max(report.wait_s, self._settings.delivery.poll_ms / 1000))
        except Exception as error:  # noqa: BLE001  the run waits for this thread
            self._delivery_error = in_our_words(error)

    def _wait_for_delivery(self) -> None:
        """Wait until nothing is left to deliver, or until delivery can't go on."""
        assert self._deliverer is not None
        while not self._stop.is_set() and self._delivery_error is None and self._deliverer.anything_left():
            self._stop.wait(self._settings.delivery.poll_ms / 1000)
