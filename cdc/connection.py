"""Connections to a source: ordinary ones, and the one that speaks the replication protocol.

Both set how Postgres writes values as text (`TEXT_FORMAT`), so that a value has one text whichever way it comes: through the
stream, a snapshot, a look-up of rows or a checksum. The errors that they raise are `CausewayError` (see `cdc.driver_errors`).
"""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from cdc.driver_errors import translate, translate_connect
from config.errors import CausewayError, ErrorKind
from config.settings import Connection
from config.silence import noticing_silence

# libpqwalreceiver.c sets the first three for the same reason; the others keep a database's own defaults out.
TEXT_FORMAT: dict[str, str] = {
    "datestyle": "ISO",
    "intervalstyle": "postgres",
    "extra_float_digits": "3",
    "bytea_output": "hex",
    "timezone": "UTC",
    "lc_monetary": "C",
    "xmloption": "content",
    # A copy of a large table takes as long as it takes.
    "statement_timeout": "0",
    "lock_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    # A policy would hide rows from the snapshot in silence, though the stream has them all; so the query is refused instead.
    "row_security": "off",
}
# Servers before 17 do not know this one, and would refuse to SET it.
_NO_TRANSACTION_TIMEOUT = "SELECT set_config(name, '0', false) FROM pg_settings WHERE name = 'transaction_timeout'"

Row = tuple[Any, ...]
PlainConnection = psycopg.Connection[Row]


def connect(settings: Connection, *, application_name: str) -> PlainConnection:
    """Open an ordinary connection in autocommit mode; CausewayError (CONNECTION, AUTHENTICATION, SETTINGS, PRIVILEGE)."""
    return _open(settings, application_name, {})


def connect_replication(settings: Connection, *, application_name: str) -> PlainConnection:
    """Open a connection to a walsender of the database (`replication=database`); errors as `connect`.

    Its `pgconn` is what the stream uses: psycopg's own API has no replication.
    """
    return _open(settings, application_name, {"replication": "database"})


def where(settings: Connection) -> str:
    """Name a connection's database and address, without user and password."""
    try:
        parts = conninfo_to_dict(settings.dsn)
    except psycopg.ProgrammingError:
        return "the database"
    return f"database {parts.get('dbname') or '(default)'} at {parts.get('host') or 'the local socket'}"


def _open(settings: Connection, application_name: str, more: dict[str, str]) -> PlainConnection:
    try:
        connection = psycopg.connect(_conninfo(settings, application_name, more), autocommit=True)
    except psycopg.Error as error:
        raise translate_connect(error, where(settings)) from error
    try:
        session = [f"SET {name} = '{value}'" for name, value in TEXT_FORMAT.items()]
        connection.execute("; ".join([*session, _NO_TRANSACTION_TIMEOUT]))
    except psycopg.Error as error:
        connection.close()
        raise translate(error, f"preparing a session of {where(settings)}") from error
    return connection


def _conninfo(settings: Connection, application_name: str, more: dict[str, str]) -> str:
    given: dict[str, str] = {"application_name": application_name, "client_encoding": "UTF8", **more}
    given["connect_timeout"] = str(settings.connect_timeout_s)
    if settings.password is not None:
        given["password"] = settings.password.get_secret_value()
    try:
        return make_conninfo(settings.dsn, **noticing_silence(conninfo_to_dict(settings.dsn)), **given)
    except psycopg.ProgrammingError as error:
        words = " ".join(str(error).split())
        raise CausewayError(
            ErrorKind.SETTINGS,
            f"the dsn is not a connection string: {words}.",
            hint="Write it as `host=... dbname=... user=...` or as postgresql://user@host/dbname.",
        ) from error
