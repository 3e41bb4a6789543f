"""pgoutput written and read by the row: what the columnar decoder is compared with.

`Tape` writes the bytes of a stream; `read_rows` decodes messages one by one, straight from the protocol's description.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

UNCHANGED = object()
Value = str | None | object


def text(value: str) -> bytes:
    return value.encode() + b"\0"


def tuple_data(values: Sequence[Value]) -> bytes:
    out = struct.pack(">h", len(values))
    for value in values:
        if value is None:
            out += b"n"
        elif value is UNCHANGED:
            out += b"u"
        else:
            data = str(value).encode()
            out += b"t" + struct.pack(">i", len(data)) + data
    return out


def relation(oid: int, table: str, columns: Sequence[tuple[str, bool]], identity: bytes = b"d") -> bytes:
    body = struct.pack(">I", oid) + text("public") + text(table) + identity + struct.pack(">h", len(columns))
    for name, key in columns:
        body += struct.pack(">B", key) + text(name) + struct.pack(">Ii", 25, -1)
    return b"R" + body


class Tape:
    """XLogData messages, one after the other; every transaction moves the log on by 100 bytes."""

    def __init__(self, lsn: int = 1000) -> None:
        self.lsn = lsn
        self.xid = 1
        self.messages: list[bytes] = []

    def add(self, payload: bytes) -> None:
        self.messages.append(b"w" + struct.pack(">QQq", self.lsn, self.lsn, 0) + payload)

    def begin(self) -> None:
        self.add(b"B" + struct.pack(">QqI", self.lsn + 50, 1_000_000 * self.xid, self.xid))

    def commit(self) -> None:
        self.add(b"C" + struct.pack(">BQQq", 0, self.lsn + 50, self.lsn + 100, 1_000_000 * self.xid))
        self.lsn += 100
        self.xid += 1

    def insert(self, oid: int, values: Sequence[Value]) -> None:
        self.add(b"I" + struct.pack(">I", oid) + b"N" + tuple_data(values))

    def update(
        self,
        oid: int,
        values: Sequence[Value],
        *,
        key: Sequence[Value] | None = None,
        old: Sequence[Value] | None = None,
    ) -> None:
        before = b"K" + tuple_data(key) if key is not None else b"O" + tuple_data(old) if old is not None else b""
        self.add(b"U" + struct.pack(">I", oid) + before + b"N" + tuple_data(values))

    def delete(self, oid: int, values: Sequence[Value], kind: bytes = b"K") -> None:
        self.add(b"D" + struct.pack(">I", oid) + kind + tuple_data(values))

    def truncate(self, *oids: int) -> None:
        self.add(b"T" + struct.pack(">IB", len(oids), 0) + b"".join(struct.pack(">I", oid) for oid in oids))

    def message(self) -> None:
        self.add(b"M" + struct.pack(">BQ", 0, self.lsn) + text("app") + struct.pack(">I", 2) + b"hi")


def read_rows(messages: Sequence[bytes]) -> list[tuple[Any, ...]]:
    """All changes as (operation, table's OID, xid, values...), keys changed by an update as delete and insert."""
    rows: list[tuple[Any, ...]] = []
    keys: dict[int, list[bool]] = {}
    xid = 0
    for message in messages:
        data = message[25:]
        kind, body = data[:1], data[1:]
        if kind == b"B":
            xid = struct.unpack(">QqI", body)[2]
        elif kind == b"R":
            oid, flags = _relation(body)
            keys[oid] = flags
        elif kind == b"T":
            count = struct.unpack(">I", body[:4])[0]
            oids = struct.unpack(f">{count}I", body[5:])
            rows += [("t", oid, xid, *[None] * len(keys[oid])) for oid in oids]
        elif kind in b"IUD" and kind:
            rows += _change(kind.decode().lower(), body, xid, keys)
    return rows


def _relation(body: bytes) -> tuple[int, list[bool]]:
    oid = struct.unpack(">I", body[:4])[0]
    _, _, rest = body[4:].split(b"\0", 2)
    count = struct.unpack(">h", rest[1:3])[0]
    rest, flags = rest[3:], []
    for _ in range(count):
        flags.append(bool(rest[0]))
        _, rest = rest[1:].split(b"\0", 1)
        rest = rest[8:]
    return oid, flags


def _change(operation: str, body: bytes, xid: int, keys: dict[int, list[bool]]) -> list[tuple[Any, ...]]:
    oid = struct.unpack(">I", body[:4])[0]
    marker, rest = body[4:5], body[5:]
    first, rest = _tuple(rest)
    if operation != "u" or marker == b"N":
        return [(operation, oid, xid, *first)]
    second, _ = _tuple(rest[1:])
    flags = keys[oid]
    known = [True] * len(flags) if marker == b"O" else flags
    new = [old if value is UNCHANGED and k else value for value, old, k in zip(second, first, known, strict=True)]
    if all(old == value for old, value, key in zip(first, new, flags, strict=True) if key):
        return [("u", oid, xid, *new)]
    return [("d", oid, xid, *first), ("i", oid, xid, *new)]


def _tuple(data: bytes) -> tuple[list[Value], bytes]:
    count = struct.unpack(">h", data[:2])[0]
    values: list[Value] = []
    data = data[2:]
    for _ in range(count):
        kind, data = data[:1], data[1:]
        if kind == b"t":
            size = struct.unpack(">i", data[:4])[0]
            values.append(data[4 : 4 + size].decode())
            data = data[4 + size :]
        else:
            values.append(None if kind == b"n" else UNCHANGED)
    return values, data
