from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from transforms.canonical import ENTITIES, Customer, Payment, SalesOrderLine, Shipment, ShipmentLine, record_from_json

PROVENANCE: dict[str, Any] = {"source": "shop", "source_key": "7", "source_position": "0/1A", "mapping_version": 1}
PAYMENT: dict[str, Any] = {"order_key": "5", "status": "captured", "amount": Decimal("12.50"), "currency": "GBP"}


def payment(**changes: Any) -> Payment:
    return Payment(**{**PROVENANCE, **PAYMENT, **changes})


def test_a_record_is_its_own_canonical_one_until_linked() -> None:
    assert payment().canonical_id == payment().record_id == "payment:shop:7"
    linked = payment().with_canonical_id("payment:other:1")
    assert (linked.canonical_id, linked.record_id) == ("payment:other:1", "payment:shop:7")
    assert linked.content_hash == payment().content_hash


@pytest.mark.parametrize(
    "same",
    [
        {"amount": Decimal("12.5000")},
        {"source_position": "1/0"},
        {"mapping_version": 2},
        {"canonical_id": "payment:x:1"},
        {"method": ""},
        {"method": "  "},
        {"method": None},
    ],
)
def test_the_hash_stays_when_what_the_record_says_stays(same: dict[str, Any]) -> None:
    assert payment(**same).content_hash == payment().content_hash


@pytest.mark.parametrize("other", [{"amount": Decimal("12.51")}, {"method": "card"}, {"reference": "card"}])
def test_the_hash_changes_with_any_business_field(other: dict[str, Any]) -> None:
    assert payment(**other).content_hash != payment().content_hash


def test_the_hash_does_not_run_fields_together() -> None:
    first = payment(method="a", reference="b|x=1:c")
    assert first.content_hash != payment(method="a|reference=1:b", reference="c").content_hash


def test_an_instant_is_one_in_every_zone() -> None:
    noon = datetime(2025, 7, 1, 12, tzinfo=UTC)
    summer = noon.astimezone(timezone(timedelta(hours=1)))
    assert payment(captured_at=summer).content_hash == payment(captured_at=noon).content_hash
    with pytest.raises(ValidationError):
        payment(captured_at=noon.replace(tzinfo=None))


@pytest.mark.parametrize(("given", "held"), [("10.00", "10"), ("1E+3", "1000"), ("-0.00", "0"), ("0.10", "0.1")])
def test_decimals_are_held_without_scale_or_exponent(given: str, held: str) -> None:
    assert str(payment(amount=Decimal(given)).amount) == held


@pytest.mark.parametrize("bad", [{"amount": Decimal("NaN")}, {"currency": "gbp"}, {"order_key": ""}, {"colour": 1}])
def test_what_no_payment_can_be_is_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        payment(**bad)


def test_json_gives_the_same_record_back_with_exact_amounts() -> None:
    record = payment(amount=Decimal("12345678901234567890.123456789"), captured_at=datetime(2025, 1, 1, tzinfo=UTC))
    text = record.to_json()
    assert '"12345678901234567890.123456789"' in text
    again = record_from_json("payment", text)
    assert again == record
    assert again.content_hash == record.content_hash


def test_records_of_an_order_share_its_aggregate() -> None:
    line: dict[str, Any] = {"order_key": "5", "line_number": 1, "kind": "product", "quantity": 1, "unit_price": 2}
    assert SalesOrderLine(**PROVENANCE, **line, discount_percent=0).aggregate_id == "sales_order:shop:5"
    assert payment().aggregate_id == "sales_order:shop:5"
    customer = Customer(**PROVENANCE, name="x", is_company=True, kind="contact", active=True)
    assert customer.aggregate_id == "customer:shop:7"


def test_a_shipment_is_the_aggregate_of_its_lines_for_it_knows_no_order_key() -> None:
    shipment = Shipment(
        **PROVENANCE, shipment_number="9", order_source="b2b", order_number="1", status="shipped", is_final=True
    )
    line = ShipmentLine(
        **PROVENANCE, shipment_key="7", line_number=1, product_sku="A", quantity=Decimal(1), order_line_number=1
    )
    assert line.aggregate_id == shipment.aggregate_id == "shipment:shop:7"


def test_every_entity_names_itself() -> None:
    assert all(model.entity == name for name, model in ENTITIES.items())
    assert len(ENTITIES) == 12


def test_the_hash_is_the_same_in_every_version_of_the_bridge() -> None:
    """A changed hash sends every record of every outbox to Odoo again: this value may change only on purpose."""
    record = payment(captured_at=datetime(2025, 1, 1, tzinfo=UTC))
    assert record.content_hash == "402773b5c4161711fb1984ecbb514f26"


def test_a_linked_copy_is_still_the_whole_record() -> None:
    """pydantic's own book-keeping of given fields is dropped; copies and JSON do not need it."""
    linked = payment(method="card").with_canonical_id("payment:x:1")
    assert record_from_json("payment", linked.to_json()) == linked
    assert linked.business_values() == payment(method="card").business_values()
