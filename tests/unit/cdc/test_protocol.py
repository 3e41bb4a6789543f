from __future__ import annotations

import struct
from datetime import UTC, datetime

import pytest

from cdc import protocol
from cdc.lsn import Lsn
from config.errors import CausewayError, ErrorKind
from tests.property.pgoutput import relation, text


def test_a_status_confirms_one_position_as_written_flushed_and_applied() -> None:
    data = protocol.standby_status(Lsn(5), datetime(2000, 1, 1, 0, 0, 1, tzinfo=UTC), want_reply=True)
    assert data == b"r" + struct.pack(">QQQqB", 5, 5, 5, 1_000_000, 1)


def test_a_keepalive_says_where_the_log_ends() -> None:
    found = protocol.parse_keepalive(b"k" + struct.pack(">QqB", 77, 0, 1))
    assert (found.wal_end, found.reply_wanted) == (77, True)


@pytest.mark.parametrize(
    ("parse", "message"),
    [
        (protocol.parse_keepalive, b"k" + struct.pack(">QqB", 77, 0, 1)),
        (protocol.parse_relation, relation(1, "t", [("a", True), ("b", False)])),
        (protocol.parse_type, b"Y" + struct.pack(">I", 9) + text("public") + text("mood")),
        (protocol.parse_truncate, b"T" + struct.pack(">IBII", 2, 3, 7, 8)),
        (protocol.check_origin, b"O" + struct.pack(">Q", 9) + text("origin")),
        (protocol.check_logical_message, b"M" + struct.pack(">BQ", 1, 9) + text("p") + struct.pack(">I", 3) + b"abc"),
    ],
)
def test_every_cut_and_every_trailing_byte_is_an_error(parse: object, message: bytes) -> None:
    parse(message)  # type: ignore[operator]
    for broken in [message[:cut] for cut in range(1, len(message))] + [message + b"\0"]:
        with pytest.raises(CausewayError) as refused:
            parse(broken)  # type: ignore[operator]
        assert refused.value.kind is ErrorKind.PROTOCOL


def test_what_the_rare_messages_say() -> None:
    found = protocol.parse_relation(relation(7, "t", [("a", True), ("b", False)], b"i"))
    assert (found.oid, found.qualified_name, found.key_columns, found.replica_identity) == (7, "public.t", ("a",), "i")
    assert protocol.parse_type(b"Y" + struct.pack(">I", 9) + text("public") + text("mood")) == (9, "public.mood")
    truncated = protocol.parse_truncate(b"T" + struct.pack(">IBII", 2, 3, 7, 8))
    assert (truncated.relation_oids, truncated.cascade, truncated.restart_identity) == ((7, 8), True, True)
