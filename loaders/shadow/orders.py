"""Orders with their lines, and what was shipped of them, compared with Odoo's."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from loaders.delivering.claims import Due
from loaders.delivering.work import Work
from loaders.named_sql import statements
from loaders.sales import orders
from loaders.shadow.matching import Matches, NaturalKey, match
from loaders.shadow.verdict import Compared, Match, Verdict, compared
from loaders.state import translated

_STATES = {"draft": "draft", "confirmed": "sale", "fulfilled": "sale", "cancelled": "cancel"}
_FIELDS = ("name", "state", "amount_untaxed", "order_line")
_KEYS = (
    NaturalKey(name="name", field="name", value=lambda due: due.payload.get("order_number")),
    NaturalKey(
        name="client_order_ref",
        field="client_order_ref",
        value=lambda due: due.payload.get("client_reference") or due.payload.get("order_number"),
    ),
)

Quantities = dict[str, Decimal]  # by SKU


def compare_orders(work: Work, batch: Sequence[Due]) -> list[Compared]:
    """State, untaxed total, and quantities by SKU. Orders are found by number, then by the customer's reference."""
    matches = match(work, orders.MODEL, batch, _KEYS, _FIELDS)
    ours = _quantities(work, "ordered", [due.record_id for due in batch])
    theirs = _lines(work, matches, "product_uom_qty")
    found = []
    for due in batch:
        if due.record_id in matches.ambiguous:
            found.append(Compared(due=due, verdict=Verdict.AMBIGUOUS, model=orders.MODEL))
            continue
        its = matches.found.get(due.record_id)
        wanted = {"state": "cancel" if due.is_delete else _STATES[due.payload["status"]]}
        if not due.is_delete and due.payload.get("amount_total") is not None:
            wanted["amount_untaxed"] = due.payload["amount_total"]
        if its is not None and not due.is_delete:
            its = _with_quantities(its, theirs.get(its.row["id"], {}), wanted, ours.get(due.record_id, {}))
        found.append(compared(due, orders.MODEL, its, wanted))
    return found


def compare_shipments(work: Work, batch: Sequence[Due]) -> list[Compared]:
    """What has left by SKU, of the whole order: Odoo knows what it delivered by order line, not by our shipments."""
    shipments = sorted({due.aggregate_id if due.entity == "shipment_line" else due.record_id for due in batch})
    with translated("reading shipped orders"):
        rows = work.connection.execute(statements("shadow/shadow.sql")["orders_of_shipments"], [shipments]).fetchall()
        work.connection.commit()
    order_of = dict(rows)
    found = _orders_by_number(work, sorted(set(order_of.values())))
    ours = _quantities(work, "shipped", sorted(set(order_of.values())))
    theirs = _lines(work, found, "qty_delivered")
    verdicts = []
    for due in batch:
        number = order_of.get(due.aggregate_id if due.entity == "shipment_line" else due.record_id)
        its = found.found.get(number or "")
        if its is None:
            verdicts.append(Compared(due=due, verdict=Verdict.MISSING, model="stock.picking"))
            continue
        wanted: dict[str, Any] = {}
        its = _with_quantities(its, theirs.get(its.row["id"], {}), wanted, ours.get(number or "", {}))
        verdicts.append(compared(due, orders.MODEL, its, wanted))
    return verdicts


def _orders_by_number(work: Work, numbers: Sequence[str]) -> Matches:
    matches = Matches()
    for row in work.client.search_read(orders.MODEL, [["name", "in", list(numbers)]], list(_FIELDS)) if numbers else []:
        matches.found[row["name"]] = Match(row=row, matched_by="name")
    return matches


def _quantities(work: Work, name: str, keys: Sequence[str]) -> dict[str, Quantities]:
    with translated("adding up quantities"):
        rows = work.connection.execute(statements("shadow/shadow.sql")[name], [list(keys)]).fetchall()
        work.connection.commit()
    found: dict[str, Quantities] = defaultdict(dict)
    for key, sku, quantity in rows:
        found[key][sku or "?"] = quantity
    return found


def _lines(work: Work, matches: Matches, field: str) -> dict[int, Quantities]:
    """Odoo's quantities of goods, by order and SKU."""
    ids = [one.row["id"] for one in matches.found.values()]
    rows = (
        work.client.search_read("sale.order.line", [["order_id", "in", ids]], ["order_id", "product_id", field])
        if ids
        else []
    )
    codes = work.client.read_by_id(
        "product.product", sorted({row["product_id"][0] for row in rows if row["product_id"]}), ["default_code", "type"]
    )
    found: dict[int, Quantities] = defaultdict(lambda: defaultdict(Decimal))
    for row in rows:
        product = codes.get(row["product_id"][0]) if row["product_id"] else None
        if product is not None and product["type"] != "service":
            found[row["order_id"][0]][product["default_code"] or "?"] += Decimal(str(row[field]))
    return found


def _with_quantities(
    its: Match, theirs: Mapping[str, Decimal], wanted: dict[str, Any], ours: Mapping[str, Decimal]
) -> Match:
    """Lay quantities by SKU beside the fields: `quantity of SKU`."""
    row = dict(its.row)
    for sku in sorted({*ours, *theirs}):
        wanted[f"quantity of {sku}"] = ours.get(sku, Decimal(0))
        row[f"quantity of {sku}"] = theirs.get(sku, Decimal(0))
    return Match(row=row, matched_by=its.matched_by)
