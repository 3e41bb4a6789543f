"""Each parcel is a transfer of its own in Odoo, labelled as the warehouse labelled it, from where it left; policies say the rest."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from config.policies import ChannelPolicy, Policies, StockPolicy
from tests.fixtures.crashes import Point, crash_at_every_call
from tests.fixtures.delivery import (
    NOON,
    OperationalEnd,
    customer,
    line,
    order,
    product,
    shipment,
    shipment_line,
    upsert,
)
from transforms.changes import Upsert


def an_order(lane: OperationalEnd) -> None:
    lane.arrive(
        customer(),
        product(),
        product(key="p2"),
        order(),
        line(quantity="5"),
        line(key="o1-2", line_number=2, product_key="p2", quantity="3"),
    )


def two_parcels(**second: object) -> list[Upsert]:
    """2 of the first line, then 3 of each."""
    labels = {"tracking_number": "T-2", "carrier": "UPS", "shipped_at": NOON + timedelta(hours=1), "is_final": True}
    return [
        shipment(key="s2", **labels | second),
        shipment_line("s2-1", shipment_key="s2", quantity="3"),
        shipment_line("s2-2", shipment_key="s2", order_line_number=2, quantity="3"),
        shipment(tracking_number="T-1", carrier="DHL", shipped_at=NOON),
        shipment_line(quantity="2"),
    ]


def carriers(lane: OperationalEnd, *names: str) -> None:
    """Delivery methods in Odoo."""
    lane.arrive(product())
    lane.deliver()
    for name in names:
        lane.odoo_rows(
            "INSERT INTO delivery_carrier (name, product_id, delivery_type, invoice_policy, active)"
            " SELECT jsonb_build_object('en_US', %s::text), min(id), 'fixed', 'estimated', true FROM product_product"
            " RETURNING id",
            name,
        )


def annex(lane: OperationalEnd) -> None:
    """A second warehouse in Odoo, called NORTH, whose stock is location 81."""
    lane.odoo_rows(
        "INSERT INTO stock_location (id, name, complete_name, usage, location_id, company_id, active, scrap_location)"
        " VALUES (80, 'NORTH', 'NORTH', 'view', 1, 1, true, false),"
        " (81, 'Stock', 'NORTH/Stock', 'internal', 80, 1, true, false) RETURNING id"
    )
    lane.odoo_rows(
        "INSERT INTO stock_warehouse (name, code, company_id, view_location_id, lot_stock_id, reception_steps,"
        " delivery_steps, active) VALUES ('North', 'NORTH', 1, 80, 81, 'one_step', 'ship_only', true) RETURNING id"
    )


def shipped(lane: OperationalEnd) -> list[tuple[str, str, str, int]]:
    """Odoo's deliveries: state, label, product, how much."""
    return lane.odoo_rows(
        "SELECT p.state, coalesce(p.carrier_tracking_ref, ''), v.default_code, m.quantity::int"
        " FROM stock_picking p JOIN stock_move m ON m.picking_id = p.id JOIN product_product v ON v.id = m.product_id"
        " WHERE m.quantity > 0 ORDER BY p.id, m.id"
    )


TWO = [("done", "T-1", "SKU-p1", 2), ("done", "T-2", "SKU-p1", 3), ("done", "T-2", "SKU-p2", 3)]


def test_parcels_that_arrive_together_are_transfers_of_their_own_with_their_labels(lane: OperationalEnd) -> None:
    names = {"DHL": "DHL Parcel", "UPS": "UPS Standard"}
    lane.use(Policies(channels={"wms": ChannelPolicy(carriers=names)}))
    carriers(lane, *names.values())
    an_order(lane)
    lane.arrive(*two_parcels())
    lane.deliver()
    assert sorted(shipped(lane)) == TWO
    labels = lane.odoo_rows(
        "SELECT p.id, p.carrier_tracking_ref, c.name ->> 'en_US' FROM stock_picking p"
        " JOIN delivery_carrier c ON c.id = p.carrier_id ORDER BY p.id"
    )
    assert [label[1:] for label in labels] == [("T-1", "DHL Parcel"), ("T-2", "UPS Standard")]
    bound = lane.rows("SELECT canonical_id, odoo_id FROM crosswalk WHERE model = 'stock.picking' ORDER BY 1")
    assert bound == [("shipment:wms:s1", labels[0][0]), ("shipment:wms:s2", labels[1][0])]


