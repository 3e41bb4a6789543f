"""The receiving thread: connects, copies the snapshot where one is due, then receives the stream until it is stopped."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import psycopg

from cdc.connection import connect_replication
from cdc.copy_messages import Interrupted
from cdc.doorbell import Doorbell
from cdc.driver_errors import translate
from cdc.exported_snapshot import consistent_view
from cdc.handover import Handover
from cdc.lsn import ZERO, Lsn
from cdc.snapshot_copier import SnapshotCopier, TableProgress
from cdc.stream import StreamReceiver, identify
from cdc.wanted import Wanted
from config.errors import CausewayError, ErrorKind
from config.settings import CaptureSettings, Lane, SourceSettings

# A lane must end within 5 s of a signal.
_LONGEST_STOP_S = 4.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """What a receiving thread has to do. `start` None: a snapshot first. `identity`: system identifier and timeline.

    `typed_copies`: the snapshot's rows come as typed values where that is exact.
    """

    name: str
    settings: SourceSettings
    lane: Lane
    slot: str
    wanted: Wanted
    capture: CaptureSettings
    start: Lsn | None
    until: Lsn | None
    identity: tuple[str, int]
    wal_sender_timeout_ms: int
    typed_copies: bool


class Receiving:
    """A running receiving thread. `failed`: what ended it, if not `stop`."""

    def __init__(self, task: Task, wake: threading.Event) -> None:
        self._task = task
        self._wake = wake
        self._stop = threading.Event()
        self._doorbell = Doorbell()
        self._confirmed = ZERO
        self._aim: Lsn | None = task.until
        self._stream: StreamReceiver | None = None
        self._copier: SnapshotCopier | None = None
        self.failed: CausewayError | None = None
        self.handover = Handover(wake, self._doorbell)
        self._thread = threading.Thread(target=self._run, name=f"receive {task.name} {task.lane}", daemon=True)
        self._thread.start()

    @property
    def received(self) -> Lsn:
        """End of what has come in."""
        return self._stream.received if self._stream else ZERO

    @property
    def server_end(self) -> Lsn:
        """Last known end of the server's log."""
        return self._stream.server_end if self._stream else ZERO

    @property
    def snapshot(self) -> dict[str, TableProgress]:
        """How far the initial copy is, by table; empty where none was taken."""
        return self._copier.progress if self._copier is not None else {}

    def confirm(self, lsn: Lsn) -> None:
        """Pass on what is durable."""
        self._confirmed = lsn
        if self._stream is not None:
            self._stream.confirm(lsn)

    def take_pieces(self, *, small: bool) -> None:
        """Learn whether a transaction is coming in that is larger than a batch: its further pieces are to be small."""
        if self._stream is not None:
            self._stream.in_pieces = small

    def aim(self, until: Lsn | None) -> None:
        """Learn as soon as possible when all before `until` has come in; None: as `open` said."""
        self._aim = self._task.until if until is None else until
        if self._stream is not None:
            self._stream.aim(self._aim)

    def stop(self) -> None:
        """Stop the thread; one that hangs in a connection attempt is left to end by itself."""
        self._stop.set()
        self._doorbell.ring()
        self._thread.join(_LONGEST_STOP_S)
        if not self._thread.is_alive():
            self._doorbell.close()

    def _run(self) -> None:
        try:
            self._receive()
        except Interrupted:
            return
        except CausewayError as error:
            self._fail(error)
        except psycopg.Error as error:
            self._fail(translate(error, f"receiving from {self._task.name}"))
        except Exception as error:  # noqa: BLE001  a thread's end: whatever it is must reach the lane
            failure = CausewayError(
                ErrorKind.INTERNAL, f"the receiving thread failed: {type(error).__name__}: {error}."
            )
            failure.__cause__ = error
            self._fail(failure)
        finally:
            self._wake.set()

    def _fail(self, error: CausewayError) -> None:
        error.objects.setdefault("source", self._task.name)
        error.objects.setdefault("slot", self._task.slot)
        self.failed = error

    def _receive(self) -> None:
        start = self._task.start if self._task.start is not None else self._copy()
        connection = connect_replication(self._task.settings.connection, application_name=self._application_name)
        try:
            self._check_identity(identify(connection, self._doorbell, self._stop.is_set))
            stream = StreamReceiver(
                connection,
                self._task.capture,
                self.handover,
                self._doorbell,
                self._stop.is_set,
                until=self._task.until,
                wal_sender_timeout_ms=self._task.wal_sender_timeout_ms,
            )
            stream.confirmed = self._task.start or ZERO
            stream.start(self._task.slot, start)
            self._stream = stream
            # What was confirmed and asked for while the stream was being started.
            stream.confirmed = max(stream.confirmed, self._confirmed)
            stream.aim(self._aim)
            stream.run()
        finally:
            connection.close()

    def _copy(self) -> Lsn:
        """Copy all tables; return the point of the log that they were copied at."""
        task = self._task
        copier = SnapshotCopier(
            handover=self.handover,
            doorbell=self._doorbell,
            stopped=self._stop.is_set,
            capture=task.capture,
            typed=task.typed_copies,
        )
        with consistent_view(
            task.settings.connection,
            application_name=self._application_name,
            doorbell=self._doorbell,
            stopped=self._stop.is_set,
        ) as view:
            self._copier = copier
            copier.copy(view, task.settings.connection, task.wanted, None if task.wanted.exact else task.slot)
            return view.lsn

    @property
    def _application_name(self) -> str:
        return f"causeway {self._task.name} {self._task.lane}"

    def _check_identity(self, found: tuple[str, int]) -> None:
        if found != self._task.identity:
            raise CausewayError(
                ErrorKind.IDENTITY,
                f"the server behind the replication connection is another one (system identifier {found[0]}, timeline"
                f" {found[1]}) than behind the ordinary connection ({self._task.identity[0]}, {self._task.identity[1]}).",
                hint="Does the dsn name several hosts, or a connection pool?",
            )
