"""Which tables of a source the outbox has all rows of: its first snapshot table by table, and copies while the stream goes on.

Contract: runs in the transaction of the session whose connection it is given, so that a table's state is as durable as its records.
What is in memory here is as if committed: after a failure the session is made anew. From the first whole table of a snapshot on
the source has a position: interrupted then, the others are copied while the stream goes on from there. Nothing of the source is
delivered before all are there.

A copy begins with no record of its table seen. Whatever comes until the position makes the table exact, by the copy, by the stream or
by a look-up, is noted as seen; then the records of the table's mappings that were not seen are those whose rows are gone. What the
stream brings that was committed before the copy began does not count: it says nothing of whether the row is still there, and the
chunks show it where it is (`causeway.copying` sees to that).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import psycopg

from cdc.batch import BatchKind, ChangeBatch, CopyProgress
from cdc.lsn import Lsn
from cdc.relation import Relation, ReplicaIdentity, relation_from_json, relation_to_json
from config.settings import Lane
from loaders.named_sql import statements
from loaders.state import scalar, translated
from transforms.compiled import KeyPattern
from transforms.mapping import Mapping

_LANE = Lane.OPERATIONAL.value
_WHOLE_SOURCE = ""  # in a table name's place: what a repeated snapshot has seen
_ANY_KEY = ".*"

Connection = psycopg.Connection[tuple[Any, ...]]


class Snapshot(StrEnum):
    """A source's snapshot that is not whole yet: its first, or one that finds records of before."""

    FIRST = "first"
    AGAIN = "again"


@dataclass(kw_only=True, slots=True)
class Copies:
    """One source's tables. `snapshot`: None once it is whole. `progress`: copies that are not exact yet, by table."""

    connection: Connection
    source: str
    snapshot: Snapshot | None = None
    progress: dict[str, CopyProgress] = field(default_factory=dict)
    _tables: tuple[str, ...] = ()
    _resumable: bool = False

    @property
    def unfinished(self) -> tuple[CopyProgress, ...]:
        """The copies that rows are to be read for yet."""
        return tuple(copy for copy in self.progress.values() if not copy.last)

    @property
    def under_way(self) -> bool:
        """Whether a position may say that something is gone."""
        return self.snapshot is not None or bool(self.progress)

    def begin_snapshot(self, relations: Sequence[Relation]) -> None:
        """All tables begin anew."""
        for name in ("forget_all", "forget_all_seen"):
            self._execute(name)
        self._execute("forget_captured", tables=[])
        self.snapshot = Snapshot.AGAIN if self._has_records() else Snapshot.FIRST
        self.progress.clear()
        self._tables = tuple(relation.qualified_name for relation in relations)
        self._resumable = all(_has_key(relation) for relation in relations)

    def table_is_whole(self, relation: Relation) -> bool:
        """All rows of a snapshot's table are there; return whether it may be gone on with from here after an interruption."""
        self._execute("note_captured", tables=[relation.qualified_name])
        return self._resumable

    def snapshot_is_whole(self) -> None:
        """All rows of all tables are there."""
        self._execute("note_captured", tables=list(self._tables))
        self._execute("forget_seen", table=_WHOLE_SOURCE)
        self._execute("snapshot_is_whole")
        self.snapshot = None

    def missing(self, relations: Sequence[Relation]) -> tuple[str, ...]:
        """Return the captured tables whose rows have never been brought here; forget those that no longer are captured."""
        tables = [relation.qualified_name for relation in relations]
        known = {table for (table,) in self._execute("captured").fetchall()}
        if not known and not self.progress and self.snapshot is None and self._has_records():
            self._execute("note_captured", tables=tables)  # by a version that did not note them: it had all
            return ()
        self._execute("forget_captured", tables=tables)
        self._execute("forget_copies_of_others", tables=tables)
        self.progress = {table: copy for table, copy in self.progress.items() if table in tables}
        return tuple(table for table in tables if table not in known and table not in self.progress)

    def begin(self, progress: CopyProgress) -> None:
        """Begin to copy a table: nothing of it has been seen."""
        self._execute("forget_seen", table=progress.table)
        self.store(progress)

    def store(self, progress: CopyProgress) -> None:
        """Note how far a copy is."""
        self._execute(
            "store",
            table=progress.table,
            relation=relation_to_json(progress.relation),
            began_at=str(progress.began_at),
            exact_from=str(progress.exact_from),
            last_key=None if progress.last_key is None else list(progress.last_key),
            rows=progress.rows,
            whole=progress.last,
        )
        self.progress[progress.table] = progress
        if progress.last:
            self._execute("note_captured", tables=[progress.table])

    def note_seen(self, batch: ChangeBatch) -> None:
        """Note the staged records as seen by what has to know which are not."""
        tables = [] if batch.kind is BatchKind.SNAPSHOT else list(self.progress)
        if batch.copy is not None:
            tables = [batch.copy.table]
        self._note_seen(tables, streamed=batch.kind is BatchKind.STREAM)

    def note_read(self) -> None:
        """Note the staged records, of rows that were read by key, as seen."""
        self._note_seen(list(self.progress))

    def exact(self, lsn: Lsn) -> tuple[str, ...]:
        """Return the copied tables that a position makes exact."""
        return tuple(table for table, copy in self.progress.items() if copy.last and copy.exact_from <= lsn)

    def waits_for_rows(self, table: str) -> bool:
        """Whether rows of the table are noted to be read."""
        return self._execute("waits_for_rows", table=table).fetchone() == (True,)

    def finish(self, table: str) -> None:
        """A copied table is exact, and what is gone of it is said."""
        self._execute("forget", table=table)
        self._execute("forget_seen", table=table)
        del self.progress[table]

    def stage_gone(self, lsn: Lsn, patterns: Iterable[KeyPattern], table: str = _WHOLE_SOURCE) -> dict[str, int]:
        """Stage deletes for what was not seen of a table, or of the whole source; return how many by entity."""
        mine, others = [], []
        for one in patterns:
            if one.table == table and one.pattern is not None:
                mine.append((one.entity, one.pattern))
            elif table != _WHOLE_SOURCE or one.pattern is None:
                others.append((one.entity, one.pattern or _ANY_KEY))
        self.connection.execute("DELETE FROM staged")
        self._execute(
            "stage_gone",
            table=table,
            lsn=str(lsn),
            entities=[entity for entity, _ in mine],
            patterns=[pattern for _, pattern in mine],
            other_entities=[entity for entity, _ in others],
            other_patterns=[pattern for _, pattern in others],
        )
        return dict(self.connection.execute("SELECT entity, count(*)::int FROM staged GROUP BY entity").fetchall())

    def _has_records(self) -> bool:
        return bool(scalar(self.connection, "SELECT EXISTS (SELECT 1 FROM outbox WHERE source = %s)", [self.source]))

    def _note_seen(self, tables: list[str], *, streamed: bool = False) -> None:
        if self.snapshot is Snapshot.AGAIN:
            tables = [*tables, _WHOLE_SOURCE]
        if tables:
            self._execute("seen", tables=tables, streamed=streamed)

    def _execute(self, name: str, **parameters: object) -> psycopg.Cursor[tuple[Any, ...]]:
        names = {"source": self.source, "lane": _LANE, **parameters}
        return self.connection.execute(statements("arriving/copies.sql")[name], names)


