"""Lots and serial numbers: what a transfer ships of which, and what comes back."""

from __future__ import annotations

from tests.contract.client import Values
from tests.contract.sales import Sales

_LINE = ("move_id", "lot_id", "quantity", "picked", "state")


def test_a_move_takes_its_lots_by_its_lines(sales: Sales) -> None:
    product, lots = _tracked(sales, "lot", A=4, B=4)
    order = _order(sales, "o", "5")
    [move] = sales.moves(order)
    _ship(sales, move, [(lots["B"], 3), (lots["A"], 2)])
    assert sales.validate(sales.pickings(order)[0]["id"], skip_backorder=True) is True
    assert [(line["lot_id"][0], line["quantity"], line["state"]) for line in _lines(sales, order)] == [
        (lots["B"], 3.0, "done"),
        (lots["A"], 2.0, "done"),
    ]
    assert [line["qty_delivered"] for line in sales.lines(order, "qty_delivered")] == [5.0]
    assert _on_hand(sales, product) == {lots["A"]: 2.0, lots["B"]: 1.0}


def test_a_part_of_its_lots_leaves_a_backorder(sales: Sales) -> None:
    product, lots = _tracked(sales, "lot", A=4, B=4)
    order = _order(sales, "o", "5")
    _ship(sales, sales.moves(order)[0], [(lots["B"], 2)])
    assert sales.validate(sales.pickings(order)[0]["id"], skip_backorder=True) is True
    assert [(one["quantity"], one["product_uom_qty"], one["state"]) for one in sales.moves(order)] == [
        (2.0, 2.0, "done"),
        (3.0, 3.0, "assigned"),
    ]
    assert _on_hand(sales, product) == {lots["A"]: 4.0, lots["B"]: 2.0}


def test_each_serial_number_is_a_line_of_one(sales: Sales) -> None:
    product, lots = _tracked(sales, "serial", S1=1, S2=1, S3=1)
    order = _order(sales, "o", "2")
    _ship(sales, sales.moves(order)[0], [(lots["S1"], 1), (lots["S3"], 1)])
    assert sales.validate(sales.pickings(order)[0]["id"], skip_backorder=True) is True
    assert _on_hand(sales, product) == {lots["S2"]: 1.0}


def test_what_is_tracked_does_not_ship_without_its_lot(sales: Sales) -> None:
    _tracked(sales, "lot")
    order = _order(sales, "o", "2")
    sales.pick(sales.moves(order)[0]["id"], 2)
    context = {"skip_sms": True, "skip_backorder": True}
    fault = sales.odoo.fault_of("stock.picking", "button_validate", [sales.pickings(order)[0]["id"]], context=context)
    assert fault["message"].startswith("You need to supply a Lot/Serial")


def test_what_was_shipped_by_lot_comes_back_by_lot(sales: Sales) -> None:
    product, lots = _tracked(sales, "lot", A=4)
    order = _order(sales, "o", "3")
    _ship(sales, sales.moves(order)[0], [(lots["A"], 3)])
    picking = sales.pickings(order)[0]["id"]
    sales.validate(picking, skip_backorder=True)
    move = sales.moves(order)[0]["id"]
    lines = [[0, 0, {"product_id": product, "move_id": move, "quantity": 2, "to_refund": True}]]
    wizard = sales.odoo.call("stock.return.picking", "create", {"picking_id": picking, "product_return_moves": lines})
    made = sales.odoo.call("stock.return.picking", "action_create_returns", [wizard])["res_id"]
    [back] = sales.odoo.find("stock.move.line", ["picking_id", "=", made], fields=_LINE)
    assert (back["lot_id"][0], back["quantity"]) == (lots["A"], 2.0)
    assert sales.validate(made) is True
    assert _on_hand(sales, product) == {lots["A"]: 3.0}


def test_a_lots_name_is_one_for_each_product(sales: Sales) -> None:
    product, _ = _tracked(sales, "lot", A=1)
    fault = sales.odoo.fault_of("stock.lot", "create", [{"name": "A", "product_id": product, "company_id": 1}])
    assert "serial" in fault["message"].lower()


def _tracked(sales: Sales, tracking: str, **lots: float) -> tuple[int, dict[str, int]]:
    """The stored product, tracked, with these lots in stock."""
    odoo = sales.odoo
    odoo.loaded("product.product", "id tracking", [odoo.name("stored"), tracking])
    product = sales.product("stored")
    place = odoo.find("stock.location", ["complete_name", "=", "WH/Stock"])[0]["id"]
    made: dict[str, int] = {}
    for name, quantity in lots.items():
        [made[name]] = odoo.call("stock.lot", "create", [{"name": name, "product_id": product, "company_id": 1}])
        values = {"product_id": product, "location_id": place, "lot_id": made[name], "inventory_quantity": quantity}
        quants = odoo.call("stock.quant", "create", [values], context={"inventory_mode": True})
        odoo.call("stock.quant", "action_apply_inventory", quants)
    return product, made


def _order(sales: Sales, key: str, quantity: str) -> int:
    return sales.order(key, ("stored", quantity, "7"))


def _ship(sales: Sales, move: Values, lots: list[tuple[int, float]]) -> None:
    """Say which lots a move ships, instead of those that Odoo has reserved."""
    odoo = sales.odoo
    reserved = odoo.find("stock.move.line", ["move_id", "=", move["id"]])
    odoo.call("stock.move.line", "unlink", [line["id"] for line in reserved])
    values = [
        {
            "move_id": move["id"],
            "picking_id": move["picking_id"][0],
            "product_id": sales.product("stored"),
            "lot_id": lot,
            "quantity": quantity,
            "picked": True,
        }
        for lot, quantity in lots
    ]
    odoo.call("stock.move.line", "create", values)


def _lines(sales: Sales, order: int) -> list[Values]:
    return sales.odoo.find("stock.move.line", ["move_id.sale_line_id.order_id", "=", order], fields=_LINE)


def _on_hand(sales: Sales, product: int) -> dict[int, float]:
    quants = sales.odoo.find(
        "stock.quant",
        ["product_id", "=", product],
        ["location_id.usage", "=", "internal"],
        ["quantity", "!=", 0],
        fields=("lot_id", "quantity"),
    )
    return {quant["lot_id"][0]: quant["quantity"] for quant in quants}
