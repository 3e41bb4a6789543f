"""Returns: the wizard over a done transfer, what it makes, and what the order makes of it; scrapping what has come back."""

from __future__ import annotations

from typing import Any

from tests.contract.client import Values
from tests.contract.sales import Sales


def test_a_wizard_over_a_done_transfer_offers_its_moves_with_nothing_to_return(sales: Sales) -> None:
    picking = _shipped(sales, "o", ("mug", "5", "4"), ("pot", "2", "9"))
    wizard = _wizard(sales, picking)
    offered = _offered(sales, wizard)
    assert [(line["quantity"], line["to_refund"]) for line in offered] == [(0.0, True), (0.0, True)]
    moves = sales.odoo.find("stock.move", ["picking_id", "=", picking])
    assert [line["move_id"][0] for line in offered] == [move["id"] for move in moves]


def test_a_wizard_without_a_quantity_is_refused(sales: Sales) -> None:
    wizard = _wizard(sales, _shipped(sales, "o", ("mug", "5", "4")))
    fault = sales.odoo.fault_of("stock.return.picking", "action_create_returns", [wizard])
    assert fault["message"] == "Please specify at least one non-zero quantity."


def test_a_return_is_a_receipt_of_its_own_that_carries_what_the_context_says(sales: Sales) -> None:
    picking = _shipped(sales, "o", ("mug", "5", "4"), ("pot", "2", "9"))
    answer = _return(sales, picking, {"mug": 2.0}, default_carrier_tracking_ref=f"RET-{sales.odoo.prefix}")
    fields = ("state", "origin", "return_id", "carrier_tracking_ref", "sale_id", "picking_type_id", "backorder_id")
    made = sales.odoo.read("stock.picking", answer["res_id"], *fields)
    shipped = sales.odoo.read("stock.picking", picking, "name", "sale_id")
    assert answer["res_model"] == "stock.picking"
    assert (made["state"], made["origin"]) == ("assigned", f"Return of {shipped['name']}")
    assert (made["return_id"][0], made["sale_id"]) == (picking, shipped["sale_id"])
    assert (made["carrier_tracking_ref"], made["backorder_id"]) == (f"RET-{sales.odoo.prefix}", False)
    [move] = sales.odoo.find("stock.move", ["picking_id", "=", made["id"]], fields=_MOVE)
    origin = sales.odoo.find("stock.move", ["picking_id", "=", picking], fields=("sale_line_id",))[0]
    assert (move["product_uom_qty"], move["quantity"], move["state"]) == (2.0, 2.0, "assigned")
    assert (move["origin_returned_move_id"][0], move["to_refund"]) == (origin["id"], True)
    assert move["sale_line_id"] == origin["sale_line_id"]
    assert (move["location_id"][1], move["location_dest_id"][1]) == ("Partners/Customers", "WH/Stock")
    codes = sales.odoo.find("stock.picking.type", ["id", "=", made["picking_type_id"][0]], fields=("code",))
    assert codes[0]["code"] == "incoming"


def test_returning_a_move_again_takes_the_reservation_of_its_return_that_is_still_open(sales: Sales) -> None:
    odoo = sales.odoo
    shipped = _shipped(sales, "o", ("mug", "5", "4"))
    first = _return(sales, shipped, {"mug": 3.0})["res_id"]
    second = _return(sales, shipped, {"mug": 1.0})["res_id"]

    def state() -> tuple[str, str, float]:
        [move] = odoo.find("stock.move", ["picking_id", "=", first], fields=("state", "quantity"))
        return odoo.read("stock.picking", first, "state")["state"], move["state"], move["quantity"]

    assert state() == ("assigned", "confirmed", 0.0)
    assert sales.validate(second, skip_backorder=True) is True
    fault = odoo.fault_of("stock.picking", "button_validate", [first], context={"skip_sms": True})
    assert fault["message"].startswith("You cannot validate a transfer if no quantities are reserved.")
    assert odoo.call("stock.picking", "action_assign", [first]) is True
    assert state() == ("assigned", "assigned", 3.0)
    assert sales.validate(first, skip_backorder=True) is True
    order = odoo.read("stock.picking", shipped, "sale_id")["sale_id"][0]
    assert [line["qty_delivered"] for line in sales.lines(order, "qty_delivered")] == [1.0]