def test_a_label_that_the_warehouse_corrects_is_corrected_on_what_has_shipped(lane: OperationalEnd) -> None:
    an_order(lane)
    lane.arrive(*two_parcels(tracking_number=None))
    lane.deliver()
    assert [row[1] for row in shipped(lane)] == ["T-1", "", ""]
    lane.arrive(*two_parcels(tracking_number="T-9")[:1])
    lane.deliver()
    assert [row[1] for row in shipped(lane)] == ["T-1", "T-9", "T-9"]


def test_a_parcel_that_arrives_late_takes_no_others_label(lane: OperationalEnd) -> None:
    an_order(lane)
    lane.arrive(*two_parcels(is_final=False)[:3])
    lane.deliver()
    lane.arrive(*two_parcels()[3:])
    lane.deliver()
    assert sorted(shipped(lane)) == TWO
    bound = dict(lane.rows("SELECT canonical_id, odoo_id FROM crosswalk WHERE model = 'stock.picking'"))
    assert bound["shipment:wms:s2"] < bound["shipment:wms:s1"]


def test_a_parcel_waits_for_the_delivery_method_that_its_carrier_is_in_odoo(lane: OperationalEnd) -> None:
    lane.use(Policies(channels={"wms": ChannelPolicy(carriers={"DHL": "DHL Parcel"})}))
    an_order(lane)
    lane.arrive(*two_parcels())
    lane.deliver()
    assert lane.waits_for("shipment:wms:s2") == "odoo#delivery.carrier=DHL Parcel"
    assert shipped(lane) == []


def test_a_policy_leaves_what_a_final_shipment_lacks_as_a_backorder(lane: OperationalEnd) -> None:
    lane.use(Policies(channels={"wms": ChannelPolicy(stock=StockPolicy(shortage="backorder"))}))
    an_order(lane)
    lane.arrive(shipment(is_final=True), shipment_line(quantity="2"))
    lane.deliver()
    assert lane.odoo_rows("SELECT state, backorder_id IS NOT NULL FROM stock_picking ORDER BY id") == [
        ("done", False),
        ("confirmed", True),
    ]


def test_a_policy_holds_what_was_sent_in_place_of_something_else(lane: OperationalEnd) -> None:
    hold = Policies(channels={"wms": ChannelPolicy(stock=StockPolicy(substitution="hold"))})
    lane.use(hold)
    an_order(lane)
    substitute = shipment_line("s1-2", quantity="2", product_sku="SKU-p2", substitutes_sku="SKU-p1")
    lane.arrive(shipment(), shipment_line(quantity="3"), substitute)
    lane.deliver()
    assert lane.error("shipment:wms:s1").startswith("The warehouse has sent SKU-p2 in place of line 1: channels.wms.")
    assert shipped(lane) == []
    lane.use(Policies())
    lane.arrive(shipment(carrier="asked"))
    lane.deliver()
    assert [(code, quantity) for _, _, code, quantity in shipped(lane)] == [("SKU-p1", 3), ("SKU-p2", 2)]
    # What Odoo has taken is not held any more.
    lane.use(hold)
    lane.arrive(shipment(carrier="again"))
    lane.deliver()
    assert lane.status("shipment:wms:s1") == "delivered"


def test_a_parcel_leaves_from_the_warehouse_that_sent_it(lane: OperationalEnd) -> None:
    lane.use(Policies(channels={"wms": ChannelPolicy(warehouses={"N1": "NORTH", "S1": "WH"})}))
    annex(lane)
    an_order(lane)
    lane.arrive(upsert("location", "wms", "7", code="N1", name="North", kind="warehouse"))
    lane.arrive(*two_parcels(location_key="7"))
    lane.deliver()
    assert lane.odoo_rows(
        "SELECT l.complete_name, p.carrier_tracking_ref, q.quantity::int FROM stock_picking p"
        " JOIN stock_move m ON m.picking_id = p.id JOIN stock_location l ON l.id = m.location_id"
        " JOIN stock_quant q ON q.product_id = m.product_id AND q.location_id = m.location_id ORDER BY p.id, m.id"
    ) == [("WH/Stock", "T-1", -2), ("NORTH/Stock", "T-2", -3), ("NORTH/Stock", "T-2", -3)]


