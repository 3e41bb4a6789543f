"""What was shipped in all: only what has left, substitutes apart."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from loaders.shipped import shipped


def box(line: int, quantity: str, sku: str = "A", instead_of: str | None = None) -> dict[str, Any]:
    return {"order_line_number": line, "quantity": quantity, "product_sku": sku, "substitutes_sku": instead_of}


def test_quantities_add_up_over_shipments_and_only_what_has_left_counts() -> None:
    shipments = [
        ("s1", {"status": "shipped", "is_final": False}),
        ("s2", {"status": "shipped", "is_final": False}),
        ("s3", {"status": "staged", "is_final": True}),
        ("s4", {"status": "cancelled", "is_final": True}),
    ]
    lines = {"s1": [box(1, "2"), box(2, "1")], "s2": [box(1, "0.5")], "s3": [box(1, "9")], "s4": [box(2, "9")]}
    total = shipped(shipments, lines)
    assert dict(total.by_line) == {1: Decimal("2.5"), 2: Decimal(1)}
    assert not total.is_final
    assert not total.substitutes


def test_substitutes_are_kept_apart_from_what_they_replace() -> None:
    lines = {"s1": [box(1, "2"), box(1, "3", "B", "A"), box(1, "1", "C", "A"), box(2, "1", "B", "D")]}
    total = shipped([("s1", {"status": "shipped", "is_final": True})], lines)
    assert dict(total.by_line) == {1: Decimal(2)}
    assert total.substituted(1) == 4
    assert total.line_numbers == {1, 2}
    assert total.is_final
