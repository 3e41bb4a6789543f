"""Credit notes: what is to be credited of an order and is not, made from its invoices and posted.

Contract: a draft is claimed by our mark at the end of its reference; one that a killed process left is filled anew and posted.
Its amount equals what was refunded to the cent: lines of the invoice as far as it is known what came back, or one for each tax in
proportion, and a line for the difference. A line that says why ties it to all lines of the order without counting for any; those
that count are tied only where Odoo waits for a credit, or the order would be invoiced again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from loaders.delivering.bisection import each_or_refused
from loaders.delivering.work import Work
from loaders.money.books import MOVE, MOVE_LINE, Document, Row, exact, read_books
from loaders.money.credits import Wanted, by_taxes, credited_lines, spread, uncredited, wanted_credit
from loaders.money.invoices import Billing, Refused
from loaders.money.known import Refund

_REVERSAL = "account.move.reversal"
_LINE_FIELDS = ("move_id", "sale_line_ids", "product_id", "product_uom_id", "name", "quantity", "price_unit", "discount",
                "tax_ids", "price_total")  # fmt: skip


@dataclass(kw_only=True, slots=True)
class _Credit:
    """One credit note to be made: `amount` off an invoice. `refunds`: of the returns that it is for."""

    billing: Billing
    invoice: Document
    amount: Decimal
    wanted: Wanted
    refunds: list[Refund]
    lines: list[Row] = field(default_factory=list)
    draft_id: int = 0

    @property
    def is_whole(self) -> bool:
        return self.amount == self.invoice.total

    @property
    def dated(self) -> date:
        """The day of the latest return that it is for; of what else is credited nobody says when: today."""
        today = datetime.now(UTC).date()
        return min(max((refund.day for refund in self.refunds), default=today), today)

    @property
    def why(self) -> str:
        return ", ".join(refund.number for refund in self.refunds) or self.billing.order.number


def make_credit_notes(work: Work, billings: Mapping[int, Billing]) -> Refused:
    """Credit what these orders should have credited and have not; return Odoo's words for those that it refuses."""
    invoice_lines = _invoice_lines(work, billings.values())
    notes = []
    for one in billings.values():
        its = _credits(work, one, invoice_lines)
        _forget_unwanted(work, one, its)
        notes += its
    refused = _claim(work, notes)
    refused |= _fill(work, [one for one in notes if one.invoice.id not in refused])
    posting = {one.draft_id: one for one in notes if one.invoice.id not in refused}
    words = each_or_refused(lambda some: work.client.call(MOVE, "action_post", [some]), list(posting))
    refused |= {posting[draft].invoice.id: said for draft, said in words.items()}
    for order_id, books in read_books(work, {one.billing.books.order_id for one in notes}).items():
        billings[order_id].books = books
    return {one.billing.books.order_id: refused[one.invoice.id] for one in notes if one.invoice.id in refused}


def _invoice_lines(work: Work, billings: Any) -> dict[int, list[Row]]:
    """Return the lines of the invoices of the orders that may have something to credit, by invoice."""
    invoices = [invoice.id for one in billings if _may_be_credited(one) for invoice in one.books.invoices]
    found: dict[int, list[Row]] = defaultdict(list)
    if invoices:
        domain = [["move_id", "in", invoices], ["display_type", "=", "product"]]
        for line in work.client.search_read(MOVE_LINE, domain, _LINE_FIELDS, order="move_id, sequence, id"):
            found[line["move_id"][0]].append(line)
    return found


def _may_be_credited(billing: Billing) -> bool:
    order, books = billing.order, billing.books
    lowered = any(line["qty_invoiced"] > line["product_uom_qty"] >= 0 for line in books.lines)
    return bool(books.invoices) and (books.state == "cancel" or lowered or order.refunded > 0 or order.paid_back > 0)


def _forget_unwanted(work: Work, billing: Billing, notes: Sequence[_Credit]) -> None:
    """Delete drafts of ours that a killed process left and that nothing is to be credited by any more."""
    wanted = {credit.draft_id for credit in notes}
    drafts = (one for one in billing.books.documents if one.state == "draft" and one.ref.endswith(_mark(work)))
    unwanted = [one.id for one in drafts if one.reverses is not None and one.id not in wanted]
    if unwanted:
        work.client.call(MOVE, "unlink", [unwanted])


def _credits(work: Work, billing: Billing, invoice_lines: Mapping[int, list[Row]]) -> list[_Credit]:
    order, books = billing.order, billing.books
    if not _may_be_credited(billing):
        return []
    lines = [line for invoice in books.invoices for line in invoice_lines.get(invoice.id, ())]
    wanted = wanted_credit(
        cancelled=books.state == "cancel",
        lines=books.lines,
        invoice_lines=lines,
        invoiced=books.invoiced,
        refunded=order.refunded,
        captured=order.captured,
        paid_back=order.paid_back,
    )
    open_amounts = [(one.id, one.total - _credited_of(books.credit_notes, one)) for one in books.invoices]
    refunds = uncredited(order.refunds, (note.ref for note in books.credit_notes), _mark(work))
    parts = spread(wanted.amount - books.credited, open_amounts)
    return [
        _Credit(
            billing=billing,
            invoice=invoice,
            amount=parts[invoice.id],
            wanted=wanted,
            refunds=refunds,
            lines=invoice_lines[invoice.id],
            draft_id=_own_draft(work, billing, invoice),
        )
        for invoice in books.invoices
        if invoice.id in parts
    ]


def _credited_of(notes: Sequence[Document], invoice: Document) -> Decimal:
    return sum((note.total for note in notes if note.reverses == invoice.id), Decimal(0))


