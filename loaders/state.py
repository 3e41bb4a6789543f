"""The state database: a connection with the bridge's schema in its search_path, and its tables, created once and versioned.

Contract: every other module of this package gets its connections from `connect` and runs its statements inside `translated`,
the one translation of psycopg's exceptions here. Nothing outside this package writes the state.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, LiteralString

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from cdc.batch import Position
from cdc.lsn import Lsn
from config.errors import CausewayError, ErrorKind
from config.settings import StateSettings
from config.silence import noticing_silence
from loaders.named_sql import statements

VERSION = 14
_CREATION_LOCK = 0x0CA5_EA11  # any number of our own: two processes must not create the tables at once
_WRITER_LOCK = 0x0CA5_EA12

Row = tuple[Any, ...]

_KINDS: tuple[tuple[type[psycopg.Error], ErrorKind], ...] = (
    (psycopg.errors.InvalidPassword, ErrorKind.AUTHENTICATION),
    (psycopg.errors.InvalidAuthorizationSpecification, ErrorKind.AUTHENTICATION),
    (psycopg.errors.InsufficientPrivilege, ErrorKind.PRIVILEGE),
    (psycopg.errors.SerializationFailure, ErrorKind.TRANSIENT),
    (psycopg.errors.DeadlockDetected, ErrorKind.TRANSIENT),
    (psycopg.errors.LockNotAvailable, ErrorKind.TRANSIENT),
    (psycopg.errors.QueryCanceled, ErrorKind.TRANSIENT),
    (psycopg.errors.DiskFull, ErrorKind.STATE),
    (psycopg.OperationalError, ErrorKind.CONNECTION),
    (psycopg.InterfaceError, ErrorKind.CONNECTION),
    (psycopg.Error, ErrorKind.STATE),
)
# libpq gives no SQLSTATE for a connection that fails: only the server's words tell.
_AT_CONNECT: tuple[tuple[str, ErrorKind], ...] = (
    (r"password authentication failed|no password supplied|authentication failed", ErrorKind.AUTHENTICATION),
    (r'role ".*" (does not exist|is not permitted)|pg_hba\.conf', ErrorKind.AUTHENTICATION),
    (r'database ".*" does not exist|invalid (connection|URI)|missing "="', ErrorKind.SETTINGS),
    (r"permission denied for database", ErrorKind.PRIVILEGE),
)
_HINTS = {
    ErrorKind.SETTINGS: "Check state.connection.dsn.",
    ErrorKind.AUTHENTICATION: "Check state.connection's user and password.",
    ErrorKind.PRIVILEGE: "Grant the role CREATE on the database, or the use of the schema and its tables.",
    ErrorKind.CONNECTION: "Check state.connection and that the server runs; the lane tries again.",
    ErrorKind.TRANSIENT: "The lane tries again.",
    ErrorKind.STATE: "Look at the state database's log.",
}


def translate(error: psycopg.Error, doing: str) -> CausewayError:
    """Return the bridge's error for one of psycopg's. The server's own words are kept, but never its DETAIL (row values)."""
    words = error.diag.message_primary or str(error).strip().partition("\n")[0].rpartition("failed: ")[2]
    words = words.removeprefix("FATAL:").strip().rstrip(".") or type(error).__name__
    by_words = (kind for pattern, kind in _AT_CONNECT if error.sqlstate is None and re.search(pattern, words))
    kind = next(by_words, None) or next(kind for family, kind in _KINDS if isinstance(error, family))
    return CausewayError(kind, f"The state database failed while {doing}: {words}.", hint=_HINTS[kind])


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Run statements of the state database; psycopg's exceptions leave as CausewayError, saying what was being done."""
    try:
        yield
    except psycopg.Error as error:
        raise translate(error, doing) from error


def connect(settings: StateSettings, *, application_name: str = "causeway operational") -> psycopg.Connection[Row]:
    """Return a connection whose search_path is the bridge's schema. It is not in autocommit mode."""
    connection = settings.connection
    password = connection.password.get_secret_value() if connection.password else None
    with translated("connecting"):
        opened = psycopg.connect(
            make_conninfo(
                connection.dsn,
                **noticing_silence(conninfo_to_dict(connection.dsn)),
                **({"password": password} if password is not None else {}),
            ),
            connect_timeout=connection.connect_timeout_s,
            application_name=application_name,
        )
        opened.execute(sql.SQL("SET search_path TO {}").format(sql.Identifier(settings.db_schema)))
        opened.commit()
    return opened


def prepare(settings: StateSettings) -> None:
    """Create the schema and its tables where they are missing. Safe to run at every start, by several processes at once.

    Raises CausewayError: STATE where the tables are of a newer version than this program.
    """
    with connect(settings, application_name="causeway state") as connection, translated("creating its tables"):
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [_CREATION_LOCK])
        schema = sql.Identifier(settings.db_schema)
        if not _exists(connection, settings.db_schema):
            connection.execute(sql.SQL("CREATE SCHEMA {}").format(schema))
        connection.execute(statements("state.sql")["version_table"])
        found = _version(connection)
        if found > VERSION:
            raise CausewayError(
                ErrorKind.STATE,
                f"The tables in schema {settings.db_schema} are of version {found}; this program knows {VERSION}.",
                hint="Run the newer program.",
            )
        for version in range(found + 1, VERSION + 1):
            connection.execute(statements("state.sql")[f"version_{version}"])
            connection.execute("INSERT INTO state_version (version) VALUES (%s)", [version])


def forget_position(settings: StateSettings, source: str, lane: str) -> None:
    """Take a source's position away for good: its slot is gone, so the lane's next run begins with a new snapshot."""
    with connect(settings, application_name="causeway state") as connection, translated("forgetting a position"):
        if _exists(connection, settings.db_schema):
            connection.execute("DELETE FROM positions WHERE source = %s AND lane = %s", [source, lane])


def read_position(settings: StateSettings, source: str, lane: str) -> Position | None:
    """Return how far a lane is durable in a source; None where it has no position, or the bridge no tables yet."""
    with connect(settings, application_name="causeway state") as connection, translated("reading a position"):
        if not _exists(connection, settings.db_schema):
            return None
        row = connection.execute(
            statements("arriving/merge.sql")["position"], {"source": source, "lane": lane}
        ).fetchone()
    if row is None:
        return None
    lsn, slot, system_identifier, timeline = row
    return Position(
        source=source, lane=lane, lsn=Lsn.parse(lsn), slot=slot, system_identifier=system_identifier, timeline=timeline
    )


def lock_writers(connection: psycopg.Connection[Row]) -> None:
    """Wait until no other transaction changes outbox rows, until this one ends.

    Arrivals and outcomes touch the same rows in different orders, and a record must not be parked for one that is arriving
    just now. Their transactions take milliseconds, so they simply follow one another.
    """
    connection.execute("SELECT pg_advisory_xact_lock(%s)", [_WRITER_LOCK])


def scalar(connection: psycopg.Connection[Row], query: LiteralString, parameters: Any = None) -> Any:
    """Return the first column of the first row; None where there is none."""
    row = connection.execute(query, parameters).fetchone()
    return row[0] if row else None


def _exists(connection: psycopg.Connection[Row], schema: str) -> bool:
    return scalar(connection, "SELECT 1 FROM pg_namespace WHERE nspname = %s", [schema]) is not None


def _version(connection: psycopg.Connection[Row]) -> int:
    return int(scalar(connection, "SELECT coalesce(max(version), 0) FROM state_version"))