def test_several_wizards_are_made_in_one_call_with_the_lines_that_are_wanted(sales: Sales) -> None:
    odoo = sales.odoo
    first, second = (_shipped(sales, key, ("mug", "5", "4"), ("pot", "2", "9")) for key in ("a", "b"))
    moves = {picking: odoo.find("stock.move", ["picking_id", "=", picking])[0]["id"] for picking in (first, second)}
    wanted = [
        {
            "picking_id": picking,
            "product_return_moves": [
                [0, 0, {"product_id": sales.product("mug"), "move_id": move, "quantity": 3, "to_refund": True}]
            ],
        }
        for picking, move in moves.items()
    ]
    wizards = odoo.call("stock.return.picking", "create", wanted)
    assert [len(_offered(sales, wizard)) for wizard in wizards] == [1, 1]
    made = [odoo.call("stock.return.picking", "action_create_returns", [wizard])["res_id"] for wizard in wizards]
    returned = odoo.find(
        "stock.move", ["picking_id", "in", made], fields=("product_uom_qty", "origin_returned_move_id")
    )
    assert [(one["product_uom_qty"], one["origin_returned_move_id"][0]) for one in returned] == [
        (3.0, move) for move in moves.values()
    ]
    assert odoo.call("stock.picking", "button_validate", made, context={"skip_sms": True}) is True


def test_what_has_come_back_is_no_longer_delivered(sales: Sales) -> None:
    picking = _shipped(sales, "o", ("mug", "5", "4"))
    order = sales.odoo.read("stock.picking", picking, "sale_id")["sale_id"][0]
    made = _return(sales, picking, {"mug": 2.0})["res_id"]
    assert [line["qty_delivered"] for line in sales.lines(order, "qty_delivered")] == [5.0]
    assert sales.validate(made) is True
    assert [line["qty_delivered"] for line in sales.lines(order, "qty_delivered")] == [3.0]
    assert sales.state(order)["delivery_status"] == "full"
    assert [one["state"] for one in sales.pickings(order)] == ["done", "done"]


def test_odoo_itself_takes_back_more_than_was_shipped(sales: Sales) -> None:
    picking = _shipped(sales, "o", ("mug", "5", "4"))
    order = sales.odoo.read("stock.picking", picking, "sale_id")["sale_id"][0]
    sales.validate(_return(sales, picking, {"mug": 7.0})["res_id"])
    assert [line["qty_delivered"] for line in sales.lines(order, "qty_delivered")] == [-2.0]


def test_a_line_that_is_loaded_again_asks_again_for_what_has_come_back(sales: Sales) -> None:
    picking = _shipped(sales, "o", ("mug", "5", "4"))
    order = sales.odoo.read("stock.picking", picking, "sale_id")["sale_id"][0]
    sales.validate(_return(sales, picking, {"mug": 2.0})["res_id"])
    sales.odoo.loaded("sale.order.line", "id product_uom_qty price_unit", [sales.odoo.name("o_1"), "5", "4"])
    assert [(one["state"], one["product_uom_qty"]) for one in sales.moves(order)][2:] == [("assigned", 2.0)]


def test_a_return_that_is_not_received_can_be_cancelled(sales: Sales) -> None:
    picking = _shipped(sales, "o", ("mug", "5", "4"))
    made = _return(sales, picking, {"mug": 2.0})["res_id"]
    assert sales.odoo.call("stock.picking", "action_cancel", [made]) is True
    assert sales.odoo.read("stock.picking", made, "state")["state"] == "cancel"


