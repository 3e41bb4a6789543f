"""A consistent view of a source at a known point of its log.

CREATE_REPLICATION_SLOT ... (SNAPSHOT 'export') returns a point C and a snapshot that sees exactly the transactions whose
commit record begins before C: those that a stream from C does not send. The slot is temporary: it is there for the snapshot only.
Source: PostgreSQL documentation, "Streaming Replication Protocol", and SnapBuildXactNeedsSkip in
src/backend/replication/logical/snapbuild.c.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
from psycopg import sql

from cdc.connection import PlainConnection, connect, connect_replication
from cdc.copy_messages import command, rows_of
from cdc.doorbell import Doorbell
from cdc.driver_errors import translate
from cdc.lsn import Lsn
from config.errors import CausewayError, ErrorKind
from config.settings import Connection


@dataclass(frozen=True, kw_only=True, slots=True)
class ConsistentView:
    """An ordinary connection in a read-only transaction that sees the source as of `lsn`; closed by its context manager."""

    lsn: Lsn
    connection: PlainConnection


def never() -> bool:
    """Say that nobody wants to interrupt."""
    return False


@contextmanager
def consistent_view(
    settings: Connection,
    *,
    application_name: str,
    doorbell: Doorbell | None = None,
    stopped: Callable[[], bool] = never,
) -> Iterator[ConsistentView]:
    """Open a consistent view; waits for the transactions that run at that moment. CausewayError as the driver's errors map."""
    bell = doorbell or Doorbell()
    exporter = connect_replication(settings, application_name=application_name)
    try:
        lsn, snapshot = _export(exporter, bell, stopped)
        connection = connect(settings, application_name=application_name)
        try:
            _import(connection, snapshot)
            exporter.close()  # the slot goes with it; the snapshot lives on in the importing transaction
            yield ConsistentView(lsn=lsn, connection=connection)
        finally:
            connection.close()
    finally:
        exporter.close()
        if doorbell is None:
            bell.close()


@contextmanager
def also_at(view: ConsistentView, settings: Connection, count: int) -> Iterator[list[PlainConnection]]:
    """Open so many more connections that see what the view sees. CausewayError as the driver's errors map."""
    opened: list[PlainConnection] = []
    try:
        if count > 0:
            snapshot = _exported_again(view.connection)
            name = view.connection.info.parameter_status("application_name") or "causeway"
            for _ in range(count):
                opened.append(connect(settings, application_name=name))
                _import(opened[-1], snapshot)
        yield opened
    finally:
        for connection in opened:
            connection.close()


def _exported_again(connection: PlainConnection) -> str:
    try:
        row = connection.execute("SELECT pg_export_snapshot()").fetchone()
    except psycopg.Error as error:
        raise translate(error, "exporting the snapshot to more connections") from error
    assert row is not None
    return str(row[0])


def _export(connection: PlainConnection, doorbell: Doorbell, stopped: Callable[[], bool]) -> tuple[Lsn, str]:
    name = f"causeway_snapshot_{uuid.uuid4().hex[:16]}"
    text = f"CREATE_REPLICATION_SLOT \"{name}\" TEMPORARY LOGICAL pgoutput (SNAPSHOT 'export')"
    (row,) = rows_of(command(connection, text, doorbell, stopped))
    _, point, snapshot, _ = row
    if point is None or snapshot is None:
        raise CausewayError(ErrorKind.PROTOCOL, "the server exported no snapshot.")
    return Lsn.parse(point), snapshot


def _import(connection: PlainConnection, snapshot: str) -> None:
    try:
        connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        connection.execute(sql.SQL("SET TRANSACTION SNAPSHOT {}").format(snapshot))
    except psycopg.Error as error:
        raise translate(error, "taking over the exported snapshot") from error
