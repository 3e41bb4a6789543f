"""How much of an order is to be credited, and for which lines. No database and no Odoo here.

Cumulative on purpose: what should be credited in all follows from the order as it is, from what was refunded for returns and from
what was paid back; what is credited already is taken off it. So one euro that is told of as a return and as a refunded payment
is credited once, and a credit note that people made in Odoo counts, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from loaders.money.books import exact
from loaders.money.known import Refund

_NONE = Decimal(0)
_CENT = Decimal("0.01")

Row = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """What should be credited of an order in all: `amount`, and the lines with quantities that were invoiced too much (`over`)."""

    amount: Decimal
    over: Mapping[int, Decimal]


def wanted_credit(
    *,
    cancelled: bool,
    lines: Sequence[Row],
    invoice_lines: Sequence[Row],
    invoiced: Decimal,
    refunded: Decimal,
    captured: Decimal,
    paid_back: Decimal,
) -> Wanted:
    """Return what should be credited of an order.

    `lines`: the order's in Odoo. `invoice_lines`: those of its posted invoices. A cancelled order keeps what was delivered of it;
    any other what is ordered. What was paid back of money that had been paid too much is no credit.
    """
    over = _over(cancelled=cancelled, lines=lines, invoice_lines=invoice_lines)
    if cancelled and not any(line["qty_delivered"] for line in lines):
        return Wanted(amount=invoiced, over=over)
    surplus = sum((quantity * _unit_total(line_id, invoice_lines) for line_id, quantity in over.items()), _NONE)
    surplus = surplus.quantize(_CENT)
    returned = max(surplus, refunded) if cancelled else surplus + refunded
    too_much = max(captured - invoiced, _NONE)
    return Wanted(amount=min(invoiced, max(returned, paid_back - too_much, _NONE)), over=over)


def _over(*, cancelled: bool, lines: Sequence[Row], invoice_lines: Sequence[Row]) -> dict[int, Decimal]:
    """Return, by order line, the quantity that was invoiced and is not the buyer's to pay any more."""
    invoiced: dict[int, Decimal] = {}
    for line in invoice_lines:
        for sale_line in line["sale_line_ids"]:
            invoiced[sale_line] = invoiced.get(sale_line, _NONE) + exact(line["quantity"])
    kept = {line["id"]: _kept(line, cancelled=cancelled) for line in lines}
    return {
        line_id: quantity - kept[line_id]
        for line_id, quantity in invoiced.items()
        if line_id in kept and quantity - kept[line_id] > 0
    }


def _kept(line: Row, *, cancelled: bool) -> Decimal:
    if cancelled and line["qty_delivered_method"] == "stock_move":
        return exact(line["qty_delivered"])
    return exact(line["product_uom_qty"])


def _unit_total(sale_line: int, invoice_lines: Iterable[Row]) -> Decimal:
    """Return what one unit of an order line was invoiced for, with tax."""
    of = [line for line in invoice_lines if sale_line in line["sale_line_ids"]]
    quantity = sum((exact(line["quantity"]) for line in of), _NONE)
    return sum((exact(line["price_total"]) for line in of), _NONE) / quantity if quantity else _NONE


def spread(amount: Decimal, open_amounts: Sequence[tuple[int, Decimal]]) -> dict[int, Decimal]:
    """Return how much of an amount goes to each document, in their order, none above what is open of it."""
    parts: dict[int, Decimal] = {}
    for document, open_amount in open_amounts:
        part = min(amount, open_amount)
        if part > 0:
            parts[document] = part
            amount -= part
    return parts


def credited_lines(quantities: Mapping[int, Decimal], invoice_lines: Sequence[Row]) -> list[tuple[Row, Decimal]] | None:
    """Return an invoice's lines with the quantities that come off them; None where it has not all of these quantities."""
    found: list[tuple[Row, Decimal]] = []
    for sale_line, quantity in quantities.items():
        line = next((one for one in invoice_lines if sale_line in one["sale_line_ids"]), None)
        if line is None or exact(line["quantity"]) < quantity:
            return None
        found.append((line, quantity))
    return found


def by_taxes(amount: Decimal, invoice_lines: Sequence[Row]) -> list[tuple[tuple[int, ...], Decimal]]:
    """Return prices that add up to an amount with tax, within cents, one for each set of taxes that an invoice has, in proportion.

    A price is in the words of the invoice's own lines: with tax where their prices are, without where they are not.
    """
    total = sum((exact(line["price_total"]) for line in invoice_lines), _NONE)
    groups: dict[tuple[int, ...], Decimal] = {}
    for line in invoice_lines:
        price = exact(line["price_unit"]) * exact(line["quantity"]) * (1 - exact(line["discount"]) / 100)
        taxes = tuple(sorted(line["tax_ids"]))
        groups[taxes] = groups.get(taxes, _NONE) + price
    if not total:
        return [((), amount)]
    return [(taxes, (amount * price / total).quantize(_CENT)) for taxes, price in groups.items()]


def uncredited(refunds: Iterable[Refund], refs: Iterable[str], mark: str) -> list[Refund]:
    """Return the refunds that no credit note of ours (`refs`, which end with `mark`) names."""
    named = {number for ref in refs if ref.endswith(mark) for number in ref.removesuffix(mark).strip().split(", ")}
    return [refund for refund in refunds if refund.number not in named]