def test_what_has_come_back_is_scrapped_once_by_its_external_id(sales: Sales) -> None:
    odoo = sales.odoo
    picking = _shipped(sales, "o", ("stored", "5", "7"), stock=5)
    made = _return(sales, picking, {"stored": 2.0})["res_id"]
    sales.validate(made)
    product = sales.product("stored")
    assert odoo.read("product.product", product, "qty_available")["qty_available"] == 2.0
    columns = "id product_id/.id scrap_qty origin picking_id/.id location_id/.id scrap_location_id/.id"
    stock, scrap = _place(sales, "WH/Stock"), _place(sales, "Virtual Locations/Scrap")
    row = [odoo.name("scrap"), str(product), "2", "R-1", str(made), str(stock), str(scrap)]
    [scrapped] = odoo.loaded("stock.scrap", columns, row)
    assert odoo.loaded("stock.scrap", columns, row) == [scrapped]
    assert odoo.read("stock.scrap", scrapped, "state")["state"] == "draft"
    assert odoo.call("stock.scrap", "action_validate", [scrapped]) is True
    assert odoo.read("stock.scrap", scrapped, "state", "scrap_qty") == {
        "id": scrapped,
        "state": "done",
        "scrap_qty": 2.0,
    }
    assert odoo.read("product.product", product, "qty_available")["qty_available"] == 0.0
    order = odoo.read("stock.picking", picking, "sale_id")["sale_id"][0]
    assert [line["qty_delivered"] for line in sales.lines(order, "qty_delivered")] == [3.0]
    assert [one["state"] for one in sales.pickings(order)] == ["done", "done"]


def test_scrapping_more_than_there_is_asks_a_person(sales: Sales) -> None:
    odoo = sales.odoo
    columns = "id product_id/.id scrap_qty location_id/.id scrap_location_id/.id"
    stock, scrap = _place(sales, "WH/Stock"), _place(sales, "Virtual Locations/Scrap")
    row = [odoo.name("scrap"), str(sales.product("stored")), "2", str(stock), str(scrap)]
    [one] = odoo.loaded("stock.scrap", columns, row)
    answer = odoo.call("stock.scrap", "action_validate", [one])
    assert answer["res_model"] == "stock.warn.insufficient.qty.scrap"
    assert answer["name"] == f"[STO-{odoo.prefix}] Stored: Insufficient Quantity To Scrap"
    assert odoo.read("stock.scrap", one, "state")["state"] == "draft"


_MOVE = (
    "product_uom_qty",
    "quantity",
    "state",
    "origin_returned_move_id",
    "to_refund",
    "sale_line_id",
    "location_id",
    "location_dest_id",
)


def _shipped(sales: Sales, key: str, *lines: tuple[str, str, str], stock: float = 0) -> int:
    """The done transfer of an order."""
    if stock:
        sales.count("stored", stock)
    picking: int = sales.pickings(sales.order(key, *lines))[0]["id"]
    assert sales.validate(picking) is True
    return picking


def _wizard(sales: Sales, picking: int) -> int:
    one: int = sales.odoo.call("stock.return.picking", "create", {"picking_id": picking})
    return one


def _offered(sales: Sales, wizard: int) -> list[Values]:
    fields = ("move_id", "product_id", "quantity", "to_refund")
    return sales.odoo.find("stock.return.picking.line", ["wizard_id", "=", wizard], fields=fields)


def _return(sales: Sales, picking: int, quantities: dict[str, float], **context: Any) -> Values:
    """Make a return of these products; the action that shows it."""
    wizard = _wizard(sales, picking)
    wanted = {sales.product(key): quantity for key, quantity in quantities.items()}
    for line in _offered(sales, wizard):
        if line["product_id"][0] in wanted:
            values = {"quantity": wanted[line["product_id"][0]]}
            sales.odoo.call("stock.return.picking.line", "write", [line["id"]], values)
    answer: Values = sales.odoo.call("stock.return.picking", "action_create_returns", [wizard], context=context)
    return answer


def _place(sales: Sales, name: str) -> int:
    found: int = sales.odoo.find("stock.location", ["complete_name", "=", name])[0]["id"]
    return found
