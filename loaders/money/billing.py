"""The step that bills orders: the policy decides whether, Odoo's documents show what is missing, and the rest follows.

An order that is not in Odoo as it should be is waited for. What Odoo refuses of an order is a dead letter of its invoicing, in
Odoo's words; payments for it wait until that is mended.
"""

from __future__ import annotations

from collections.abc import Sequence

from loaders.delivering import lookups
from loaders.delivering.claims import Due
from loaders.delivering.work import Work
from loaders.money.books import MOVE, Books, read_books
from loaders.money.credit_notes import make_credit_notes
from loaders.money.invoices import Billing, make_invoices
from loaders.money.known import OrderMoney, orders_money

JOURNAL = "account.journal"


def bill_orders(work: Work, batch: Sequence[Due]) -> None:
    """Invoice and credit the orders whose invoicing is due; park, bury or settle each."""
    known = orders_money(work.connection, [due.aggregate_id for due in batch])
    ready = [(due, order) for due in batch if (order := _ready(work, due, known.get(due.aggregate_id))) is not None]
    books = read_books(work, [order.odoo_id or 0 for _, order in ready])
    billings: dict[int, Billing] = {}
    dues: dict[int, Due] = {}
    for due, order in ready:
        found = books.get(order.odoo_id or 0)
        billing = _billing(work, due, order, found)
        if billing is not None:
            billings[billing.books.order_id], dues[billing.books.order_id] = billing, due
    before = {order_id: _numbers(one.books) for order_id, one in billings.items()}
    refused = make_invoices(work, billings)
    refused |= make_credit_notes(work, {i: one for i, one in billings.items() if i not in refused})
    for order_id, due in dues.items():
        after = _numbers(billings[order_id].books)
        if after != before[order_id]:
            work.outcomes.billed(due)
        if order_id in refused:
            work.outcomes.dead(due, refused[order_id])
        else:
            work.outcomes.delivered(due, model=MOVE if after else None, odoo_id=max(after, default=None))


def order_waits(work: Work, due: Due, order: OrderMoney | None) -> bool:
    """Settle what is due of an order that is not in Odoo as it should be; tell whether it was."""
    if order is not None and order.status == "duplicate":
        work.outcomes.duplicate(due, "its order was sent before by the channel")
    elif order is None or order.status != "delivered" or order.odoo_id is None:
        work.outcomes.parked(due, lookups.order_driven(due.aggregate_id), "its order is not confirmed in Odoo yet")
    else:
        return False
    return True


def _ready(work: Work, due: Due, order: OrderMoney | None) -> OrderMoney | None:
    if order is not None and work.channel(order.source).money.invoicing == "never":
        work.outcomes.delivered(due)
        return None
    return None if order_waits(work, due, order) else order


def _billing(work: Work, due: Due, order: OrderMoney, books: Books | None) -> Billing | None:
    if books is None:
        work.outcomes.dead(due, "The order is gone from Odoo.")
        return None
    policy = work.channel(order.source).money
    journal_id = None
    if policy.sales_journal is not None:
        journal_id = work.names.find(JOURNAL, policy.sales_journal, company_id=books.company_id)
        if journal_id is None:
            wanted = lookups.in_odoo(JOURNAL, policy.sales_journal)
            work.outcomes.parked(due, wanted, f"Odoo has no journal {policy.sales_journal}")
            return None
    return Billing(order=order, books=books, policy=policy, journal_id=journal_id)


def _numbers(books: Books) -> set[int]:
    """Return the posted documents."""
    return {one.id for one in (*books.invoices, *books.credit_notes)}
