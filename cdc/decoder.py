"""From chunks of replication messages to whole transactions as columns. Knows no socket, clock, log or setting.

A chunk is what the receiving thread collected; it may end anywhere between two messages. Everything up to its last commit goes
out, the begun transaction behind it is kept for the next chunk. Only when a chunk has no commit at all and the transaction is
larger than a batch may be, it goes out in pieces. No loop here runs over rows: only over tables, their versions and truncates.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import NoReturn

import numpy as np

from cdc import protocol
from cdc.batch import TableChanges
from cdc.lsn import ZERO, Lsn
from cdc.protocol import XLOG_HEADER_BYTES, protocol_error
from cdc.relation import Relation
from cdc.relation_versions import DescribeTable, DescribeTypes, RelationVersions, no_table, nothing_more
from cdc.row_changes import RowChanges, decode_rows, with_truncates
from cdc.table_changes import number_rows
from cdc.transactions import Boundaries, OpenTransaction, Transactions, find_boundaries, transactions_of
from cdc.wire import Bytes, Int64s, Wire
from config.errors import CausewayError, ErrorKind


@dataclass(frozen=True, kw_only=True, slots=True)
class Decoded:
    """What one chunk gave. `end`: end LSN of its last whole transaction, or where an idle server's log ends."""

    changes: tuple[TableChanges, ...] = ()
    transactions: int = 0
    end: Lsn = ZERO
    last_commit_at: datetime | None = None
    complete: bool = True
    announced: frozenset[int] = frozenset()  # OIDs of the relations named in it


