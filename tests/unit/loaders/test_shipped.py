"""What was shipped in all: only what has left, substitutes apart."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from loaders.delivering.references import KnownShipment
from loaders.stock.shipped import shipped


def box(line: int, quantity: str, sku: str = "A", instead_of: str | None = None) -> dict[str, Any]:
    return {"order_line_number": line, "quantity": quantity, "product_sku": sku, "substitutes_sku": instead_of}


def sent(key: str, status: str = "shipped", *, is_final: bool = False) -> KnownShipment:
    return KnownShipment(record_id=key, source="wms", payload={"status": status, "is_final": is_final})


def test_quantities_add_up_over_shipments_and_only_what_has_left_counts() -> None:
    shipments = [
        sent("s1"),
        sent("s2"),
        sent("s3", "staged", is_final=True),
        sent("s4", "cancelled", is_final=True),
    ]
    lines = {"s1": [box(1, "2"), box(2, "1")], "s2": [box(1, "0.5")], "s3": [box(1, "9")], "s4": [box(2, "9")]}
    total = shipped(shipments, lines)
    assert dict(total.by_line) == {1: Decimal("2.5"), 2: Decimal(1)}
    assert [dict(one.by_line) for one in total.parcels] == [{1: Decimal(2), 2: Decimal(1)}, {1: Decimal("0.5")}]
    assert not total.final_sources
    assert not total.substitutes


def test_substitutes_are_kept_apart_from_what_they_replace() -> None:
    lines = {"s1": [box(1, "2"), box(1, "3", "B", "A"), box(1, "1", "C", "A"), box(2, "1", "B", "D")]}
    total = shipped([sent("s1", is_final=True)], lines)
    assert dict(total.by_line) == {1: Decimal(2)}
    assert total.substituted(1) == 4
    assert total.line_numbers == {1, 2}
    assert total.final_sources == {"wms"}


def test_each_line_of_a_box_may_name_its_lot() -> None:
    lines = {"s1": [box(1, "2") | {"lot": "L1"}, box(1, "1") | {"lot": "L2"}, box(2, "1", "B", "D") | {"lot": "L3"}]}
    [parcel] = shipped([sent("s1")], lines).parcels
    assert parcel.by_line == {1: Decimal(3)}
    assert [(lot.line_number, lot.sku, lot.is_substitute, lot.name, lot.quantity) for lot in parcel.lots] == [
        (1, "A", False, "L1", Decimal(2)),
        (1, "A", False, "L2", Decimal(1)),
        (2, "B", True, "L3", Decimal(1)),
    ]
