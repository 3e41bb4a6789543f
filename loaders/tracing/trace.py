"""The whole story of one order, or of any other record: source row, mapping, canonical record, outbox, deliveries, place in Odoo.

Contract: reads the state only, and Odoo only to find the record whose name there was given.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import psycopg

from config.settings import OdooSettings, StateSettings
from loaders.named_sql import statements
from loaders.odoo.client import OdooClient
from loaders.state import connect, prepare, translated

Connection = psycopg.Connection[tuple[Any, ...]]
Story = dict[str, Any]

# What people call a record, besides its key.
_NAMES = {
    "sales_order": ("order_number", "client_reference"),
    "shipment": ("shipment_number", "tracking_number"),
    "return": ("return_number",),
    "payment": ("reference",),
    "product": ("sku", "channel_sku", "barcode", "name"),
    "customer": ("email", "vat", "name"),
    "settlement_line": ("settlement_key",),
}
_ORDER_OF_ENTITIES = (
    "customer", "product", "sales_order", "sales_order_line", "shipment", "shipment_line", "payment", "return", "return_line",
    "settlement_line",
)  # fmt: skip
_RECORD = (
    "record_id", "entity", "source", "source_key", "canonical_id", "aggregate_id", "operation", "status", "stage", "waits_for",
    "error_kind", "error", "attempts", "first_seen_at", "updated_at", "delivered_at", "closed_by", "closed_why", "table", "key",
    "lsn", "committed_at", "origin", "mapping", "mapping_version", "payload",
)  # fmt: skip
_SOURCE_ROW = ("source", "table", "key", "lsn", "committed_at", "origin")
_DELIVERY = ("outcome", "model", "odoo_id", "error", "at", "confirmed_at", "confirmed_lsn")
_OUTBOX = (
    "operation", "status", "stage", "waits_for", "error_kind", "error", "attempts", "first_seen_at", "updated_at", "delivered_at",
    "closed_by", "closed_why",
)  # fmt: skip


def trace(state: StateSettings, odoo: OdooSettings, entity: str, key: str) -> list[Story]:
    """Return the story of each record that belongs to the one of this entity and key, ready for JSON; empty where there is none.

    key: the record's id, its key at the source, its number there, or its name in Odoo. Raises CausewayError; OdooError only where
    the state does not know the key.
    """
    prepare(state)
    with connect(state, application_name="causeway trace") as connection, translated("tracing a record"):
        found = _find(connection, entity, key) or _find_in_odoo(connection, odoo, entity, key)
        return _stories(connection, _with_neighbours(connection, found))


def _find(connection: Connection, entity: str, key: str) -> list[str]:
    parameters = {"entity": entity, "key": key, "names": list(_NAMES.get(entity, ()))}
    return [name for (name,) in connection.execute(_sql("find"), parameters)]


def _find_in_odoo(connection: Connection, odoo: OdooSettings, entity: str, name: str) -> list[str]:
    found: list[str] = []
    models = [model for (model,) in connection.execute(_sql("models"), [entity])]
    client = OdooClient(odoo)
    try:
        for model in models:
            ids = [row["id"] for row in client.search_read(model, [["name", "=", name]], [], archived=True)]
            found += [record for (record,) in connection.execute(_sql("find_in_odoo"), [model, ids])]
    finally:
        client.close()
    return found


def _with_neighbours(connection: Connection, found: Iterable[str]) -> list[str]:
    """Follow what belongs together until nothing new is found."""
    known: set[str] = set()
    fresh = set(found)
    while fresh:
        known |= fresh
        rows = connection.execute(_sql("neighbours"), {"known": sorted(fresh)}).fetchall()
        fresh = {name for (name,) in rows} - known
    return sorted(known)


def _stories(connection: Connection, record_ids: Sequence[str]) -> list[Story]:
    ids = [list(record_ids)]
    deliveries: dict[str, list[Story]] = defaultdict(list)
    for record, *told in connection.execute(_sql("deliveries"), ids):
        deliveries[record].append({name: _plain(value) for name, value in zip(_DELIVERY, told, strict=True)})
    places: dict[str, list[Story]] = defaultdict(list)
    for record, thing, model, odoo_id, external_id, at in connection.execute(_sql("in_odoo"), ids):
        places[record].append(
            {"thing": thing, "model": model, "id": odoo_id, "external_id": external_id, "since": _plain(at)}
        )
    matched: dict[str, str] = dict(connection.execute(_sql("identities"), ids).fetchall())
    stories = []
    for row in connection.execute(_sql("records"), ids):
        record = {name: _plain(value) for name, value in zip(_RECORD, row, strict=True)}
        name = record["record_id"]
        stories.append(
            {
                "record_id": name,
                "entity": record["entity"],
                "source_row": {field: record[field] for field in _SOURCE_ROW},
                "mapping": {"name": record["mapping"], "version": record["mapping_version"]},
                "record": record["payload"],
                "identity": {"canonical_id": record["canonical_id"], "matched_by": matched.get(name)},
                "outbox": {field: record[field] for field in _OUTBOX},
                "deliveries": deliveries[name],
                "odoo": places[name],
            }
        )
    return sorted(stories, key=lambda story: _rank(story["entity"]))


def _rank(entity: str) -> int:
    return _ORDER_OF_ENTITIES.index(entity) if entity in _ORDER_OF_ENTITIES else len(_ORDER_OF_ENTITIES)


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else value


def _sql(name: str) -> Any:
    return statements("tracing/trace.sql")[name]
