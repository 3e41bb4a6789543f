"""What the batch mapper says of a batch: records to write, to delete, and those that are wrong.

Contract: `BatchMapper.map` gives them, the outbox takes them, in `seq` order. At most one a record and batch, except that a
`TruncateAll` comes before whatever was written after it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from transforms.record import CanonicalRecord, record_id


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """Common to all: `position` is the LSN (``X/Y``) of the transaction's commit, `seq` the order within the batch."""

    entity: str
    source: str
    source_key: str
    position: str
    committed_at: datetime
    seq: int
    mapping: str

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
    computed, the source's columns) as text, for whoever mends it.
    """

    error: str
    payload: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class TruncateAll(Change):
    """All records of one mapping are gone: those of its entity and source whose source key matches `key_pattern`.

    The pattern is a regular expression for Python and Postgres (`source_key ~ key_pattern`). `source_key` is empty.
    """

    key_pattern: str


AnyChange = Upsert | Delete | Invalid | TruncateAll
