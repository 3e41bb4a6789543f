"""The same masters and orders for everybody: as canonical changes, and as the values that create() takes.

Names and keys carry the run's prefix, so that a server may be measured again and again.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from transforms.canonical import ENTITIES
from transforms.changes import Upsert

SOURCE = "bench"
LINES = 3


def change(entity: str, key: str, **fields: Any) -> Upsert:
    """A record as it arrives now."""
    provenance = {"source": SOURCE, "source_key": key, "source_position": "0/1", "mapping_version": 1}
    record = ENTITIES[entity].model_validate(fields | provenance)
    return Upsert(
        entity=entity, source=SOURCE, source_key=key, position="0/1", committed_at=datetime.now(UTC), seq=0, mapping="bench", record=record
    )  # fmt: skip


def partner(prefix: str, number: int) -> Upsert:
    """A contact."""
    name = f"{prefix} customer {number}"
    email = f"{prefix}.{number}@customers.example"
    city = {"street": f"{number} High Street", "city": "Leeds", "postcode": f"LS{number % 99}", "country_code": "GB"}
    return change(
        "customer", f"{prefix}-c{number}", name=name, email=email, is_company=True, kind="contact", active=True, **city
    )


def product(prefix: str, number: int) -> Upsert:
    """Goods that are stored."""
    return change(
        "product", f"{prefix}-p{number}", sku=f"{prefix}-{number}", name=f"{prefix} product {number}", kind="goods", unit="unit",
        list_price="9.95", cost="4.20", active=True,
    )  # fmt: skip


def order(prefix: str, number: int, customers: int, products: int, *, status: str = "draft") -> Iterator[Upsert]:
    """An order of LINES lines."""
    key = f"{prefix}-o{number}"
    yield change(
        "sales_order", key, order_number=f"{prefix}-SO{number}", customer_key=f"{prefix}-c{number % customers}", status=status,
        ordered_at=datetime(2026, 3, 2, 12, tzinfo=UTC), currency="USD",
    )  # fmt: skip
    for line in range(1, LINES + 1):
        yield change(
            "sales_order_line", f"{key}-{line}", order_key=key, line_number=line, kind="product",
            product_key=f"{prefix}-p{(number * LINES + line) % products}", quantity="2", unit_price="9.95", discount_percent="0",
        )  # fmt: skip


def shipment(prefix: str, number: int) -> Iterator[Upsert]:
    """All of an order, shipped."""
    key = f"{prefix}-s{number}"
    yield change(
        "shipment", key, shipment_number=key, order_source=SOURCE, order_number=f"{prefix}-SO{number}", status="shipped", is_final=True
    )  # fmt: skip


def shipment_lines(prefix: str, number: int, products: int) -> Iterator[Upsert]:
    """What was in its box."""
    key = f"{prefix}-s{number}"
    for line in range(1, LINES + 1):
        sku = f"{prefix}-{(number * LINES + line) % products}"
        yield change(
            "shipment_line", f"{key}-{line}", shipment_key=key, line_number=line, product_sku=sku, quantity="2", order_line_number=line
        )  # fmt: skip


def payment(prefix: str, number: int) -> Upsert:
    """The order's total, captured."""
    return change(
        "payment", f"{prefix}-m{number}", order_key=f"{prefix}-o{number}", status="captured", method="card",
        amount=f"{LINES * 2 * 9.95:.2f}", currency="USD", captured_at=datetime(2026, 3, 2, 13, tzinfo=UTC),
    )  # fmt: skip


def partner_values(prefix: str, number: int) -> dict[str, Any]:
    """For create()."""
    name, email = f"{prefix} made {number}", f"{prefix}.made{number}@customers.example"
    place = {"street": f"{number} High Street", "city": "Leeds", "zip": f"LS{number % 99}"}
    return {"name": name, "email": email, "is_company": True, **place}


def product_values(prefix: str, number: int) -> dict[str, Any]:
    """For create()."""
    prices = {"list_price": 9.95, "standard_price": 4.2}
    return {
        "name": f"{prefix} made {number}",
        "default_code": f"{prefix}-m{number}",
        "type": "consu",
        "is_storable": True,
        **prices,
    }


def order_values(partner_ids: list[int], product_ids: list[int], number: int) -> dict[str, Any]:
    """For create()."""
    lines = [
        {"product_id": product_ids[(number * LINES + line) % len(product_ids)], "product_uom_qty": 2, "price_unit": 9.95,
         "tax_id": [[6, 0, []]]}
        for line in range(LINES)
    ]  # fmt: skip
    return {"partner_id": partner_ids[number % len(partner_ids)], "order_line": [[0, 0, line] for line in lines]}
