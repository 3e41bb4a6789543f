"""Returns: what buyers have sent back, received in Odoo by returns of the transfers that shipped it.

Contract: works by order, as shipments do. A return counts once its goods are back (received, refunded); each has transfers of its
own in Odoo, found by the return's marker. Only what those have not received yet is carried out (receipts). A return waits for its
order, for its order's lines, and for what it brings back to have been shipped.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from config.errors import ErrorKind
from config.policies import ReturnRule
from loaders.delivering import lookups, references
from loaders.delivering.claims import Due
from loaders.delivering.outcomes import Binding
from loaders.delivering.references import Reference
from loaders.delivering.work import Work
from loaders.sales.ready_orders import order_is_ready
from loaders.stock.receipts import Receipt, receive

MODEL = "stock.picking"
_BACK = frozenset({"received", "refunded"})
_RETRY_S = 1.0


@dataclass(kw_only=True, slots=True)
class OneReturn:
    """A return with what is due of it, and how much of which order line (by record id) it brings back."""

    record_id: str
    source: str
    order_id: str
    payload: Mapping[str, Any]
    canonical_id: str
    due: list[Due] = field(default_factory=list)
    wanted: dict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))


def deliver_returns(work: Work, batch: Sequence[Due]) -> None:
    """Receive what these returns and return lines bring back; park, bury or retry what cannot be."""
    returns = _returns(work, batch)
    orders = references.records(work.connection, [one.order_id for one in returns])
    ready = [one for one in returns if order_is_ready(work, one.due, orders.get(one.order_id), one.order_id)]
    lines = _lines(work, ready)
    acting: list[OneReturn] = []
    receipts: list[Receipt] = []
    for one in ready:
        missing = next((key for key in sorted(one.wanted) if not _is_bound(lines.get(key))), None)
        if missing is not None:
            _park(work, one, missing, f"{missing} is not in Odoo yet")
        else:
            acting.append(one)
            receipts.append(_receipt(work, one, lines))
    receive(work, receipts)
    for one, receipt in zip(acting, receipts, strict=True):
        work.outcomes.concerns(one.record_id, "stock.picking", receipt.picking_ids)
        _settle(work, one, receipt)


def marker(work: Work, canonical_id: str) -> str:
    """Return what a return's transfers carry as their tracking reference: its external id, as records have one."""
    return work.external_id(canonical_id)


def _returns(work: Work, batch: Sequence[Due]) -> list[OneReturn]:
    """Return the returns that the batch is about, whole; a line whose return is unknown waits for it."""
    ids = {due.record_id if due.entity == "return" else due.aggregate_id for due in batch}
    known = references.returns(work.connection, ids)
    found: dict[str, OneReturn] = {}
    for due in batch:
        return_id = due.record_id if due.entity == "return" else due.aggregate_id
        if return_id not in known:
            work.outcomes.parked(due, return_id, "its return has not arrived")
            continue
        row = known[return_id]
        one = found.setdefault(
            return_id,
            OneReturn(
                record_id=return_id,
                source=row.source,
                order_id=row.order_id,
                payload=row.payload,
                canonical_id=row.canonical_id,
            ),
        )
        one.due.append(due)
    for return_id, lines in references.return_lines(work.connection, found).items():
        one = found[return_id]
        if known[return_id].operation == "upsert" and one.payload["status"] in _BACK:
            for line in lines:
                one.wanted[lookups.record("sales_order_line", one.source, line["order_line_key"])] += Decimal(
                    line["quantity"]
                )
    return list(found.values())


def _lines(work: Work, ready: Sequence[OneReturn]) -> dict[str, list[Reference]]:
    """Return Odoo's lines of each order line that comes back: its own, then those of its substitutes."""
    wanted = [key for one in ready for key in one.wanted]
    found = {key: [reference] for key, reference in references.records(work.connection, wanted).items()}
    for key, substitute in references.substitute_lines(work.connection, wanted):
        found.setdefault(key, []).append(substitute)
    return found


def _is_bound(lines: Sequence[Reference] | None) -> bool:
    return bool(lines) and all(line.is_bound for line in lines or ())


def _receipt(work: Work, one: OneReturn, lines: Mapping[str, Sequence[Reference]]) -> Receipt:
    rule = _rule(work, one)
    return Receipt(
        marker=marker(work, one.canonical_id),
        origin=f"Return {one.payload['return_number']}: {rule.label or one.payload['reason'].replace('_', ' ')}",
        scrapped=rule.disposition == "scrap",
        wanted={
            tuple(line.odoo_id or 0 for line in lines[key]): float(quantity) for key, quantity in one.wanted.items()
        },
    )


def _rule(work: Work, one: OneReturn) -> ReturnRule:
    """Return what the channel's reason means in Odoo."""
    rules = work.channel(one.source).stock.returns
    return rules.get(one.payload["reason"]) or rules.get("*") or ReturnRule()


def _settle(work: Work, one: OneReturn, receipt: Receipt) -> None:
    if receipt.refused is not None:
        for due in one.due:
            work.outcomes.dead(due, receipt.refused)
    elif receipt.waits:
        _park(work, one, lookups.order_shipped(one.order_id), "what it brings back has not been shipped yet")
    elif receipt.unsettled is not None:
        for due in one.due:
            work.outcomes.retried(due, receipt.unsettled, kind=ErrorKind.TRANSIENT, wait_s=_RETRY_S)
    else:
        for due in one.due:
            _delivered(work, due, receipt)


def _delivered(work: Work, due: Due, receipt: Receipt) -> None:
    picking = max(receipt.picking_ids, default=None) if due.entity == "return" else None
    if picking is not None:
        work.outcomes.bind(
            Binding(canonical_id=due.canonical_id, entity=due.entity, model=MODEL, external_id=None, odoo_id=picking)
        )
    work.outcomes.delivered(due, model=MODEL if picking else None, odoo_id=picking)


def _park(work: Work, one: OneReturn, waits_for: str, why: str) -> None:
    for due in one.due:
        work.outcomes.parked(due, waits_for, why)
