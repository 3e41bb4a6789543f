"""The state of an order that is in Odoo: confirmed or cancelled as the channel says.

Contract: every action reads Odoo's state first, acts only on the difference and reads again, so a repeated one does no harm.
An order is confirmed only when all its known lines are in Odoo; else it waits for what the first missing line waits for.
action_confirm overwrites date_order with now (sale/models/sale_order.py, _prepare_confirmation_values): it is written again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from loaders import lookups, references
from loaders.bisection import each_or_refused
from loaders.claims import Due
from loaders.load import LoadRow, load
from loaders.references import OrderLine
from loaders.work import Work

MODEL = "sale.order"
_CANCEL = {"disable_cancel_warning": True}
_OPEN = ("draft", "sent")


def ordered_at(payload: Mapping[str, str]) -> str:
    """Return the order's instant as Odoo writes it: UTC, whole seconds."""
    return datetime.fromisoformat(payload["ordered_at"]).astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def drive_orders(work: Work, batch: Sequence[Due]) -> None:
    """Bring these orders, whose headers are in Odoo, into the state that their channel says."""
    known = references.records(work.connection, [due.canonical_id for due in batch])
    lines = references.order_lines(work.connection, [due.record_id for due in batch])
    ready: dict[int, Due] = {}
    for due in batch:
        waiting = _waits_for(due, lines.get(due.record_id, []))
        odoo_id = known[due.canonical_id].odoo_id
        if waiting is not None:
            work.outcomes.parked(due, *waiting)
        elif odoo_id is None:
            work.outcomes.load_again(due)
        else:
            ready[odoo_id] = due
    refused = _bring(work, ready)
    for odoo_id, due in ready.items():
        if odoo_id in refused:
            work.outcomes.dead(due, refused[odoo_id])
        else:
            work.outcomes.delivered(due, model=MODEL, odoo_id=odoo_id, cancelled=due.payload["status"] == "cancelled")


def cancel_in_odoo(work: Work, ids: Sequence[int]) -> dict[int, str]:
    """Cancel those of these orders that are not cancelled; return Odoo's words for each that stays."""
    if not ids:
        return {}
    rows = work.client.read_by_id(MODEL, ids, ["state", "locked"])
    locked = [odoo_id for odoo_id, row in rows.items() if row["locked"] and row["state"] != "cancel"]
    refused = each_or_refused(lambda some: work.client.call(MODEL, "action_unlock", [some]), locked)
    acting = [odoo_id for odoo_id, row in rows.items() if row["state"] != "cancel" and odoo_id not in refused]
    return refused | each_or_refused(
        lambda some: work.client.call(MODEL, "action_cancel", [some], context=_CANCEL), acting
    )


def _waits_for(due: Due, lines: Sequence[OrderLine]) -> tuple[str, str] | None:
    """Return what the order has to wait for and why, if not all its lines are in Odoo."""
    status = due.payload["status"]
    if status == "draft":
        return None
    if status != "cancelled" and not lines:
        return lookups.any_line(due.record_id), "none of its lines has arrived"
    for line in lines:
        if line.status == "parked":
            return line.waits_for or line.record_id, f"its line {line.record_id} waits for {line.waits_for}"
        if line.status == "pending" or (line.status == "dead" and status != "cancelled"):
            return line.record_id, f"its line {line.record_id} is not in Odoo"
    return None


def _bring(work: Work, ready: Mapping[int, Due]) -> dict[int, str]:
    """Confirm and cancel; return Odoo's words for each order that it refuses."""
    rows = work.client.read_by_id(MODEL, list(ready), ["state"])
    refused = {odoo_id: "The order is gone from Odoo." for odoo_id in ready if odoo_id not in rows}
    wanted = {odoo_id: due for odoo_id, due in ready.items() if odoo_id in rows}
    cancelled = [odoo_id for odoo_id, due in wanted.items() if due.payload["status"] == "cancelled"]
    confirmed = [odoo_id for odoo_id, due in wanted.items() if due.payload["status"] in ("confirmed", "fulfilled")]
    drafts = [odoo_id for odoo_id, due in wanted.items() if due.payload["status"] == "draft"]
    refused |= {
        odoo_id: "The channel says draft, but Odoo's order is confirmed."
        for odoo_id in drafts
        if rows[odoo_id]["state"] == "sale"
    }
    refused |= cancel_in_odoo(work, cancelled)
    refused |= _reopen(work, [i for i in (*confirmed, *drafts) if rows[i]["state"] == "cancel"])
    acting = [i for i in confirmed if rows[i]["state"] in (*_OPEN, "cancel") and i not in refused]
    refused |= each_or_refused(lambda some: work.client.call(MODEL, "action_confirm", [some]), acting)
    return refused | _verify(work, {i: wanted[i] for i in confirmed if i not in refused})


def _reopen(work: Work, ids: Sequence[int]) -> dict[int, str]:
    return each_or_refused(lambda some: work.client.call(MODEL, "action_draft", [some]), ids)


def _verify(work: Work, confirmed: Mapping[int, Due]) -> dict[int, str]:
    """Read the confirmed orders again: their state, and the date that the confirmation has overwritten."""
    rows = work.client.read_by_id(MODEL, list(confirmed), ["state", "date_order"])
    refused = {
        odoo_id: f"Odoo left the order in state {rows[odoo_id]['state'] if odoo_id in rows else 'deleted'}."
        for odoo_id in confirmed
        if odoo_id not in rows or rows[odoo_id]["state"] != "sale"
    }
    moved = [i for i in confirmed if i not in refused and rows[i]["date_order"] != ordered_at(confirmed[i].payload)]
    known = references.records(work.connection, [confirmed[i].canonical_id for i in moved])
    dates = [
        LoadRow(
            cells={
                "id": work.external_id(confirmed[i].canonical_id, known.get(confirmed[i].canonical_id)),
                "date_order": ordered_at(confirmed[i].payload),
            }
        )
        for i in moved
    ]
    late = load(work.client, MODEL, dates, batch_records=work.batch_records).refused
    return refused | {i: late[row.external_id] for i, row in zip(moved, dates, strict=True) if row.external_id in late}
