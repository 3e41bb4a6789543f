"""From canonical records to Odoo's: goods are counted, shipped in parcels, returned and scrapped; delivered again, nothing more moves."""

from __future__ import annotations

from datetime import timedelta

from config.policies import Policies
from tests.contract.client import Odoo
from tests.fixtures.delivery import (
    NOON,
    OdooEnd,
    customer,
    line,
    order,
    product,
    return_line,
    returned,
    shipment,
    shipment_line,
    upsert,
)


def test_goods_are_counted_shipped_returned_and_scrapped_once(odoo: Odoo, bridge: OdooEnd) -> None:
    rules = {"damaged": {"label": "Broken on arrival", "disposition": "scrap"}}
    stock = {"counts": True}
    bridge.use(
        Policies.model_validate(
            {"channels": {"wms": {"stock": stock}, "shop": {"stock": {"returns": rules}, "currencies": {}}}}
        )
    )
    number, sku, other = f"G-{odoo.prefix}", f"G1-{odoo.prefix}", f"G2-{odoo.prefix}"
    bridge.arrive(
        customer(name=f"Goods {odoo.prefix}"),
        product(sku=sku),
        product(key="p2", sku=other),
        order(order_number=number),
        line(quantity="5"),
        line(key="o1-2", line_number=2, product_key="p2", quantity="3"),
        upsert("stock_level", "wms", "1", product_sku=sku, on_hand="10"),
        upsert("stock_level", "wms", "2", product_sku=other, on_hand="4"),
    )
    bridge.deliver()
    later = NOON + timedelta(hours=1)
    bridge.arrive(
        shipment(order_number=number, tracking_number=f"A-{number}", shipped_at=NOON),
        shipment_line(product_sku=sku, quantity="2"),
        shipment("s2", order_number=number, tracking_number=f"B-{number}", shipped_at=later, is_final=True),
        shipment_line("s2-1", shipment_key="s2", product_sku=sku, quantity="3"),
        shipment_line("s2-2", shipment_key="s2", product_sku=other, order_line_number=2, quantity="2"),
    )
    bridge.deliver()
    bridge.arrive(
        returned(return_number=f"R1-{number}", reason="damaged"),
        return_line(quantity="1"),
        returned("r2", return_number=f"R2-{number}"),
        return_line("r2-1", return_key="r2", quantity="3"),
        return_line("r2-2", return_key="r2", order_line_key="o1-2", quantity="1"),
    )
    bridge.deliver()
    for _ in range(2):
        check(odoo, bridge, number)
        again = (
            "UPDATE outbox SET status = 'pending', stage = 'load', delivered_hash ="
            " CASE entity WHEN 'stock_level' THEN delivered_hash END RETURNING record_id"
        )
        assert bridge.rows(again)
        bridge.deliver()


def check(odoo: Odoo, bridge: OdooEnd, number: str) -> None:
    """What Odoo has of it."""
    assert bridge.rows("SELECT record_id, waits_for, error FROM outbox WHERE status <> 'delivered'") == []
    [sale] = odoo.find("sale.order", ["name", "=", number], fields=("delivery_status",))
    assert sale["delivery_status"] == "full"
    lines = odoo.find("sale.order.line", ["order_id", "=", sale["id"]], fields=("qty_delivered",), order="sequence")
    assert [one["qty_delivered"] for one in lines] == [1.0, 1.0]
    fields = ("state", "origin", "carrier_tracking_ref", "picking_type_id", "move_ids")
    pickings = [
        one
        for one in odoo.find("stock.picking", ["sale_id", "=", sale["id"]], fields=fields)
        if one["state"] != "cancel"
    ]
    assert {one["state"] for one in pickings} == {"done"}
    shipped = [one["carrier_tracking_ref"] for one in pickings if not str(one["origin"]).startswith("Return ")]
    assert shipped == [f"A-{number}", f"B-{number}"]
    came = sorted(one["origin"] for one in pickings if str(one["origin"]).startswith("Return "))
    assert came == [
        f"Return R1-{number}: Broken on arrival",
        f"Return R2-{number}: changed mind",
        f"Return R2-{number}: changed mind",
    ]
    codes = [f"G1-{odoo.prefix}", f"G2-{odoo.prefix}"]
    products = odoo.find("product.product", ["default_code", "in", codes], fields=("qty_available",))
    assert [one["qty_available"] for one in products] == [10 - 5 + 4 - 1, 4 - 2 + 1]
    scraps = odoo.find(
        "stock.scrap", ["product_id", "in", [one["id"] for one in products]], fields=("state", "scrap_qty")
    )
    assert [(one["state"], one["scrap_qty"]) for one in scraps] == [("done", 1.0)]


def test_lots_ship_as_the_warehouse_names_them(odoo: Odoo, bridge: OdooEnd) -> None:
    number, sku = f"L-{odoo.prefix}", f"L1-{odoo.prefix}"
    bridge.arrive(customer(name=f"Lots {odoo.prefix}"), product(sku=sku, tracking="lot"))
    bridge.deliver()
    [made] = odoo.find("product.product", ["default_code", "=", sku], fields=("tracking",))
    assert made["tracking"] == "lot"
    place = odoo.find("stock.location", ["complete_name", "=", "WH/Stock"])[0]["id"]
    for name in ("A", "B"):
        [lot] = odoo.call("stock.lot", "create", [{"name": name, "product_id": made["id"], "company_id": 1}])
        values = {"product_id": made["id"], "location_id": place, "lot_id": lot, "inventory_quantity": 5}
        quants = odoo.call("stock.quant", "create", [values], context={"inventory_mode": True})
        odoo.call("stock.quant", "action_apply_inventory", quants)
    bridge.arrive(order(order_number=number), line(quantity="6"))
    bridge.deliver()
    bridge.arrive(
        shipment(order_number=number, tracking_number=f"A-{number}"),
        shipment_line(product_sku=sku, quantity="3", lot="B"),
        shipment_line("s1-2", product_sku=sku, quantity="1", lot="A"),
        shipment("s2", order_number=number, tracking_number=f"B-{number}", is_final=True),
        shipment_line("s2-1", shipment_key="s2", product_sku=sku, quantity="2", lot="B"),
    )
    bridge.deliver()
    assert bridge.rows("SELECT record_id, waits_for, error FROM outbox WHERE status <> 'delivered'") == []
    lines = odoo.find(
        "stock.move.line",
        ["product_id", "=", made["id"]],
        ["picking_id", "!=", False],
        fields=("lot_id", "quantity", "state", "picking_id"),
    )
    assert [(one["lot_id"][1], one["quantity"], one["state"]) for one in lines] == [
        ("B", 3.0, "done"),
        ("A", 1.0, "done"),
        ("B", 2.0, "done"),
    ]
    quants = odoo.find(
        "stock.quant",
        ["product_id", "=", made["id"]],
        ["location_id", "=", place],
        fields=("lot_id", "quantity", "reserved_quantity"),
    )
    assert {one["lot_id"][1]: (one["quantity"], one["reserved_quantity"]) for one in quants if one["quantity"]} == {
        "A": (4.0, 0.0)
    }
