"""Every error of the bridge: one base class, a kind, the objects it is about, and what to do next.

Contract: whoever meets a driver's exception translates it once, where it meets it, with ``raise ... from``. Lanes never look
at driver exceptions: they ask `disposition` what to do. Messages never contain row values or secrets.
"""

from __future__ import annotations

import traceback
from enum import StrEnum
from pathlib import Path


class ErrorKind(StrEnum):
    """What went wrong, by what can be done about it."""

    SETTINGS = "settings"  # the settings file, an environment overlay or a mapping is wrong
    CONNECTION = "connection"  # a server does not answer, or went away
    AUTHENTICATION = "authentication"  # wrong user or password
    PRIVILEGE = "privilege"  # the role may not do this
    SERVER_SETTINGS = "server_settings"  # wal_level, max_replication_slots and the like
    SLOT_IN_USE = "slot_in_use"  # another reader holds the slot or the file
    SLOT_MISSING = "slot_missing"  # the slot was never made, or was dropped
    GAP = "gap"  # changes between the stored position and the slot are gone
    IDENTITY = "identity"  # another cluster or timeline under the same name
    SCHEMA = "schema"  # a captured table is not as it must be
    PROTOCOL = "protocol"  # bytes that the protocol does not allow
    MAPPING = "mapping"  # a mapping does not compile or does not fit its source
    INVALID_RECORD = "invalid_record"  # one record does not fit its canonical model
    WAREHOUSE = "warehouse"  # the DuckDB file cannot be opened or written
    STATE = "state"  # the state database refuses
    THROTTLED = "throttled"  # the target asks to slow down
    TRANSIENT = "transient"  # serialization failure, lock, 5xx, timeout: the same again may succeed
    WAITING = "waiting"  # a record refers to one that has not arrived
    REFUSED = "refused"  # the target refuses one record for what it says
    POLICY = "policy"  # the policies have no word for what one record says
    UNKNOWN_OUTCOME = "unknown_outcome"  # the reply was lost: look before writing again
    INTERNAL = "internal"  # a bug


class Disposition(StrEnum):
    """What a lane does about an error."""

    RETRY = "retry"
    PARK = "park"
    DEAD_LETTER = "dead_letter"
    STOP = "stop"


_DISPOSITIONS: dict[ErrorKind, Disposition] = {
    ErrorKind.CONNECTION: Disposition.RETRY,
    ErrorKind.SLOT_IN_USE: Disposition.RETRY,
    ErrorKind.THROTTLED: Disposition.RETRY,
    ErrorKind.TRANSIENT: Disposition.RETRY,
    ErrorKind.UNKNOWN_OUTCOME: Disposition.RETRY,
    ErrorKind.WAITING: Disposition.PARK,
    ErrorKind.INVALID_RECORD: Disposition.DEAD_LETTER,
    ErrorKind.REFUSED: Disposition.DEAD_LETTER,
    ErrorKind.POLICY: Disposition.DEAD_LETTER,
}


def disposition(kind: ErrorKind) -> Disposition:
    """Return what to do about an error of this kind; a kind without an entry stops the lane."""
    return _DISPOSITIONS.get(kind, Disposition.STOP)


class CausewayError(Exception):
    """An error with its kind, the objects it names and the next step.

    `objects` are names only (source, slot, table, LSN, record key), never values of a row.
    """

    def __init__(self, kind: ErrorKind, message: str, *, hint: str = "", **objects: object) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.hint = hint
        self.objects = {name: str(value) for name, value in objects.items() if value is not None}

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()

    @property
    def disposition(self) -> Disposition:
        """What a lane does about it."""
        return disposition(self.kind)


def in_our_words(error: Exception) -> CausewayError:
    """Return the bridge's own errors as they are, any other as INTERNAL: its words may hold values of rows, so they are left out."""
    if isinstance(error, CausewayError):
        return error
    last = next(reversed(traceback.extract_tb(error.__traceback__)), None)
    where = f" in {last.name} ({Path(last.filename).name}, line {last.lineno})" if last else ""
    bug = CausewayError(
        ErrorKind.INTERNAL,
        f"a bug: {type(error).__name__}{where}.",
        hint="Report it, with what was running.",
    )
    bug.__cause__ = error
    return bug
