"""The state of an order that is in Odoo: confirmed or cancelled as the channel says.

Contract: every action reads Odoo's state first, acts only on the difference and reads again, so a repeated one does no harm.
An order is confirmed only when all its known lines are in Odoo; else it waits for what the first missing line waits for. Nor is
it when its figures differ from the channel's and the policies hold or reject that (differences).
action_confirm overwrites date_order with now (sale/models/sale_order.py, _prepare_confirmation_values): it is written again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from loaders.delivering import lookups, references
from loaders.delivering.bisection import each_or_refused
from loaders.delivering.claims import Due
from loaders.delivering.load import LoadRow, load
from loaders.delivering.references import OrderLine
from loaders.delivering.work import Work
from loaders.sales import differences
from loaders.sales.differences import differing

MODEL = "sale.order"
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
    refused, noted = _bring(work, ready)
    for odoo_id, due in ready.items():
        if odoo_id in refused:
            work.outcomes.dead(due, refused[odoo_id])
        else:
            status = due.payload["status"]
            work.outcomes.delivered(
                due,
                model=MODEL,
                odoo_id=odoo_id,
                cancelled=status == "cancelled",
                shows={"state": "draft"} if status == "draft" else None,
                words=noted.get(odoo_id),
            )


def cancel_in_odoo(work: Work, ids: Sequence[int]) -> dict[int, str]:
    """Cancel those of these orders that are not cancelled; return Odoo's words for each that stays."""
    if not ids:
        return {}
    dialect = work.client.dialect
    rows = work.client.read_by_id(MODEL, ids, dialect.order_state)
    locked = [odoo_id for odoo_id, row in rows.items() if dialect.is_locked(row) and row["state"] != "cancel"]
    refused = each_or_refused(lambda some: work.client.call(MODEL, "action_unlock", [some]), locked)
    acting = [odoo_id for odoo_id, row in rows.items() if row["state"] != "cancel" and odoo_id not in refused]
    return refused | each_or_refused(
        lambda some: work.client.call(MODEL, "action_cancel", [some], context=dialect.cancel), acting
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


def _bring(work: Work, ready: Mapping[int, Due]) -> tuple[dict[int, str], dict[int, str]]:
    """Confirm and cancel; return the words for each order that is refused, and those to note on orders that are not."""
    rows = work.client.read_by_id(MODEL, list(ready), ["state", *differences.FIELDS])
    refused = {odoo_id: "The order is gone from Odoo." for odoo_id in ready if odoo_id not in rows}
    wanted = {odoo_id: due for odoo_id, due in ready.items() if odoo_id in rows}
    cancelled = [odoo_id for odoo_id, due in wanted.items() if due.payload["status"] == "cancelled"]
    confirmed = [odoo_id for odoo_id, due in wanted.items() if due.payload["status"] in ("confirmed", "fulfilled")]
    drafts = [odoo_id for odoo_id, due in wanted.items() if due.payload["status"] == "draft"]
    refused |= {
        odoo_id: "The channel says draft, but Odoo's order is confirmed."
        for odoo_id in drafts
        if work.client.dialect.is_confirmed(rows[odoo_id])
    }
    refused |= cancel_in_odoo(work, cancelled)
    held, noted = _compare(work, {i: wanted[i] for i in confirmed}, rows)
    refused |= held
    refused |= _reopen(work, [i for i in (*confirmed, *drafts) if rows[i]["state"] == "cancel" and i not in held])
    acting = [i for i in confirmed if rows[i]["state"] in (*_OPEN, "cancel") and i not in refused]
    refused |= each_or_refused(lambda some: work.client.call(MODEL, "action_confirm", [some]), acting)
    return refused | _verify(work, {i: wanted[i] for i in confirmed if i not in refused}), noted


def _compare(
    work: Work, confirmed: Mapping[int, Due], rows: Mapping[int, Mapping[str, Any]]
) -> tuple[dict[int, str], dict[int, str]]:
    """Hold and reject what the policies say; return their words, and those to note on the orders that go on."""
    held, noted, rejected = {}, {}, []
    for odoo_id, due in confirmed.items():
        found = differing(work.channel(due.source), due.payload, rows[odoo_id])
        if found is None:
            continue
        if found.beyond == "write" or work.client.dialect.is_confirmed(rows[odoo_id]):
            noted[odoo_id] = found.words
            continue
        held[odoo_id] = found.words
        if found.beyond == "reject":
            rejected.append(odoo_id)
    return held | cancel_in_odoo(work, rejected), noted


def _reopen(work: Work, ids: Sequence[int]) -> dict[int, str]:
    return each_or_refused(lambda some: work.client.call(MODEL, "action_draft", [some]), ids)


def _verify(work: Work, confirmed: Mapping[int, Due]) -> dict[int, str]:
    """Read the confirmed orders again: their state, and the dates that the confirmation has overwritten."""
    rows = work.client.read_by_id(MODEL, list(confirmed), ["state", "date_order", "commitment_date"])
    refused = {
        odoo_id: f"Odoo left the order in state {rows[odoo_id]['state'] if odoo_id in rows else 'deleted'}."
        for odoo_id in confirmed
        if odoo_id not in rows or not work.client.dialect.is_confirmed(rows[odoo_id])
    }
    settled = {odoo_id: due for odoo_id, due in confirmed.items() if odoo_id not in refused}
    moved = {i: due for i, due in settled.items() if rows[i]["date_order"] != ordered_at(due.payload)}
    late = _write_dates(work, moved)
    promised = [i for i in settled if (i in moved and i not in late) or rows[i]["commitment_date"]]
    if promised:
        work.client.write(MODEL, promised, {"commitment_date": False})
    return refused | late


def _write_dates(work: Work, moved: Mapping[int, Due]) -> dict[int, str]:
    """Write the orders' dates again, and with them the deadlines of their moves.

    A move made at the confirmation has now as its deadline. A later one of the same line, for a quantity that is lowered,
    would have date_order's; Odoo merges moves of one deadline only (stock_move.py, _prepare_merge_moves_distinct_fields) and
    would receive goods back instead. A commitment date is handed on to the moves (sale_stock/models/sale_order.py, write);
    taken back, it leaves them with what date_order says. Until then it is the sign that this is still to be done.
    """
    known = references.records(work.connection, [due.canonical_id for due in moved.values()])
    rows = {
        odoo_id: LoadRow(
            cells={
                "id": work.external_id(due.canonical_id, known.get(due.canonical_id)),
                "date_order": ordered_at(due.payload),
                "commitment_date": ordered_at(due.payload),
            }
        )
        for odoo_id, due in moved.items()
    }
    refused = load(work.client, MODEL, list(rows.values()), batch_records=work.batch_records).refused
    return {odoo_id: refused[row.external_id] for odoo_id, row in rows.items() if row.external_id in refused}
