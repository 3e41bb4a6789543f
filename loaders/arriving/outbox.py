"""The outbox: the operational lane's durable end. A batch's canonical records and the source's position, in one transaction.

Contract: implements cdc.destination.Destination. Called by the lane's applying thread only. Pieces of a transaction that is
too large for one batch wait in a temporary table of the open transaction; each source has its own connection, so that one
source's open transaction never commits with another's. Odoo plays no part here: the outbox takes in changes whatever it does.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

import psycopg
import pyarrow as pa

from cdc.batch import BatchKind, ChangeBatch, CopyProgress, Position
from cdc.lsn import Lsn
from cdc.relation import Relation
from config.errors import CausewayError, ErrorKind
from config.failpoints import failpoint
from config.policies import Policies
from config.settings import Lane, StateSettings
from loaders.arriving.copies import Copies, Snapshot, copies_of
from loaders.arriving.identity import resolve_staged
from loaders.arriving.incoming import staged_rows
from loaders.arriving.rows_to_read import ReadRows, done, note
from loaders.named_sql import statements
from loaders.state import connect, lock_writers, prepare, translated
from transforms.canonical import ORDER
from transforms.changes import AnyChange, Delete, Held, Invalid, Mapped, TruncateAll, Upsert
from transforms.compiled import KeyPattern
from transforms.lastchanges import Fetch, Found

_LANE = Lane.OPERATIONAL.value
# Each statement costs a small batch a round trip, so that it runs only what its changes ask for.
_ANALYZED_ROWS = 200
_IDENTIFIED = frozenset({"product", "customer"})
_REFUNDING = frozenset({"return", "return_line", "payment"})


RowFetcher = Callable[[str, Relation, pa.Table, frozenset[int]], Found]


class Mapper(Protocol):
    """What the outbox needs of transforms.mapper.BatchMapper."""

    def map(self, batch: ChangeBatch, fetch: Fetch) -> list[Mapped]:
        """Return the canonical changes of a batch, the last of each record, and rows that must be read later."""

    def forget(self, source: str, table: str | None = None) -> None:
        """What was given since the last complete batch is not kept: rows, of a table or of all, are mapped as they come again."""

    def parts_of_policies(self, source: str) -> tuple[str, ...]:
        """Return the entities that are parts of things which a backfill policy may leave out."""

    def key_patterns(self, source: str) -> tuple[KeyPattern, ...]:
        """Return which records each mapping of a source makes."""


@dataclass(kw_only=True, slots=True)
class _Session:
    """One source's connection, what is staged on it, and which tables it has the rows of."""

    source: str
    connection: psycopg.Connection[tuple[Any, ...]]
    copies: Copies
    staged: int = 0
    pieces: int = 0
    unbegun: bool = False
    kinds: set[tuple[type[AnyChange], str]] = field(default_factory=set)


