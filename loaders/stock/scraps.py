"""Scrapping of what has come back and may not be sold again: one stock.scrap a received transfer and product.

Contract: it has an external id made of the two, so it is made once; what is a draft yet is validated. Odoo asks a person where
there is less in stock than is to be scrapped: a refusal.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from loaders.delivering.bisection import each_or_refused
from loaders.delivering.load import LoadRow, load
from loaders.delivering.work import Work

if TYPE_CHECKING:
    from loaders.stock.receipts import Receipt

MODEL = "stock.scrap"


def scrap(work: Work, received: Mapping[int, Receipt]) -> None:
    """Scrap all that these done transfers have brought back."""
    if not received:
        return
    known = work.client.search_read(
        MODEL, [["picking_id", "in", sorted(received)]], ["picking_id", "product_id", "state"]
    )
    have = {(row["picking_id"][0], row["product_id"][0]) for row in known}
    rows = {key: row for key, row in _rows(work, received).items() if key not in have}
    loaded = load(work.client, MODEL, list(rows.values()), batch_records=work.batch_records)
    for (picking, _), row in rows.items():
        if row.external_id in loaded.refused:
            received[picking].refused = loaded.refused[row.external_id]
    drafts = {row["id"]: row["picking_id"][0] for row in known if row["state"] == "draft"}
    drafts |= {
        loaded.ids[row.external_id]: picking for (picking, _), row in rows.items() if row.external_id in loaded.ids
    }
    refused = each_or_refused(lambda some: work.client.call(MODEL, "action_validate", [some]), list(drafts), 1)
    for one, words in refused.items():
        received[drafts[one]].refused = words


def _rows(work: Work, received: Mapping[int, Receipt]) -> dict[tuple[int, int], LoadRow]:
    quantities: dict[tuple[int, int], float] = defaultdict(float)
    for move in _moves(work, sorted(received)):
        quantities[move["picking_id"][0], move["product_id"][0]] += move["quantity"]
    return {
        (picking, product): LoadRow(
            cells={
                "id": f"{received[picking].marker}_scrap_{picking}_{product}",
                "product_id/.id": str(product),
                "scrap_qty": str(round(quantity, 2)),
                "picking_id/.id": str(picking),
                "origin": received[picking].origin,
            }
        )
        for (picking, product), quantity in quantities.items()
    }


def _moves(work: Work, pickings: list[int]) -> list[dict[str, Any]]:
    domain = [["picking_id", "in", pickings], ["state", "=", "done"], ["scrapped", "=", False]]
    dialect = work.client.dialect
    fields = dialect.move_fields(["picking_id", "product_id", "quantity"])
    return dialect.moves(work.client.search_read("stock.move", domain, fields))
