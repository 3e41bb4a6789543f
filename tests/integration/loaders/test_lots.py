"""Lots and serial numbers ship as the warehouse names them; one that Odoo does not have is waited for."""

from __future__ import annotations

import pytest

from tests.fixtures.crashes import Point, crash_at_every_call
from tests.fixtures.delivery import (
    OperationalEnd,
    customer,
    line,
    order,
    product,
    return_line,
    returned,
    shipment,
    shipment_line,
)


def in_stock(lane: OperationalEnd, tracking: str = "lot", quantity: int = 5, *names: str) -> None:
    """A tracked product with these lots in stock, so much of each."""
    lane.arrive(product(tracking=tracking))
    lane.deliver()
    for name in names or ("A", "B"):
        lane.odoo_rows(
            "WITH lot AS (INSERT INTO stock_lot (name, product_id, company_id)"
            " SELECT %s, id, 1 FROM product_product WHERE default_code = 'SKU-p1' RETURNING id, product_id)"
            " INSERT INTO stock_quant (product_id, company_id, location_id, lot_id, quantity, reserved_quantity, in_date)"
            " SELECT product_id, 1, 8, id, %s, 0, now() FROM lot RETURNING id",
            name,
            quantity,
        )


def an_order(lane: OperationalEnd, quantity: str) -> None:
    lane.arrive(customer(), order(), line(quantity=quantity))
    lane.deliver()


def shipped(lane: OperationalEnd) -> list[tuple[str | None, int]]:
    return lane.odoo_rows(
        "SELECT t.name, l.quantity::int FROM stock_move_line l JOIN stock_picking p ON p.id = l.picking_id"
        " LEFT JOIN stock_lot t ON t.id = l.lot_id WHERE l.state = 'done' AND p.picking_type_id = 2 ORDER BY l.id"
    )


def on_hand(lane: OperationalEnd) -> dict[str, tuple[int, int]]:
    rows = lane.odoo_rows(
        "SELECT t.name, q.quantity::int, q.reserved_quantity::int FROM stock_quant q"
        " JOIN stock_lot t ON t.id = q.lot_id WHERE q.location_id = 8"
    )
    return {name: (quantity, reserved) for name, quantity, reserved in rows}


def test_a_shipment_takes_the_lots_that_the_warehouse_names_not_those_that_odoo_reserved(lane: OperationalEnd) -> None:
    in_stock(lane)
    an_order(lane, "6")
    assert on_hand(lane) == {"A": (5, 5), "B": (5, 1)}
    lane.arrive(shipment(), shipment_line(quantity="3", lot="B"), shipment_line("s1-2", quantity="1", lot="A"))
    lane.deliver()
    assert shipped(lane) == [("B", 3), ("A", 1)]
    lane.arrive(shipment("s2"), shipment_line("s2-1", shipment_key="s2", quantity="2", lot="B"))
    lane.deliver()
    assert shipped(lane) == [("B", 3), ("A", 1), ("B", 2)]
    assert on_hand(lane) == {"A": (4, 0), "B": (0, 0)}
    assert set(lane.statuses().values()) == {"delivered"}


def test_each_serial_number_ships_on_a_line_of_its_own_and_comes_back(lane: OperationalEnd) -> None:
    in_stock(lane, "serial", 1, "S1", "S2", "S3")
    an_order(lane, "2")
    lane.arrive(
        shipment(is_final=True),
        shipment_line(quantity="1", lot="S3"),
        shipment_line("s1-2", quantity="1", lot="S1"),
    )
    lane.deliver()
    assert shipped(lane) == [("S3", 1), ("S1", 1)]
    lane.arrive(returned(), return_line(quantity="2"))
    lane.deliver()
    assert on_hand(lane) == {"S1": (1, 0), "S2": (1, 0), "S3": (1, 0)}


def test_a_shipment_waits_for_a_lot_that_odoo_does_not_have(lane: OperationalEnd) -> None:
    in_stock(lane)
    an_order(lane, "2")
    lane.arrive(shipment(), shipment_line(lot="C"))
    lane.deliver()
    assert lane.waits_for("shipment:wms:s1") == "odoo#stock.lot=C"
    assert lane.error("shipment:wms:s1") == "Odoo has no lot C of SKU-p1"
    assert shipped(lane) == []


def test_what_is_tracked_in_odoo_does_not_ship_without_a_lot(lane: OperationalEnd) -> None:
    in_stock(lane, "lot", 2, "A")
    an_order(lane, "5")
    lane.arrive(shipment(), shipment_line(quantity="5"))
    lane.deliver()
    assert "You need to supply a Lot/Serial number" in lane.error("shipment:wms:s1")


def test_a_lot_of_what_odoo_does_not_track_is_left_out(lane: OperationalEnd) -> None:
    lane.arrive(product())
    an_order(lane, "2")
    lane.arrive(shipment(), shipment_line(lot="C"))
    lane.deliver()
    assert lane.status("shipment:wms:s1") == "delivered"
    assert lane.odoo_rows("SELECT qty_delivered::int FROM sale_order_line") == [(2,)]


@pytest.mark.parametrize("point", ["before", "after"])
def test_lots_are_shipped_once_wherever_the_deliverer_dies(lane: OperationalEnd, point: Point) -> None:
    in_stock(lane)
    an_order(lane, "6")
    lane.arrive(
        shipment(tracking_number="T-1"),
        shipment_line(quantity="3", lot="B"),
        shipment("s2", tracking_number="T-2", is_final=True),
        shipment_line("s2-1", shipment_key="s2", quantity="2", lot="A"),
        shipment_line("s2-2", shipment_key="s2", quantity="1", lot="B"),
    )
    assert crash_at_every_call(lane, point) >= 5
    assert shipped(lane) == [("B", 3), ("B", 1), ("A", 2)]
    assert on_hand(lane) == {"A": (3, 0), "B": (1, 0)}
