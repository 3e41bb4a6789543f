"""The analytical lane's end: a typed mirror of every captured table, moved forward by whole source transactions.

Contract: `cdc.destination.Destination`. One DuckDB transaction holds all the tables of a batch and its LSN, so that every query
sees whole source transactions, and a restart can apply no batch twice and lose none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from cdc.batch import ChangeBatch, CopyProgress, Position
from cdc.relation import Relation
from cdc.table_facts import AskCatalog
from warehouse.histories import WantedHistory
from warehouse.lookups import LookUp
from warehouse.session import SourceSession
from warehouse.store import Warehouse
from warehouse.tables import TableRecord


class Mirror:
    """The mirrors of all sources in one warehouse. Used by one thread; readers take `Warehouse.cursor`."""

    def __init__(
        self,
        warehouse: Warehouse,
        ask: AskCatalog | None = None,
        look_up: LookUp | None = None,
        *,
        history: WantedHistory | None = None,
        troubles: Callable[[str], Mapping[str, str]] = lambda _source: {},
    ) -> None:
        """`ask` asks a source's catalog what its log does not say; without it, what the log leaves open stops a table.

        `look_up` reads rows of a source: a table that is copied while its log leaves values out needs it. `history` says of
        which tables changes are kept; without it, this stays as it is. `troubles` says which tables a source can't give any more.
        """
        self._look_up = look_up
        self._warehouse = warehouse
        self._ask = ask
        self._history = history
        self._troubles = troubles
        self._sessions: dict[str, SourceSession] = {}

    def position(self, source: str) -> Position | None:
        """Return how far `source` is durable; None before its first complete snapshot."""
        return self._session(source).position()

    def begin_snapshot(self, source: str, relations: Sequence[Relation]) -> None:
        """Make empty mirrors of these tables; SCHEMA for a table that cannot be mirrored."""
        self._session(source).begin_snapshot(relations)

    def captured(self, source: str, relations: Sequence[Relation]) -> tuple[str, ...]:
        """Note which tables are captured now; return those that have no mirror yet."""
        return self._session(source).captured(relations, self._troubles(source))

    def follow(self, source: str, relations: Sequence[Relation]) -> None:
        """Take over what changed in tables of which no row came since; `relations` are as of exactly the stored position."""
        self._session(source).follow(relations)

    def copies(self, source: str) -> tuple[CopyProgress, ...]:
        """Return how far the unfinished copies of tables are."""
        return self._session(source).copies()

    def begin_copy(self, source: str, progress: CopyProgress) -> None:
        """Begin to copy a table from its first row; SCHEMA for a table that cannot be mirrored."""
        self._session(source).begin_copy(progress)

    def apply(self, batch: ChangeBatch) -> None:
        """Apply a batch and, when it is complete, commit it with its position.

        Raises CausewayError: INTERNAL for a batch at or below the stored LSN, WAREHOUSE where DuckDB fails. After an error
        nothing of the source's open transaction is left. A table that cannot be followed stops, and is no error.
        """
        self._session(batch.position.source).apply(batch)

    def stopped(self, source: str) -> dict[str, TableRecord]:
        """Return the tables of a source that have stopped, by schema.table."""
        records = self._session(source).records()
        return {record.relation.qualified_name: record for record in records if record.stopped}

    def prune_histories(self, now: datetime) -> int:
        """Remove what is older than the histories' retention; return how many rows went. Not in the middle of a transaction."""
        return sum(session.prune_histories(now) for session in self._sessions.values())

    def rollback(self, source: str | None = None) -> None:
        """Forget what was applied since the last commit, of one source or of all.

        A source whose pieces were forgotten takes no batch until its reader has asked for its position.
        """
        for name, session in self._sessions.items():
            if source in (None, name):
                session.rollback()

    def value_exceptions(self, source: str) -> int:
        """Return how many values of `source` its mirrors' types cannot hold, so that meta.value_exceptions has their text."""
        session = self._sessions.get(source)
        return 0 if session is None else session.value_exceptions

    def close(self) -> None:
        """Close every session; nothing uncommitted survives. The warehouse stays open."""
        while self._sessions:
            self._sessions.popitem()[1].close()

    def _session(self, source: str) -> SourceSession:
        if source not in self._sessions:
            self._sessions[source] = SourceSession(
                self._warehouse, source, self._ask, self._look_up, history=self._history
            )
        return self._sessions[source]
