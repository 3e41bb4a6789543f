"""Shipments are carried out on Odoo's transfers, from what has been shipped in all."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.fixtures.delivery import OperationalEnd, customer, line, order, product, shipment, shipment_line

MASTERS = (customer(), product(), product(key="p2"))


def an_order(lane: OperationalEnd, quantity: str = "5") -> None:
    lane.arrive(
        *MASTERS, order(), line(quantity=quantity), line(key="o1-2", line_number=2, product_key="p2", quantity="3")
    )


def delivered(lane: OperationalEnd) -> list[tuple[str, int]]:
    return lane.odoo_rows(
        "SELECT p.default_code, l.qty_delivered::int FROM sale_order_line l JOIN product_product p ON p.id = l.product_id"
        " ORDER BY l.sequence, l.id"
    )


def pickings(lane: OperationalEnd) -> list[tuple[str, bool]]:
    return lane.odoo_rows("SELECT state, backorder_id IS NOT NULL FROM stock_picking ORDER BY id")


def test_a_shipment_in_full_leaves_nothing_open(lane: OperationalEnd) -> None:
    an_order(lane)
    lane.arrive(shipment(), shipment_line(quantity="5"), shipment_line(key="s1-2", order_line_number=2, quantity="3"))
    lane.deliver()
    assert delivered(lane) == [("SKU-p1", 5), ("SKU-p2", 3)]
    assert pickings(lane) == [("done", False)]
    bound = lane.rows("SELECT odoo_id, external_id FROM crosswalk WHERE canonical_id = 'shipment:wms:s1'")
    assert bound == [(lane.odoo_rows("SELECT id FROM stock_picking")[0][0], None)]


def test_a_shipment_in_part_leaves_a_backorder_that_a_later_one_completes(lane: OperationalEnd) -> None:
    an_order(lane)
    lane.arrive(shipment(), shipment_line(quantity="2"))
    lane.deliver()
    assert delivered(lane) == [("SKU-p1", 2), ("SKU-p2", 0)]
    assert pickings(lane) == [("done", False), ("assigned", True)] or pickings(lane)[1][1]
    lane.arrive(
        shipment(key="s2", is_final=True),
        shipment_line(key="s2-1", shipment_key="s2", quantity="3"),
        shipment_line(key="s2-2", shipment_key="s2", order_line_number=2, quantity="3"),
    )
    lane.deliver()
    assert delivered(lane) == [("SKU-p1", 5), ("SKU-p2", 3)]
    assert pickings(lane) == [("done", False), ("done", True)]


def test_after_the_final_shipment_the_rest_is_cancelled(lane: OperationalEnd) -> None:
    an_order(lane)
    lane.arrive(shipment(is_final=True), shipment_line(quantity="2"))
    lane.deliver()
    assert delivered(lane) == [("SKU-p1", 2), ("SKU-p2", 0)]
    assert lane.odoo_rows("SELECT count(*) FROM stock_move WHERE state NOT IN ('done', 'cancel')") == [(0,)]


def test_a_final_shipment_that_ships_nothing_new_cancels_what_an_earlier_one_left_open(lane: OperationalEnd) -> None:
    an_order(lane)
    lane.arrive(shipment(), shipment_line(quantity="2"))
    lane.deliver()
    lane.arrive(shipment(is_final=True))
    lane.deliver()
    assert delivered(lane) == [("SKU-p1", 2), ("SKU-p2", 0)]
    assert lane.odoo_rows("SELECT count(*) FROM stock_move WHERE state NOT IN ('done', 'cancel')") == [(0,)]


def test_a_staged_shipment_moves_nothing_until_it_leaves(lane: OperationalEnd) -> None:
    an_order(lane)
    lane.arrive(shipment(status="staged"), shipment_line(quantity="5"))
    lane.deliver()
    assert delivered(lane)[0] == ("SKU-p1", 0)
    lane.arrive(shipment(status="shipped"))
    lane.deliver()
    assert delivered(lane)[0] == ("SKU-p1", 5)


def test_a_substitute_takes_the_place_of_what_it_replaces_at_the_same_price(lane: OperationalEnd) -> None:
    an_order(lane)
    total = lane_total(lane)
    lane.arrive(
        shipment(is_final=True),
        shipment_line(quantity="3"),
        shipment_line(key="s1-2", quantity="2", product_sku="SKU-p2", substitutes_sku="SKU-p1"),
        shipment_line(key="s1-3", order_line_number=2, quantity="3"),
    )
    lane.deliver()
    lane.arrive(shipment(is_final=True, carrier="again"))
    lane.deliver()
    assert delivered(lane) == [("SKU-p1", 3), ("SKU-p2", 2), ("SKU-p2", 3)]
    assert lane_total(lane) == total
    assert lane.odoo_rows("SELECT product_uom_qty FROM sale_order_line ORDER BY sequence, id") == [(3,), (2,), (3,)]
    # A later change of the line (here its price) keeps the replaced quantity off it.
    lane.arrive(line(quantity="5", unit_price="9.75"))
    lane.deliver()
    assert lane.odoo_rows("SELECT product_uom_qty, price_unit FROM sale_order_line ORDER BY sequence, id LIMIT 1") == [
        (3, Decimal("9.75"))
    ]


def lane_total(lane: OperationalEnd) -> Decimal:
    lane.deliver()
    total: Decimal = lane.odoo_rows("SELECT amount_untaxed FROM sale_order")[0][0]
    return total


def test_a_bundle_is_sold_as_one_line_and_shipped_by_its_components(lane: OperationalEnd) -> None:
    lane.arrive(
        customer(),
        product(key="kit", kind="bundle"),
        product(),
        order(),
        line(product_key="kit", quantity="1", unit_price="50"),
        line(key="o1-2", line_number=2, quantity="2", unit_price="0", bundle_line_key="o1-1"),
        shipment(is_final=True),
        shipment_line(order_line_number=2, quantity="2"),
    )
    lane.deliver()
    assert lane.odoo_rows("SELECT state, amount_untaxed FROM sale_order") == [("sale", 50)]
    assert lane.odoo_rows("SELECT product_uom_qty, state FROM stock_move") == [(2, "done")]


def test_a_shipment_waits_for_its_order(lane: OperationalEnd) -> None:
    lane.arrive(*MASTERS, shipment(), shipment_line(quantity="2"), shipment(key="s9", order_number="SO-nowhere"))
    lane.arrive(order(source="market"))
    lane.deliver()
    assert lane.status("shipment:wms:s1") == "parked"
    lane.arrive(order(), line(quantity="2"))
    lane.deliver()
    assert lane.status("shipment:wms:s1") == "delivered"
    assert lane.status("shipment_line:wms:s1-1") == "delivered"
    assert lane.waits_for("shipment:wms:s9") == "sales_order#order_number=shop:SO-nowhere"


def test_a_shipment_that_odoo_cannot_carry_out_is_a_dead_letter_with_the_reason(lane: OperationalEnd) -> None:
    an_order(lane)
    lane.arrive(shipment(), shipment_line(quantity="5"))
    lane.deliver()
    lane.arrive(shipment_line(quantity="4"))
    lane.deliver()
    assert lane.status("shipment_line:wms:s1-1") == "dead"
    assert "book a return" in lane.error("shipment_line:wms:s1-1")


@pytest.mark.parametrize("count", [30])
def test_many_shipments_are_carried_out_together(lane: OperationalEnd, count: int) -> None:
    lane.arrive(*MASTERS)
    for number in range(count):
        key = f"o{number}"
        lane.arrive(order(key=key), line(key=f"{key}-1", order_key=key, quantity="2"))
        partly = "1" if number % 3 == 0 else "2"
        lane.arrive(
            shipment(key=f"s{number}", order_number=f"SO-{key}"),
            shipment_line(key=f"s{number}-1", shipment_key=f"s{number}", quantity=partly),
        )
    lane.deliver()
    assert set(lane.statuses().values()) == {"delivered"}
    found = dict(
        lane.odoo_rows("SELECT o.name, l.qty_delivered FROM sale_order_line l JOIN sale_order o ON o.id = l.order_id")
    )
    assert found == {f"SO-o{number}": 1 if number % 3 == 0 else 2 for number in range(count)}
