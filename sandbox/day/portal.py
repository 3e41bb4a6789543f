"""The portal's side of a day: what it writes as an order is placed, approved, fulfilled, completed, voided or deleted."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal

from sandbox.day.clock import EVENING, london
from sandbox.day.orders import ShopOrder
from sandbox.day.statements import Statement, Transaction, execute, insert

APPROVED_AFTER = timedelta(minutes=4)
_VOIDED_AFTER = timedelta(minutes=40)
_COMPLETED_AFTER = timedelta(minutes=5)

_NEVER_PICKED = ("refused_by_odoo", "deleted_order", "cancelled_before_shipping", "captured_not_refunded")


def is_fulfilled(order: ShopOrder) -> bool:
    """Whether the order goes to the warehouse and is completed."""
    return order.slot.kind not in _NEVER_PICKED


def ordering(order: ShopOrder) -> Iterator[Transaction]:
    """The order is placed, perhaps from a draft, and approved; some are voided then."""
    yield from _drafting(order) if order.drafted else [_transaction(order.at, *_new(order, "placed"), starts=True)]
    # Some are cancelled before anybody has looked at them.
    if order.slot.kind != "cancelled_before_shipping" or order.slot.index % 2:
        yield _transaction(order.at + APPROVED_AFTER, _status(order, "approved"), *_paid_in_advance(order))
    if order.slot.kind in ("cancelled_before_shipping", "captured_not_refunded"):
        yield _transaction(order.at + _VOIDED_AFTER, _status(order, "void"), *_money_back(order))


def fulfilling(order: ShopOrder, ticket_at: datetime, dispatched_at: datetime) -> Iterator[Transaction]:
    """The warehouse has the order, and then has sent the last of it, which is when cards and accounts are charged."""
    yield _transaction(ticket_at, _status(order, "in_fulfilment"))
    at = dispatched_at + _COMPLETED_AFTER
    charged: tuple[Statement, ...] = ()
    if order.payment_method == "card":
        query = "UPDATE payments SET status = 'captured', captured_at = %s WHERE id = %s"
        charged = (execute(query, london(at), order.id),)
    elif order.payment_method == "account":
        charged = (_payment(order, "captured", at),)
    yield _transaction(at, _status(order, "completed"), *charged)


def deleting(order: ShopOrder) -> Transaction:
    """Somebody has the order deleted, with its lines and payments, when the ERP has it long since."""
    return _transaction(
        EVENING + timedelta(minutes=30, seconds=order.slot.index),
        execute("DELETE FROM payments WHERE order_id = %s", order.id),
        execute("DELETE FROM order_lines WHERE order_id = %s", order.id),
        execute("DELETE FROM orders WHERE id = %s", order.id),
    )


def _drafting(order: ShopOrder) -> Iterator[Transaction]:
    """A draft with three more of the first line and one more line, then put right in two steps, then placed."""
    first, line_no = order.lines[0], len(order.lines) + 1
    started = order.at - timedelta(minutes=9)
    draft_qty, total = first.qty + 3, order.total + first.amount
    where = "WHERE order_id = %s AND line_no = %s"
    yield _transaction(
        started,
        *_new(order, "draft"),
        insert("order_lines", [first.row(order.id, line_no)]),
        execute(f"UPDATE order_lines SET qty = %s {where}", draft_qty, order.id, 1),
        starts=True,
    )
    yield _transaction(
        started + timedelta(minutes=3),
        execute(f"UPDATE order_lines SET qty = %s {where}", first.qty, order.id, 1),
        _total(order, total),
    )
    yield _transaction(
        started + timedelta(minutes=6),
        execute(f"DELETE FROM order_lines {where}", order.id, line_no),
        _total(order, order.total),
    )
    yield _transaction(order.at, _status(order, "placed"))


def _new(order: ShopOrder, status: str) -> Iterator[Statement]:
    yield insert("orders", [_order_row(order, status)])
    yield insert("order_lines", [line.row(order.id, line_no) for line_no, line in enumerate(order.lines, 1)])
    if order.payment_method == "card":
        yield _payment(order, "authorised", None)


def _order_row(order: ShopOrder, status: str) -> dict[str, object]:
    return {
        "id": order.id,
        "order_no": order.order_no,
        "kind": "order",
        "customer_id": order.customer.id,
        "delivery_address_id": order.delivery_address.id,
        "status": status,
        "currency": "GBP",
        "placed_at": london(order.at),
        "client_ref": f"PO-{order.customer.id}-{order.id}" if order.id % 3 else None,
        "total": order.total,
        "note": "Ring the bell, the back door is stuck." if order.id % 50 == 0 else None,
    }


def _paid_in_advance(order: ShopOrder) -> list[Statement]:
    if order.payment_method != "transfer":
        return []
    return [_payment(order, "captured", order.at + APPROVED_AFTER)]


def _money_back(order: ShopOrder) -> list[Statement]:
    """What a cancellation does to the payment, where it was not forgotten."""
    if order.slot.kind == "captured_not_refunded":
        return []
    query = (
        "UPDATE payments SET status = CASE status WHEN 'captured' THEN 'refunded' ELSE 'failed' END WHERE order_id = %s"
    )
    return [execute(query, order.id)]


def _payment(order: ShopOrder, status: str, captured_at: datetime | None) -> Statement:
    # One payment an order, under its number.
    row = {
        "id": order.id,
        "order_id": order.id,
        "method": order.payment_method,
        "status": status,
        "amount": order.total,
        "currency": "GBP",
        "captured_at": london(captured_at) if captured_at else None,
        "psp_ref": f"psp_{order.id:08x}" if order.payment_method == "card" else None,
    }
    return insert("payments", [row])


def _status(order: ShopOrder, status: str) -> Statement:
    return execute("UPDATE orders SET status = %s WHERE id = %s", status, order.id)


def _total(order: ShopOrder, total: Decimal) -> Statement:
    return execute("UPDATE orders SET total = %s WHERE id = %s", total, order.id)


def _transaction(at: datetime, *statements: Statement, starts: bool = False) -> Transaction:
    return Transaction(at=at, database="shop", statements=statements, starts_order=starts)
