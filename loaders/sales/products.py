"""Products, as product.product (three times faster to load than product.template, which it brings along).

Freight, discounts, promotions, gift cards, fees and manual lines need a product too: service products of the bridge's own.
A unit is Odoo's own of the same meaning, unless the channel's policy names another.
"""

from __future__ import annotations

from collections.abc import Sequence

from loaders.arriving.survivorship import survivors
from loaders.delivering import references
from loaders.delivering.claims import Due
from loaders.delivering.load import LoadRow, load
from loaders.delivering.references import Reference
from loaders.delivering.work import Prepared, Work, load_prepared
from loaders.odoo.named import Missing, named
from loaders.sales.archive import archive_deleted

MODEL = "product.product"
_UNITS = {"unit": "uom.product_uom_unit", "dozen": "uom.product_uom_dozen", "kg": "uom.product_uom_kgm"}
# Lines of these kinds name no product of the channel: kind -> name of the bridge's product.
SERVICES = {
    "freight": "Freight",
    "discount": "Discount",
    "promotion": "Promotion",
    "gift_card": "Gift card",
    "fee": "Fee",
    "manual": "Other charges",
}


def service_external_id(work: Work, kind: str) -> str:
    """Return the external id of the bridge's own product for lines of this kind."""
    return f"{work.prefix}.product_{kind}"


def ensure_services(work: Work) -> None:
    """Load the bridge's own products; harmless when they are there."""
    rows = [
        LoadRow(
            cells={
                "id": service_external_id(work, kind),
                "name": name,
                "default_code": f"{work.prefix}-{kind}".upper(),
                "type": "service",
                "taxes_id/id": "",
                "list_price": "0",
            }
        )
        for kind, name in SERVICES.items()
    ]
    load(work.client, MODEL, rows, batch_records=work.batch_records)


def deliver_products(work: Work, batch: Sequence[Due]) -> None:
    """Load these products; a deleted one is archived."""
    archive_deleted(work, MODEL, [due for due in batch if due.is_delete])
    wanted = [due for due in batch if not due.is_delete]
    known = references.records(work.connection, [due.canonical_id for due in wanted])
    prepared = []
    for one in survivors(work, wanted):
        due = one.due
        unit = _unit(work, due)
        if isinstance(unit, Missing):
            work.outcomes.missing(due, unit.waits_for, unit.why)
            continue
        bound = known.get(due.canonical_id)
        is_bound = bound is not None and bound.is_bound
        prepared.append(Prepared(due=due, row=one.row(_cells(work, due, bound) | unit, is_bound=is_bound), bound=bound))
    for loaded, odoo_id in load_prepared(work, MODEL, prepared):
        work.outcomes.delivered(loaded.due, model=MODEL, odoo_id=odoo_id)


def _unit(work: Work, due: Due) -> dict[str, str] | Missing:
    """Return the cell of the unit of measure: Odoo's own, or what the channel's policy names."""
    unit = due.payload["unit"]
    name = work.channel(due.source).units.get(unit)
    if name is None:
        return {"uom_id/id": _UNITS[unit]}
    found = named(work, "uom.uom", name)
    return found if isinstance(found, Missing) else {"uom_id/.id": str(found)}


def _cells(work: Work, due: Due, bound: Reference | None) -> dict[str, str]:
    """A bundle is sold but never shipped: its components are. So it is a service to Odoo, which makes no move for it."""
    payload = due.payload
    goods = payload["kind"] == "goods"
    return {
        "id": work.external_id(due.canonical_id, bound),
        "name": payload["name"],
        "default_code": payload.get("sku") or payload.get("channel_sku") or "",
        "barcode": payload.get("barcode") or "",
        **(work.client.dialect.storable if goods else work.client.dialect.service),
        "list_price": payload.get("list_price") or "0",
        "standard_price": payload.get("cost") or "0",
        "taxes_id/id": "",
        "description_sale": payload.get("description") or "",
        "active": "1" if payload["active"] else "",
    } | ({"tracking": payload["tracking"]} if payload.get("tracking") else {})