def test_a_parcel_waits_for_the_warehouse_that_the_policy_names(lane: OperationalEnd) -> None:
    lane.use(Policies(channels={"wms": ChannelPolicy(warehouses={"N1": "NORTH"})}))
    an_order(lane)
    lane.arrive(*two_parcels(location_key="N1"))
    lane.deliver()
    assert lane.waits_for("shipment:wms:s2") == "odoo#stock.warehouse=NORTH"


@pytest.mark.parametrize("point", ["before", "after"])
def test_parcels_are_shipped_once_wherever_the_deliverer_dies(lane: OperationalEnd, point: Point) -> None:
    lane.use(Policies(channels={"wms": ChannelPolicy(carriers={"UPS": "UPS Standard"}, warehouses={"N1": "NORTH"})}))
    carriers(lane, "UPS Standard")
    annex(lane)
    an_order(lane)
    lane.deliver()
    lane.arrive(*two_parcels(location_key="N1"))
    assert crash_at_every_call(lane, point) >= 5
    assert sorted(shipped(lane)) == TWO
    assert lane.odoo_rows("SELECT carrier_tracking_ref FROM stock_picking WHERE carrier_id IS NOT NULL") == [("T-2",)]
    assert lane.odoo_rows("SELECT count(*) FROM stock_picking WHERE state NOT IN ('done', 'cancel')") == [(0,)]


def test_a_line_that_changes_after_the_final_shipment_opens_nothing(lane: OperationalEnd) -> None:
    an_order(lane)
    lane.arrive(shipment(is_final=True), shipment_line(quantity="2"))
    lane.deliver()
    lane.arrive(upsert("return", "shop", "r1", return_number="R1"), upsert("return_line", "shop", "r1-1", quantity="1"))
    lane.deliver()
    lane.arrive(line(quantity="5", unit_price="9.75"))
    lane.deliver()
    assert lane.odoo_rows("SELECT price_unit, qty_delivered::int FROM sale_order_line ORDER BY id LIMIT 1") == [
        (Decimal("9.75"), 1)
    ]
    assert lane.odoo_rows("SELECT count(*) FROM stock_picking WHERE state NOT IN ('done', 'cancel')") == [(0,)]


def test_an_order_that_is_cancelled_before_it_ships_ships_nothing(lane: OperationalEnd) -> None:
    an_order(lane)
    lane.deliver()
    lane.arrive(order(status="cancelled"))
    lane.arrive(*two_parcels())
    lane.deliver()
    assert lane.odoo_rows("SELECT state FROM sale_order") == [("cancel",)]
    assert lane.odoo_rows("SELECT state FROM stock_picking") == [("cancel",)]
    assert "an order whose state in Odoo is cancel" in lane.error("shipment:wms:s1")


def test_an_order_that_is_cancelled_while_it_ships_keeps_what_has_left(lane: OperationalEnd) -> None:
    an_order(lane)
    lane.arrive(*two_parcels()[3:])
    lane.deliver()
    lane.arrive(order(status="cancelled"))
    lane.deliver()
    assert lane.odoo_rows("SELECT state FROM stock_picking ORDER BY id") == [("done",), ("cancel",)]
    assert lane.odoo_rows("SELECT qty_delivered::int FROM sale_order_line ORDER BY sequence, id") == [(2,), (0,)]
    lane.arrive(shipment(tracking_number="T-1", carrier="again"))
    lane.deliver()
    assert lane.status("shipment:wms:s1") == "delivered"


def test_an_order_that_is_cancelled_after_it_has_shipped_keeps_its_transfers_and_takes_returns(
    lane: OperationalEnd,
) -> None:
    an_order(lane)
    lane.arrive(*two_parcels())
    lane.deliver()
    lane.arrive(order(status="cancelled"))
    lane.deliver()
    assert sorted(shipped(lane)) == TWO
    assert lane.odoo_rows("SELECT state FROM sale_order") == [("cancel",)]
    lane.arrive(upsert("return", "shop", "r1", return_number="R1"), upsert("return_line", "shop", "r1-1"))
    lane.deliver()
    assert lane.odoo_rows("SELECT qty_delivered::int FROM sale_order_line ORDER BY sequence, id") == [(3,), (3,)]
