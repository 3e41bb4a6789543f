"""The one translation of psycopg's and libpq's errors into `CausewayError`.

Contract: whoever in cdc/ calls the driver catches `psycopg.Error` and raises `translate(error, ...) from error`. A failed
connection has no SQLSTATE in libpq's API, only a message: it is told apart by the server's English words; a server that
speaks another language gives the kind CONNECTION with the server's words in it.
"""

from __future__ import annotations

import psycopg

from config.errors import CausewayError, ErrorKind

# SQLSTATEs that mean more to a bridge than their class does (PostgreSQL documentation, appendix A).
_BY_STATE: dict[str, ErrorKind] = {
    "25006": ErrorKind.PRIVILEGE,  # read_only_sql_transaction
    "3D000": ErrorKind.SETTINGS,  # invalid_catalog_name: no such database
    "42501": ErrorKind.PRIVILEGE,
    "53300": ErrorKind.CONNECTION,  # too_many_connections: passes
    "53400": ErrorKind.SERVER_SETTINGS,  # configuration_limit_exceeded: all replication slots are in use
    "55006": ErrorKind.SLOT_IN_USE,  # object_in_use
    "55P03": ErrorKind.TRANSIENT,  # lock_not_available
    "55P04": ErrorKind.TRANSIENT,  # unsafe_new_enum_value_usage
    "57P04": ErrorKind.SETTINGS,  # database_dropped
    "58P01": ErrorKind.GAP,  # undefined_file: requested WAL segment has already been removed
    "58P02": ErrorKind.SCHEMA,  # duplicate_file
}

# Every class of SQLSTATE. What no entry names is INTERNAL: a bug, which stops the lane.
_BY_CLASS: dict[str, ErrorKind] = {
    "01": ErrorKind.INTERNAL,
    "02": ErrorKind.INTERNAL,
    "03": ErrorKind.INTERNAL,
    "08": ErrorKind.CONNECTION,
    "09": ErrorKind.SCHEMA,
    "0A": ErrorKind.SERVER_SETTINGS,  # feature_not_supported: the server is too old or built without it
    "0B": ErrorKind.INTERNAL,
    "0F": ErrorKind.INTERNAL,
    "0L": ErrorKind.PRIVILEGE,
    "0P": ErrorKind.PRIVILEGE,
    "0Z": ErrorKind.INTERNAL,
    "10": ErrorKind.SCHEMA,
    "20": ErrorKind.INTERNAL,
    "21": ErrorKind.INTERNAL,
    "22": ErrorKind.SCHEMA,  # data exception, of a row filter or a cast
    "23": ErrorKind.SCHEMA,
    "24": ErrorKind.INTERNAL,
    "25": ErrorKind.INTERNAL,
    "26": ErrorKind.INTERNAL,
    "27": ErrorKind.INTERNAL,
    "28": ErrorKind.AUTHENTICATION,
    "2B": ErrorKind.PRIVILEGE,
    "2D": ErrorKind.INTERNAL,
    "2F": ErrorKind.INTERNAL,
    "34": ErrorKind.INTERNAL,
    "38": ErrorKind.INTERNAL,
    "39": ErrorKind.INTERNAL,
    "3B": ErrorKind.INTERNAL,
    "3D": ErrorKind.SETTINGS,
    "3F": ErrorKind.SCHEMA,
    "40": ErrorKind.TRANSIENT,
    "42": ErrorKind.SCHEMA,
    "44": ErrorKind.SCHEMA,
    "53": ErrorKind.TRANSIENT,
    "54": ErrorKind.SERVER_SETTINGS,
    "55": ErrorKind.SERVER_SETTINGS,
    "57": ErrorKind.CONNECTION,  # operator intervention: shutdown, crash, cannot connect now
    "58": ErrorKind.CONNECTION,
    "72": ErrorKind.TRANSIENT,
    "F0": ErrorKind.SERVER_SETTINGS,
    "HV": ErrorKind.SCHEMA,
    "P0": ErrorKind.INTERNAL,
    "XX": ErrorKind.INTERNAL,
}

# The driver's own classes, for errors without a SQLSTATE; the first that fits.
_BY_EXCEPTION: tuple[tuple[type[psycopg.Error], ErrorKind], ...] = (
    (psycopg.NotSupportedError, ErrorKind.SERVER_SETTINGS),
    (psycopg.ProgrammingError, ErrorKind.INTERNAL),
    (psycopg.IntegrityError, ErrorKind.SCHEMA),
    (psycopg.InternalError, ErrorKind.INTERNAL),
    (psycopg.DataError, ErrorKind.SCHEMA),
    (psycopg.OperationalError, ErrorKind.CONNECTION),
    (psycopg.InterfaceError, ErrorKind.CONNECTION),
    (psycopg.DatabaseError, ErrorKind.CONNECTION),
)

