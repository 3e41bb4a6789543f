"""The wire between a walsender and us, without a socket: framing of the copy stream, and pgoutput's rare messages.

Sources: PostgreSQL documentation, "Streaming Replication Protocol" (XLogData, primary keepalive, standby status update) and
"Logical Replication Message Formats", protocol version 1 (the message layouts are the same in versions 2 to 4 as long as
streaming and two-phase are off). Numbers are big-endian. Row messages (insert, update, delete) are decoded by the column in
`cdc.changes`; here are those that come once a transaction or less.

Every function checks the length before it reads, and takes trailing bytes for an error: CausewayError PROTOCOL.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cdc.lsn import Lsn
from cdc.relation import Column, Relation, ReplicaIdentity
from config.errors import CausewayError, ErrorKind

XLOG_DATA, KEEPALIVE, STATUS = ord("w"), ord("k"), ord("r")
XLOG_HEADER_BYTES = 25  # 'w', start of the WAL data, end of WAL on the server, server's clock
KEEPALIVE_BYTES = 18  # 'k', end of WAL, server's clock, whether a reply is wanted
BEGIN, COMMIT, ORIGIN, RELATION, TYPE = (ord(letter) for letter in "BCORY")
INSERT, UPDATE, DELETE, TRUNCATE, MESSAGE = (ord(letter) for letter in "IUDTM")
MESSAGE_TYPES = (BEGIN, COMMIT, ORIGIN, RELATION, TYPE, INSERT, UPDATE, DELETE, TRUNCATE, MESSAGE)
BEGIN_BYTES, COMMIT_BYTES = 21, 26  # with their type byte

EPOCH = datetime(2000, 1, 1, tzinfo=UTC)  # the server's timestamps are microseconds since then
EPOCH_US = int(EPOCH.timestamp()) * 1_000_000

_KEEPALIVE = struct.Struct(">cQqB")
_STATUS = struct.Struct(">cQQQqB")
_IDENTITIES = {ord(item.value): item for item in ReplicaIdentity}


@dataclass(frozen=True, kw_only=True, slots=True)
class Keepalive:
    """The server's sign of life: everything up to `wal_end` has been sent, or was not for us."""

    wal_end: Lsn
    reply_wanted: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Truncate:
    """TRUNCATE of some tables, those reached by CASCADE included."""

    relation_oids: tuple[int, ...]
    cascade: bool
    restart_identity: bool


def protocol_error(what: str) -> CausewayError:
    """Return the error for bytes that the protocol does not allow; never holds the bytes themselves."""
    return CausewayError(
        ErrorKind.PROTOCOL,
        f"the replication stream breaks the protocol: {what}.",
        hint="Is a proxy between us and the server? Otherwise this is a bug: report it with the server's version.",
    )


def parse_keepalive(data: bytes) -> Keepalive:
    """Parse a whole primary keepalive message."""
    if len(data) != KEEPALIVE_BYTES or data[0] != KEEPALIVE:
        raise protocol_error(f"a keepalive of {len(data)} bytes")
    _, wal_end, _, wanted = _KEEPALIVE.unpack(data)
    return Keepalive(wal_end=Lsn(wal_end), reply_wanted=bool(wanted))


def standby_status(confirmed: Lsn, clock: datetime, *, want_reply: bool = False) -> bytes:
    """Build a standby status update: written, flushed and applied are all what is durable with us, never more."""
    micros = (clock - EPOCH) // timedelta(microseconds=1)
    return _STATUS.pack(b"r", confirmed, confirmed, confirmed, micros, want_reply)


class _Fields:
    """Reads one message field by field; every read is checked against the message's end."""

    def __init__(self, data: bytes, name: str) -> None:
        self._data = data
        self._name = name
        self._at = 1

    def number(self, size: int) -> int:
        end = self._at + size
        if end > len(self._data):
            raise protocol_error(f"a {self._name} message ends early")
        value = int.from_bytes(self._data[self._at : end], "big")
        self._at = end
        return value

    def signed32(self) -> int:
        value = self.number(4)
        return value - (1 << 32) if value >> 31 else value

    def string(self) -> str:
        end = self._data.find(b"\0", self._at)
        if end < 0:
            raise protocol_error(f"a {self._name} message has a string without an end")
        try:
            value = self._data[self._at : end].decode()
        except UnicodeDecodeError as error:
            raise protocol_error(f"a {self._name} message has a string that is not UTF-8") from error
        self._at = end + 1
        return value

    def skip(self, size: int) -> None:
        if self._at + size > len(self._data):
            raise protocol_error(f"a {self._name} message ends early")
        self._at += size

    def end(self) -> None:
        if self._at != len(self._data):
            raise protocol_error(f"a {self._name} message has {len(self._data) - self._at} trailing bytes")


def parse_relation(data: bytes) -> Relation:
    """Parse a Relation message; type names and the primary key are not in it."""
    fields = _Fields(data, "relation")
    oid, schema, table = fields.number(4), fields.string(), fields.string()
    identity = _IDENTITIES.get(fields.number(1))
    if identity is None:
        raise protocol_error("a relation message has an unknown replica identity")
    columns = tuple(_column(fields) for _ in range(fields.number(2)))
    fields.end()
    # pgoutput sends an empty name for pg_catalog.
    return Relation(oid=oid, schema=schema or "pg_catalog", table=table, columns=columns, replica_identity=identity)


def _column(fields: _Fields) -> Column:
    flags, name, type_oid, typmod = fields.number(1), fields.string(), fields.number(4), fields.signed32()
    return Column(name=name, type_oid=type_oid, typmod=typmod, is_key=bool(flags & 1))


def parse_type(data: bytes) -> tuple[int, str]:
    """Parse a Type message: the OID, and the qualified name of the type (of a domain: of its base type)."""
    fields = _Fields(data, "type")
    oid, schema, name = fields.number(4), fields.string(), fields.string()
    fields.end()
    return oid, f"{schema}.{name}" if schema else name


def parse_truncate(data: bytes) -> Truncate:
    """Parse a Truncate message."""
    fields = _Fields(data, "truncate")
    count, flags = fields.number(4), fields.number(1)
    if count * 4 > len(data):
        raise protocol_error("a truncate message ends early")
    oids = tuple(fields.number(4) for _ in range(count))
    fields.end()
    return Truncate(relation_oids=oids, cascade=bool(flags & 1), restart_identity=bool(flags & 2))


def check_origin(data: bytes) -> None:
    """Check an Origin message (LSN at the origin, its name); the bridge has no use for what it says."""
    fields = _Fields(data, "origin")
    fields.skip(8)
    fields.string()
    fields.end()


def check_logical_message(data: bytes) -> None:
    """Check a logical decoding message (flags, LSN, prefix, content); the bridge asks for none and skips them."""
    fields = _Fields(data, "logical")
    fields.skip(1 + 8)
    fields.string()
    fields.skip(fields.number(4))
    fields.end()
