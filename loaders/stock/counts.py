"""Counts: what a warehouse has counted becomes what Odoo has on hand there, for the sources whose policy says so.

Contract: a stock level is a count when its `counted_at` is newer than that of the last one applied, which is kept as the record's
delivered hash; other changes of it follow from movements, which Odoo gets as shipments and returns. Counts go when no shipment of
their source is due (claims.sql): what is on hand at the warehouse is then compared with an Odoo that knows of the same movements.
Only a difference is written, in inventory mode, applied, and read back. Source: Odoo 18 stock/models/stock_quant.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from loguru import logger

from config.errors import ErrorKind
from loaders.delivering import lookups, references
from loaders.delivering.bisection import each_or_refused
from loaders.delivering.claims import Due
from loaders.delivering.references import Reference
from loaders.delivering.work import Work
from loaders.stock.handling import location_codes, missing_warehouse, stock_places
from loaders.stock.reservation import reserve_arrived

MODEL, PRODUCT = "stock.quant", "product.product"
_MODE = {"inventory_mode": True}
_SMALLEST = 0.005
_AT_ONCE = 50
_RETRY_S = 1.0

Spot = tuple[int, int]  # product, place


@dataclass(kw_only=True, slots=True)
class Count:
    """One count. `refused`: Odoo's words."""

    due: Due
    spot: Spot
    quantity: float
    quant_id: int | None = None
    refused: str | None = None


def deliver_counts(work: Work, batch: Sequence[Due]) -> None:
    """Apply these counts; park, bury or retry what cannot be."""
    counted = []
    for due in batch:
        if _is_count(work, due):
            counted.append(due)
        else:
            work.outcomes.delivered(due)
    counts = _stored(work, _placed(work, counted))
    before = _on_hand(work, counts)
    differing = [one for one in counts if abs(before[one.spot] - one.quantity) >= _SMALLEST]
    _apply(work, differing)
    after = _on_hand(work, differing)
    for one in counts:
        _settle(work, one, before[one.spot], after.get(one.spot, one.quantity))
    reserve_arrived(work, {one.spot[0] for one in differing})


def _is_count(work: Work, due: Due) -> bool:
    """Tell whether a stock level was counted since the last count that was applied."""
    at = None if due.is_delete else due.payload.get("counted_at")
    if at is None or not work.channel(due.source).stock.counts:
        return False
    return due.delivered_hash is None or datetime.fromisoformat(at) > datetime.fromisoformat(due.delivered_hash)


def _placed(work: Work, counted: Sequence[Due]) -> list[Count]:
    """Find each count's product and place; park what Odoo does not have. Of several of one spot the newest is the count."""
    products = references.products_by_sku(work.connection, [due.payload["product_sku"] for due in counted])
    locations = location_codes(work, {(due.source, due.payload["location_key"]) for due in counted})
    codes = {where: work.channel(where[0]).warehouses.get(code, code) for where, code in locations.items()}
    places = stock_places(work, set(codes.values()))
    found: dict[Spot, Count] = {}
    for due in sorted(counted, key=lambda due: datetime.fromisoformat(due.payload["counted_at"])):
        sku, code = due.payload["product_sku"], codes[due.source, due.payload["location_key"]]
        product = products.get(sku)
        if product is None or product.odoo_id is None:
            work.outcomes.parked(due, _waits_for(sku, product), f"the product {sku} is not in Odoo yet")
        elif code not in places:
            missing = missing_warehouse(code)
            work.outcomes.parked(due, missing.waits_for, missing.why)
        else:
            one = Count(due=due, spot=(product.odoo_id, places[code]), quantity=float(due.payload["on_hand"]))
            if one.spot in found:
                work.outcomes.delivered(found[one.spot].due)
            found[one.spot] = one
    return list(found.values())


def _waits_for(sku: str, product: Reference | None) -> str:
    return product.canonical_id if product is not None else lookups.product_by_sku(sku)


def _stored(work: Work, counts: Sequence[Count]) -> list[Count]:
    """Bury the counts of what Odoo keeps no stock of, or only by lot."""
    dialect = work.client.dialect
    rows = work.client.read_by_id(PRODUCT, sorted({one.spot[0] for one in counts}), [dialect.kept, "tracking"])
    stored = []
    for one in counts:
        row = rows.get(one.spot[0], {dialect.kept: False, "tracking": "none"})
        if not dialect.keeps_stock(row):
            work.outcomes.dead(one.due, f"Odoo keeps no stock of {one.due.payload['product_sku']}.")
        elif row["tracking"] != "none":
            words = f"Odoo tracks {one.due.payload['product_sku']} by {row['tracking']}: a count of all of it says too little."
            work.outcomes.dead(one.due, words)
        else:
            stored.append(one)
    return stored


def _on_hand(work: Work, counts: Iterable[Count]) -> dict[Spot, float]:
    """Return what Odoo has on hand there."""
    found = {one.spot: 0.0 for one in counts}
    if found:
        products, places = sorted({product for product, _ in found}), sorted({place for _, place in found})
        domain = [["product_id", "in", products], ["location_id", "in", places]]
        for row in work.client.search_read(MODEL, domain, ["product_id", "location_id", "quantity"]):
            spot = (row["product_id"][0], row["location_id"][0])
            if spot in found:
                found[spot] += row["quantity"]
    return found


def _apply(work: Work, counts: Sequence[Count]) -> None:
    """Write what was counted and apply it. In inventory mode creating finds the quant that is there already."""

    def write(some: list[int]) -> None:
        values = [
            {
                "product_id": counts[i].spot[0],
                "location_id": counts[i].spot[1],
                "inventory_quantity": counts[i].quantity,
            }
            for i in some
        ]
        for i, quant in zip(some, work.client.call(MODEL, "create", [values], context=_MODE), strict=True):
            counts[i].quant_id = quant

    for position, words in each_or_refused(write, range(len(counts)), _AT_ONCE).items():
        counts[position].refused = words
    written: Mapping[int, Count] = {one.quant_id: one for one in counts if one.quant_id is not None}
    context = {"inventory_name": "Counted at the warehouse"}
    refused = each_or_refused(
        lambda some: work.client.call(MODEL, "action_apply_inventory", [some], context=context), list(written), _AT_ONCE
    )
    for quant, words in refused.items():
        written[quant].refused = words


def _settle(work: Work, one: Count, before: float, after: float) -> None:
    """A refusal may be a movement that came between: Odoo asks a person then. It is tried again, as what Odoo did not say is."""
    if one.refused is not None or abs(after - one.quantity) >= _SMALLEST:
        words = one.refused or "Odoo has not taken the count, without saying why."
        work.outcomes.retried(one.due, words, kind=ErrorKind.TRANSIENT, wait_s=_RETRY_S)
        return
    if abs(before - one.quantity) >= _SMALLEST:
        logger.info("{}: Odoo had {:g} on hand, {:g} were counted", one.due.record_id, before, one.quantity)
    work.outcomes.sent(one.due, one.due.payload["counted_at"])
    work.outcomes.delivered(one.due, model=MODEL, odoo_id=one.quant_id)
