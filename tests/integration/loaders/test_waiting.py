"""Records that wait for others, records that Odoo refuses, and orders that a channel sent twice."""

from __future__ import annotations

import pytest

from config.errors import CausewayError
from loaders.tracing.deadletters import Replayed, Selection
from tests.fixtures.delivery import (
    OperationalEnd,
    address,
    customer,
    deleted,
    invalid,
    line,
    order,
    product,
    shipment,
    shipment_line,
)


def in_odoo(lane: OperationalEnd, table: str = "sale_order") -> int:
    count: int = lane.odoo_rows(f"SELECT count(*) FROM {table}")[0][0]
    return count


def test_an_order_with_an_unknown_sku_is_held_back_whole_until_its_listing_arrives(lane: OperationalEnd) -> None:
    lane.arrive(
        customer(source="market"),
        order(source="market"),
        product(source="market", sku=None, channel_sku="A-1"),
        line(source="market", product_channel_sku="A-1"),
        line(source="market", key="o1-2", line_number=2, product_channel_sku="A-2"),
    )
    lane.deliver()
    assert in_odoo(lane) == 0
    for record in ("sales_order:market:o1", "sales_order_line:market:o1-2"):
        assert lane.status(record) == "parked"
        assert lane.waits_for(record) == "product#channel_sku=market:A-2"
    lane.arrive(product(source="market", key="late", sku=None, channel_sku="A-2"))
    lane.deliver()
    assert set(lane.statuses().values()) == {"delivered"}
    assert lane.odoo_rows("SELECT state FROM sale_order") == [("sale",)]


def test_records_that_arrive_before_what_they_refer_to_are_released_when_it_comes(lane: OperationalEnd) -> None:
    lane.arrive(line(), order(delivery_address_key="a1"), address(), product())
    lane.deliver()
    assert lane.status("sales_order:shop:o1") == "parked"
    assert lane.status("customer:shop:a1") == "parked"
    lane.arrive(customer())
    lane.deliver()
    assert set(lane.statuses().values()) == {"delivered"}


def test_what_odoo_refuses_is_a_dead_letter_alone_and_its_order_waits_for_it(lane: OperationalEnd) -> None:
    others = [address(key=f"b{number}") for number in range(20)]
    lane.arrive(
        customer(), product(), *others, address(country_code="XX"), order(delivery_address_key="a1"), line(),
        order(key="o2"), line(key="o2-1", order_key="o2"),
    )  # fmt: skip
    lane.deliver()
    assert lane.status("customer:shop:a1") == "dead"
    assert "base.xx" in lane.error("customer:shop:a1")
    assert lane.waits_for("sales_order:shop:o1") == "customer:shop:a1"
    assert lane.odoo_rows("SELECT name, state FROM sale_order") == [("SO-o2", "sale")]
    assert in_odoo(lane, "res_partner WHERE type = 'delivery'") == 20
    with lane.dead_letters() as letters:
        shown = letters.show("customer:shop:a1")
        assert shown is not None
        assert shown["held_up"] == ["sales_order:shop:o1"]
        assert shown["tried"][0]["outcome"] == "dead"
        listed = {letter.record_id: letter.status for letter in letters.list()}
        assert listed == {
            "customer:shop:a1": "dead",
            "sales_order:shop:o1": "parked",
            "sales_order_line:shop:o1-1": "parked",
        }
        assert letters.show("customer:shop:nobody") is None
        assert letters.counts()["dead"] == 1


def test_a_mended_dead_letter_is_delivered_with_all_that_waited_for_it(lane: OperationalEnd) -> None:
    lane.arrive(customer(), product(), address(country_code="XX"), order(delivery_address_key="a1"), line())
    lane.deliver()
    lane.arrive(address(country_code="GB"))
    lane.deliver()
    assert set(lane.statuses().values()) == {"delivered"}


def test_a_replayed_dead_letter_is_delivered_once_its_cause_is_mended_in_odoo(lane: OperationalEnd) -> None:
    lane.arrive(product(barcode="4006381333931"), product(key="p2", barcode="4006381333931"))
    lane.deliver()
    assert sorted(lane.statuses().values()) == ["dead", "delivered"]
    (mended,) = (record for record, status in lane.statuses().items() if status == "delivered")
    lane.odoo_rows("UPDATE product_product SET barcode = NULL WHERE barcode = '4006381333931' RETURNING id")
    with lane.dead_letters() as letters:
        assert letters.replay(Selection(record_ids=["customer:shop:none"])) == Replayed()
        assert letters.replay(Selection(entity="customer")) == Replayed()
        assert letters.replay(Selection(entity="product", error_kind="refused")) == Replayed(sent=1)
    lane.deliver()
    assert set(lane.statuses().values()) == {"delivered"}
    assert mended in lane.statuses()


def test_an_invalid_record_is_a_dead_letter_that_no_replay_sends_and_its_order_is_held_back(
    lane: OperationalEnd,
) -> None:
    wrong = invalid("sales_order_line", "shop", "o1-1", "quantity: not a number", order_key="o1", quantity="many")
    lane.arrive(customer(), product(), order(), wrong, line(key="o1-2", line_number=2))
    lane.deliver()
    with lane.dead_letters() as letters:
        assert letters.replay(Selection()) == Replayed()
    assert lane.status("sales_order_line:shop:o1-1") == "dead"
    assert in_odoo(lane) == 0
    lane.arrive(line())
    lane.deliver()
    assert set(lane.statuses().values()) == {"delivered"}


