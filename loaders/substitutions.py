"""Substitutes: the warehouse sent another product than was ordered.

A line's product can't change once its moves exist, and swapping the move's product leaves qty_delivered at 0. So the ordered
line is lowered by what was replaced, and a line with the substitute is added at the same price and discount: the order's total
stays. The new line's external id is derived from the old one's, so that doing it again changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from loaders import lookups, references
from loaders.load import LoadRow, load
from loaders.order_terms import Missing, company_of, line_cells
from loaders.outcomes import Binding
from loaders.references import OrderLine, Reference
from loaders.work import Work

if TYPE_CHECKING:
    from loaders.shipments import OrderShipments

MODEL = "sale.order.line"

# Odoo's ids of the substitutes' lines with the quantity that they should have delivered, by the order's record id.
Replaced = dict[str, dict[int, float]]


def replace_substituted(work: Work, orders: Sequence[OrderShipments]) -> tuple[Replaced, dict[str, str]]:
    """Give Odoo's orders their substitutes' lines; also return, by order, the product that one has to wait for."""
    wanted = [(one, number, sku, q) for one in orders for (number, sku), q in one.shipped.substitutes.items()]
    if not wanted:
        return {}, {}
    products = references.products_by_sku(work.connection, [sku for _, _, sku, _ in wanted])
    missing = {
        one.order.record_id: _waits_for(sku, products.get(sku))
        for one, _, sku, _ in wanted
        if sku not in products or not products[sku].is_bound
    }
    ready = [entry for entry in wanted if entry[0].order.record_id not in missing]
    rows = [_row(work, one, number, sku, q, products[sku]) for one, number, sku, q in ready]
    lowered = {(one.order.record_id, number): (one, number) for one, number, _, _ in ready}
    load(work.client, MODEL, [_lowered(work, *entry) for entry in lowered.values()], batch_records=work.batch_records)
    loaded = load(work.client, MODEL, rows, batch_records=work.batch_records)
    replaced: Replaced = {}
    for (one, number, sku, q), row in zip(ready, rows, strict=True):
        odoo_id = loaded.ids.get(row.external_id)
        if odoo_id is None:
            continue  # what Odoo says of it comes back as a line that has not delivered what it should
        replaced.setdefault(one.order.record_id, {})[odoo_id] = float(q)
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
    return replaced, missing


def _waits_for(sku: str, product: Reference | None) -> str:
    return product.canonical_id if product is not None else lookups.product_by_sku(sku)


def _canonical_id(one: OrderShipments, number: int, sku: str) -> str:
    return f"{one.lines[number].record_id}_sub:{sku}"


def _row(work: Work, one: OrderShipments, number: int, sku: str, quantity: Decimal, product: Reference) -> LoadRow:
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
        | _terms(work, one.lines[number]),
        company_id=company_of(work, one.lines[number].source),
    )


def _lowered(work: Work, one: OrderShipments, number: int) -> LoadRow:
    line = one.lines[number]
    quantity = Decimal(line.payload["quantity"]) - one.shipped.substituted(number)
    return LoadRow(
        cells={
            "id": work.external_id(line.record_id, one.bound_lines[number]),
            "product_uom_qty": str(quantity),
            "price_unit": _terms(work, line)["price_unit"],
        },
        company_id=company_of(work, line.source),
    )


def _terms(work: Work, line: OrderLine) -> dict[str, str]:
    """Return the tax and price that the ordered line has in Odoo."""
    terms = line_cells(work, line.source, line.payload)
    if isinstance(terms, Missing):  # of a line that Odoo has: the policy or the tax was taken away since
        return {"tax_id/.id": "", "price_unit": line.payload["unit_price"]}
    return terms
