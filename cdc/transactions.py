"""Where transactions begin and end in a wire of replication messages, and what their Begin and Commit messages say.

Source: PostgreSQL documentation, "Logical Replication Message Formats": Begin is 'B', LSN of the commit record, commit time,
xid; Commit is 'C', flags, LSN of the commit record, its end LSN, commit time. Only a logical message may stand outside.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cdc.lsn import Lsn
from cdc.protocol import BEGIN, BEGIN_BYTES, COMMIT, COMMIT_BYTES, EPOCH_US, MESSAGE, XLOG_HEADER_BYTES, protocol_error
from cdc.wire import Bytes, Int64s, Wire


@dataclass(frozen=True, slots=True)
class OpenTransaction:
    """A transaction of which earlier pieces have been handed out. `commit_lsn`: where its commit record begins."""

    commit_lsn: int
    committed_us: int
    xid: int


@dataclass(frozen=True, slots=True)
class Boundaries:
    """`begins`, `commits`: numbers of the Begin and Commit messages; `commit_lsns`: the LSN in each Begin."""

    begins: Int64s
    commits: Int64s
    commit_lsns: Int64s
    messages: int
    ends_open: bool

    @property
    def last_whole(self) -> int:
        """How many messages belong to whole transactions."""
        return int(self.begins[-1]) if self.ends_open and len(self.begins) else self.messages


@dataclass(frozen=True, slots=True)
class Transactions:
    """The transactions of a wire; all arrays are (t,). `begins`: number of the Begin message, -1 where it came earlier.

    `lsns`: end of the commit record; of a transaction in pieces, its beginning, the only one that every piece knows.
    `committed_us`: microseconds since 1970. `whole`: how many were committed here.
    """

    begins: Int64s
    lsns: Int64s
    committed_us: Int64s
    xids: Int64s
    commit_lsns: Int64s
    ends: Int64s
    whole: int

    @property
    def last_end(self) -> Lsn:
        """End LSN of the last transaction committed here; 0 where none was."""
        return Lsn(self.ends[-1]) if len(self.ends) else Lsn(0)

    @property
    def last_commit_us(self) -> int | None:
        return int(self.committed_us[self.whole - 1]) if self.whole else None

    def last_open(self) -> OpenTransaction:
        """Return the last one, which goes on in the next wire."""
        return OpenTransaction(int(self.commit_lsns[-1]), int(self.committed_us[-1]), int(self.xids[-1]))

    def of(self, messages: Int64s) -> Int64s:
        """Return the number of the transaction that each message belongs to."""
        return np.searchsorted(self.begins, messages, side="right").astype(np.int64) - 1


def find_boundaries(wire: Wire, types: Bytes, carried: OpenTransaction | None) -> Boundaries:
    """Find the transactions' bounds and check that they alternate; `carried`: one that began in an earlier wire."""
    begins, commits = np.flatnonzero(types == BEGIN), np.flatnonzero(types == COMMIT)
    _check_sizes(wire, begins, BEGIN_BYTES, "begin")
    _check_sizes(wire, commits, COMMIT_BYTES, "commit")
    opened = len(begins) + (carried is not None)
    if opened - len(commits) not in (0, 1):
        raise protocol_error("begin and commit messages do not alternate")
    _check_order(types, begins, commits, carried is not None)
    lsns = wire.int64(_field(wire, begins, 1))
    promised = lsns if carried is None else np.concatenate([[carried.commit_lsn], lsns])
    if (wire.int64(_field(wire, commits, 2)) != promised[: len(commits)]).any():
        raise protocol_error("a commit has another LSN than its begin")
    return Boundaries(begins, commits, lsns, len(wire), opened > len(commits))


def transactions_of(wire: Wire, bounds: Boundaries, carried: OpenTransaction | None, messages: int) -> Transactions:
    """Return the transactions in the first `messages` messages."""
    begins = bounds.begins[: np.searchsorted(bounds.begins, messages)]
    commits = bounds.commits[: np.searchsorted(bounds.commits, messages)]
    ends = wire.int64(_field(wire, commits, 10))
    commit_lsns = bounds.commit_lsns[: len(begins)]
    committed = wire.int64(_field(wire, begins, 9)) + EPOCH_US
    xids = wire.uint32(_field(wire, begins, 17))
    if carried is not None:
        begins = _prepend(-1, begins)
        commit_lsns = _prepend(carried.commit_lsn, commit_lsns)
        committed = _prepend(carried.committed_us, committed)
        xids = _prepend(carried.xid, xids)
    lsns = commit_lsns.copy()
    first = 0 if carried is None else 1
    lsns[first : len(ends)] = ends[first:]
    return Transactions(begins, lsns, committed, xids, commit_lsns, ends, len(ends))


def _field(wire: Wire, messages: Int64s, offset: int) -> Int64s:
    return wire.begins[messages] + (XLOG_HEADER_BYTES + offset)


def _prepend(value: int, array: Int64s) -> Int64s:
    return np.concatenate([np.array([value], dtype=np.int64), array])


def _check_sizes(wire: Wire, messages: Int64s, size: int, name: str) -> None:
    if (wire.ends[messages] - wire.begins[messages] != XLOG_HEADER_BYTES + size).any():
        raise protocol_error(f"a {name} message does not have {size} bytes")


def _check_order(types: Bytes, begins: Int64s, commits: Int64s, carried: bool) -> None:
    """Every commit follows its begin, every begin the commit before; between the two only logical messages may stand."""
    opened = _prepend(-1, begins) if carried else begins
    gaps_begin = commits + 1 if carried else _prepend(0, commits + 1)
    gaps_end = np.append(begins, len(types))[: len(gaps_begin)]
    if (commits <= opened[: len(commits)]).any() or (gaps_begin > gaps_end).any():
        raise protocol_error("begin and commit messages do not alternate")
    for gap in np.flatnonzero(gaps_begin < gaps_end):
        if (types[gaps_begin[gap] : gaps_end[gap]] != MESSAGE).any():
            raise protocol_error("a change stands outside a transaction")
