"""The life of a reader: one table of transitions, from which the documentation's diagram is made.

No state survives a restart: what survives is the destination's `Position`, and the slot on the server.
"""

from __future__ import annotations

from enum import StrEnum

from config.errors import CausewayError, ErrorKind


class ReaderState(StrEnum):
    """Where a reader is; the comment says who sets it."""

    NEW = "new"  # the constructor
    CHECKING = "checking"  # open(), on the caller's thread
    COPYING = "copying"  # the receiving thread: the initial snapshot
    STREAMING = "streaming"  # the receiving thread: the slot's changes
    FAILED = "failed"  # either thread; poll() raises the error
    CLOSED = "closed"  # close(), on the caller's thread


class ReaderEvent(StrEnum):
    """What moves a reader on."""

    OPEN = "open"
    CHECKED_NO_POSITION = "checked_no_position"
    CHECKED_POSITION = "checked_position"
    COPIED = "copied"
    ERROR = "error"
    CLOSE = "close"


_S, _E = ReaderState, ReaderEvent
TRANSITIONS: dict[tuple[ReaderState, ReaderEvent], ReaderState] = {
    (_S.NEW, _E.OPEN): _S.CHECKING,
    (_S.CLOSED, _E.OPEN): _S.CHECKING,
    (_S.CHECKING, _E.CHECKED_NO_POSITION): _S.COPYING,
    (_S.CHECKING, _E.CHECKED_POSITION): _S.STREAMING,
    (_S.COPYING, _E.COPIED): _S.STREAMING,
    (_S.CHECKING, _E.ERROR): _S.FAILED,
    (_S.COPYING, _E.ERROR): _S.FAILED,
    (_S.STREAMING, _E.ERROR): _S.FAILED,
    (_S.FAILED, _E.ERROR): _S.FAILED,
    (_S.NEW, _E.CLOSE): _S.CLOSED,
    (_S.CHECKING, _E.CLOSE): _S.CLOSED,
    (_S.COPYING, _E.CLOSE): _S.CLOSED,
    (_S.STREAMING, _E.CLOSE): _S.CLOSED,
    (_S.FAILED, _E.CLOSE): _S.CLOSED,
    (_S.CLOSED, _E.CLOSE): _S.CLOSED,
}


def advance(state: ReaderState, event: ReaderEvent) -> ReaderState:
    """Return the state after `event`; CausewayError INTERNAL where the table has no such transition."""
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        raise CausewayError(ErrorKind.INTERNAL, f"a reader that is {state} cannot take the event {event}.") from None
