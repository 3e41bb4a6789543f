"""What the batch mapper gives, as rows of the staging table: upserts, deletes, invalid records, truncated entities."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from loaders.delivering import lookups
from transforms.canonical import ENTITIES
from transforms.changes import AnyChange, Delete, Invalid, TruncateAll, Upsert
from transforms.record import record_id

# What Odoo is driven by. The others are kept as 'recorded': data for later lanes and for the warehouse.
DELIVERED_ENTITIES = frozenset(
    {
        "product",
        "customer",
        "sales_order",
        "sales_order_line",
        "shipment",
        "shipment_line",
        "return",
        "return_line",
        "payment",
        "settlement_line",
    }
)
COUNTED = "stock_level"
# Only these can be what a parked record waits for by a lookup.
_AWAITED = frozenset({"product", "sales_order", "sales_order_line"})

StagedRow = tuple[Any, ...]


def staged_rows(changes: Iterable[AnyChange], first_seq: int, counted: Collection[str] = ()) -> Iterator[StagedRow]:
    """Yield one row of merge.sql's `staged` for each change, numbered from `first_seq` in the order given.

    `counted`: sources whose stock levels are delivered as counts; the others' are recorded.
    """
    for seq, change in enumerate(changes, first_seq):
        match change:
            case Upsert():
                yield _upsert(seq, change, counted)
            case Delete():
                yield _marker(seq, "delete", change, change.source_key)
            case TruncateAll():
                yield _marker(seq, "truncate", change, change.key_pattern)
            case Invalid():
                yield _invalid(seq, change)


def _upsert(seq: int, change: Upsert, counted: Collection[str]) -> StagedRow:
    record = change.record
    is_delivered = record.entity in DELIVERED_ENTITIES or (record.entity == COUNTED and record.source in counted)
    identifier = record.record_id
    answers = [identifier]
    if record.entity in _AWAITED:
        answers = lookups.answered_by(record.entity, record.source, record.source_key, record.business_values())
    return (
        seq,
        "upsert",
        identifier,
        record.entity,
        record.source,
        record.source_key,
        record.aggregate_id,
        record.to_json(),
        record.content_hash,
        record.mapping_version,
        record.source_position,
        change.committed_at,
        "pending" if is_delivered else "recorded",
        None,
        answers,
        change.origin.value,
        change.begins,
        change.table or None,
        change.mapping,
        None,
        None,
    )


def _invalid(seq: int, change: Invalid) -> StagedRow:
    """A record that does not fit its model is a dead letter at once; a later, better state of it takes its place.

    It keeps its place in its aggregate: an order with such a line is held back.
    """
    payload = json.dumps(change.payload, sort_keys=True)
    text = f"{payload}{change.error}{change.mapping_digest}"
    digest = hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
    return (
        seq,
        "invalid",
        change.record_id,
        change.entity,
        change.source,
        change.source_key,
        _aggregate_id(change.entity, change.source, change.payload) or change.record_id,
        payload,
        digest,
        0,
        change.position,
        change.committed_at,
        "dead",
        change.error,
        [change.record_id],
        change.origin.value,
        change.begins,
        change.table or None,
        change.mapping,
        change.mapping_digest or None,
        json.dumps(dict(change.row_key)) if change.row_key else None,
    )


def _aggregate_id(entity: str, source: str, payload: Mapping[str, str | None]) -> str | None:
    part_of = ENTITIES[entity].part_of
    owner = payload.get(part_of[1]) if part_of else None
    return record_id(part_of[0], source, owner) if part_of and owner else None


def _marker(seq: int, kind: str, change: Delete | TruncateAll, key: str) -> StagedRow:
    """A delete has only its key; a truncate has, in the key's place, the pattern of the keys that are gone."""
    staged = (seq, kind, change.record_id, change.entity, change.source, key, "", None, None, None)
    return (*staged, change.position, change.committed_at, None, None, [], change.origin.value, True, *4 * (None,))
