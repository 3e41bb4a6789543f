"""Substitutes: the warehouse sent another product than was ordered.

A line's product can't change once its moves exist, and swapping the move's product leaves qty_delivered at 0. So the ordered
line is lowered by what was replaced, and a line with the substitute is added at the same price and discount: the order's total
stays. The new line's external id is derived from the old one's, so that doing it again changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

from loaders.delivering import lookups, references
from loaders.delivering.load import LoadRow, load
from loaders.delivering.outcomes import Binding
from loaders.delivering.references import Reference
from loaders.delivering.work import Work
from loaders.odoo.named import Missing, context_company
from loaders.sales.order_terms import line_cells

if TYPE_CHECKING:
    from loaders.stock.shipments import OrderShipments

MODEL = "sale.order.line"


@dataclass(kw_only=True, slots=True)
class Replaced:
    """By the order's record id: Odoo's lines by (line number, substitute's sku), what an order waits for, Odoo's words of refusal."""

    lines: dict[str, dict[tuple[int, str], int]] = field(default_factory=dict)
    waits_for: dict[str, str] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)


def held_substitution(work: Work, one: OrderShipments) -> str | None:
    """Return why an order's shipments are held, if its warehouse may not send one thing for another and Odoo has no such line yet."""
    held = [
        (parcel.shipment.source, number, sku)
        for parcel in one.shipped.parcels
        for number, sku in parcel.substitutes
        if work.channel(parcel.shipment.source).stock.substitution == "hold"
    ]
    if not held:
        return None
    lines = references.substitute_lines(work.connection, [one.lines[number].record_id for _, number, _ in held])
    accepted = {reference.canonical_id for _, reference in lines}
    for source, number, sku in held:
        if _canonical_id(one, number, sku) not in accepted:
            return (
                f"The warehouse has sent {sku} in place of line {number}:"
                f" channels.{source}.stock.substitution holds what is not what was ordered."
            )
    return None


def replace_substituted(work: Work, orders: Sequence[OrderShipments]) -> Replaced:
    """Give Odoo's orders their substitutes' lines."""
    wanted = [(one, number, sku, q) for one in orders for (number, sku), q in one.shipped.substitutes.items()]
    replaced = Replaced()
    if not wanted:
        return replaced
    products = references.products_by_sku(work.connection, [sku for _, _, sku, _ in wanted])
    replaced.waits_for = {
        one.order.record_id: _waits_for(sku, products.get(sku))
        for one, _, sku, _ in wanted
        if sku not in products or not products[sku].is_bound
    }
    terms = _terms(work, [(one, number) for one, number, _, _ in wanted], replaced)
    stopped = replaced.waits_for.keys() | replaced.refused.keys()
    ready = [entry for entry in wanted if entry[0].order.record_id not in stopped]
    rows = [
        _row(work, one, number, sku, q, products[sku], terms[one.order.record_id, number])
        for one, number, sku, q in ready
    ]
    lowered = {(one.order.record_id, number): (one, number) for one, number, _, _ in ready}
    lowering = [_lowered(work, *entry, terms[key]) for key, entry in lowered.items()]
    load(work.client, MODEL, lowering, batch_records=work.batch_records)
    loaded = load(work.client, MODEL, rows, batch_records=work.batch_records)
    for (one, number, sku, _), row in zip(ready, rows, strict=True):
        if row.external_id in loaded.refused:
            replaced.refused[one.order.record_id] = loaded.refused[row.external_id]
            continue
        odoo_id = loaded.ids[row.external_id]
        replaced.lines.setdefault(one.order.record_id, {})[number, sku] = odoo_id
        canonical_id = _canonical_id(one, number, sku)
        work.outcomes.bind(
            Binding(
                canonical_id=canonical_id,
                entity="sales_order_line",
                model=MODEL,
                external_id=row.external_id,
                odoo_id=odoo_id,
            )
        )
    return replaced


def _waits_for(sku: str, product: Reference | None) -> str:
    return product.canonical_id if product is not None else lookups.product_by_sku(sku)


def _canonical_id(one: OrderShipments, number: int, sku: str) -> str:
    return f"{one.lines[number].record_id}_sub:{sku}"


def _row(
    work: Work,
    one: OrderShipments,
    number: int,
    sku: str,
    quantity: Decimal,
    product: Reference,
    terms: Mapping[str, str],
) -> LoadRow:
    payload = one.lines[number].payload
    return LoadRow(
        cells={
            "id": work.external_id(_canonical_id(one, number, sku)),
            "order_id/.id": str(one.order.reference.odoo_id),
            "product_id/id": work.external_id(product.canonical_id, product),
            "name": f"{product.name or sku} (in place of line {number})",
            "product_uom_qty": str(quantity),
            "discount": payload["discount_percent"],
            "sequence": str(number),
        }
        | dict(terms),
        company_id=context_company(work, one.lines[number].source),
    )


def _lowered(work: Work, one: OrderShipments, number: int, terms: Mapping[str, str]) -> LoadRow:
    line = one.lines[number]
    quantity = Decimal(line.payload["quantity"]) - one.shipped.substituted(number)
    return LoadRow(
        cells={
            "id": work.external_id(line.record_id, one.bound_lines[number]),
            "product_uom_qty": str(quantity),
            "price_unit": terms["price_unit"],
        },
        company_id=context_company(work, line.source),
    )


def _terms(
    work: Work, lines: Iterable[tuple[OrderShipments, int]], replaced: Replaced
) -> dict[tuple[str, int], dict[str, str]]:
    """Return the tax and price of each ordered line, by its order and number; what one lacks now stops its order."""
    found = {}
    for one, number in lines:
        line, order_id = one.lines[number], one.order.record_id
        terms = line_cells(work, line.source, line.payload)
        if not isinstance(terms, Missing):
            found[order_id, number] = terms
        elif terms.waits_for is None:
            replaced.refused[order_id] = terms.why
        else:
            replaced.waits_for[order_id] = terms.waits_for
    return found
