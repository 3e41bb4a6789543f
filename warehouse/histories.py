"""The histories of one source's tables: which are kept, from when on, and the rows that each batch adds to them.

Contract: runs inside the session's transaction, so that a history is as far as its mirror. A table whose history is not wanted costs
nothing; without settings the histories stay as they are. What a setting turns on begins with the mirror's rows at the position that is durable then; what it turns off stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from datetime import datetime
from itertools import pairwise

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cdc.batch import OP_TRUNCATE, BatchKind, ChangeBatch, Position, TableChanges
from cdc.relation import Relation
from config.history import retention
from warehouse import history, history_pruning, history_rows, reshaping, toast
from warehouse.evolution import Reshape
from warehouse.history import HistoryTable
from warehouse.names import MirrorTable

# What the settings want of a table: source and schema.table to off, on, or a retention.
WantedHistory = Callable[[str, str], str]

_READ = 'SELECT "schema", "table" FROM meta.history WHERE source = ? AND kept'
_STOP = 'UPDATE meta.history SET kept = false WHERE source = ? AND "schema" = ? AND "table" = ?'
_FORGET = 'DELETE FROM meta.history WHERE source = ? AND "schema" = ? AND "table" = ?'
_BEGIN = "INSERT INTO meta.history VALUES (?, ?, ?, true, ?, CAST(? AS TIMESTAMPTZ))"
# As text: DuckDB makes Python objects of instants only where pytz is installed.
_LAST_COMMIT = "SELECT CAST(coalesce(max(last_commit_at), now()) AS VARCHAR) FROM meta.positions WHERE source = ?"


class Histories:
    """The histories of a source, by the tables' OIDs."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, source: str, wanted: WantedHistory | None) -> None:
        self._connection = connection
        self._source = source
        self._wanted = wanted
        self.changed = False  # a history was made or has another shape: views on it have to follow
        self._in_pieces_since: int | None = None
        self._kept: set[tuple[str, str]] = set()
        self._started = False
        self.load()

    def load(self) -> None:
        """Read what is durable."""
        self._kept = set(self._connection.execute(_READ, [self._source]).fetchall())
        self._in_pieces_since = None
        self._started = False

    def begin_snapshot(self, relations: Collection[Relation]) -> None:
        """Make empty histories beside the empty mirrors: the snapshot's rows are what they begin with."""
        for relation in relations:
            table = HistoryTable(self._source, relation)
            if self._setting(relation) not in (None, "off"):
                history.create(self._connection, table)
                self._note(table, None, None)
        self._started = True

    def start(self, relations: Collection[Relation], position: Position | None) -> None:
        """Follow the settings, once after the start: begin what is wanted now, leave off what is not."""
        if self._started or position is None or self._wanted is None:
            return
        self._started = True
        for relation in relations:
            table = HistoryTable(self._source, relation)
            wanted = self._setting(relation) != "off"
            if wanted and not self.is_kept(table):
                self.begin(table, position)
            elif not wanted and self.is_kept(table):
                self._connection.execute(_STOP, [self._source, table.schema, relation.table])
                self._kept.discard((table.schema, relation.table))

    def begin_if_wanted(self, relation: Relation, position: Position) -> None:
        """Begin the history of a table whose mirror was copied anew and is exact now."""
        table = HistoryTable(self._source, relation)
        if self._setting(relation) not in (None, "off") or self.is_kept(table):
            self.begin(table, position)

    def begin(self, table: HistoryTable, position: Position) -> None:
        """Begin with the rows that the mirror has at its position: what the history had before stays, as far as it fits."""
        if not history.has_shape_of_mirror(self._connection, table):
            history.create(self._connection, table)
        history.create_as_of(self._connection, table)
        ((committed_at,),) = self._connection.execute(_LAST_COMMIT, [self._source]).fetchall()
        history.write_base(self._connection, table, position.lsn, committed_at, table.relation.columns)
        self._note(table, position.lsn, committed_at)

    def is_kept(self, table: HistoryTable) -> bool:
        """Whether changes of the table are written."""
        return (table.schema, table.relation.table) in self._kept

    def pieces(self, changes: TableChanges, batch: ChangeBatch) -> Iterator[TableChanges]:
        """Yield changes in pieces in which a TRUNCATE stands alone, where a history needs what comes before it."""
        self._note_pieces(changes, batch)
        cuts = np.flatnonzero(pc.equal(changes.rows["_op"], pa.scalar(OP_TRUNCATE)).to_numpy())
        bounds = sorted({0, changes.rows.num_rows, *(int(cut) for cut in cuts), *(int(cut) + 1 for cut in cuts)})
        for start, stop in pairwise(bounds):
            yield toast.part_of(changes, start, stop)

    def writer(self, table: MirrorTable, batch: ChangeBatch, first_seq: int) -> Callable[[TableChanges], None] | None:
        """Return what writes changes of a table into its history; None where none is kept."""
        own = HistoryTable(self._source, table.relation)
        if not self.is_kept(own):
            return None

        def write(changes: TableChanges) -> None:
            base = batch.kind is BatchKind.SNAPSHOT
            since = self._in_pieces_since
            stamped = history_rows.stamped(changes, base=base, in_pieces_since=since, first_seq=first_seq)
            history_rows.write(self._connection, own, stamped)

        return write

    def reshape(self, table: MirrorTable, step: Reshape, *, written: bool, dropped_at: str) -> None:
        """Bring the history of a table into the shape that its mirror takes."""
        own = HistoryTable(self._source, table.relation)
        if not self.is_kept(own):
            return
        reshaping.reshape(
            self._connection, own.schema, own.relation.table, step, written=written, dropped_at=dropped_at
        )
        history.create_as_of(self._connection, own)
        self.changed = True

    def snapshot_is_whole(self, position: Position) -> None:
        """Note from when on the histories that began with a snapshot can be asked."""
        self._connection.execute(
            "UPDATE meta.history SET begins_lsn = ?, begins_at = now() WHERE source = ? AND begins_lsn IS NULL",
            [int(position.lsn), self._source],
        )

    def committed(self) -> None:
        """A transaction in pieces has ended."""
        self._in_pieces_since = None

    def prune(self, relations: Collection[Relation], now: datetime) -> int:
        """Remove what is older than each table's retention; return how many rows went."""
        gone = 0
        for relation in relations:
            table = HistoryTable(self._source, relation)
            age = retention(self._setting(relation) or "on")
            if age is not None and self.is_kept(table):
                gone += history_pruning.prune(self._connection, table, now - age)
        return gone

    def _setting(self, relation: Relation) -> str | None:
        return None if self._wanted is None else self._wanted(self._source, relation.qualified_name)

    def _note_pieces(self, changes: TableChanges, batch: ChangeBatch) -> None:
        if batch.kind is BatchKind.STREAM and not batch.complete and changes.rows.num_rows:
            self._in_pieces_since = int(changes.rows["_lsn"][0].as_py())

    def _note(self, table: HistoryTable, lsn: int | None, at: str | None) -> None:
        of = [self._source, table.schema, table.relation.table]
        self._connection.execute(_FORGET, of)
        self._connection.execute(_BEGIN, [*of, None if lsn is None else int(lsn), at])
        self._kept.add((table.schema, table.relation.table))
        self.changed = True
