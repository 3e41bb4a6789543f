"""Shipments: what the warehouse has sent, carried out on Odoo's transfers, a transfer a shipment.

Contract: works by order. What Odoo should have delivered after each parcel is the sum of the shipments up to it; what it has
delivered is read from its order lines; only the difference is carried out (transfers), and read back. A shipment waits for its
order to be confirmed in Odoo, for its lines, for the products it brings in place of others, and for what the policies name.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from config.errors import ErrorKind
from loaders.delivering import lookups, references
from loaders.delivering.claims import Due
from loaders.delivering.outcomes import Binding
from loaders.delivering.references import OrderLine, Reference, ShippedOrder
from loaders.delivering.work import Work
from loaders.sales.ready_orders import order_is_ready
from loaders.stock.handling import Handling, Missing, handling
from loaders.stock.lots import Named, find_lots
from loaders.stock.shipped import Parcel, Shipped, shipped
from loaders.stock.substitutions import Replaced, held_substitution, replace_substituted
from loaders.stock.transfers import Leg, Transfer, carry_out

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
    handled = handling(work, [one.shipment for order in gathered for one in order.shipped.parcels])
    lots = find_lots(work, [one.shipped for one in gathered])
    gathered = [one for one in gathered if _may_go(work, one, handled, lots)]
    replaced = replace_substituted(work, gathered)
    acting = []
    for one in gathered:
        order_id = one.order.record_id
        if order_id in replaced.waits_for:
            _park(work, one.due, replaced.waits_for[order_id], "a product sent in place of another is not in Odoo yet")
        elif order_id in replaced.refused:
            _bury(work, one.due, replaced.refused[order_id])
        else:
            acting.append(one)
    transfers = [_transfer(work, one, replaced, handled, lots) for one in acting]
    carry_out(work, transfers)
    for one, transfer in zip(acting, transfers, strict=True):
        _settle(work, one, transfer)


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
    boxes = references.shipment_lines(work.connection, [one.record_id for group in shipments.values() for one in group])
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


def _may_go(
    work: Work, one: OrderShipments, handled: Mapping[str, Handling | Missing], lots: Mapping[Named, int | Missing]
) -> bool:
    """Tell whether the policies let an order's parcels go, and Odoo has what they and the warehouse name."""
    for parcel in one.shipped.parcels:
        named = [lots.get((lot.sku, lot.name)) for lot in parcel.lots]
        for what in (handled[parcel.shipment.record_id], *named):
            if isinstance(what, Missing):
                _park(work, one.due, what.waits_for, what.why)
                return False
    held = held_substitution(work, one)
    if held is not None:
        _bury(work, one.due, held)
    return held is None


def _transfer(
    work: Work,
    one: OrderShipments,
    replaced: Replaced,
    handled: Mapping[str, Handling | Missing],
    lots: Mapping[Named, int | Missing],
) -> Transfer:
    """Return what Odoo's lines should have delivered after each parcel; a line that is not shipped keeps what it has."""
    transfer = Transfer(
        order_id=one.order.reference.odoo_id or 0,
        is_final=any(work.channel(source).stock.shortage == "cancel" for source in one.shipped.final_sources),
    )
    delivered: dict[int, Decimal] = defaultdict(Decimal)
    shipped_lots: dict[int, dict[int, float]] = defaultdict(lambda: defaultdict(float))
    for parcel in one.shipped.parcels:
        for line_id, quantity in _by_odoo_line(one, parcel, replaced):
            delivered[line_id] += quantity
        for line_id, lot_id, some in _by_odoo_lot(one, parcel, replaced, lots):
            shipped_lots[line_id][lot_id] += some
        how = handled[parcel.shipment.record_id]
        assert isinstance(how, Handling)
        transfer.legs.append(
            Leg(
                record_id=parcel.shipment.record_id,
                delivered={line_id: float(quantity) for line_id, quantity in delivered.items()},
                lots={line_id: dict(given) for line_id, given in shipped_lots.items()},
                handling=how,
                picking_id=parcel.shipment.odoo_id,
            )
        )
    return transfer


def _by_odoo_line(one: OrderShipments, parcel: Parcel, replaced: Replaced) -> list[tuple[int, Decimal]]:
    own = [(one.bound_lines[number].odoo_id or 0, quantity) for number, quantity in parcel.by_line.items()]
    lines = replaced.lines.get(one.order.record_id, {})
    return own + [(lines[key], quantity) for key, quantity in parcel.substitutes.items()]


def _by_odoo_lot(
    one: OrderShipments, parcel: Parcel, replaced: Replaced, lots: Mapping[Named, int | Missing]
) -> list[tuple[int, int, float]]:
    found = []
    for lot in parcel.lots:
        lot_id = lots.get((lot.sku, lot.name))
        if isinstance(lot_id, int):
            own = one.bound_lines[lot.line_number].odoo_id or 0
            substitute = replaced.lines.get(one.order.record_id, {}).get((lot.line_number, lot.sku), own)
            found.append((substitute if lot.is_substitute else own, lot_id, float(lot.quantity)))
    return found


def _settle(work: Work, one: OrderShipments, transfer: Transfer) -> None:
    if transfer.refused is not None:
        _bury(work, one.due, transfer.refused)
    elif transfer.unsettled is not None:
        for due in one.due:
            work.outcomes.retried(due, transfer.unsettled, kind=ErrorKind.TRANSIENT, wait_s=_RETRY_S)
    else:
        work.outcomes.happened(lookups.order_shipped(one.order.record_id))
        pickings = {leg.record_id: leg.picking_id for leg in transfer.legs}
        for due in one.due:
            _delivered(work, due, pickings.get(due.record_id))


def _delivered(work: Work, due: Due, picking_id: int | None) -> None:
    """A shipment is bound to the transfer that shipped it; one that has not left, or is gone, to none."""
    is_shipped = due.entity == "shipment" and not due.is_delete and picking_id is not None
    if is_shipped and picking_id is not None:
        work.outcomes.bind(
            Binding(canonical_id=due.canonical_id, entity=due.entity, model=MODEL, external_id=None, odoo_id=picking_id)
        )
    work.outcomes.delivered(due, model=MODEL if is_shipped else None, odoo_id=picking_id if is_shipped else None)


def _park(work: Work, due: Sequence[Due], waits_for: str, why: str) -> None:
    for one in due:
        work.outcomes.parked(one, waits_for, why)


def _bury(work: Work, due: Sequence[Due], words: str) -> None:
    for one in due:
        work.outcomes.dead(one, words)
