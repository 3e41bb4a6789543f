"""Batches of changes: what a reader hands to a lane, and the position that goes with it.

Contract: a batch holds changes of whole source transactions, in commit order. Only a transaction too large for a batch comes
in pieces: every piece but its last has `complete=False`, and a destination commits nothing until the complete one is applied.
`TableChanges` of one batch never overlap in `_seq`, so that all changes of a batch have one total order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cdc.lsn import Lsn
from cdc.relation import Relation
from cdc.text_column import ArrowArray

OP_INSERT, OP_UPDATE, OP_DELETE, OP_TRUNCATE = "i", "u", "d", "t"

META_COLUMNS: tuple[tuple[str, pa.DataType], ...] = (
    ("_op", pa.string()),  # i, u, d, t
    ("_seq", pa.int64()),  # order within the batch, from 0; unique over all its tables
    # End of the transaction's commit record, as an integer. Of a transaction in pieces its beginning, in all of its pieces: the
    # end is known to the last one only. Either is one value a transaction and grows with the commit order. Snapshot: its LSN.
    ("_lsn", pa.uint64()),
    ("_xid", pa.uint32()),  # 0 in a snapshot
    ("_committed_at", pa.timestamp("us", tz="UTC")),  # in a snapshot: when it was taken
)


class BatchKind(StrEnum):
    """Where a batch comes from."""

    SNAPSHOT = "snapshot"
    STREAM = "stream"
    COPY = "copy"  # a chunk of one table that is copied while the stream goes on
    REPAIR = "repair"  # rows as a consistent view has them, for a mirror that stands where the view does


@dataclass(frozen=True, kw_only=True)
class TableChanges:
    """Changes of one relation version.

    `rows`: META_COLUMNS, then every column of the relation by its own name, as text in Postgres's output form (Arrow
    string_view or string; null is SQL NULL). A delete has only the key's columns (all of them under FULL), a truncate none.
    An update that changed the key comes as two rows: a delete of the old key and then an insert of the new row.
    A snapshot or a copy for a destination that takes typed values has any other Arrow array for a column whose type it could read
    exactly from its binary form; `misfits`: column name -> texts (string array, one a row) of the values that such an array cannot
    hold, null where it holds them; the value in `rows` is then null. Only columns with at least one text are present.
    `unchanged`: column name -> boolean array (one a row): True where Postgres did not send the value because it did not
    change (TOAST); the value in `rows` is then null and means nothing. Only columns with at least one True are present.
    `moved`: boolean array (one a row) or None: True on the insert of a changed key; its delete is the row before it.
    """

    relation: Relation
    rows: pa.Table
    unchanged: Mapping[str, NDArray[np.bool_]] = field(default_factory=dict)
    moved: NDArray[np.bool_] | None = None
    misfits: Mapping[str, ArrowArray] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Position:
    """How far a lane is durable in one source's log. `lsn` is the end of the last transaction applied."""

    source: str
    lane: str
    lsn: Lsn
    slot: str
    system_identifier: str
    timeline: int


@dataclass(frozen=True, slots=True)
class PageRange:
    """Pages of one heap (a table, or a partition), from `first` up to before `end`, or to the heap's end."""

    heap: int
    first: int
    end: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Unread:
    """What a table's snapshot has not read yet. It says where the rows are that have not changed since, as long as each heap has its file.

    A row that has changed comes by the stream, whole: so the pages of `ranges` may be read at any later moment. `files` by heap OID.
    """

    files: Mapping[int, int]
    ranges: tuple[PageRange, ...]

    def without(self, pages: PageRange) -> Unread:
        """Return it with one of its ranges read."""
        return replace(self, ranges=tuple(each for each in self.ranges if each != pages))


@dataclass(frozen=True, kw_only=True, slots=True)
class CopyProgress:
    """How far the copy of one table is with this batch; a destination stores it in the same transaction as the rows.

    The rows of a chunk are newer than the position they come at: what the log says of them until `exact_from` may be in them
    already. So a destination writes a chunk's rows over those with their keys, takes every insert of the table for an upsert while
    its position is below `exact_from`, and is exact from there on.
    `began_at`: the first watermark; every row is read after it. `last_key`: texts of the key of the last row copied, in the
    order that the source was asked in; None before the first row. `last`: all rows have been copied before; such a batch has none.
    `unread`: of a snapshot that was interrupted in the middle of the table: the rest is read by pages, not by the key.
    """

    relation: Relation
    began_at: Lsn
    exact_from: Lsn
    last_key: tuple[str, ...] | None = None
    rows: int = 0  # copied with this chunk and those before
    last: bool = False
    unread: Unread | None = None

    @property
    def table(self) -> str:
        """The table's qualified name."""
        return self.relation.qualified_name


@dataclass(frozen=True, kw_only=True)
class ChangeBatch:
    """Changes of whole transactions of one source, and the LSN to confirm once they are durable.

    `position.lsn` is what is to be stored with the changes. `row_count` counts rows over all tables. A batch may hold no
    rows at all: it then only moves the position (an idle source, or transactions of other tables). A COPY batch has `copy`, holds
    inserts of that table only, is complete, and comes at the destination's own position. `announced`: OIDs of tables that the log
    names anew with it: since the last time something about them may have changed that their columns do not show. `copied`: of a
    snapshot, the table of which all rows have come with this batch and those before, or all but those that `unread` tells.
    """

    kind: BatchKind
    position: Position
    changes: tuple[TableChanges, ...] = ()
    complete: bool = True
    transactions: int = 0
    last_commit_at: datetime | None = None
    copy: CopyProgress | None = None
    copied: Relation | None = None
    unread: Unread | None = None
    announced: frozenset[int] = frozenset()

    @property
    def row_count(self) -> int:
        """Rows over all tables."""
        return sum(part.rows.num_rows for part in self.changes)
