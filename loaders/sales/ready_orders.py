"""Whether an order is in Odoo and confirmed, so that goods can move for it; what moves them waits until it is."""

from __future__ import annotations

from collections.abc import Sequence

from loaders.delivering import lookups
from loaders.delivering.claims import Due
from loaders.delivering.references import Reference
from loaders.delivering.work import Work


def order_is_ready(
    work: Work, due: Sequence[Due], order: Reference | None, order_id: str | None, arrives_as: str | None = None
) -> bool:
    """Tell whether to go on with these records of one order; if not, each has its outcome.

    `order_id`: the order's record id, where it is known. `arrives_as`: what is waited for where it is not.
    """
    if order is None or order_id is None:
        _park(work, due, arrives_as or order_id or "", "its order has not arrived")
    elif order.status == "duplicate":
        for one in due:
            work.outcomes.duplicate(one, "its order was sent before by the channel")
    elif order.operation == "delete":
        # The order is cancelled in Odoo; there is nothing to carry out, and nothing that anybody could mend.
        for one in due:
            work.outcomes.delivered(one)
    elif order.status != "delivered" or not order.is_bound:
        _park(work, due, lookups.order_driven(order_id), "its order is not confirmed in Odoo yet")
    else:
        return True
    return False


def _park(work: Work, due: Sequence[Due], waits_for: str, why: str) -> None:
    for one in due:
        work.outcomes.parked(one, waits_for, why)
