"""Returns are received in Odoo by returns of the transfers that shipped the goods, once each."""

from __future__ import annotations

import pytest

from config.policies import ChannelPolicy, Policies, ReturnRule, StockPolicy
from tests.fixtures.crashes import Point, crash_at_every_call
from tests.fixtures.delivery import (
    OperationalEnd,
    customer,
    deleted,
    line,
    order,
    product,
    return_line,
    returned,
    shipment,
    shipment_line,
)


def an_order(lane: OperationalEnd) -> None:
    """An order of two lines."""
    lane.arrive(customer(), product(), product(key="p2"), order())
    lane.arrive(line(quantity="5"), line(key="o1-2", line_number=2, product_key="p2", quantity="3"))


def shipped_in_parts(lane: OperationalEnd) -> None:
    """Its goods leave in two transfers: 3 + 2 of the first line, 3 of the second."""
    an_order(lane)
    lane.arrive(shipment(), shipment_line(quantity="3"))
    lane.deliver()
    lane.arrive(
        shipment(key="s2", is_final=True),
        shipment_line(key="s2-1", shipment_key="s2", quantity="2"),
        shipment_line(key="s2-2", shipment_key="s2", order_line_number=2, quantity="3"),
    )
    lane.deliver()


def in_stock(lane: OperationalEnd, quantity: int) -> None:
    """So much of each product is in stock."""
    lane.arrive(product(), product(key="p2"))
    lane.deliver()
    lane.odoo_rows(
        "INSERT INTO stock_quant (product_id, company_id, location_id, quantity, reserved_quantity, in_date)"
        " SELECT id, 1, 8, %s, 0, now() FROM product_product WHERE default_code LIKE 'SKU-%%' RETURNING id",
        quantity,
    )


def receipts(lane: OperationalEnd) -> list[tuple[str, str, str, int]]:
    """Odoo's receipts: what they are called, their state, the product, how much."""
    return lane.odoo_rows(
        "SELECT p.origin, p.state, v.default_code, m.product_uom_qty::int FROM stock_picking p"
        " JOIN stock_move m ON m.picking_id = p.id AND m.origin_returned_move_id IS NOT NULL"
        " JOIN product_product v ON v.id = m.product_id"
        " WHERE p.picking_type_id = 1 ORDER BY p.id, m.id"
    )


def delivered(lane: OperationalEnd) -> list[int]:
    return [row[0] for row in lane.odoo_rows("SELECT qty_delivered::int FROM sale_order_line ORDER BY sequence, id")]


def test_a_return_is_received_from_the_transfers_that_shipped_it(lane: OperationalEnd) -> None:
    shipped_in_parts(lane)
    lane.arrive(returned(reason="damaged"), return_line(quantity="4"))
    lane.arrive(return_line(key="r1-2", order_line_key="o1-2", quantity="1"))
    lane.deliver()
    assert receipts(lane) == [
        ("Return RMA-r1: damaged", "done", "SKU-p1", 3),
        ("Return RMA-r1: damaged", "done", "SKU-p1", 1),
        ("Return RMA-r1: damaged", "done", "SKU-p2", 1),
    ]
    assert delivered(lane) == [1, 2]
    bound = lane.rows("SELECT model, odoo_id FROM crosswalk WHERE canonical_id = 'return:shop:r1'")
    assert bound == [("stock.picking", lane.odoo_rows("SELECT max(id) FROM stock_picking")[0][0])]


def test_only_goods_that_are_back_are_received(lane: OperationalEnd) -> None:
    shipped_in_parts(lane)
    lane.arrive(returned(status="requested"), return_line())
    lane.arrive(returned("r2", status="rejected"), return_line("r2-1", return_key="r2"))
    lane.deliver()
    assert receipts(lane) == []
    assert lane.status("return:shop:r1") == lane.status("return_line:shop:r2-1") == "delivered"
    lane.arrive(returned(status="refunded"))
    lane.deliver()
    assert receipts(lane) == [("Return RMA-r1: changed mind", "done", "SKU-p1", 2)]
    assert delivered(lane) == [3, 3]


