"""Shipments: what the warehouse has sent, carried out on Odoo's transfers.

Contract: works by order. What Odoo should have delivered is the sum of all shipped shipments that are known; what it has
delivered is read from its order lines; only the difference is carried out (transfers), and read back. A shipment waits for its
order to be confirmed in Odoo, for its lines and for the products it brings in place of others.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from config.errors import ErrorKind
from loaders import lookups, references
from loaders.claims import Due
from loaders.outcomes import Binding
from loaders.ready_orders import order_is_ready
from loaders.references import OrderLine, Reference, ShippedOrder
from loaders.shipped import Shipped, shipped
from loaders.substitutions import replace_substituted
from loaders.transfers import Transfer, carry_out
from loaders.work import Work

MODEL = "stock.picking"
_RETRY_S = 1.0

OrderName = tuple[str, str]  # source, order number


@dataclass(kw_only=True, slots=True)
class OrderShipments:
    """One order's due shipments and lines, with all that is known of what was shipped."""

    order: ShippedOrder
    due: list[Due]
    shipped: Shipped
    lines: dict[int, OrderLine] = field(default_factory=dict)
    bound_lines: dict[int, Reference] = field(default_factory=dict)


def deliver_shipments(work: Work, batch: Sequence[Due]) -> None:
    """Carry out what these shipments and shipment lines change; park, bury or retry what cannot be."""
    by_order = _by_order(work, batch)
    known = references.orders_by_number(work.connection, by_order)
    confirmed = {name: due for name, due in by_order.items() if _is_ready(work, name, due, known.get(name))}
    gathered = [one for one in _gather(work, confirmed, known) if _lines_are_ready(work, one)]
    replaced, missing = replace_substituted(work, gathered)
    acting = []
    for one in gathered:
        waits_for = missing.get(one.order.record_id)
        if waits_for is not None:
            _park(work, one.due, waits_for, "a product sent in place of another is not in Odoo yet")
        else:
            acting.append(one)
    _settle(work, acting, carry_out(work, [_transfer(one, replaced) for one in acting]))


def _by_order(work: Work, batch: Sequence[Due]) -> dict[OrderName, list[Due]]:
    """Group what is due by the order it is for; a line whose shipment is unknown waits for it."""
    shipments = {due.record_id: due.payload for due in batch if due.entity == "shipment"}
    elsewhere = {due.aggregate_id for due in batch if due.entity == "shipment_line"} - set(shipments)
    shipments |= references.payloads(work.connection, elsewhere)
    grouped: dict[OrderName, list[Due]] = defaultdict(list)
    for due in batch:
        shipment = shipments.get(due.record_id if due.entity == "shipment" else due.aggregate_id)
        if shipment is None:
            work.outcomes.parked(due, due.aggregate_id, "its shipment has not arrived")
        else:
            grouped[shipment["order_source"], shipment["order_number"]].append(due)
    return grouped


def _is_ready(work: Work, name: OrderName, due: Sequence[Due], order: ShippedOrder | None) -> bool:
    reference, order_id = (order.reference, order.record_id) if order is not None else (None, None)
    return order_is_ready(work, due, reference, order_id, lookups.order_by_number(*name))


def _gather(
    work: Work, by_order: Mapping[OrderName, list[Due]], known: Mapping[OrderName, ShippedOrder]
) -> list[OrderShipments]:
    shipments = references.shipments_of_orders(work.connection, by_order)
    boxes = references.shipment_lines(work.connection, [record for group in shipments.values() for record, _ in group])
    lines = references.order_lines(work.connection, [known[name].record_id for name in by_order])
    bound = references.records(work.connection, [line.record_id for group in lines.values() for line in group])
    found = []
    for name, due in by_order.items():
        one = OrderShipments(order=known[name], due=due, shipped=shipped(shipments.get(name, ()), boxes))
        for line in lines.get(known[name].record_id, ()):
            number = int(line.payload["line_number"])
            one.lines[number], one.bound_lines[number] = line, bound[line.record_id]
        found.append(one)
    return found


def _lines_are_ready(work: Work, one: OrderShipments) -> bool:
    for number in sorted(one.shipped.line_numbers):
        line = one.bound_lines.get(number)
        if line is None or not line.is_bound:
            waits_for = line.canonical_id if line else lookups.order_line(one.order.record_id, number)
            _park(work, one.due, waits_for, f"line {number} of its order is not in Odoo yet")
            return False
    return True


def _transfer(one: OrderShipments, replaced: Mapping[str, Mapping[int, float]]) -> Transfer:
    """Return what Odoo's lines should have delivered, by their ids; a line that is not shipped keeps what it has."""
    wanted = {one.bound_lines[number].odoo_id or 0: float(q) for number, q in one.shipped.by_line.items()}
    wanted |= replaced.get(one.order.record_id, {})
    return Transfer(order_id=one.order.reference.odoo_id or 0, delivered=wanted, is_final=one.shipped.is_final)


def _settle(work: Work, acting: Sequence[OrderShipments], done: Mapping[int, Transfer]) -> None:
    for one in acting:
        transfer = done[one.order.reference.odoo_id or 0]
        if transfer.refused is None and transfer.unsettled is None:
            work.outcomes.happened(lookups.order_shipped(one.order.record_id))
        for due in one.due:
            if transfer.refused is not None:
                work.outcomes.dead(due, transfer.refused)
            elif transfer.unsettled is not None:
                work.outcomes.retried(due, transfer.unsettled, kind=ErrorKind.TRANSIENT, wait_s=_RETRY_S)
            else:
                _delivered(work, due, transfer.picking_id)


def _delivered(work: Work, due: Due, picking_id: int | None) -> None:
    is_shipped = due.entity == "shipment" and due.payload["status"] == "shipped" and not due.is_delete
    if is_shipped and picking_id is not None:
        work.outcomes.bind(
            Binding(canonical_id=due.canonical_id, entity=due.entity, model=MODEL, external_id=None, odoo_id=picking_id)
        )
    work.outcomes.delivered(due, model=MODEL if is_shipped else None, odoo_id=picking_id if is_shipped else None)


def _park(work: Work, due: Sequence[Due], waits_for: str, why: str) -> None:
    for one in due:
        work.outcomes.parked(one, waits_for, why)
