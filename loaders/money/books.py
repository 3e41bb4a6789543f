"""What Odoo has of orders' money: the orders' lines with what is invoiced of them, and their invoices and credit notes.

Credit notes that somebody made from an invoice count as the order's, whether their lines are linked to it or not. Where they
are, Odoo takes what they credit for not invoiced, and would invoice it again: the lines here say what is invoiced without them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from loaders.delivering.work import Work

ORDER, LINE, MOVE, MOVE_LINE = "sale.order", "sale.order.line", "account.move", "account.move.line"
_LINE_FIELDS = (
    "order_id",
    "product_uom_qty",
    "qty_delivered",
    "qty_invoiced",
    "qty_to_invoice",
    "qty_delivered_method",
)
_MOVE_FIELDS = ("state", "move_type", "amount_total", "amount_residual", "reversed_entry_id", "ref", "journal_id",
                "company_id", "commercial_partner_id", "currency_id", "invoice_date")  # fmt: skip

Row = dict[str, Any]


def exact(amount: float) -> Decimal:
    """Return an amount of Odoo's, which JSON brings as a binary fraction, as it is written."""
    return Decimal(str(amount))


@dataclass(frozen=True, kw_only=True, slots=True)
class Document:
    """An invoice (`out_invoice`) or a credit note (`out_refund`, of the invoice `reverses`)."""

    id: int
    kind: str
    state: str
    total: Decimal
    residual: Decimal
    reverses: int | None
    ref: str
    journal_id: int
    company_id: int
    partner_id: int
    currency_id: int
    dated: date | None


@dataclass(kw_only=True, slots=True)
class Books:
    """One order in Odoo."""

    order_id: int
    state: str
    company_id: int
    lines: list[Row] = field(default_factory=list)
    documents: list[Document] = field(default_factory=list)
    expects_credit: set[int] = field(default_factory=set)  # lines of which Odoo has invoiced too much, as it sees it

    @property
    def drafts(self) -> list[Document]:
        """Drafts that were made from the order, not from an invoice."""
        return [document for document in self.documents if document.state == "draft" and document.reverses is None]

    @property
    def invoices(self) -> list[Document]:
        """Posted invoices, oldest first."""
        return [one for one in self.documents if one.state == "posted" and one.kind == "out_invoice"]

    @property
    def credit_notes(self) -> list[Document]:
        """Posted credit notes, oldest first."""
        return [one for one in self.documents if one.state == "posted" and one.kind == "out_refund"]

    @property
    def invoiced(self) -> Decimal:
        return sum((one.total for one in self.invoices), Decimal(0))

    @property
    def credited(self) -> Decimal:
        """What was taken back of invoices: not what lines of negative quantity have come to."""
        reduced = any(line["product_uom_qty"] < 0 for line in self.lines)
        notes = (one for one in self.credit_notes if one.reverses is not None or not reduced)
        return sum((one.total for one in notes), Decimal(0))


def read_books(work: Work, order_ids: Iterable[int]) -> dict[int, Books]:
    """Return what Odoo has of these orders; those that are gone from it are left out."""
    ids = sorted(set(order_ids))
    orders = work.client.read_by_id(ORDER, ids, ["state", "invoice_ids", "company_id"])
    found = {
        order_id: Books(order_id=order_id, state=row["state"], company_id=row["company_id"][0])
        for order_id, row in orders.items()
    }
    if found:
        for line in work.client.search_read(LINE, [["order_id", "in", list(found)]], _LINE_FIELDS):
            found[line["order_id"][0]].lines.append(line)
    owners: dict[int, set[int]] = defaultdict(set)
    for order_id, row in orders.items():
        for document in row["invoice_ids"]:
            owners[document].add(order_id)
    for document in _documents(work, owners):
        for order_id in owners[document.id] or owners[document.reverses or 0]:
            found[order_id].documents.append(document)
    _without_credit_notes(work, found.values())
    return found


def _without_credit_notes(work: Work, books: Iterable[Books]) -> None:
    lines = {line["id"]: line for one in books for line in one.lines}
    of = {line["id"]: one for one in books for line in one.lines}
    notes = {
        note.id: note for one in books for note in one.documents if note.reverses is not None and note.state != "cancel"
    }
    credited = []
    if notes:
        domain = [["move_id", "in", list(notes)], ["display_type", "=", "product"], ["sale_line_ids", "!=", False]]
        credited = work.client.search_read(MOVE_LINE, domain, ["move_id", "quantity", "sale_line_ids"])
    for posted in (False, True):
        for row in credited:
            if (notes[row["move_id"][0]].state == "posted") is posted:
                for line in (lines[one] for one in row["sale_line_ids"] if one in lines):
                    line["qty_invoiced"] += row["quantity"]
                    line["qty_to_invoice"] -= row["quantity"]
        if not posted:
            for line in lines.values():
                if line["qty_to_invoice"] < 0:
                    of[line["id"]].expects_credit.add(line["id"])


def _documents(work: Work, owners: Iterable[int]) -> list[Document]:
    ids = sorted(owners)
    if not ids:
        return []
    rows = work.client.search_read(MOVE, ["|", ["id", "in", ids], ["reversed_entry_id", "in", ids]], _MOVE_FIELDS)
    return [_document(row) for row in rows if row["move_type"] in ("out_invoice", "out_refund")]


def _document(row: Row) -> Document:
    return Document(
        id=row["id"],
        kind=row["move_type"],
        state=row["state"],
        total=exact(row["amount_total"]),
        residual=exact(row["amount_residual"]),
        reverses=row["reversed_entry_id"][0] if row["reversed_entry_id"] else None,
        ref=row["ref"] or "",
        journal_id=row["journal_id"][0],
        company_id=row["company_id"][0],
        partner_id=row["commercial_partner_id"][0],
        currency_id=row["currency_id"][0],
        dated=date.fromisoformat(row["invoice_date"]) if row["invoice_date"] else None,
    )
