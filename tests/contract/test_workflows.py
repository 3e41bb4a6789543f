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
    "called-off": [("outgoing", "cancel", False, "P1 4 0 cancel", "P2 3 0 cancel")],
    "changed": [("outgoing", "assigned", False, "P1 6 6 assigned", "P2 0 0 cancel", "P3 2 2 assigned")],
    "cut": [("outgoing", "done", False, "P1 4 1 done", "P2 3 3 done")],
    "gone": [("outgoing", "cancel", False, "P1 4 0 cancel")],
    "in-parts": [("outgoing", "done", False, "P1 3 3 done"), ("outgoing", "done", True, "P1 1 1 done", "P2 3 3 done")],
    "lowered": [("outgoing", "cancel", True, "P1 0 0 cancel"), ("outgoing", "done", False, "P1 3 3 done", "P2 3 3 done")],
    "parcels": [("outgoing", "done", False, "P1 4 4 done"), ("outgoing", "done", True, "P2 3 3 done")],
    "priced": [("outgoing", "done", False, "P1 3 3 done")],
    "refused": [("outgoing", "done", False, "P1 4 4 done", "P2 3 3 done")],
    "replaced": [("outgoing", "done", False, "P1 3 3 done", "P2 3 3 done", "P3 1 1 done")],
    "returned": [
        ("incoming", "done", False, "P1 1 1 done", "P1 1 1 done"),  # and scrapped
        ("incoming", "done", False, "P1 3 3 done"),
        ("outgoing", "done", False, "P1 4 4 done"),
    ],
    "stopped": [("outgoing", "cancel", True, "P1 3 0 cancel", "P2 3 0 cancel"), ("outgoing", "done", False, "P1 1 1 done")],
    "whole": [("outgoing", "done", False, "P1 4 4 done", "P2 3 3 done")],
}  # fmt: skip

# kind, payment, total, what is open, the order it is for
INVOICES = [
    ("out_invoice", "not_paid", 9.5, 9.5, "SO-stopped"),
    ("out_invoice", "not_paid", 20.44, 20.44, "SO-priced"),
    ("out_invoice", "not_paid", 28.5, 28.5, "SO-in-parts"),
    ("out_invoice", "not_paid", 38.0, 38.0, "SO-in-parts"),
    ("out_invoice", "not_paid", 57.0, 57.0, "SO-lowered"),
    ("out_invoice", "not_paid", 66.5, 66.5, "SO-parcels"),
    ("out_invoice", "not_paid", 66.5, 66.5, "SO-refused"),
    ("out_invoice", "not_paid", 66.5, 66.5, "SO-replaced"),
    ("out_invoice", "paid", 38.0, 0.0, "SO-cut"),
    ("out_invoice", "paid", 38.0, 0.0, "SO-returned"),
    ("out_invoice", "paid", 66.5, 0.0, "SO-whole"),
    ("out_refund", "paid", 28.5, 0.0, "SO-returned"),
]

# Each has a journal entry, as has each part of the marketplace's statement.
PAYMENTS = [("inbound", 18.0), ("inbound", 20.0), ("inbound", 38.0), ("inbound", 66.5), ("outbound", 28.5)]
STATEMENT = [15.0, 85.0]


def test_every_workflow_ends_in_odoo_as_the_channel_and_the_warehouse_say(end: OdooEnd) -> None:
    run(end)
    assert set(end.statuses().values()) == {"delivered"}
    found = books(end)
    assert _orders(found) == ORDERS
    assert _transfers(found) == TRANSFERS
    _the_money_is_booked_once(found)
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
    assert found["stock"] == [("P1", 72.0, 6.0), ("P2", 79.0, 0.0), ("P3", 99.0, 2.0)]
    assert found["scraps"] == [("P1", 1.0, "done")]


def _the_money_is_booked_once(found: Books) -> None:
    assert {state for _, state, *_ in found["entries"]} == {"posted"}
    invoices = [(kind, payment, *rest[:3]) for kind, _, payment, *rest in found["entries"] if kind != "entry"]
    assert sorted(invoices) == INVOICES
    assert [(direction, amount) for direction, _, amount in found["payments"]] == PAYMENTS
    totals = sorted(row[3] for row in found["entries"] if row[0] == "entry")
    assert totals == sorted([*STATEMENT, *(amount for _, amount in PAYMENTS)])


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