# Words of libpq and the server at connection start: (all of these, kind, what to do).
_AT_CONNECT: tuple[tuple[tuple[str, ...], ErrorKind, str], ...] = (
    (("password authentication failed",), ErrorKind.AUTHENTICATION, "Correct the user or its password."),
    (("no password supplied",), ErrorKind.AUTHENTICATION, "Give `password: {env: NAME}` or `password: {file: PATH}`."),
    (("authentication failed",), ErrorKind.AUTHENTICATION, "Correct the user or its credentials."),
    (("role", "does not exist"), ErrorKind.AUTHENTICATION, "Create the role, or correct `user` in the dsn."),
    (
        ("no pg_hba.conf entry",),
        ErrorKind.AUTHENTICATION,
        "Add a line for this host, user and database to pg_hba.conf.",
    ),
    (("pg_hba.conf rejects",), ErrorKind.AUTHENTICATION, "Allow this host, user and database in pg_hba.conf."),
    (("database", "does not exist"), ErrorKind.SETTINGS, "Correct `dbname` in the dsn."),
    (("permission denied for database",), ErrorKind.PRIVILEGE, "Grant CONNECT on the database to the role."),
    (("permission denied to start wal sender",), ErrorKind.PRIVILEGE, "ALTER ROLE ... REPLICATION."),
    (("must be superuser or replication role",), ErrorKind.PRIVILEGE, "ALTER ROLE ... REPLICATION."),
    (("role", "not permitted to log in"), ErrorKind.AUTHENTICATION, "ALTER ROLE ... LOGIN."),
    (("invalid connection option",), ErrorKind.SETTINGS, "Correct the dsn."),
    (('missing "="',), ErrorKind.SETTINGS, "Correct the dsn."),
)

_HINTS: dict[ErrorKind, str] = {
    ErrorKind.CONNECTION: "Check that the server runs and can be reached; the bridge tries again.",
    ErrorKind.AUTHENTICATION: "Correct the user or its credentials.",
    ErrorKind.PRIVILEGE: "Grant the role what it lacks; `causeway check` lists what it needs.",
    ErrorKind.SERVER_SETTINGS: "Change the server's settings; `causeway check` lists what capture needs.",
    ErrorKind.SLOT_IN_USE: "Stop the other reader, or wait until the server has noticed that it is gone.",
    ErrorKind.TRANSIENT: "The bridge tries again.",
}


def kind_of(error: psycopg.Error) -> ErrorKind:
    """Return the kind of a driver's error: by SQLSTATE, its class, else by the driver's exception class."""
    state = error.sqlstate
    if state:
        return _BY_STATE.get(state) or _by_words(state, str(error)) or _BY_CLASS.get(state[:2], ErrorKind.INTERNAL)
    return next((kind for cls, kind in _BY_EXCEPTION if isinstance(error, cls)), ErrorKind.INTERNAL)


def _by_words(state: str, text: str) -> ErrorKind | None:
    """Tell apart what shares a SQLSTATE (slot.c, logical.c: object_not_in_prerequisite_state, undefined_object)."""
    if state == "55000" and ("can no longer" in text or "invalidated" in text):
        return ErrorKind.GAP
    if state == "42704" and "replication slot" in text:
        return ErrorKind.SLOT_MISSING
    return None


def translate(error: psycopg.Error, doing: str, *, hint: str = "", **objects: object) -> CausewayError:
    """Return the bridge's error for a driver's error met while `doing` something; to be raised `from` it."""
    kind = kind_of(error)
    # The primary message only: DETAIL and CONTEXT may hold values of rows.
    words = error.diag.message_primary or " ".join(str(error).split())
    return CausewayError(kind, f"{doing}: {words}.", hint=hint or _HINTS.get(kind, ""), **objects)


def translate_connect(error: psycopg.Error, where: str, **objects: object) -> CausewayError:
    """Return the bridge's error for a connection to `where` that failed; libpq gives no SQLSTATE for it."""
    lines = [line.strip() for line in str(error).splitlines()]
    words = lines[0].removeprefix("connection failed: ") if lines else type(error).__name__
    text = " ".join(lines).lower()
    for needles, kind, hint in _AT_CONNECT:
        if all(needle in text for needle in needles):
            return CausewayError(kind, f"cannot connect to {where}: {_tail(words)}.", hint=hint, **objects)
    kind = ErrorKind.SETTINGS if isinstance(error, psycopg.ProgrammingError) else ErrorKind.CONNECTION
    return CausewayError(kind, f"cannot connect to {where}: {_tail(words)}.", hint=_HINTS.get(kind, ""), **objects)


def _tail(words: str) -> str:
    """Cut libpq's preamble about the address, which the message names already."""
    return words.rpartition("failed: ")[2].removeprefix("FATAL:").strip().rstrip(".")
