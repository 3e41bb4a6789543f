"""What the outbox knows of orders' money: the orders, their payments, and what was refunded for returns."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import psycopg

from loaders.named_sql import statements
from loaders.state import translated

Connection = psycopg.Connection[tuple[Any, ...]]
Payload = Mapping[str, Any]

_MONEY_CAME = ("captured", "refunded")


@dataclass(kw_only=True, slots=True)
class Refund:
    """What was refunded for one return. `quantities`: what came back, by Odoo's order line."""

    number: str
    amount: Decimal
    day: date
    quantities: dict[int, Decimal] = field(default_factory=dict)


@dataclass(kw_only=True, slots=True)
class OrderMoney:
    """One order. `payments`: payloads by record id, oldest first."""

    record_id: str
    source: str
    status: str
    operation: str
    payload: Payload
    odoo_id: int | None
    shipped_on: date | None
    payments: dict[str, Payload] = field(default_factory=dict)
    refunds: list[Refund] = field(default_factory=list)

    @property
    def number(self) -> str:
        return str(self.payload["order_number"])

    @property
    def ordered_on(self) -> date:
        return day_of(self.payload["ordered_at"])

    @property
    def captured(self) -> Decimal:
        """What buyers have paid, some of it refunded since."""
        return sum((amount for _, amount in self._amounts() if amount > 0), Decimal(0))

    @property
    def paid_back(self) -> Decimal:
        """What buyers were paid back: payments that were refunded, and those that went the other way."""
        return sum((abs(a) for status, a in self._amounts() if status == "refunded" or a < 0), Decimal(0))

    @property
    def refunded(self) -> Decimal:
        """What was refunded for returns."""
        return sum((refund.amount for refund in self.refunds), Decimal(0))

    def _amounts(self) -> Iterable[tuple[str, Decimal]]:
        return (
            (payload["status"], Decimal(payload["amount"]))
            for payload in self.payments.values()
            if payload["status"] in _MONEY_CAME
        )


def day_of(instant: str) -> date:
    """Return an instant's day in UTC."""
    return datetime.fromisoformat(instant).astimezone(UTC).date()


def orders_money(connection: Connection, order_ids: Iterable[str]) -> dict[str, OrderMoney]:
    """Return the known ones of these orders, by record id."""
    wanted = list(set(order_ids))
    with translated("reading orders' money"):
        rows = connection.execute(_sql("orders"), [wanted]).fetchall()
        payments = connection.execute(_sql("payments"), [wanted]).fetchall()
        returns = connection.execute(_sql("returns"), [wanted]).fetchall()
        connection.commit()
    found = {row[0]: _order(row) for row in rows}
    for order_id, record_id, payload in payments:
        if order_id in found:
            found[order_id].payments[record_id] = payload
    for order_id, refunds in _refunds(returns).items():
        if order_id in found:
            found[order_id].refunds = refunds
    return found


def _order(row: tuple[Any, ...]) -> OrderMoney:
    record_id, source, status, operation, payload, odoo_id, shipped_at = row
    return OrderMoney(
        record_id=record_id,
        source=source,
        status=status,
        operation=operation,
        payload=payload,
        odoo_id=odoo_id,
        shipped_on=day_of(shipped_at) if shipped_at else None,
    )


def _refunds(rows: Iterable[tuple[Any, ...]]) -> dict[str, list[Refund]]:
    """Gather a return's lines."""
    found: dict[str, dict[str, Refund]] = defaultdict(dict)
    for order_id, payload, quantity, line_id in rows:
        number = str(payload["return_number"])
        refund = found[order_id].setdefault(
            number,
            Refund(
                number=number,
                amount=Decimal(payload["refund_amount"]),
                day=day_of(payload.get("received_at") or payload["requested_at"]),
            ),
        )
        if line_id is not None:
            refund.quantities[line_id] = refund.quantities.get(line_id, Decimal(0)) + Decimal(quantity)
    return {order_id: list(refunds.values()) for order_id, refunds in found.items()}


def _sql(name: str) -> Any:
    return statements("money/money.sql")[name]
