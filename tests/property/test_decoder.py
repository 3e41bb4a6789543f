"""The same stream whole, message by message and split at random gives the same rows, and what a decoder by the row gives."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdc.decoder import Decoded, StreamDecoder
from cdc.lsn import Lsn
from config.errors import CausewayError, ErrorKind
from tests.property.pgoutput import UNCHANGED, Tape, read_rows, relation

COLUMNS = {1: ("one", [("id", True), ("a", False), ("b", False)], b"d"), 2: ("two", [("x", True), ("y", True)], b"f")}

values = st.one_of(
    st.none(),
    st.text(max_size=30),
    st.sampled_from(
        ["", "exactly 12 b", "exactly 13 by", "é" * 6, "é" * 7, "prefix-same-A", "prefix-same-B", "x" * 300]
    ),
)
new_values = st.one_of(values, st.just(UNCHANGED))
keys = st.sampled_from(["k1", "k2", "a key longer than twelve", "a key longer than twelvE", ""])


@st.composite
def changes(draw: st.DrawFn) -> list[tuple[Any, ...]]:
    """One transaction."""
    out: list[tuple[Any, ...]] = []
    for _ in range(draw(st.integers(0, 6))):
        kind = draw(
            st.sampled_from(
                [
                    "insert",
                    "update",
                    "moved",
                    "delete",
                    "insert2",
                    "update2",
                    "delete2",
                    "truncate",
                    "message",
                    "relation",
                ]
            )
        )
        a, b, k, k2 = draw(values), draw(new_values), draw(keys), draw(keys)
        out.append((kind, k, k2, a, b, draw(values)))
    return out


def write(tape: Tape, transaction: list[tuple[Any, ...]]) -> None:
    tape.begin()
    for kind, k, k2, a, b, c in transaction:
        match kind:
            case "insert":
                tape.insert(1, [k, a, c])
            case "update":
                tape.update(1, [k, a, b])
            case "moved":
                tape.update(1, [k2, a, b], key=[k, None, None])
            case "delete":
                tape.delete(1, [k, None, None])
            case "insert2":
                tape.insert(2, [k, a])
            case "update2":
                tape.update(2, [k2, b], old=[k, a])
            case "delete2":
                tape.delete(2, [k, a], b"O")
            case "truncate":
                tape.truncate(1, 2)
            case "message":
                tape.message()
            case "relation":
                tape.add(relation(1, *COLUMNS[1]))
    tape.commit()


def tape_of(transactions: list[list[tuple[Any, ...]]]) -> Tape:
    tape = Tape()
    tape.begin()
    for oid, (name, columns, identity) in COLUMNS.items():
        tape.add(relation(oid, name, columns, identity))
    tape.commit()
    for transaction in transactions:
        write(tape, transaction)
    return tape


def rows_in(decoded: Sequence[Decoded]) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = []
    for batch in decoded:
        numbered = []
        for part in batch.changes:
            names = part.relation.column_names
            for number, row in enumerate(part.rows.to_pylist()):
                found = [UNCHANGED if n in part.unchanged and part.unchanged[n][number] else row[n] for n in names]
                numbered.append((row["_seq"], (row["_op"], part.relation.oid, row["_xid"], *found)))
        numbered.sort(key=lambda pair: pair[0])
        assert [seq for seq, _ in numbered] == list(range(len(numbered)))
        rows += [row for _, row in numbered]
    return rows


def decode(chunks: Sequence[Sequence[bytes]], *, piece_rows: int = 10**6, start: int = 0) -> list[Decoded]:
    decoder = StreamDecoder((), Lsn(start), piece_bytes=2**30, piece_rows=piece_rows)
    return [batch for chunk in chunks if (batch := decoder.decode(chunk)) is not None]


def split(messages: list[bytes], seed: int) -> list[list[bytes]]:
    source = random.Random(seed)
    cuts = sorted(source.sample(range(len(messages) + 1), min(5, len(messages))))
    return [messages[a:b] for a, b in zip([0, *cuts], [*cuts, len(messages)], strict=True)]


@settings(max_examples=150, deadline=None)
@given(st.lists(changes(), max_size=6), st.integers(0, 10**6), st.integers(1, 8))
def test_any_split_of_a_stream_gives_the_rows_of_the_whole(transactions: list[Any], seed: int, piece_rows: int) -> None:
    tape = tape_of(transactions)
    expected = read_rows(tape.messages)
    whole = decode([tape.messages])
    assert rows_in(whole) == expected
    assert whole[-1].end == tape.lsn
    assert sum(batch.transactions for batch in whole) == len(transactions) + 1
    for chunks in ([[message] for message in tape.messages], split(tape.messages, seed)):
        for rows in (10**6, piece_rows):
            parts = decode(chunks, piece_rows=rows)
            assert rows_in(parts) == expected
            assert parts[-1].end == tape.lsn
            assert parts[-1].complete
            assert sum(batch.transactions for batch in parts) == len(transactions) + 1


@settings(max_examples=150, deadline=None)
@given(st.lists(changes(), max_size=6), st.data(), st.integers(1, 8))
def test_a_stream_that_is_cut_anywhere_gives_the_rows_of_the_whole(
    transactions: list[Any], data: st.DataObject, piece_rows: int
) -> None:
    """Before a cut comes exactly what begins its commit record there, behind it the rest, wherever the chunks end."""
    tape = tape_of(transactions)
    places = st.integers(1000, tape.lsn + 50).filter(lambda lsn: lsn % 100 <= 50)  # not inside a commit record
    points = sorted(data.draw(st.lists(places, max_size=3)))
    decoder = StreamDecoder((), Lsn(0), piece_bytes=2**30, piece_rows=piece_rows)
    chunks = iter(split(tape.messages, data.draw(st.integers(0, 10**6))))
    found: list[Decoded] = []

    def take(chunk: Sequence[bytes], idle_end: Lsn = Lsn(0)) -> None:  # noqa: B008
        if (decoded := decoder.decode(chunk, idle_end)) is not None:
            found.append(decoded)

    for point in points:
        while found and not found[-1].complete:  # a lane holds between whole transactions only
            take(next(chunks))
        if point < decoder.end:
            continue
        decoder.cut_at(Lsn(point))
        take([])
        while not decoder.at_cut:
            chunk = next(chunks, None)
            take(chunk or [], Lsn(0) if chunk is not None else Lsn(tape.lsn + 100))
        before = [message for message in tape.messages if begins_before(message, tape.messages, point)]
        assert rows_in(found) == read_rows(before)
        assert sum(batch.transactions for batch in found) == sum(message[25:26] == b"C" for message in before)
        assert decoder.end == point
        assert not found or found[-1].complete
        decoder.release()
        take([])
    for chunk in chunks:
        take(chunk)
    assert rows_in(found) == read_rows(tape.messages)
    assert sum(batch.transactions for batch in found) == len(transactions) + 1
    assert decoder.end == max([tape.lsn, *points]) or decoder.end == tape.lsn + 100


def begins_before(message: bytes, messages: Sequence[bytes], point: int) -> bool:
    """Whether the message belongs to a transaction whose commit record begins before `point`; `Tape` has them in order."""
    at = next(number for number, other in enumerate(messages) if other is message)
    begin = next(other for other in reversed(messages[: at + 1]) if other[25:26] == b"B")
    return int.from_bytes(begin[26:34], "big") < point


def test_a_cut_stream_takes_nothing_more_and_is_not_cut_behind_what_it_gave() -> None:
    tape = tape_of([[("insert", f"k{n}", "", None, None, None)] for n in range(3)])
    decoder = StreamDecoder((), Lsn(0), piece_bytes=2**30, piece_rows=10**6)
    decoder.cut_at(Lsn(1150))
    assert decoder.decode(tape.messages) is not None
    assert decoder.at_cut
    with pytest.raises(CausewayError, match="is cut at"):
        decoder.decode([])
    decoder.release()
    assert decoder.decode([]) is not None
    with pytest.raises(CausewayError, match="is to be cut at"):
        decoder.cut_at(Lsn(1150))


def test_a_settled_log_is_cut_though_it_does_not_reach_the_cut() -> None:
    tape = tape_of([])
    decoder = StreamDecoder((), Lsn(0), piece_bytes=2**30, piece_rows=10**6)
    decoder.cut_at(Lsn(8192))
    assert decoder.decode(tape.messages, settled=Lsn(4096)) is not None
    assert not decoder.at_cut  # that was said of an earlier point
    assert decoder.decode([], settled=Lsn(8192)) is None
    assert decoder.at_cut


@settings(max_examples=100, deadline=None)
@given(st.lists(changes(), min_size=1, max_size=4), st.data())
def test_bytes_that_are_cut_short_or_spoiled_never_pass_for_others(
    transactions: list[Any], data: st.DataObject
) -> None:
    """A damaged message is refused as PROTOCOL, or decodes to values that lie inside of it; nothing else is raised."""
    tape = tape_of(transactions)
    victim = data.draw(st.integers(0, len(tape.messages) - 1))
    message = tape.messages[victim]
    if data.draw(st.booleans()):
        damaged = message[: data.draw(st.integers(0, len(message) - 1))]
        must_fail = True
    else:
        at = data.draw(st.integers(25, len(message) - 1))
        damaged = message[:at] + bytes([data.draw(st.integers(0, 255))]) + message[at + 1 :]
        must_fail = False
    messages = [*tape.messages[:victim], damaged, *tape.messages[victim + 1 :]]
    kind = None
    try:
        for batch in decode([messages]):
            for part in batch.changes:
                part.rows.validate()
    except CausewayError as error:
        kind = error.kind
    assert kind is ErrorKind.PROTOCOL or (kind is None and not must_fail)


def test_transactions_before_the_start_are_skipped_and_until_ends_before_its_transaction() -> None:
    tape = tape_of([[("insert", f"k{n}", "", None, None, None)] for n in range(5)])
    (batch,) = decode([tape.messages], start=1300)
    assert [row[3] for row in rows_in([batch])] == ["k2", "k3", "k4"]
    decoder = StreamDecoder((), Lsn(0), until=Lsn(1300), piece_bytes=2**30, piece_rows=10**6)
    found = [decoded for message in tape.messages if (decoded := decoder.decode([message]))]
    assert [row[3] for row in rows_in(found)] == ["k0", "k1"]
    assert decoder.reached_until
    assert found[-1].end == 1300


def test_an_idle_end_counts_only_where_no_transaction_is_open() -> None:
    tape = tape_of([])
    tape.begin()
    decoder = StreamDecoder((), Lsn(0), piece_bytes=2**30, piece_rows=10**6)
    first = decoder.decode(tape.messages, Lsn(5000))
    assert first is not None
    assert first.end == 1100
    tape.commit()
    second = decoder.decode(tape.messages[-1:], Lsn(5000))
    assert second is not None
    assert second.end == 5000
    assert decoder.decode([], Lsn(5000)) is None
