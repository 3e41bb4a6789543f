"""The operational lane: channels and warehouses into the outbox, the outbox into Odoo.

Capture and delivery are two threads that share nothing but the state database: while Odoo is away the slots keep moving and
the outbox grows.
"""

from __future__ import annotations

import threading
from functools import partial
from typing import Any

from loguru import logger

from causeway.control import Handler
from causeway.copy_command import copies_of, copy_handler
from causeway.lane import LaneLoop
from causeway.mapping_files import MappingFiles
from causeway.reading_rows import RowReading
from causeway.source_rows import SourceRows
from causeway.sources import Sources, reader_for
from causeway.turns import Turns
from cdc.lsn import Lsn
from config.errors import CausewayError, ErrorKind, in_our_words
from config.settings import Lane, Settings
from loaders.client import OdooClient
from loaders.delivery import Deliverer
from loaders.outbox import Outbox
from transforms.mapper import BatchMapper

ATTEMPTS_AT_ODOO = 5


class OperationalLane:
    """Built from settings; `run` returns when stopped or caught up, and raises what a person must look at."""

    lane = Lane.OPERATIONAL

    def __init__(self, settings: Settings, *, stop: threading.Event, wake: threading.Event) -> None:
        self._settings = settings
        self._stop = stop
        self._sources: Sources = settings.sources_of(Lane.OPERATIONAL)
        self._wake = wake
        self.turns = Turns(wake)
        self._delivery_error: CausewayError | None = None
        self._loop: LaneLoop | None = None
        self._deliverer: Deliverer | None = None
        self._reading: RowReading | None = None
        self._files: MappingFiles | None = None

    def run(self, until: dict[str, Lsn] | None) -> None:
        """Capture into the outbox and deliver beside it; with `until`, end when nothing is left to deliver either."""
        publications = {name: self._settings.slot_name(name, self.lane) for name in self._sources}
        files = self._files = MappingFiles(self._settings.mappings, self._sources, publications=publications)
        priorities = {name: source.priority for name, source in self._sources.items()}
        mapper, rows = BatchMapper(files.current), SourceRows(self._sources, publications)
        self._deliverer = self._new_deliverer()
        outbox = Outbox(self._settings.state, mapper, rows.fetch, priorities, self._deliverer.wake)
        self._reading = RowReading(
            self._settings.state, self._sources, mapper=mapper, outbox=outbox, rows=rows, files=files
        )
        delivery_stop = threading.Event()
        deliver = self._deliver if until is None else self._deliver_or_give_up
        thread = threading.Thread(target=deliver, args=(delivery_stop,), name="delivery", daemon=True)
        thread.start()
        try:
            self._capture(outbox, files, until)
            if until is not None and not self._stop.is_set():
                self._reading.finish()
                self._wait_for_delivery()
        finally:
            delivery_stop.set()
            self._deliverer.wake()
            thread.join(timeout=4.0)
            self._reading.close()
            outbox.close()
        if self._delivery_error is not None:
            raise self._delivery_error

    def commands(self) -> dict[str, Handler]:
        """What the lane does on request, over its control channel."""
        return {
            "copy": copy_handler(
                self, self._sources, lambda name: self._files.wanted(name).names if self._files else ()
            )
        }

    def status(self) -> dict[str, Any]:
        """What the outbox holds, what waits to be read and which mappings are broken, for the status file."""
        if self._deliverer is None or self._reading is None:
            return {}
        return {"outbox": self._deliverer.backlog().as_dict(), **self._reading.status()}

    @property
    def loop(self) -> LaneLoop | None:
        """The capture loop, once it runs."""
        return self._loop

    def _capture(self, outbox: Outbox, files: MappingFiles, until: dict[str, Lsn] | None) -> None:
        readers = [
            reader_for(self._settings, name, self.lane, self._wake, partial(files.wanted, name))
            for name in self._sources
        ]
        self._loop = LaneLoop(
            outbox,
            readers,
            wake=self._wake,
            stop=self._stop,
            capture=self._settings.capture,
            until=until,
            after_turn=self._reading.work if self._reading is not None else None,
            turns=self.turns,
            copies=copies_of(self._settings, Lane.OPERATIONAL, self._wake),
        )
        self._loop.run()

    def _new_deliverer(self) -> Deliverer:
        settings = self._settings
        return Deliverer(settings.state, settings.odoo, settings.delivery, OdooClient(settings.odoo))

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
        """Wait until the outbox holds nothing pending, or until delivery can't go on."""
        assert self._deliverer is not None
        while not self._stop.is_set() and self._delivery_error is None and self._deliverer.backlog().pending > 0:
            self._stop.wait(self._settings.delivery.poll_ms / 1000)
