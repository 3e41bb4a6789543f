"""What the batch mapper says of a batch: records to write, to delete, those that are wrong, and rows that must be read later.

Contract: `BatchMapper.map` gives them, the outbox takes them, in `seq` order. At most one a record and batch, except that a
`TruncateAll` comes before whatever was written after it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from transforms.record import CanonicalRecord, record_id


class Origin(StrEnum):
    """Which way the state of a record came."""

    STREAM = "stream"
    SNAPSHOT = "snapshot"
    LOOKED_UP = "looked_up"  # from the source by key: the log had left an unchanged large value out
    MAPPING = "mapping"  # read later: its mapping was broken when it changed
    REPAIRED = "repaired"  # read again because a repair found it different


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """Common to all changes of records.

    `position` is the LSN (``X/Y``) of the transaction's commit (of a row that was read later: where the log was then), `seq` the
    order within the batch. `table`: the source's, schema.table. `begins`: False where the mapping's backfill policy leaves the record out unless it is known already.
    """

    entity: str
    source: str
    source_key: str
    position: str
    committed_at: datetime
    seq: int
    mapping: str
    table: str = ""
    origin: Origin = Origin.STREAM
    begins: bool = True

    @property
    def record_id(self) -> str:
        return record_id(self.entity, self.source, self.source_key)


@dataclass(frozen=True, kw_only=True, slots=True)
class Upsert(Change):
    """The newest state of a record."""

    record: CanonicalRecord


@dataclass(frozen=True, kw_only=True, slots=True)
class Delete(Change):
    """The row is gone, or its mapping's WHERE no longer holds. The record may never have existed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Invalid(Change):
    """A record that its canonical model refuses.

    `error`: which field and which constraint, without values. `payload`: the mapped fields (or, where they could not be
    computed, the source's columns) as text, for whoever mends it. `row_key`: the row's key columns as text; with another
    `mapping_digest` the row may give a record that fits.
    """

    error: str
    payload: Mapping[str, str | None] = field(default_factory=dict)
    row_key: Mapping[str, str] = field(default_factory=dict)
    mapping_digest: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class TruncateAll(Change):
    """All records of one mapping are gone: those of its entity and source whose source key matches `key_pattern`.

    The pattern is a regular expression for Python and Postgres (`source_key ~ key_pattern`). `source_key` is empty.
    """

    key_pattern: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Held:
    """A row that could not be mapped as it came, to be read at the source by its key.

    `key`: the row's key columns as text; empty: all rows of the table were truncated. `mapping`: the one that was broken; empty:
    any that reads the table. `xid`: the transaction that a look-up must see.
    """

    source: str
    table: str
    key: Mapping[str, str]
    mapping: str
    reason: Origin
    position: str
    xid: int
    seq: int


AnyChange = Upsert | Delete | Invalid | TruncateAll
Mapped = AnyChange | Held