class StreamDecoder:
    """Decodes one connection's stream from its first message on.

    `start`: transactions whose commit record begins before it are skipped (they are in the snapshot, or applied).
    `until`: transactions whose commit record begins at or after it are not handed out any more.
    `cut_at` does the same for a while: what lies behind a cut is kept, and comes out after `release`.
    `piece_bytes`: a transaction that needs more than this goes out in pieces.
    `describe_types`: says what a type is made of that `described` does not have; `describe_table`: the same of a table.
    """

    def __init__(
        self,
        described: Iterable[Relation],
        start: Lsn,
        *,
        until: Lsn | None = None,
        piece_bytes: int,
        piece_rows: int,
        describe_types: DescribeTypes = nothing_more,
        describe_table: DescribeTable = no_table,
    ) -> None:
        self._versions = RelationVersions(described, describe_types, describe_table)
        self._announced: set[int] = set()
        self._start = start
        self._until = until
        self._piece_bytes = piece_bytes
        self._piece_rows = piece_rows
        self._kept: list[bytes] = []
        self._open: OpenTransaction | None = None
        self.end = start  # end of the last transaction handed out, or of the log where it was idle
        self.reached_until = until is not None and start >= until
        self._cut_lsn: Lsn | None = None
        self.at_cut = False  # all before the cut has been handed out, nothing behind it
        self._idle_end = ZERO  # where the log is known to be idle up to

    def cut_at(self, lsn: Lsn) -> None:
        """Hand out exactly the transactions whose commit record begins before `lsn`, until `release`; between two batches.

        The next `decode` may say that this is so already. CausewayError INTERNAL where more has been handed out.
        """
        if self._open is not None or lsn < self.end:
            raise CausewayError(
                ErrorKind.INTERNAL, f"a stream that was handed out up to {self.end} is to be cut at {lsn}."
            )
        self._cut_lsn = lsn

    @property
    def is_cut(self) -> bool:
        """Whether a cut was asked for and not released."""
        return self._cut_lsn is not None

    def release(self) -> None:
        """Go on behind the cut: the next `decode` begins with what was kept there."""
        self._cut_lsn, self.at_cut = None, False

    def decode(self, messages: Sequence[bytes], idle_end: Lsn = ZERO, *, settled: Lsn = ZERO) -> Decoded | None:
        """Decode a chunk of XLogData messages; None where there is nothing to hand out.

        `idle_end`: the end of WAL in a keepalive that came behind the last message; it counts where no transaction is open.
        `settled`: nothing that is committed before it is missing, though the log does not reach it. Without messages, those
        that were kept are looked at again. CausewayError INTERNAL at a cut.
        """
        if self.reached_until:
            return None
        if self.at_cut:
            raise CausewayError(ErrorKind.INTERNAL, f"a stream that is cut at {self._cut_lsn} was given more.")
        self._idle_end = max(self._idle_end, idle_end)
        decoded = self._decode_messages([*self._kept, *messages]) if messages or self._kept else None
        if not self._kept and self._open is None and not self.at_cut:
            decoded = self._at_idle_end(decoded, self._idle_end)
            if (bound := self._bound) is not None and settled >= bound:
                self._reach(bound)
        if decoded is not None:
            self.end = decoded.end
        return decoded

    def _at_idle_end(self, decoded: Decoded | None, idle_end: Lsn) -> Decoded | None:
        """Move on to where the log ends: all that was committed before has been handed out."""
        if (bound := self._bound) is not None and idle_end >= bound:
            self._reach(bound)
            idle_end = bound
        if idle_end <= (decoded.end if decoded else self.end):
            return decoded
        return _moved_to(decoded or Decoded(end=self.end), idle_end)

    def _decode_messages(self, messages: list[bytes]) -> Decoded | None:
        self._kept = []
        wire = Wire(messages)
        types = _types(wire)
        bounds = find_boundaries(wire, types, self._open)
        count, complete = self._cut(bounds)
        if complete:
            self._kept = [] if self.reached_until else messages[count:]
        elif len(wire.buffer) < self._piece_bytes and len(messages) < self._piece_rows:
            self._kept = messages
            return None
        return self._decode_whole(wire, types[:count], bounds, complete) if count else self._at_bound()

    def _cut(self, bounds: Boundaries) -> tuple[int, bool]:
        """Return how many messages go out, if any may, and whether they end with a whole transaction."""
        if (bound := self._bound) is not None:
            late = np.flatnonzero(bounds.commit_lsns >= bound)
            if len(late):
                self._reach(bound)
                return int(bounds.begins[late[0]]), True
        if bounds.ends_open and not len(bounds.commits):
            return bounds.messages, False
        return bounds.last_whole, True

    def _decode_whole(self, wire: Wire, types: Bytes, bounds: Boundaries, complete: bool) -> Decoded:
        transactions = transactions_of(wire, bounds, self._open, len(types))
        self._open = None if complete else transactions.last_open()
        self._announced.clear()
        parts = list(self._parts(wire, types, transactions))
        decoded = Decoded(
            changes=number_rows(wire, parts, transactions),
            transactions=transactions.whole,
            end=max(self.end, transactions.last_end),
            last_commit_at=_moment(transactions.last_commit_us),
            complete=complete,
            announced=frozenset(self._announced),
        )
        reached = self._reached
        return decoded if reached is None else _moved_to(decoded, reached)

    def _at_bound(self) -> Decoded | None:
        reached = self._reached
        return None if reached is None else _moved_to(Decoded(end=self.end), reached)

    @property
    def _bound(self) -> Lsn | None:
        """Before which commit records must begin, of what is handed out."""
        bounds = [bound for bound in (self._until, self._cut_lsn) if bound is not None]
        return min(bounds, default=None)

    @property
    def _reached(self) -> Lsn | None:
        return self._bound if self.reached_until or self.at_cut else None

    def _reach(self, bound: Lsn) -> None:
        """Where both are one point, the stream has ended, and there is nothing to go on with."""
        self.reached_until |= bound == self._until
        self.at_cut |= bound == self._cut_lsn

    def _parts(self, wire: Wire, types: Bytes, transactions: Transactions) -> Iterator[RowChanges]:
        """Decode the rows of each relation version, tables in no particular order."""
        versions = self._announcements(wire, types)
        truncates = self._truncates(wire, types, transactions)
        rows = self._wanted(np.flatnonzero(_ROW_MESSAGE[types]), transactions)
        by_table = dict(_by_relation(wire, rows))
        for oid in by_table.keys() | truncates.keys():
            mine, cut_at = by_table.get(oid, _NONE), truncates.get(oid, [])
            for first, last, relation in _spans(versions.get(oid, []), len(types)):
                part = mine[np.searchsorted(mine, first) : np.searchsorted(mine, last)]
                truncated = [number for number in cut_at if first <= number < last]
                if len(part) or truncated:
                    yield _decode_part(wire, relation or _unannounced(oid), part, truncated)

    def _announcements(self, wire: Wire, types: Bytes) -> dict[int, list[tuple[int, Relation]]]:
        """Take the rare messages in; return the versions in force by table: (from which message on, version)."""
        before = self._versions.in_force()
        versions = {oid: [(0, relation)] for oid, relation in before.items()}
        for number in np.flatnonzero(_ANNOUNCEMENT[types]):
            data = wire.message(int(number), XLOG_HEADER_BYTES)
            if data[0] == protocol.RELATION:
                relation = self._versions.announce(protocol.parse_relation(data))
                self._announced.add(relation.oid)
                known = versions.setdefault(relation.oid, [])
                if not known or known[-1][1] is not relation:
                    known.append((int(number), relation))
            elif data[0] == protocol.TYPE:
                self._versions.announce_type(*protocol.parse_type(data))
            elif data[0] == protocol.ORIGIN:
                protocol.check_origin(data)
            else:
                protocol.check_logical_message(data)
        return versions

    def _truncates(self, wire: Wire, types: Bytes, transactions: Transactions) -> dict[int, list[int]]:
        """Return the numbers of the truncate messages of each table."""
        found: dict[int, list[int]] = {}
        for number in self._wanted(np.flatnonzero(types == protocol.TRUNCATE), transactions):
            message = protocol.parse_truncate(wire.message(int(number), XLOG_HEADER_BYTES))
            for oid in message.relation_oids:
                found.setdefault(oid, []).append(int(number))
        return found

    def _wanted(self, messages: Int64s, transactions: Transactions) -> Int64s:
        """Leave out the messages of transactions from before the start."""
        if not len(messages) or int(transactions.commit_lsns[0]) >= self._start:
            return messages
        return messages[transactions.commit_lsns[transactions.of(messages)] >= self._start]