def _mark(work: Work) -> str:
    return f"({work.prefix})"


def _own_draft(work: Work, billing: Billing, invoice: Document) -> int:
    drafts = (one for one in billing.books.documents if one.state == "draft" and one.reverses == invoice.id)
    return next((one.id for one in drafts if one.ref.endswith(_mark(work))), 0)


def _claim(work: Work, notes: Sequence[_Credit]) -> Refused:
    """Make drafts of the invoices' credit notes, with our mark; by date and journal, as one wizard has one of each."""
    refused: Refused = {}
    groups: dict[tuple[date, int], list[_Credit]] = defaultdict(list)
    for credit in notes:
        if not credit.draft_id:
            groups[credit.dated, credit.invoice.journal_id].append(credit)
    for (dated, journal_id), some in groups.items():
        values = {"journal_id": journal_id, "date": dated.isoformat(), "reason": _mark(work)}
        refused |= each_or_refused(
            lambda ids, values=values: _reverse(work, ids, values),  # type: ignore[misc]
            [credit.invoice.id for credit in some],
        )
    made = [one for one in notes if not one.draft_id and one.invoice.id not in refused]
    books = read_books(work, {one.billing.books.order_id for one in made})
    for credit in made:
        credit.billing.books = books[credit.billing.books.order_id]
        credit.draft_id = _own_draft(work, credit.billing, credit.invoice)
    return refused


def _reverse(work: Work, invoice_ids: Sequence[int], values: Mapping[str, Any]) -> None:
    wizard = work.client.call(_REVERSAL, "create", [{**values, "move_ids": [[6, 0, list(invoice_ids)]]}])
    work.client.call(_REVERSAL, work.client.dialect.refund, [[wizard]])


def _fill(work: Work, notes: Sequence[_Credit]) -> Refused:
    """Give the drafts their lines, and what is missing to the amount; return the words for those that can't have it."""
    by_draft = {one.draft_id: one for one in notes}
    if not by_draft:
        return {}
    domain = [["move_id", "in", list(by_draft)], ["display_type", "in", ["product", "line_note", "line_section"]]]
    there: dict[int, list[int]] = defaultdict(list)
    for line in work.client.search_read(MOVE_LINE, domain, ["move_id"]):
        there[line["move_id"][0]].append(line["id"])
    refused: Refused = {}
    for draft_id, credit in by_draft.items():
        commands = [[2, line_id, 0] for line_id in there[draft_id]] + [[0, 0, row] for row in _rows(credit)]
        values = {"invoice_line_ids": commands, "ref": f"{credit.why} {_mark(work)}"}
        refused |= _written(work, credit, values)
    for draft_id, total in _totals(work, by_draft).items():
        credit = by_draft[draft_id]
        if total != credit.amount and credit.invoice.id not in refused:
            row = {
                "name": "Difference",
                "quantity": 1,
                "price_unit": float(credit.amount - total),
                "tax_ids": [[6, 0, []]],
            }
            refused |= _written(work, credit, {"invoice_line_ids": [[0, 0, row]]})
    for draft_id, total in _totals(work, by_draft).items():
        credit = by_draft[draft_id]
        if total != credit.amount:
            words = f"The credit note would be {total}, and not the {credit.amount} that were refunded."
            refused.setdefault(credit.invoice.id, words)
    return refused


def _written(work: Work, credit: _Credit, values: Mapping[str, Any]) -> Refused:
    words = each_or_refused(lambda some: work.client.write(MOVE, some, values), [credit.draft_id])
    return {credit.invoice.id: words[credit.draft_id]} if words else {}


def _totals(work: Work, draft_ids: Mapping[int, _Credit]) -> dict[int, Decimal]:
    rows = work.client.read_by_id(MOVE, list(draft_ids), ["amount_total"])
    return {draft_id: exact(row["amount_total"]) for draft_id, row in rows.items()}


def _rows(credit: _Credit) -> list[Row]:
    """Return the lines of a credit note, but for the difference."""
    sold = [line["id"] for line in credit.billing.books.lines]
    note = {"display_type": "line_note", "name": f"Credit: {credit.why}", "sale_line_ids": [[6, 0, sold]]}
    if credit.is_whole:
        return [note, *(_row(credit, line, exact(line["quantity"])) for line in credit.lines)]
    quantities = dict(credit.wanted.over) if not credit.refunds else {}
    for refund in credit.refunds:
        for line_id, quantity in refund.quantities.items():
            quantities[line_id] = quantities.get(line_id, Decimal(0)) + quantity
    found = credited_lines(quantities, credit.lines) if quantities else None
    if found:
        return [note, *(_row(credit, line, quantity) for line, quantity in found)]
    taxed = by_taxes(credit.amount, credit.lines)
    return [note, *({"name": credit.why, "quantity": 1, "price_unit": float(price), "tax_ids": [[6, 0, list(taxes)]]}
                    for taxes, price in taxed)]  # fmt: skip


def _row(credit: _Credit, line: Mapping[str, Any], quantity: Decimal) -> Row:
    expecting = credit.billing.books.expects_credit
    return {
        "product_id": line["product_id"][0] if line["product_id"] else False,
        "product_uom_id": line["product_uom_id"][0] if line["product_uom_id"] else False,
        "name": line["name"],
        "quantity": float(quantity),
        "price_unit": line["price_unit"],
        "discount": line["discount"],
        "tax_ids": [[6, 0, line["tax_ids"]]],
        "sale_line_ids": [[6, 0, [one for one in line["sale_line_ids"] if one in expecting]]],
    }