def test_a_line_that_comes_later_is_received_and_what_has_been_is_not_received_again(lane: OperationalEnd) -> None:
    shipped_in_parts(lane)
    lane.arrive(returned(), return_line(quantity="1"))
    lane.deliver()
    lane.arrive(return_line(key="r1-2", order_line_key="o1-2", quantity="2"))
    lane.deliver()
    lane.arrive(returned(refund_amount="30"))
    lane.deliver()
    assert [(code, quantity) for _, _, code, quantity in receipts(lane)] == [("SKU-p1", 1), ("SKU-p2", 2)]
    assert delivered(lane) == [4, 1]


def test_several_returns_of_one_order_share_what_was_shipped(lane: OperationalEnd) -> None:
    shipped_in_parts(lane)
    lane.arrive(returned(), return_line(), returned("r2"), return_line("r2-1", return_key="r2"))
    lane.deliver()
    assert [(name, state, quantity) for name, state, _, quantity in receipts(lane)] == [
        ("Return RMA-r1: changed mind", "done", 2),
        ("Return RMA-r2: changed mind", "done", 1),
        ("Return RMA-r2: changed mind", "done", 1),
    ]
    assert delivered(lane) == [1, 3]


def test_more_than_was_shipped_in_all_does_not_come_back(lane: OperationalEnd) -> None:
    shipped_in_parts(lane)
    lane.arrive(returned(), return_line(quantity="4"), returned("r2"), return_line("r2-1", return_key="r2"))
    lane.deliver()
    assert lane.status("return:shop:r2") == lane.status("return_line:shop:r2-1") == "dead"
    assert lane.error("return:shop:r2").startswith("More has come back than Odoo has delivered: 1 too many of")
    assert delivered(lane) == [1, 3]
    assert {name for name, *_ in receipts(lane)} == {"Return RMA-r1: changed mind"}


def test_a_return_waits_for_its_order_and_for_its_shipment(lane: OperationalEnd) -> None:
    lane.arrive(returned(), return_line())
    lane.deliver()
    assert lane.waits_for("return:shop:r1") == "sales_order:shop:o1"
    an_order(lane)
    lane.deliver()
    assert lane.waits_for("return:shop:r1") == "sales_order:shop:o1#shipped"
    lane.arrive(shipment(), shipment_line(quantity="1"))
    lane.deliver()
    assert lane.status("return:shop:r1") == "parked"
    lane.arrive(shipment(key="s2"), shipment_line(key="s2-1", shipment_key="s2", quantity="2"))
    lane.deliver()
    assert delivered(lane) == [1, 0]
    assert lane.status("return:shop:r1") == lane.status("return_line:shop:r1-1") == "delivered"


def test_a_line_waits_for_its_return(lane: OperationalEnd) -> None:
    shipped_in_parts(lane)
    lane.arrive(return_line())
    lane.deliver()
    assert lane.waits_for("return_line:shop:r1-1") == "return:shop:r1"
    lane.arrive(returned())
    lane.deliver()
    assert delivered(lane) == [3, 3]


def test_what_has_come_back_is_not_shipped_a_second_time(lane: OperationalEnd) -> None:
    shipped_in_parts(lane)
    lane.arrive(returned(), return_line())
    lane.deliver()
    lane.arrive(shipment(key="s2", is_final=True, carrier="again"))
    lane.deliver()
    assert delivered(lane) == [3, 3]
    assert lane.status("shipment:wms:s2") == "delivered"
    assert lane.odoo_rows("SELECT count(*) FROM stock_picking WHERE picking_type_id = 2") == [(2,)]


def test_a_return_that_is_taken_back_is_a_dead_letter(lane: OperationalEnd) -> None:
    shipped_in_parts(lane)
    lane.arrive(returned(), return_line())
    lane.deliver()
    lane.arrive(deleted("return", "shop", "r1"), deleted("return_line", "shop", "r1-1"))
    lane.deliver()
    assert lane.status("return:shop:r1") == "dead"
    assert "correct it in Odoo" in lane.error("return:shop:r1")
    assert delivered(lane) == [3, 3]


