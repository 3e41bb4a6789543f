"""Taking COPY data off libpq: the tight loop that every captured byte passes through, and commands that can be interrupted."""

from __future__ import annotations

import time
from collections.abc import Callable
from enum import Enum

import psycopg
from psycopg import pq

from cdc.connection import PlainConnection
from cdc.doorbell import Doorbell
from cdc.driver_errors import translate
from config.errors import CausewayError, ErrorKind

_OK = (pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COPY_BOTH, pq.ExecStatus.COPY_OUT)
_LOOK_S = 1.0


# Behind so many messages more lie in the socket: libpq takes 16 KB at a time.
_MORE_MESSAGES = 40
# Otherwise the server is at work and sends one message after the other; waking up for each costs both sides a system call and
# a switch. Measured on two cores, shared with the server: 20 to 30 % more messages/s and half the CPU time of this thread. Much
# longer, and the server waits for us: a socket buffer holds about 200 small messages.
_NAP_S = 0.0002


class Interrupted(Exception):  # noqa: N818
    """The reader is being closed: whatever waited stops waiting. Never leaves the receiving thread."""


class Taken(Enum):
    """Why `take` stopped."""

    EMPTY = "empty"  # nothing more has arrived
    FULL = "full"  # a limit is reached
    ENDED = "ended"  # the server has ended the copy


def take(
    connection: pq.abc.PGconn,
    messages: list[bytes],
    most_messages: int,
    most_bytes: int,
    short: Callable[[bytes], bool],
) -> tuple[Taken, int]:
    """Move messages from libpq's buffer to the end of `messages`; return why it stopped and how many bytes were moved.

    `short` is asked about messages of up to 18 bytes, the size of a keepalive: True keeps the message out. A message costs
    1 us, two thirds of it inside libpq: whatever is added to this loop is paid a million times.
    """
    get, append = connection.get_copy_data, messages.append
    moved = 0
    for _ in range(most_messages - len(messages)):
        size, data = get(1)
        if size > 18:
            append(bytes(data))
            moved += size
            if moved >= most_bytes:
                return Taken.FULL, moved
        elif size > 0:
            if not short(bytes(data)):
                append(bytes(data))
                moved += size
        else:
            return (Taken.EMPTY if size == 0 else Taken.ENDED), moved
    return Taken.FULL, moved


def await_more(wire: pq.abc.PGconn, taken: int, doorbell: Doorbell, patience_s: float) -> None:
    """Bring more bytes into libpq's buffer, or return when nothing came; `taken`: messages that the last `take` moved."""
    if taken >= _MORE_MESSAGES:
        wire.consume_input()
    elif taken:
        time.sleep(_NAP_S)
        wire.consume_input()
    elif doorbell.wait(wire.socket, patience_s) or wire.ssl_in_use:
        wire.consume_input()


def command(connection: PlainConnection, text: str, doorbell: Doorbell, stopped: Callable[[], bool]) -> pq.abc.PGresult:
    """Run one command and return its last result; a COPY's data follow. Interrupted, after a cancel, when `stopped`."""
    wire = connection.pgconn
    try:
        wire.send_query(text.encode())
        while wire.flush():
            doorbell.wait(wire.socket, _LOOK_S, write=True)
        return _result(connection, doorbell, stopped)
    except psycopg.OperationalError as error:
        raise translate(error, text.partition(" ")[0]) from error


def _result(connection: PlainConnection, doorbell: Doorbell, stopped: Callable[[], bool]) -> pq.abc.PGresult:
    wire = connection.pgconn
    last: pq.abc.PGresult | None = None
    while True:
        while wire.is_busy():
            if stopped():
                connection.cancel_safe(timeout=2)
                raise Interrupted
            doorbell.wait(wire.socket, _LOOK_S)
            wire.consume_input()
        result = wire.get_result()
        if result is None:
            break
        last = result
        if result.status not in _OK:
            raise failed(result)
        if result.status in (pq.ExecStatus.COPY_BOTH, pq.ExecStatus.COPY_OUT):
            break
    if last is None:
        raise CausewayError(ErrorKind.CONNECTION, "the server gave no answer to a command.")
    return last


def failed(result: pq.abc.PGresult) -> CausewayError:
    """Return the bridge's error for a failed result, with the server's words."""
    error = psycopg.errors.error_from_result(result, encoding="utf-8")
    translated = translate(error, "the server refused")
    translated.__cause__ = error
    return translated


def rows_of(result: pq.abc.PGresult) -> list[tuple[str | None, ...]]:
    """Return a result's rows as text."""
    return [
        tuple(_text(result.get_value(row, column)) for column in range(result.nfields)) for row in range(result.ntuples)
    ]


def _text(value: bytes | None) -> str | None:
    return None if value is None else bytes(value).decode()
