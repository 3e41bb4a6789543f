"""The warehouse's side of a day: pick tickets, and shipments of goods, in full, in part or with something else in the box.

The warehouse knows an order by the portal's number or the marketplace's key, and a line by the channel's `line_no`. Freight,
discounts, services and a bundle's own line are not things to pick; a bundle's components are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from sandbox.day.catalogue import Product
from sandbox.day.exceptions import Kind
from sandbox.day.orders import MarketOrder, ShopOrder
from sandbox.day.statements import Row, Statement, Transaction, execute, insert

WAREHOUSES = (("LDS", "Leeds Central", "Leeds"), ("BRS", "Bristol Docks", "Bristol"))

_TICKET_AFTER = timedelta(minutes=15)
_PICKING_AFTER = timedelta(minutes=10)
_STAGED_AFTER = timedelta(minutes=20)
_DISPATCHED_AFTER = timedelta(minutes=15)
_NEXT_SHIPMENT_AFTER = timedelta(minutes=105)
_CARRIERS = ("Parcelforce", "DPD", "Own van")


@dataclass(frozen=True, kw_only=True)
class Piece:
    """Something to ship for a line of an order; `substitutes_sku` is what was ordered, where this is something else."""

    line_ref: str
    sku: str
    qty: Decimal
    substitutes_sku: str | None = None


@dataclass(frozen=True, kw_only=True)
class Job:
    """A pick ticket and the pieces of each of its shipments, of which the last is final."""

    ticket_id: int
    channel: str
    order_ref: str
    warehouse_code: str
    ticket_at: datetime
    shipments: tuple[tuple[Piece, ...], ...]

    @property
    def dispatched_at(self) -> datetime:
        """When the last shipment leaves."""
        first = self.ticket_at + _PICKING_AFTER + _STAGED_AFTER + _DISPATCHED_AFTER
        return first + (len(self.shipments) - 1) * _NEXT_SHIPMENT_AFTER


def shop_job(order: ShopOrder, substitutes: Sequence[Product]) -> Job:
    """What the warehouse does for a portal order; a substitution takes one of `substitutes`."""
    pieces = [
        Piece(line_ref=str(line_no), sku=line.product.sku, qty=line.qty)
        for line_no, line in enumerate(order.lines, 1)
        if line.product is not None and line.product.kind == "goods"
    ]
    return _job(order.id, "B2B", order.order_no, order.at, _shipments(order.slot.kind, pieces, substitutes))


def market_job(order: MarketOrder, at: datetime, substitutes: Sequence[Product]) -> Job:
    """What the warehouse does for a marketplace order that is known to it at `at`."""
    pieces = [
        Piece(line_ref=str(line_no), sku=item.product.sku, qty=Decimal(item.quantity))
        for line_no, item in enumerate(order.items, 1)
        if item.product is not None
    ]
    number = int(order.order_id.removeprefix("MK-"))
    return _job(number, "MKT", order.order_id, at, _shipments(order.slot.kind, pieces, substitutes))


def working(job: Job) -> Iterator[Transaction]:
    """All that the warehouse writes for a job."""
    yield _transaction(job.ticket_at, insert("pick_tickets", [_ticket_row(job)]))
    picking_at = job.ticket_at + _PICKING_AFTER
    yield _transaction(picking_at, _ticket(job, "PICKING"))
    for number in range(1, len(job.shipments) + 1):
        yield from _shipping(job, number, picking_at + (number - 1) * _NEXT_SHIPMENT_AFTER)


def cancelling(order: ShopOrder) -> Iterator[Transaction]:
    """A ticket that is withdrawn before anybody has gone to pick."""
    job = _job(order.id, "B2B", order.order_no, order.at, ())
    yield _transaction(job.ticket_at, insert("pick_tickets", [_ticket_row(job)]))
    yield _transaction(job.ticket_at + timedelta(minutes=30), _ticket(job, "CANCELLED"))


def _job(number: int, channel: str, order_ref: str, at: datetime, shipments: tuple[tuple[Piece, ...], ...]) -> Job:
    return Job(
        ticket_id=number,
        channel=channel,
        order_ref=order_ref,
        warehouse_code=WAREHOUSES[number % 3 == 0][0],
        ticket_at=at + _TICKET_AFTER,
        shipments=shipments,
    )


def _shipments(kind: Kind | None, pieces: list[Piece], substitutes: Sequence[Product]) -> tuple[tuple[Piece, ...], ...]:
    first, middle, last = pieces[0], pieces[1:-1], pieces[-1]
    part = replace(first, qty=first.qty // 2)
    if kind == "partial_then_completed":
        return (part, *middle), (replace(first, qty=first.qty - part.qty), last)
    if kind == "partial_rest_cancelled":
        return ((part, *middle),)
    if kind == "substitution":
        ordered = {piece.sku for piece in pieces}
        other = next(product for product in substitutes if product.sku not in ordered)
        return ((replace(first, sku=other.sku, substitutes_sku=first.sku), *pieces[1:]),)
    return (tuple(pieces),)


def _shipping(job: Job, number: int, at: datetime) -> Iterator[Transaction]:
    shipment_no = f"SH-{job.ticket_id}-{number}"
    final = number == len(job.shipments)
    staged_at = at + _STAGED_AFTER
    lines = [_line_row(shipment_no, line_no, piece) for line_no, piece in enumerate(job.shipments[number - 1], 1)]
    yield _transaction(
        staged_at,
        insert("shipments", [_shipment_row(job, shipment_no, final=final)]),
        insert("shipment_lines", lines),
        *([_ticket(job, "PICKED")] if final else []),
    )
    sent_at = staged_at + _DISPATCHED_AFTER
    sent = "UPDATE shipments SET status = 'DISPATCHED', dispatched_at = %s WHERE shipment_no = %s"
    yield _transaction(
        sent_at,
        execute(sent, sent_at, shipment_no),
        execute(_TAKEN_FROM_STOCK, shipment_no, job.warehouse_code),
        *([_ticket(job, "CLOSED")] if final else []),
    )


_TAKEN_FROM_STOCK = """
UPDATE stock SET on_hand = on_hand - sent.qty
FROM (SELECT sku, sum(qty) AS qty FROM shipment_lines WHERE shipment_no = %s GROUP BY sku) AS sent
WHERE stock.warehouse_code = %s AND stock.sku = sent.sku"""


def _ticket_row(job: Job) -> Row:
    return {
        "ticket_id": job.ticket_id,
        "channel": job.channel,
        "order_ref": job.order_ref,
        "warehouse_code": job.warehouse_code,
        "status": "OPEN",
        "created_at": job.ticket_at,
    }


def _shipment_row(job: Job, shipment_no: str, *, final: bool) -> Row:
    return {
        "shipment_no": shipment_no,
        "ticket_id": job.ticket_id,
        "channel": job.channel,
        "order_ref": job.order_ref,
        "warehouse_code": job.warehouse_code,
        "carrier": _CARRIERS[job.ticket_id % len(_CARRIERS)],
        "tracking_no": f"TRK{shipment_no[3:].replace('-', '')}",
        "status": "STAGED",
        "is_final": final,
    }


def _line_row(shipment_no: str, line_no: int, piece: Piece) -> Row:
    return {
        "shipment_no": shipment_no,
        "line_no": line_no,
        "sku": piece.sku,
        "qty": piece.qty,
        "order_line_ref": piece.line_ref,
        "substitutes_sku": piece.substitutes_sku,
    }


def _ticket(job: Job, status: str) -> Statement:
    return execute("UPDATE pick_tickets SET status = %s WHERE ticket_id = %s", status, job.ticket_id)


def _transaction(at: datetime, *statements: Statement) -> Transaction:
    return Transaction(at=at, database="wms", statements=statements)
