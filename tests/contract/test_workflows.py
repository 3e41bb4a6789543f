"""Every workflow of a channel and its warehouse, from canonical records to the rows of the stand-in and of a real Odoo."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime

import pytest

from tests.contract.books import Books, books
from tests.contract.workflows import run, undisturbed
from tests.fixtures.crashes import Point, crash_at_every_call
from tests.fixtures.delivery import OdooEnd

ORDERED_AT = datetime(2026, 3, 2, 12, 0)  # noqa: DTZ001 - as Odoo keeps it

# state, total, what is delivered, and (product, quantity, delivered) of each line
ORDERS = {
    "called-off": ("cancel", 66.5, None, [("P1", 4, 0), ("P2", 3, 0)]),
    "changed": ("sale", 76.0, "pending", [("P1", 6, 0), ("P2", 0, 0), ("P3", 2, 0)]),
    "cut": ("sale", 66.5, "full", [("P1", 4, 1), ("P2", 3, 3)]),
    "gone": ("cancel", 38.0, None, [("P1", 4, 0)]),
    "in-parts": ("sale", 66.5, "full", [("P1", 4, 4), ("P2", 3, 3)]),
    "lowered": ("sale", 57.0, "full", [("P1", 3, 3), ("P2", 3, 3)]),
    "parcels": ("sale", 66.5, "full", [("P1", 4, 4), ("P2", 3, 3)]),
    "priced": (
        "sale", 20.44, "full",
        [("P1", 3, 3), ("FREIGHT", 1, 0), ("DISCOUNT", 1, 0), ("PROMOTION", 1, 0), ("GIFT_CARD", 1, 0), ("FEE", 1, 0)],
    ),
    "quoted": ("cancel", 38.0, None, [("P1", 4, 0)]),
    "refused": ("cancel", 66.5, "full", [("P1", 4, 4), ("P2", 3, 3)]),
    "replaced": ("sale", 66.5, "full", [("P1", 3, 3), ("P3", 1, 1), ("P2", 3, 3)]),
    "returned": ("sale", 38.0, "full", [("P1", 4, 0)]),
    "stopped": ("cancel", 66.5, "full", [("P1", 4, 1), ("P2", 3, 0)]),
    "whole": ("sale", 66.5, "full", [("P1", 4, 4), ("P2", 3, 3)]),
}  # fmt: skip

# direction, state, whether it is a backorder, and its moves: product, quantity wanted and moved, state
TRANSFERS = {
    "called-off": [("outgoing", "cancel", False, "P1- 4 0 cancel", "P2- 3 0 cancel")],
    "changed": [("outgoing", "confirmed", False, "P1- 6 0 confirmed", "P2- 0 0 cancel", "P3- 2 0 confirmed")],
    "cut": [("outgoing", "done", False, "P1- 4 1 done", "P2- 3 3 done")],
    "gone": [("outgoing", "cancel", False, "P1- 4 0 cancel")],
    "in-parts": [("outgoing", "done", False, "P1- 3 3 done"), ("outgoing", "done", True, "P1- 1 1 done", "P2- 3 3 done")],
    "lowered": [("outgoing", "cancel", True, "P1- 0 0 cancel"), ("outgoing", "done", False, "P1- 3 3 done", "P2- 3 3 done")],
    "parcels": [("outgoing", "done", False, "P1- 4 4 done"), ("outgoing", "done", True, "P2- 3 3 done")],
    "priced": [("outgoing", "done", False, "P1- 3 3 done")],
    "refused": [("outgoing", "done", False, "P1- 4 4 done", "P2- 3 3 done")],
    "replaced": [("outgoing", "done", False, "P1- 3 3 done", "P2- 3 3 done", "P3- 1 1 done")],
    "returned": [
        ("incoming", "done", False, "P1- 1 1 done"),
        ("incoming", "done", False, "P1- 3 3 done"),
        ("outgoing", "done", False, "P1- 4 4 done"),
    ],
    "stopped": [("outgoing", "cancel", True, "P1- 3 0 cancel", "P2- 3 0 cancel"), ("outgoing", "done", False, "P1- 1 1 done")],
    "whole": [("outgoing", "done", False, "P1- 4 4 done", "P2- 3 3 done")],
}  # fmt: skip


def test_every_workflow_ends_in_odoo_as_the_channel_and_the_warehouse_say(end: OdooEnd) -> None:
    run(end)
    assert set(end.statuses().values()) == {"delivered"}
    found = books(end)
    assert _orders(found) == ORDERS
    assert _transfers(found) == TRANSFERS
    assert {(ordered_at, name) for name, _, ordered_at, *_ in found["orders"]} == {
        (ORDERED_AT, f"SO-{key}") for key in ORDERS
    }
    priced = [row[6:] for row in found["lines"] if row[0] == "SO-priced"]
    assert priced == [
        (9.99, 12.5, 31.2), (4.99, 0.0, 5.94), (-5.0, 0.0, -5.95), (-1.5, 0.0, -1.5), (-10.0, 0.0, -10.0), (0.75, 0.0, 0.75),
    ]  # fmt: skip
    assert found["partners"] == [
        ("Acme", "contact", "acme@.example", "Long Row 3", True),
        ("Depot", "delivery", None, "Dock 4", True),
    ]
    assert found["products"] == [(f"P{n}", f"Thing p{n}", 10.0, True) for n in (1, 2, 3)]
    assert found["stock"] == [("P1", -27.0, 0.0), ("P2", -21.0, 0.0), ("P3", -1.0, 0.0)]


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("point", ["before", "after"])
def test_a_deliverer_that_dies_at_every_call_leaves_the_same_books(end: OdooEnd, point: Point) -> None:
    lives = 0

    def die_and_deliver() -> None:
        nonlocal lives
        lives += crash_at_every_call(end, point)

    run(end, die_and_deliver)
    assert lives > 20
    assert set(end.statuses().values()) == {"delivered"}
    assert books(end) == undisturbed(end)


def _orders(found: Books) -> dict[str, tuple[object, ...]]:
    lines = defaultdict(list)
    for name, _, product, wanted, delivered, *_ in found["lines"]:
        lines[name].append((product, wanted, delivered))
    return {
        name.removeprefix("SO-"): (state, total, delivered, lines[name])
        for name, state, _, _, _, total, _, delivered in found["orders"]
    }


def _transfers(found: Books) -> dict[str, list[tuple[object, ...]]]:
    transfers = defaultdict(list)
    for name, direction, state, is_backorder, _, moves in found["transfers"]:
        transfers[name.removeprefix("SO-")].append((direction, state, is_backorder, *moves))
    return {name: sorted(those) for name, those in transfers.items()}
