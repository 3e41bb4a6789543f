"""The operational lane's second loop: Odoo's own log, into what confirms deliveries.

Contract: a thread, a loop and a slot of its own, which share nothing with capture and delivery but the state database. Odoo's database
may be down, without a slot, or not ours to read: channels are captured and delivered all the same, and the source's state says why.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping

from loguru import logger

from causeway.lane import LaneLoop, SourceProgress
from causeway.publishing import wanted_of
from causeway.sources import connect_source, current_ends, reader_for
from cdc.lsn import Lsn
from config.errors import in_our_words
from config.settings import Lane, Settings
from loaders.confirming.confirmations import Confirmations

# Odoo's transactions are small, and rows are looked at one by one here: what is on its way stays a few MB.
_BATCH_ROWS, _BATCH_BYTES = 5_000, 2**20
_END_S = 2.0


class Confirming:
    """Built from settings; without a source of the role erp it does nothing."""

    def __init__(self, settings: Settings, stop: threading.Event) -> None:
        self._source = settings.confirming
        self._settings = settings if self._source is None else _in_small_batches(settings)
        self._stop = stop
        self._wake = threading.Event()
        self._loop: LaneLoop | None = None
        self._thread: threading.Thread | None = None

    @property
    def progress(self) -> Mapping[str, SourceProgress]:
        """Progress of Odoo's log, once it is read."""
        return self._loop.progress if self._loop is not None else {}

    def begin(self) -> None:
        """Read Odoo's log beside everything else, until the lane stops."""
        if self._source is not None:
            self._thread = threading.Thread(target=self._work, name="confirmations", daemon=True)
            self._thread.start()

    def catch_up(self) -> None:
        """Read Odoo's log up to where it is now; what keeps that from being done is told, and ends nothing."""
        if self._source is not None:
            self._run(self._source, bounded=True)

    def end(self) -> None:
        """Wait for the thread; the lane's `stop` is set."""
        if self._thread is not None:
            self._wake.set()
            self._thread.join(timeout=_END_S)

    def _work(self) -> None:
        assert self._source is not None
        while not self._stop.is_set():
            self._run(self._source, bounded=False)
            self._stop.wait(self._settings.delivery.retry_longest_s)

    def _run(self, name: str, *, bounded: bool) -> None:
        """Run the loop to its end; a source that stands still is looked at again, for who may mend it is not at this lane."""
        confirmations: Confirmations | None = None
        try:
            confirmations = Confirmations(self._settings.state, self._settings.policies, self._settings.odoo.prefix)
            self._loop = self._new_loop(name, confirmations, bounded=bounded)
            self._loop.run()
        except Exception as error:  # noqa: BLE001  a thread that dies would take confirmations with it, and nobody would know
            logger.warning("deliveries are not confirmed by Odoo's log: {}", in_our_words(error))
        finally:
            if confirmations is not None:
                confirmations.close()

    def _new_loop(self, name: str, confirmations: Confirmations, *, bounded: bool) -> LaneLoop:
        settings = self._settings
        source = settings.sources[name]

        def end_of_log(_name: str) -> Lsn:
            return current_ends({name: source})[name]

        def knock(_name: str) -> None:
            connect_source(name, source, "check").close()

        lane = Lane.OPERATIONAL
        return LaneLoop(
            confirmations,
            [reader_for(settings, name, lane, self._wake, lambda: wanted_of(settings, name, lane))],
            wake=self._wake,
            stop=self._stop,
            capture=settings.capture,
            until={} if bounded else None,
            take_up=end_of_log,
            knock=knock,
        )


def _in_small_batches(settings: Settings) -> Settings:
    capture = settings.capture
    small = {
        "batch_rows": min(capture.batch_rows, _BATCH_ROWS),
        "batch_bytes": min(capture.batch_bytes, _BATCH_BYTES),
    }
    return settings.model_copy(update={"capture": capture.model_copy(update=small)})
