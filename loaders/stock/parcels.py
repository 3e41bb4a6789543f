"""Which transfer carried which parcel out, and the label that it has in Odoo: tracking reference and carrier.

Contract: a transfer has its tracking reference before it is validated, so that a parcel is found again by it, whoever dies in
between; its carrier afterwards, because Odoo lets a carrier ship what has one and no reference yet, and bills the order for that
(stock_delivery/models/stock_picking.py, _send_confirmation_email). Both are mended when the warehouse corrects them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from config.errors import ErrorKind
from loaders.delivering.work import Work
from loaders.odoo.odoo_errors import OdooError
from loaders.stock.handling import Handling

if TYPE_CHECKING:
    from loaders.stock.transfers import Leg, Transfer

PICKING = "stock.picking"
TRACKING = "carrier_tracking_ref"  # of the app Delivery: an Odoo without it keeps no labels

Row = dict[str, Any]


def label(work: Work, pickings: Mapping[int, Handling]) -> None:
    """Write the tracking references of transfers that are about to leave, all in one call."""
    rows = [[str(one), how.tracking] for one, how in pickings.items() if how.tracking]
    if rows and work.names.has_field(PICKING, TRACKING):
        answer = work.client.call(PICKING, "load", [[".id", TRACKING], rows])
        if not answer["ids"]:
            words = "; ".join(str(message["message"]) for message in answer["messages"])
            raise OdooError(ErrorKind.TRANSIENT, f"Odoo has not taken tracking references: {words}")


def name_parcels(work: Work, transfers: Sequence[Transfer]) -> None:
    """Note which transfer each parcel went by, and mend the labels that are not as the warehouse says."""
    orders = [one.order_id for one in transfers if one.legs]
    done: dict[int, list[Row]] = defaultdict(list)
    if orders:
        domain = [["sale_id", "in", orders], ["state", "=", "done"], ["picking_type_id.code", "=", "outgoing"]]
        labels = [TRACKING, "carrier_id"] if work.names.has_field(PICKING, TRACKING) else []
        for row in work.client.search_read(PICKING, domain, ["sale_id", *labels]):
            done[row["sale_id"][0]].append(row)
    wrong: dict[tuple[str, Any], list[int]] = defaultdict(list)
    for transfer in transfers:
        rows = {row["id"]: row for row in done[transfer.order_id]}
        _find(transfer.legs, rows)
        for picking, how in _labels(transfer.legs).items():
            for field, value in _differences(rows.get(picking), how):
                wrong[field, value].append(picking)
    for (field, value), pickings in wrong.items():
        work.client.write(PICKING, pickings, {field: value})


def _find(legs: Sequence[Leg], rows: Mapping[int, Row]) -> None:
    """Give each parcel its transfer: the one validated now or known from before, else by its label, else the next that is free."""
    for leg in legs:
        leg.picking_id = max(leg.picking_ids, default=leg.picking_id)
    taken: set[int | None] = {leg.picking_id for leg in legs}
    taken.update(*(leg.picking_ids for leg in legs))
    for leg in legs:
        if leg.picking_id is None and leg.handling.tracking:
            same = [one for one, row in rows.items() if row.get(TRACKING) == leg.handling.tracking]
            leg.picking_id = max((one for one in same if one not in taken), default=None)
            taken.add(leg.picking_id)
    for leg in legs:
        if leg.picking_id is None:
            leg.picking_id = min((one for one in rows if one not in taken), default=max(rows, default=None))
            taken.add(leg.picking_id)


def _labels(legs: Sequence[Leg]) -> dict[int, Handling]:
    """Return what each transfer is to be labelled with. One that several parcels share keeps the label that it has."""
    of: dict[int, list[Handling]] = defaultdict(list)
    for leg in legs:
        known = [leg.picking_id] if leg.picking_id is not None else []
        for picking in leg.picking_ids or known:
            of[picking].append(leg.handling)
    return {picking: given[0] for picking, given in of.items() if len(given) == 1}


def _differences(row: Row | None, how: Handling) -> list[tuple[str, Any]]:
    if row is None or TRACKING not in row:
        return []
    wrong: list[tuple[str, Any]] = []
    if how.tracking and row[TRACKING] != how.tracking:
        wrong.append((TRACKING, how.tracking))
    if how.carrier_id and (not row["carrier_id"] or row["carrier_id"][0] != how.carrier_id):
        wrong.append(("carrier_id", how.carrier_id))
    return wrong