_ROW_MESSAGE = np.zeros(256, dtype=np.bool_)
_ROW_MESSAGE[[protocol.INSERT, protocol.UPDATE, protocol.DELETE]] = True
_ANNOUNCEMENT = np.zeros(256, dtype=np.bool_)
_ANNOUNCEMENT[[protocol.RELATION, protocol.TYPE, protocol.ORIGIN, protocol.MESSAGE]] = True
_KNOWN = np.zeros(256, dtype=np.bool_)
_KNOWN[list(protocol.MESSAGE_TYPES)] = True
_NONE = np.zeros(0, dtype=np.int64)


def _types(wire: Wire) -> Bytes:
    """Return the type byte of each message; every message must be XLogData with a type that we know."""
    if (wire.u8[wire.begins] != protocol.XLOG_DATA).any() or (wire.ends - wire.begins <= XLOG_HEADER_BYTES).any():
        raise protocol_error("a message is neither data nor a keepalive")
    types = wire.u8[wire.begins + XLOG_HEADER_BYTES]
    known = _KNOWN[types]
    if not known.all():
        raise protocol_error(f"a message of the unknown type {chr(types[~known][0])!r}")
    return types


def _by_relation(wire: Wire, messages: Int64s) -> Iterator[tuple[int, Int64s]]:
    """Group row messages by their relation's OID, each group in ascending order."""
    if not len(messages):
        return
    oids = wire.uint32(wire.begins[messages] + (XLOG_HEADER_BYTES + 1))
    order = np.argsort(oids, kind="stable")
    oids, messages = oids[order], messages[order]
    cuts = np.flatnonzero(oids[1:] != oids[:-1]) + 1
    for first, group in zip([0, *cuts], np.split(messages, cuts), strict=True):
        yield int(oids[first]), group


def _spans(versions: list[tuple[int, Relation]], count: int) -> Iterator[tuple[int, int, Relation | None]]:
    """Yield (first message, first message behind it, version); None from 0 on where no version was in force yet."""
    if not versions or versions[0][0] > 0:
        yield 0, versions[0][0] if versions else count, None
    for position, (first, relation) in enumerate(versions):
        last = versions[position + 1][0] if position + 1 < len(versions) else count
        yield first, last, relation


def _unannounced(oid: int) -> NoReturn:
    raise protocol_error(f"a change of the relation {oid}, which was not announced")


def _decode_part(wire: Wire, relation: Relation, rows: Int64s, truncated: list[int]) -> RowChanges:
    changes = decode_rows(wire, relation, rows) if len(rows) else None
    if truncated:
        return with_truncates(changes, relation, truncated)
    assert changes is not None
    return changes


def _moment(micros: int | None) -> datetime | None:
    if micros is None:
        return None
    try:
        return datetime.fromtimestamp(0, UTC) + timedelta(microseconds=micros)
    except OverflowError as error:
        raise protocol_error("a transaction was committed at a time that is none") from error


def _moved_to(decoded: Decoded, end: Lsn) -> Decoded:
    return replace(decoded, end=max(decoded.end, end))