def test_an_order_sent_twice_is_in_odoo_once_whichever_row_comes_first(lane: OperationalEnd) -> None:
    again = {"source": "market", "duplicate_key": "basket 7"}
    lane.arrive(
        customer(source="market"),
        product(source="market", channel_sku="A-1"),
        order(key="MK-2", **again),
        order(key="MK-1", **again),
        *(line(source="market", key=f"{key}-1", order_key=key, product_channel_sku="A-1") for key in ("MK-1", "MK-2")),
        shipment(order_source="market", order_number="SO-MK-2"),
        shipment_line(),
    )
    lane.deliver()
    assert lane.odoo_rows("SELECT name FROM sale_order") == [("SO-MK-1",)]
    assert lane.status("sales_order:market:MK-2") == "duplicate"
    assert "SO-MK-1" in lane.error("sales_order:market:MK-2")
    assert lane.status("sales_order_line:market:MK-2-1") == "duplicate"
    assert lane.status("shipment:wms:s1") == "duplicate"


def test_a_third_copy_later_is_a_duplicate_too(lane: OperationalEnd) -> None:
    lane.arrive(customer(), product(), order(duplicate_key="k"), line())
    lane.deliver()
    lane.arrive(order(key="n0", duplicate_key="k"), line(key="n0-1", order_key="n0"))
    lane.deliver()
    assert lane.status("sales_order:shop:n0") == "duplicate"
    assert in_odoo(lane) == 1


def test_an_order_whose_lines_come_later_is_confirmed_when_they_come(lane: OperationalEnd) -> None:
    lane.arrive(customer(), product(), order())
    lane.deliver()
    assert lane.status("sales_order:shop:o1") == "parked"
    lane.arrive(line())
    lane.deliver()
    assert lane.odoo_rows("SELECT state FROM sale_order") == [("sale",)]


def test_changes_after_confirmation_reach_lines_and_moves(lane: OperationalEnd) -> None:
    lane.arrive(customer(), product(), order(), line(quantity="5"), line(key="o1-2", line_number=2, quantity="1"))
    lane.deliver()
    lane.arrive(
        line(quantity="3"),
        deleted("sales_order_line", "shop", "o1-2"),
        line(key="o1-3", line_number=3, quantity="7"),
        order(status="fulfilled"),
    )
    lane.deliver()
    assert lane.odoo_rows("SELECT product_uom_qty, price_unit FROM sale_order_line ORDER BY sequence, id") == [
        (3, 9.5),
        (0, 9.5),
        (7, 9.5),
    ]
    moves = lane.odoo_rows("SELECT product_uom_qty FROM stock_move WHERE state <> 'cancel' ORDER BY id")
    assert moves == [(3,), (7,)]


def test_a_line_deleted_from_a_draft_is_gone_from_odoo(lane: OperationalEnd) -> None:
    lane.arrive(customer(), product(), order(status="draft"), line(), line(key="o1-2", line_number=2))
    lane.deliver()
    lane.arrive(deleted("sales_order_line", "shop", "o1-2"))
    lane.deliver()
    assert in_odoo(lane, "sale_order_line") == 1
    assert lane.status("sales_order_line:shop:o1-2") == "delivered"


def test_an_order_that_is_cancelled_and_placed_again_follows(lane: OperationalEnd) -> None:
    lane.arrive(customer(), product(), order(), line())
    for status, state in (("confirmed", "sale"), ("cancelled", "cancel"), ("confirmed", "sale")):
        lane.arrive(order(status=status))
        lane.deliver()
        assert lane.odoo_rows("SELECT state, date_order::text FROM sale_order") == [(state, "2026-03-02 12:00:00")]


def test_deleted_masters_are_archived(lane: OperationalEnd) -> None:
    lane.arrive(customer(), product(), order(), line())
    lane.deliver()
    lane.arrive(deleted("customer", "shop", "c1"), deleted("product", "shop", "p1"))
    lane.deliver()
    assert in_odoo(lane, "res_partner WHERE name = 'Acme' AND NOT active") == 1
    assert in_odoo(lane, "product_product WHERE default_code = 'SKU-p1' AND NOT active") == 1
    lane.arrive(customer(), product())
    lane.deliver()
    assert in_odoo(lane, "res_partner WHERE name = 'Acme' AND active") == 1


def test_a_credit_goes_to_odoo_with_its_negative_quantities(lane: OperationalEnd) -> None:
    lane.arrive(customer(), product(), order(), line(quantity="-2"))
    lane.deliver()
    assert lane.odoo_rows("SELECT state, amount_untaxed FROM sale_order") == [("sale", -19)]


def test_an_unknown_setting_of_odoo_stops_with_one_clear_line(lane: OperationalEnd) -> None:
    lane.arrive(customer())
    lane.deliver()
    wrong = lane.odoo_settings.model_copy(update={"database": "nowhere"})
    other = type(lane.deliverer)(lane.state, wrong, lane.delivery)
    lane.arrive(customer(key="c2"))
    with pytest.raises(CausewayError, match="atabase"):
        other.run_once()
    other.close()
