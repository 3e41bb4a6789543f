"""Between the receiving threads and poll(), which decodes what the log says: a few chunks, never more.

Back-pressure: when `full`, the receiving thread leaves the socket alone (and goes on telling the server that it lives); the
server then waits in its own send buffer.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass

from cdc.batch import TableChanges, Unread
from cdc.doorbell import Doorbell
from cdc.lsn import ZERO, Lsn
from cdc.relation import Relation

MOST_CHUNKS = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class StreamChunk:
    """XLogData messages as they came, and the end of WAL in the last keepalive among or behind them.

    `settled`: nothing that is committed before this point is missing, though the log does not reach it (see `cdc.stream`).
    """

    messages: list[bytes]
    idle_end: Lsn = ZERO
    settled: Lsn = ZERO


@dataclass(frozen=True, kw_only=True, slots=True)
class SnapshotChunk:
    """Rows of one table as of `lsn`, decoded by the connection's own thread: no row of a copy depends on another."""

    changes: TableChanges
    lsn: Lsn


@dataclass(frozen=True, kw_only=True, slots=True)
class TableCopied:
    """All rows of one table have come, as of `lsn`, or all but those in `unread`."""

    relation: Relation
    lsn: Lsn
    unread: Unread | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class SnapshotEnd:
    """All tables are copied as of `lsn`; the stream follows."""

    relations: tuple[Relation, ...]
    lsn: Lsn


Chunk = StreamChunk | SnapshotChunk | TableCopied | SnapshotEnd


class Handover:
    """A queue of at most MOST_CHUNKS chunks. `wake` is set for the consumer, the doorbell rung for the producer."""

    def __init__(self, wake: threading.Event, doorbell: Doorbell) -> None:
        self._chunks: deque[Chunk] = deque()
        self._wake = wake
        self._doorbell = doorbell

    @property
    def full(self) -> bool:
        """Whether the producer has to wait."""
        return len(self._chunks) >= MOST_CHUNKS

    @property
    def empty(self) -> bool:
        """Whether the consumer has taken everything: it waits, or works on the last chunk."""
        return not self._chunks

    def put(self, chunk: Chunk) -> None:
        """Add a chunk; only one thread at a time does, after it has seen that there is room."""
        assert not self.full
        self._chunks.append(chunk)
        self._wake.set()

    def take(self) -> Chunk | None:
        """Take the oldest chunk, None where there is none."""
        if not self._chunks:
            return None
        was_full = self.full
        chunk = self._chunks.popleft()
        if was_full or not self._chunks:
            self._doorbell.ring()
        return chunk
