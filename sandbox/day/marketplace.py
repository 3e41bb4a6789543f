"""The marketplace's side of a day: orders that are created, paid, shipped, delivered or cancelled, fees, returns, settlements.

A settlement statement adds up to zero: sales are positive, commission, refunds and the reserve negative, and the payout
takes what is left.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from sandbox.day.orders import MarketOrder
from sandbox.day.statements import Row, Statement, Transaction, execute, insert

PAID_AFTER = timedelta(minutes=1)
_CANCELLED_AFTER = timedelta(minutes=12)
_SHIPPED_AFTER = timedelta(minutes=3)
_DELIVERED_AFTER = timedelta(minutes=45)
_RETURNED_AFTER = timedelta(minutes=30)

_NEVER_PICKED = ("cancelled_before_shipping", "duplicate_order", "unknown_sku")
_RETURN_STATES = ("REFUNDED", "REFUNDED", "RECEIVED", "REFUNDED", "REQUESTED", "REJECTED")
_REASONS = ("DAMAGED", "NOT_AS_DESCRIBED", "CHANGED_MIND", "WRONG_ITEM")


def is_fulfilled(order: MarketOrder) -> bool:
    """Whether the order goes to the warehouse, now or when its listing has arrived."""
    return order.slot.kind not in _NEVER_PICKED


def ordering(order: MarketOrder) -> Iterator[Transaction]:
    """The order is created and paid; some are cancelled then."""
    items = [item.row(order.order_id, line_no) for line_no, item in enumerate(order.items, 1)]
    new = (insert("orders", [_order_row(order)]), insert("items", items))
    yield Transaction(at=order.at, database="market", statements=new, starts_order=True)
    yield _transaction(order.at + PAID_AFTER, _state(order, "PAID"))
    if order.slot.kind == "cancelled_before_shipping":
        yield _transaction(order.at + _CANCELLED_AFTER, _state(order, "CANCELED"))


def delivering(order: MarketOrder, dispatched_at: datetime) -> Iterator[Transaction]:
    """The marketplace hears of the last shipment and charges its fees; the parcel arrives; some of it comes back."""
    shipped_at = dispatched_at + _SHIPPED_AFTER
    yield _transaction(shipped_at, _state(order, "SHIPPED"), insert("fees", _fee_rows(order, shipped_at)))
    delivered_at = shipped_at + _DELIVERED_AFTER
    yield _transaction(delivered_at, _state(order, "DELIVERED"))
    if order.slot.kind == "returned":
        yield from _returning(order, delivered_at + _RETURNED_AFTER)


def settling(number: int, orders: Sequence[MarketOrder], at: datetime) -> Transaction:
    """Statement `number`, of these delivered orders."""
    settlement_id = f"ST-{at:%Y%m%d}-{number:02d}"
    lines = [line for order in orders for line in _settlement_lines(order)]
    balance = sum(amount for _, _, amount in lines)
    reserve = -(balance // 20)
    lines += [(None, "reserve", reserve), (None, "payout", -(balance + reserve))]
    rows = [
        {
            "settlement_id": settlement_id,
            "line_no": line_no,
            "order_id": order_id,
            "kind": kind,
            "amount_cents": cents,
            "currency": "GBP",
            "posted_at": at,
            "payout_ref": f"PAY-{settlement_id}" if kind == "payout" else None,
        }
        for line_no, (order_id, kind, cents) in enumerate(lines, 1)
    ]
    return _transaction(at, insert("settlements", rows))


def _settlement_lines(order: MarketOrder) -> Iterator[tuple[str | None, str, int]]:
    yield order.order_id, "sale", order.total_cents
    yield order.order_id, "commission", -_commission_cents(order)
    if _return_state(order) == "REFUNDED":
        yield order.order_id, "refund", -_refund_cents(order)


def _returning(order: MarketOrder, at: datetime) -> Iterator[Transaction]:
    return_id, state = f"RT-{order.order_id[3:]}", _return_state(order)
    row = {
        "return_id": return_id,
        "order_id": order.order_id,
        "item_id": order.items[0].item_id,
        "reason_code": _REASONS[order.slot.index % len(_REASONS)],
        "quantity": 1,
        "refund_cents": 0 if state == "REJECTED" else _refund_cents(order),
        "state": "REQUESTED",
        "requested_at": at,
    }
    yield _transaction(at, insert("returns", [row]))
    if state == "REJECTED":
        yield _transaction(at + timedelta(minutes=9), _return(return_id, state))
    if state in ("RECEIVED", "REFUNDED"):
        received_at = at + timedelta(minutes=40)
        received = execute("UPDATE returns SET received_at = %s WHERE return_id = %s", received_at, return_id)
        yield _transaction(received_at, _return(return_id, "RECEIVED"), received)
    if state == "REFUNDED":
        yield _transaction(at + timedelta(minutes=50), _return(return_id, state))


def _return_state(order: MarketOrder) -> str | None:
    return _RETURN_STATES[order.slot.index % len(_RETURN_STATES)] if order.slot.kind == "returned" else None


def _refund_cents(order: MarketOrder) -> int:
    return order.items[0].unit_price_cents


def _commission_cents(order: MarketOrder) -> int:
    return order.total_cents * 12 // 100


def _fee_rows(order: MarketOrder, at: datetime) -> list[Row]:
    number = 2 * int(order.order_id[3:])
    amounts = (("commission", _commission_cents(order)), ("closing", 50))
    return [
        {"fee_id": number + place, "order_id": order.order_id, "kind": kind, "amount_cents": cents, "charged_at": at}
        for place, (kind, cents) in enumerate(amounts)
    ]


def _order_row(order: MarketOrder) -> Row:
    return {
        "order_id": order.order_id,
        "buyer_id": order.buyer.buyer_id,
        "state": "CREATED",
        "currency": "GBP",
        "purchased_at": order.at,
        "idempotency_key": order.idempotency_key,
        "total_cents": order.total_cents,
        "shipping_cents": order.shipping_cents,
        "discount_cents": order.discount_cents,
        "tax_cents": order.total_cents // 5,
        "raw": {"channel": "web", "lines": len(order.items), "gift": order.slot.index % 10 == 0},
    }


def _state(order: MarketOrder, state: str) -> Statement:
    return execute("UPDATE orders SET state = %s WHERE order_id = %s", state, order.order_id)


def _return(return_id: str, state: str) -> Statement:
    return execute("UPDATE returns SET state = %s WHERE return_id = %s", state, return_id)


def _transaction(at: datetime, *statements: Statement) -> Transaction:
    return Transaction(at=at, database="market", statements=statements)
