"""How a parcel is handled in Odoo: its label, carrier, and the place that it leaves from, as the policies name them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from loaders.delivering import lookups, references
from loaders.delivering.references import KnownShipment
from loaders.delivering.work import Work

CARRIER, WAREHOUSE = "delivery.carrier", "stock.warehouse"


@dataclass(frozen=True, kw_only=True, slots=True)
class Handling:
    """A parcel's tracking number, and Odoo's ids of its carrier and of the place; None: nothing is said of it."""

    tracking: str | None = None
    carrier_id: int | None = None
    place_id: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Missing:
    """What a policy names and Odoo does not have."""

    waits_for: str
    why: str


def handling(work: Work, shipments: Sequence[KnownShipment]) -> dict[str, Handling | Missing]:
    """Return how each of these shipments is handled, by record id."""
    codes = _warehouse_codes(work, {(one.source, one.payload.get("location_key") or "") for one in shipments})
    places = stock_places(work, set(codes.values()))
    return {one.record_id: _handling(work, one, codes, places) for one in shipments}


def location_codes(work: Work, locations: set[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """Return the codes that sources give their locations (source, key); where no location record has arrived, the key."""
    records = {(source, key): lookups.record("location", source, key) for source, key in locations}
    payloads = references.payloads(work.connection, records.values())
    return {where: payloads.get(record_id, {}).get("code") or where[1] for where, record_id in records.items()}


def _warehouse_codes(work: Work, locations: set[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """Return the codes of Odoo's warehouses that the policies give for these locations; those they do not name are left out."""
    asked = {where for where in locations if where[1] and work.channel(where[0]).warehouses}
    named = {where: work.channel(where[0]).warehouses.get(code) for where, code in location_codes(work, asked).items()}
    return {where: code for where, code in named.items() if code is not None}


def stock_places(work: Work, codes: set[str]) -> dict[str, int]:
    """Return where each of these warehouses keeps its stock."""
    if not codes:
        return {}
    rows = work.client.search_read(WAREHOUSE, [["code", "in", sorted(codes)]], ["code", "lot_stock_id"])
    return {row["code"]: row["lot_stock_id"][0] for row in reversed(rows)}


def missing_warehouse(code: str) -> Missing:
    """A warehouse that Odoo does not have."""
    return Missing(waits_for=lookups.in_odoo(WAREHOUSE, code), why=f"Odoo has no warehouse {code}")


def _handling(
    work: Work, shipment: KnownShipment, codes: dict[tuple[str, str], str], places: dict[str, int]
) -> Handling | Missing:
    payload = shipment.payload
    carrier_id = None
    carrier = work.channel(shipment.source).carriers.get(payload.get("carrier") or "")
    if carrier is not None:
        carrier_id = work.names.find(CARRIER, carrier)
        if carrier_id is None:
            return Missing(waits_for=lookups.in_odoo(CARRIER, carrier), why=f"Odoo has no delivery method {carrier}")
    code = codes.get((shipment.source, payload.get("location_key") or ""))
    if code is not None and code not in places:
        return missing_warehouse(code)
    return Handling(
        tracking=payload.get("tracking_number") or None,
        carrier_id=carrier_id,
        place_id=places[code] if code is not None else None,
    )