def test_a_substitute_comes_back_as_what_it_is(lane: OperationalEnd) -> None:
    an_order(lane)
    lane.arrive(
        shipment(is_final=True),
        shipment_line(quantity="3"),
        shipment_line(key="s1-2", quantity="2", product_sku="SKU-p2", substitutes_sku="SKU-p1"),
    )
    lane.deliver()
    lane.arrive(returned(), return_line(quantity="4"))
    lane.deliver()
    assert [(code, quantity) for _, _, code, quantity in receipts(lane)] == [("SKU-p1", 3), ("SKU-p2", 1)]


def test_the_channels_reason_says_what_is_written_and_whether_the_goods_are_scrapped(lane: OperationalEnd) -> None:
    rules = {
        "damaged": ReturnRule(label="Broken on arrival", disposition="scrap"),
        "*": ReturnRule(label="Second thoughts"),
    }
    lane.use(Policies(channels={"shop": ChannelPolicy(stock=StockPolicy(returns=rules))}))
    in_stock(lane, 9)
    shipped_in_parts(lane)
    lane.arrive(returned(reason="damaged"), return_line(quantity="1"))
    lane.arrive(returned("r2", reason="other"), return_line("r2-1", return_key="r2", quantity="1"))
    lane.deliver()
    assert [name for name, *_ in receipts(lane)] == [
        "Return RMA-r1: Broken on arrival",
        "Return RMA-r2: Second thoughts",
    ]
    lane.arrive(returned(reason="damaged", refund_amount="1"))
    lane.deliver()
    assert lane.odoo_rows("SELECT state, scrap_qty::int, origin FROM stock_scrap") == [
        ("done", 1, "Return RMA-r1: Broken on arrival")
    ]
    on_hand = "SELECT quantity::int FROM stock_quant WHERE location_id = 8 ORDER BY product_id"
    assert lane.odoo_rows(on_hand) == [(5,), (6,)]
    assert delivered(lane) == [3, 3]


def test_what_odoo_does_not_scrap_without_a_person_is_a_dead_letter(lane: OperationalEnd) -> None:
    rules = {"*": ReturnRule(disposition="scrap")}
    lane.use(Policies(channels={"shop": ChannelPolicy(stock=StockPolicy(returns=rules))}))
    shipped_in_parts(lane)
    lane.arrive(returned(), return_line())
    lane.deliver()
    assert lane.error("return:shop:r1") == "Odoo asks a person first: [SKU-p1] Bolt: Insufficient Quantity To Scrap"
    assert delivered(lane) == [3, 3]


def test_goods_that_have_come_back_are_reserved_for_those_who_wait_for_them(lane: OperationalEnd) -> None:
    in_stock(lane, 5)
    shipped_in_parts(lane)
    lane.arrive(order(key="o2"), line(key="o2-1", order_key="o2", quantity="1"))
    lane.deliver()
    waiting = "SELECT p.state FROM stock_picking p JOIN sale_order o ON o.id = p.sale_id WHERE o.name = 'SO-o2'"
    assert lane.odoo_rows(waiting) == [("confirmed",)]
    lane.arrive(returned(), return_line())
    lane.deliver()
    assert lane.odoo_rows(waiting) == [("assigned",)]


@pytest.mark.parametrize("point", ["before", "after"])
def test_a_return_is_received_once_wherever_the_deliverer_dies(lane: OperationalEnd, point: Point) -> None:
    rules = {"*": ReturnRule(disposition="scrap")}
    lane.use(Policies(channels={"shop": ChannelPolicy(stock=StockPolicy(returns=rules))}))
    in_stock(lane, 9)
    shipped_in_parts(lane)
    lane.arrive(
        returned(), return_line(quantity="4"), returned("r2"), return_line("r2-1", return_key="r2", quantity="1")
    )
    lives = crash_at_every_call(lane, point)
    assert lives > 5
    assert [(name, state, quantity) for name, state, _, quantity in receipts(lane)] == [
        ("Return RMA-r1: changed mind", "done", 3),
        ("Return RMA-r1: changed mind", "done", 1),
        ("Return RMA-r2: changed mind", "done", 1),
    ]
    assert delivered(lane) == [0, 3]
    assert lane.odoo_rows("SELECT sum(scrap_qty)::int, count(*) FROM stock_scrap WHERE state = 'done'") == [(5, 3)]