class Outbox:
    """Destination of the operational lane.

    `fetch` reads whole source rows by key, for values that the log left out: (source, relation, keys, transactions to see) -> rows.
    `priorities`: source -> priority (lowest first) where several sources know one thing.
    `arrived` is called when records have been committed.
    `counted`: sources whose stock levels are delivered as counts.
    """

    def __init__(
        self,
        settings: StateSettings,
        mapper: Mapper,
        fetch: RowFetcher,
        priorities: Mapping[str, int],
        arrived: Callable[[], None] = lambda: None,
        *,
        counted: Collection[str] = (),
        policies: Policies | None = None,
    ) -> None:
        prepare(settings)
        self._policies = policies or Policies()
        self._counted = counted
        self._arrived = arrived
        self._settings = settings
        self._mapper = mapper
        self._fetch = fetch
        self._priorities = dict(priorities)
        self._sessions: dict[str, _Session] = {}
        self._held_any = True  # an earlier run may have left some

    def position(self, source: str) -> Position | None:
        """See Destination."""
        connection = self._session(source).connection
        with translated(f"reading the position of {source}"):
            row = connection.execute(_sql("position"), {"source": source, "lane": _LANE}).fetchone()
            connection.commit()
        if row is None:
            return None
        lsn, slot, system_identifier, timeline = row
        return Position(
            source=source,
            lane=_LANE,
            lsn=Lsn.parse(lsn),
            slot=slot,
            system_identifier=system_identifier,
            timeline=timeline,
        )

    def begin_snapshot(self, source: str, relations: Sequence[Relation]) -> None:
        """See Destination. Where the source has records here already, the snapshot tells which of them are gone."""
        self._forget(source)
        session = self._session(source)
        with translated(f"preparing the snapshot of {source}"):
            session.copies.begin_snapshot(relations)
            session.connection.commit()

    def captured(self, source: str, relations: Sequence[Relation]) -> tuple[str, ...]:
        """See Destination. Of a table that no mapping reads no rows are missed."""
        session, position = self._session(source), self.position(source)
        mapped = {one.table for one in self._mapper.key_patterns(source)}
        with translated(f"looking at the captured tables of {source}"):
            lock_writers(session.connection)
            new = tuple(table for table in session.copies.missing(relations) if table in mapped)
            if position is not None and not new:
                self._settle(session, position.lsn)
            session.connection.commit()
        return new

    def copies(self, source: str) -> tuple[CopyProgress, ...]:
        """See Destination."""
        return self._session(source).copies.unfinished

    def begin_copy(self, source: str, progress: CopyProgress) -> None:
        """See Destination. What was there before stays; what the copy does not show is gone once the table is exact."""
        session = self._session(source)
        # A row that was looked up before is passed over where the stream or a chunk brings it, and would not count as seen.
        self._mapper.forget(source, progress.table)
        with translated(f"beginning a copy of {progress.table}"):
            session.copies.begin(progress)
            session.connection.commit()

    def apply(self, batch: ChangeBatch) -> None:
        """See Destination. Raises CausewayError: STATE where the position would go back; MAPPING from the mapper."""
        source = batch.position.source
        session = self._session(source)
        mapped = self._mapper.map(batch, partial(self._fetch, source))
        held = [one for one in mapped if isinstance(one, Held)]
        changes = [one for one in mapped if not isinstance(one, Held)]
        with translated(f"applying a batch of {source}"):
            if held:
                note(session.connection, held)
                self._held_any = True
            self._stage(session, changes)
            if batch.complete or batch.kind is BatchKind.SNAPSHOT:
                self._merge(session, batch)

    def apply_read(self, source: str, changes: Sequence[AnyChange], rows: ReadRows, held: Sequence[Held]) -> None:
        """Store what rows that were noted to be read have given, and that they were read, in one transaction.

        `held`: rows to be read once more, for a mapping that is broken.
        """
        session = self._session(source)
        with translated(f"storing rows that were read at {source}"):
            self._stage(session, changes)
            lock_writers(session.connection)
            if session.staged:
                self._merge_staged(session)
                session.copies.note_read()
            if held:
                note(session.connection, held)
            done(session.connection, rows)
            failpoint("outbox.before_rows_read")
            session.connection.commit()
            failpoint("outbox.after_rows_read")
            self._committed(session)

    def take_held(self) -> bool:
        """Return whether rows were noted to be read since this was asked last."""
        held, self._held_any = self._held_any, False
        return held

    def rollback(self, source: str) -> None:
        """See Destination."""
        self._forget(source)
        self._mapper.forget(source)

    def close(self) -> None:
        """See Destination."""
        for source in list(self._sessions):
            self.rollback(source)

    def _session(self, source: str) -> _Session:
        session = self._sessions.get(source)
        if session is None or session.connection.closed:
            connection = connect(self._settings, application_name=f"causeway outbox {source}")
            # Statements without parameters keep their first plan: one that was made for a small outbox reads all of a large one.
            connection.prepare_threshold = None
            with translated("preparing to stage batches"):
                connection.execute(_sql("staging"))
                tables = copies_of(connection, source)
                connection.commit()
            session = self._sessions[source] = _Session(source=source, connection=connection, copies=tables)
        return session

    def _forget(self, source: str) -> None:
        """Close the source's connection: a rollback that also works when the connection is broken."""
        session = self._sessions.pop(source, None)
        if session is not None:
            session.connection.close()

    def _stage(self, session: _Session, changes: Sequence[AnyChange]) -> None:
        session.pieces += 1
        if not changes:  # a position alone: every idle source's, every few seconds
            return
        session.kinds |= {(type(change), change.entity) for change in changes}
        session.unbegun |= any(not change.begins for change in changes)
        rows = staged_rows(changes, session.staged, self._counted)
        with session.connection.cursor() as cursor, cursor.copy(_sql("copy")) as copy:
            for row in rows:
                copy.write_row(row)
        session.staged += len(changes)

    def _merge(self, session: _Session, batch: ChangeBatch) -> None:
        connection = session.connection
        with connection.pipeline():  # the statements of a small batch go to the server together
            if session.staged or session.copies.under_way or batch.kind is not BatchKind.STREAM:
                lock_writers(connection)
            if session.staged:
                again = session.copies.snapshot is Snapshot.AGAIN and batch.kind is not BatchKind.STREAM
                self._merge_staged(session, again=again)
                session.copies.note_seen(batch)
            self._note_progress(session, batch)
            failpoint("outbox.before_commit")
            connection.commit()
        failpoint("outbox.after_commit")
        if batch.copied is not None:
            failpoint("outbox.snapshot_table_whole")
        if batch.copy is not None:
            failpoint("copy.chunk_applied")
        self._committed(session)

    def _note_progress(self, session: _Session, batch: ChangeBatch) -> None:
        if batch.copy is not None:
            session.copies.store(batch.copy)
        elif batch.copied is not None:
            if session.copies.table_is_whole(batch.copied):
                self._store_position(session, batch)
        elif batch.complete:
            if batch.kind is BatchKind.SNAPSHOT:
                self._end_snapshot(session, batch.position.lsn)
            self._store_position(session, batch)
        if batch.complete:
            self._settle(session, batch.position.lsn)

    def _settle(self, session: _Session, lsn: Lsn) -> None:
        """Say what is gone of the copied tables that are exact at `lsn`; with the last of them an interrupted snapshot is whole.

        A table with rows that are yet to be read waits for them: their records were not seen.
        """
        tables = session.copies
        exact = tables.exact(lsn)
        if tables.snapshot is not None and len(exact) == len(tables.progress):
            self._end_snapshot(session, lsn)
        for table in exact:
            if not tables.waits_for_rows(table):
                self._merge_gone(session, tables.stage_gone(lsn, self._mapper.key_patterns(session.source), table))
                tables.finish(table)

    def _end_snapshot(self, session: _Session, lsn: Lsn) -> None:
        """All tables are there: what a snapshot that was taken again did not show is gone, and so are parts without their wholes."""
        parts = self._mapper.parts_of_policies(session.source)
        if parts:  # only now: of a snapshot's tables the wholes may come later
            session.connection.execute(_sql("forget_unbegun_parts"), {"source": session.source, "parts": list(parts)})
        if session.copies.snapshot is Snapshot.AGAIN:
            self._merge_gone(session, session.copies.stage_gone(lsn, self._mapper.key_patterns(session.source)))
        session.copies.snapshot_is_whole()

    def _merge_gone(self, session: _Session, gone: Mapping[str, int]) -> None:
        if gone:
            session.kinds = {(Delete, entity) for entity in gone}
            session.staged += sum(gone.values())
            self._merge_staged(session)

    def _committed(self, session: _Session) -> None:
        arrived, session.staged, session.pieces = session.staged > 0, 0, 0
        if arrived:
            self._arrived()

    def _merge_staged(self, session: _Session, *, again: bool = False) -> None:
        connection = session.connection
        kinds, entities = {kind for kind, _ in session.kinds}, {entity for _, entity in session.kinds}
        arrives = bool(kinds & {Upsert, Invalid})
        if session.staged >= _ANALYZED_ROWS:
            connection.execute("ANALYZE staged")
        if again:
            connection.execute(_sql("found_again"))
        if session.unbegun:
            connection.execute(_sql("forget_unbegun"))
            session.unbegun = False
        if session.pieces > 1:
            connection.execute(_sql("keep_last_of_each_record"))
        steps = {
            "forget_truncated": TruncateAll in kinds,
            "truncate": TruncateAll in kinds,
            "upsert": arrives,
            "delete": Delete in kinds,
            "aggregates": Upsert in kinds,
        }
        for name in (name for name, due in steps.items() if due):
            connection.execute(_sql(name))
        if entities & _IDENTIFIED:
            resolve_staged(connection, self._priorities, self._policies)
            connection.execute(_sql("owners_of_linked"))
        if ORDER in entities:
            connection.execute(_sql("duplicates"))
        if entities & _REFUNDING:
            connection.execute(_sql("invoicing_of_refunds"))
        if arrives:
            connection.execute(_sql("release_waiting_for_arrivals"))
        session.kinds.clear()

    def _store_position(self, session: _Session, batch: ChangeBatch) -> None:
        position = batch.position
        stored = session.connection.execute(
            _sql("store_position"),
            {
                "source": position.source,
                "lane": _LANE,
                "lsn": str(position.lsn),
                "slot": position.slot,
                "system_identifier": position.system_identifier,
                "timeline": position.timeline,
                "snapshot": None if session.copies.snapshot is None else session.copies.snapshot.value,
                "may_go_back": batch.kind is not BatchKind.STREAM,
            },
        )
        if stored.fetchone() is None:
            raise CausewayError(
                ErrorKind.STATE,
                f"Source {position.source}: a batch ends at {position.lsn}, before the stored position.",
                hint="Two lanes may be running over one state database.",
                source=position.source,
            )


def _sql(name: str) -> Any:
    return statements("arriving/merge.sql")[name]