def copies_of(connection: Connection, source: str) -> Copies:
    """Return what is durable of a source's tables."""
    found = Copies(connection=connection, source=source)
    names = {"source": source, "lane": _LANE}
    snapshot = scalar(connection, statements("arriving/copies.sql")["unfinished_snapshot"], names)
    found.snapshot = None if snapshot is None else Snapshot(snapshot)
    for relation, began_at, exact_from, last_key, rows, whole in connection.execute(
        statements("arriving/copies.sql")["read"], names
    ):
        progress = CopyProgress(
            relation=relation_from_json(relation),
            began_at=Lsn.parse(began_at),
            exact_from=Lsn.parse(exact_from),
            last_key=None if last_key is None else tuple(last_key),
            rows=rows,
            last=whole,
        )
        found.progress[progress.table] = progress
    return found


def without_records(connection: Connection, mappings: Sequence[Mapping]) -> frozenset[str]:
    """Return the names of those of the mappings that have made no record, though their tables' rows were brought here. Ends the transaction."""
    names = {
        "names": [each.name for each in mappings],
        "sources": [each.source for each in mappings],
        "tables": [each.table for each in mappings],
        "entities": [each.entity for each in mappings],
    }
    with translated("looking for mappings without records"):
        found = connection.execute(statements("arriving/copies.sql")["without_records"], names).fetchall()
        connection.commit()
    return frozenset(name for (name,) in found)


def _has_key(relation: Relation) -> bool:
    """Whether the table can be copied by itself, in the order of its key."""
    return relation.replica_identity is not ReplicaIdentity.FULL or bool(relation.primary_key)
