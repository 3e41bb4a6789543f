"""Counts: what is counted becomes what is there, in two calls, each of which may be repeated."""

from __future__ import annotations

from typing import Any

from tests.contract.client import Values
from tests.contract.sales import Sales

_MODE = {"inventory_mode": True}


def test_counting_in_inventory_mode_finds_the_quant_that_is_there(sales: Sales) -> None:
    sales.count("stored", 10)
    [quant] = _quants(sales)
    counted = _counted(sales, 7)
    assert counted == [quant["id"]]
    [quant] = _quants(sales)
    assert (quant["quantity"], quant["inventory_quantity"], quant["inventory_quantity_set"]) == (10.0, 7.0, True)
    assert quant["inventory_diff_quantity"] == -3.0


def test_applying_sets_the_quantity_once(sales: Sales) -> None:
    sales.count("stored", 10)
    counted = _counted(sales, 7)
    for _ in range(2):
        assert sales.odoo.call("stock.quant", "action_apply_inventory", counted) is None
        [quant] = _quants(sales)
        assert (quant["quantity"], quant["inventory_quantity_set"]) == (7.0, False)


def test_each_difference_is_a_move_named_as_the_context_says(sales: Sales) -> None:
    sales.count("stored", 10)
    for quantity in (7, 12):
        counted = _counted(sales, quantity)
        sales.odoo.call("stock.quant", "action_apply_inventory", counted, context={"inventory_name": "Counted by wms"})
    fields = ("name", "quantity", "state", "is_inventory", "location_id", "location_dest_id")
    moves = sales.odoo.find("stock.move", ["product_id", "=", sales.product("stored")], fields=fields)[-2:]
    stock, loss = "WH/Stock", "Virtual Locations/Inventory adjustment"
    assert [
        (move["quantity"], move["state"], move["is_inventory"], move["location_id"][1], move["location_dest_id"][1])
        for move in moves
    ] == [(3.0, "done", True, stock, loss), (5.0, "done", True, loss, stock)]
    assert all(move["name"].startswith("Counted by wms") for move in moves)


def test_a_count_below_what_is_reserved_leaves_the_reservation(sales: Sales) -> None:
    sales.count("stored", 5)
    order = sales.order("o", ("stored", "4", "7"))
    sales.count("stored", 1)
    [quant] = _quants(sales)
    assert quant["quantity"] == 1.0
    assert [move["state"] for move in sales.moves(order)] == ["partially_available"]


def test_stock_that_moved_between_counting_and_applying_asks_a_person(sales: Sales) -> None:
    sales.count("stored", 5)
    order = sales.order("o", ("stored", "2", "7"))
    counted = _counted(sales, 9)
    sales.validate(sales.pickings(order)[0]["id"])
    answer = sales.odoo.call("stock.quant", "action_apply_inventory", counted)
    assert answer["res_model"] == "stock.inventory.conflict"
    assert [quant["quantity"] for quant in _quants(sales)] == [3.0]
    # Counted anew it is no conflict any more.
    counted = _counted(sales, 9)
    assert sales.odoo.call("stock.quant", "action_apply_inventory", counted) is None
    assert [quant["quantity"] for quant in _quants(sales)] == [9.0]


def test_what_is_not_kept_in_stock_cannot_be_counted(sales: Sales) -> None:
    fault = sales.odoo.fault_of("stock.quant", "create", [_values(sales, "mug", 3)], context=_MODE)
    assert fault["message"] == "Quants cannot be created for consumables or services."


def _values(sales: Sales, product: str, quantity: float) -> Values:
    place = sales.odoo.find("stock.location", ["complete_name", "=", "WH/Stock"])[0]["id"]
    return {"product_id": sales.product(product), "location_id": place, "inventory_quantity": quantity}


def _counted(sales: Sales, quantity: float) -> Any:
    return sales.odoo.call("stock.quant", "create", [_values(sales, "stored", quantity)], context=_MODE)


def _quants(sales: Sales) -> list[Values]:
    fields = ("quantity", "inventory_quantity", "inventory_diff_quantity", "inventory_quantity_set")
    domain = (["product_id", "=", sales.product("stored")], ["location_id.complete_name", "=", "WH/Stock"])
    return sales.odoo.find("stock.quant", *domain, fields=fields)
