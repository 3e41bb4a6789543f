"""The watch of the sources' slots: a thread of each lane's process, of which one at a time does the work, for both lanes.

It samples every slot of every source into RUN_DIR/slots.json (for `causeway slots status`, the metrics and meta.slot_status), runs
the guard, and writes the heartbeats. It is not the applying thread's: a lane that is stuck, or dead, is watched by the other's
process. Whoever holds RUN_DIR/slots.lock watches; the kernel frees the lock with its process. Where both lanes are down nobody
watches: then only the server's own max_slot_wal_keep_size bounds a slot.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO

import psycopg
from loguru import logger

from causeway.runfiles import RunFolder
from causeway.slot_look import SlotLook, SlotRow
from causeway.sources import connect_source
from cdc.connection import PlainConnection
from cdc.driver_errors import translate
from cdc.slot_guard import Guard, drop_analytical
from cdc.slots import SlotStatus
from config.errors import CausewayError, in_our_words
from config.settings import Lane, Settings

HEARTBEAT_PREFIX = "causeway_heartbeat"
# Longer than any of these statements takes: one that hangs must not keep the other sources unwatched.
_STATEMENT_TIMEOUT = "SET statement_timeout = '10s'"
_HEARTBEAT = "SELECT pg_logical_emit_message(false, %s, '')"
# A warning is said again after this time.
_SAY_AGAIN_S = 3600.0
# Another process's samples this much older than they should be: it is stopped, or hangs.
_STALE_INTERVALS = 3
_STALE_LEAST_S = 30.0


class SlotWatch:
    """Watches all slots of the settings' sources, as long as nobody else does."""

    def __init__(self, settings: Settings, folder: RunFolder) -> None:
        self._settings = settings
        self._folder = folder
        self._look = SlotLook(settings=settings, folder=folder)
        self._connections: dict[str, PlainConnection] = {}
        self._beats: dict[str, float] = {}
        self._said: dict[tuple[str, str], float] = {}
        self._lock: IO[str] | None = None

    def turn(self) -> bool:
        """Look once, where it is this process's turn; return whether it was."""
        if not self._mine():
            return False
        rows = [row for source in self._settings.sources for row in self._source(source)]
        with suppress(OSError):  # a full disk: the guard is worth more than what is said of it
            self._folder.write_slots(self._look.as_json(rows))
        return True

    def close(self) -> None:
        """Let go of the connections and of the right to watch."""
        while self._connections:
            self._connections.popitem()[1].close()
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _mine(self) -> bool:
        if self._lock is None:
            with suppress(OSError):
                self._lock = self._folder.watch_lock()
            if self._lock is not None:
                self._look.resume(self._folder.read_slots())
        if self._lock is not None:
            return True
        patience_s = max(_STALE_LEAST_S, _STALE_INTERVALS * self._settings.slots.sample_s)
        return bool(time.time() - self._folder.read_slots().get("sampled_at", 0.0) > patience_s)

    def _source(self, source: str) -> list[SlotRow]:
        """Look at one source; what goes wrong there is in its rows, and keeps nothing from the others."""
        try:
            connection = self._connection(source)
            looked = self._look.look(connection, source)
            rows = [self._guarded(connection, row, slot) for row, slot in looked]
            self._beat(connection, source)
        except CausewayError as error:
            self._forget(source)
            lanes = self._look.lanes_of(source)
            return [_unreachable(self._settings, source, lane, str(error)) for lane in lanes]
        return rows

    def _guarded(self, connection: PlainConnection, row: SlotRow, slot: SlotStatus | None) -> SlotRow:
        """Say, and do, what the guard's judgement asks for."""
        if slot is None:
            return row
        self._folder.forget_dropped(slot.name)  # it is there again
        if row.guard == Guard.DROP:
            return self._drop(connection, row, slot)
        if row.guard in (Guard.WARNING, Guard.USELESS) and self._due(slot.name, row.guard):
            logger.warning("{}: {}.", row.source, row.reason)
        if row.guard == Guard.OK:
            self._said = {key: at for key, at in self._said.items() if key[0] != slot.name}
        return row

    def _drop(self, connection: PlainConnection, row: SlotRow, slot: SlotStatus) -> SlotRow:
        self._folder.note_dropped(slot.name, row.reason)
        try:
            drop_analytical(connection, slot, Lane(row.lane))
        except CausewayError:
            self._folder.forget_dropped(slot.name)
            raise
        logger.error(
            "{}: {}. It was dropped to save the source. The mirror stays as it was until it is rebuilt.",
            row.source,
            row.reason,
        )
        return self._look.missing(row.source, Lane(row.lane))

    def _due(self, slot: str, guard: str) -> bool:
        now = time.monotonic()
        if now - self._said.get((slot, guard), -_SAY_AGAIN_S) < _SAY_AGAIN_S:
            return False
        self._said[slot, guard] = now
        return True

    def _beat(self, connection: PlainConnection, source: str) -> None:
        """Write a message into the source's log, where the settings ask for it: an idle slot then has something to confirm."""
        every_s = self._settings.sources[source].heartbeat_s
        now = time.monotonic()
        if every_s is None or now - self._beats.get(source, -every_s) < every_s:
            return
        self._beats[source] = now
        try:
            connection.execute(_HEARTBEAT, [HEARTBEAT_PREFIX])
        except psycopg.Error as error:
            told = translate(error, f"{source}: writing a heartbeat")
            if self._due(source, "heartbeat"):
                logger.warning("{}", told)

    def _connection(self, source: str) -> PlainConnection:
        if source not in self._connections:
            connection = connect_source(source, self._settings.sources[source], "slots")
            self._connections[source] = connection
            try:
                connection.execute(_STATEMENT_TIMEOUT)
            except psycopg.Error as error:
                raise translate(error, f"{source}: watching the slots") from error
        return self._connections[source]

    def _forget(self, source: str) -> None:
        connection = self._connections.pop(source, None)
        if connection is not None:
            connection.close()


def _unreachable(settings: Settings, source: str, lane: Lane, reason: str) -> SlotRow:
    name = settings.slot_name(source, lane)
    return SlotRow(source=source, lane=lane.value, slot=name, state="unreachable", reason=reason)


@contextmanager
def watching(settings: Settings, folder: RunFolder) -> Iterator[None]:
    """Watch the slots on a thread of this process."""
    ended = threading.Event()
    watch = SlotWatch(settings, folder)

    def work() -> None:
        while not ended.is_set():
            try:
                watch.turn()
            except Exception as error:  # noqa: BLE001  a thread that dies would leave the slots unwatched, and nobody would know
                logger.error("watching the slots: {}", in_our_words(error))
            ended.wait(settings.slots.sample_s)
        watch.close()

    thread = threading.Thread(target=work, name="slots", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(timeout=1.0)
