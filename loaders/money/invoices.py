"""Invoices of orders: what their policy says is to be invoiced, made, dated and posted by Odoo.

Contract: a draft that is there already is posted, whoever made it, and never a second one made: drafts count as invoiced
(sale/models/sale_order_line.py, _compute_qty_invoiced), so that the wizard finds nothing more. Of two that run at once Odoo
refuses one, as both write the order's lines. On delivery means what has left: of a product that Odoo invoices by ordered
quantity a draft is cut to what is delivered. Freight and other services go with the first goods.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from config.policies import MoneyPolicy
from loaders.delivering.bisection import each_or_refused
from loaders.delivering.work import Work
from loaders.money.books import MOVE, MOVE_LINE, Books, Document, Row, read_books
from loaders.money.known import OrderMoney

_WIZARD = "sale.advance.payment.inv"
_AT_ONCE = 50
_SMALLEST = 0.005  # Odoo keeps quantities to two decimals

Refused = dict[int, str]


@dataclass(kw_only=True, slots=True)
class Billing:
    """One order whose invoicing is due."""

    order: OrderMoney
    books: Books
    policy: MoneyPolicy
    journal_id: int | None

    @property
    def dated(self) -> date:
        """The date of its invoices."""
        today = datetime.now(UTC).date()
        match self.policy.invoice_date:
            case "order":
                return self.order.ordered_on
            case "delivery":
                return self.order.shipped_on or self.order.ordered_on
            case _:
                return today


def make_invoices(work: Work, billings: Mapping[int, Billing]) -> Refused:
    """Make and post what is to be invoiced of these orders; return Odoo's words for those that it refuses.

    What was read of an order that had something to invoice is read again.
    """
    live = {order_id: one for order_id, one in billings.items() if one.books.state == "sale"}
    bare = [one for one in live.values() if _to_invoice(one)]
    refused: Refused = {}
    for final in (False, True):
        ids = [one.books.order_id for one in bare if _has_reductions(one.books) is final]
        at_once = _AT_ONCE if work.client.dialect.invoice_each else 1
        refused |= each_or_refused(lambda some, final=final: _create(work, some, final=final), ids, at_once)  # type: ignore[misc]
    made = [one.books.order_id for one in bare if one.books.order_id not in refused]
    for order_id, books in read_books(work, made).items():
        billings[order_id].books = books
    drafts = {draft.id: one for one in live.values() for draft in one.books.drafts}
    by_draft = _prepare(work, drafts)
    posting = [draft for draft in drafts if draft not in by_draft]
    by_draft |= each_or_refused(lambda some: work.client.call(MOVE, "action_post", [some]), posting)
    for order_id, books in read_books(work, {one.books.order_id for one in drafts.values()}).items():
        billings[order_id].books = books
    return refused | {drafts[draft].books.order_id: words for draft, words in by_draft.items()}


def _create(work: Work, order_ids: Sequence[int], *, final: bool) -> None:
    """`final`: with the lines of negative quantity, which Odoo takes for reductions of what was invoiced before."""
    values = {
        "advance_payment_method": "delivered",
        **(work.client.dialect.invoice_each or {}),
        "deduct_down_payments": final,
        "sale_order_ids": [[6, 0, list(order_ids)]],
    }
    wizard = work.client.call(_WIZARD, "create", [values])
    work.client.call(_WIZARD, "create_invoices", [[wizard]])


def _has_reductions(books: Books) -> bool:
    return any(line["product_uom_qty"] < 0 and line["qty_to_invoice"] < 0 for line in books.lines)


def _to_invoice(billing: Billing) -> bool:
    return any(
        abs(_wanted(billing, line, line["qty_to_invoice"], line["qty_invoiced"])) >= _SMALLEST
        for line in billing.books.lines
    )


def _wanted(billing: Billing, line: Row, open_quantity: float, invoiced: float) -> float:
    """Return how much of what Odoo would invoice of a line is invoiced now. `invoiced`: without that."""
    if line["product_uom_qty"] < 0:
        return open_quantity
    if billing.policy.invoicing == "on_order" or open_quantity <= 0:
        return max(open_quantity, 0.0)
    if line["qty_delivered_method"] == "stock_move":
        delivered: float = line["qty_delivered"]
        return max(min(open_quantity, delivered - invoiced), 0.0)
    goods = [
        one for one in billing.books.lines if one["qty_delivered_method"] == "stock_move" and one["product_uom_qty"]
    ]
    return open_quantity if not goods or any(one["qty_delivered"] for one in goods) else 0.0


def _prepare(work: Work, drafts: Mapping[int, Billing]) -> Refused:
    """Cut the drafts to what is wanted, and give them their date and journal; return the words for those that Odoo refuses.

    A draft of which nothing is left would be somebody's who knows more than we do: it is refused, and not touched.
    """
    refused: Refused = {}
    lines = _draft_lines(work, drafts)
    by_values: dict[tuple[str, int | None], list[int]] = defaultdict(list)
    for draft_id, billing in drafts.items():
        draft = next(one for one in billing.books.drafts if one.id == draft_id)
        commands, left = _cuts(billing, draft, lines[draft_id])
        if not left:
            refused[draft_id] = (
                "A draft invoice of the order has nothing that is to be invoiced yet; post or delete it in Odoo."
            )
            continue
        if commands:
            refused |= each_or_refused(
                lambda some, commands=commands: work.client.write(MOVE, some, {"invoice_line_ids": commands}),  # type: ignore[misc]
                [draft_id],
            )
        by_values[billing.dated.isoformat(), billing.journal_id].append(draft_id)
    for (dated, journal_id), ids in by_values.items():
        values: dict[str, Any] = {"invoice_date": dated} | ({"journal_id": journal_id} if journal_id else {})
        acting = [one for one in ids if one not in refused]
        refused |= each_or_refused(lambda some, values=values: work.client.write(MOVE, some, values), acting)  # type: ignore[misc]
    return refused


def _draft_lines(work: Work, drafts: Mapping[int, Billing]) -> dict[int, list[Row]]:
    found: dict[int, list[Row]] = defaultdict(list)
    if drafts:
        domain = [["move_id", "in", list(drafts)], ["display_type", "=", "product"]]
        for line in work.client.search_read(MOVE_LINE, domain, ["move_id", "quantity", "sale_line_ids"]):
            found[line["move_id"][0]].append(line)
    return found


def _cuts(billing: Billing, draft: Document, lines: Sequence[Row]) -> tuple[list[Any], bool]:
    """Return the commands that leave of a draft's lines what is wanted, and whether anything is left."""
    sign = -1 if draft.kind == "out_refund" else 1
    sold = {line["id"]: line for line in billing.books.lines}
    commands: list[Any] = []
    for line in lines:
        of = sold.get(line["sale_line_ids"][0]) if line["sale_line_ids"] else None
        if of is None:
            continue
        quantity = sign * line["quantity"]
        open_quantity = min(quantity, of["qty_to_invoice"] + quantity) if quantity > 0 else quantity
        wanted = _wanted(billing, of, open_quantity, of["qty_invoiced"] - quantity)
        if abs(wanted) < _SMALLEST:
            commands.append([2, line["id"], 0])
        elif abs(wanted - quantity) >= _SMALLEST:
            commands.append([1, line["id"], {"quantity": sign * wanted}])
    return commands, len(lines) > sum(command[0] == 2 for command in commands)
