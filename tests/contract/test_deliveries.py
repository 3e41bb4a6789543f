"""Transfers: in full, in part, with and without a backorder, and what the order makes of it."""

from __future__ import annotations

from tests.contract.sales import Sales


def test_where_nothing_is_picked_all_that_is_reserved_ships(sales: Sales) -> None:
    order = sales.order("o", ("mug", "2", "4"), ("pot", "1", "9"))
    assert sales.validate(sales.pickings(order)[0]["id"]) is True
    [picking] = sales.pickings(order)
    assert picking["state"] == "done"
    assert picking["date_done"]
    assert [(move["state"], move["picked"], move["quantity"]) for move in sales.moves(order)] == [
        ("done", True, 2.0),
        ("done", True, 1.0),
    ]
    assert [line["qty_delivered"] for line in sales.lines(order, "qty_delivered")] == [2.0, 1.0]
    assert sales.state(order)["delivery_status"] == "full"


def test_a_part_without_a_word_asks_for_a_backorder(sales: Sales) -> None:
    order = sales.order("o", ("mug", "5", "4"))
    sales.pick(sales.moves(order)[0]["id"], 2)
    wizard = sales.validate(sales.pickings(order)[0]["id"])
    assert wizard["res_model"] == "stock.backorder.confirmation"
    assert [picking["state"] for picking in sales.pickings(order)] == ["assigned"]


def test_a_part_of_a_move_splits_it_and_the_rest_gets_a_new_id(sales: Sales) -> None:
    order = sales.order("o", ("mug", "5", "4"))
    [move] = sales.moves(order)
    sales.pick(move["id"], 2)
    assert sales.validate(sales.pickings(order)[0]["id"], skip_backorder=True) is True
    first, backorder = sales.pickings(order)
    assert (first["state"], backorder["state"]) == ("done", "assigned")
    assert backorder["backorder_id"][0] == first["id"]
    done, rest = sales.moves(order)
    assert (done["id"], done["quantity"], done["product_uom_qty"]) == (move["id"], 2.0, 2.0)
    assert (rest["product_uom_qty"], rest["quantity"], rest["state"]) == (3.0, 3.0, "assigned")
    assert rest["picking_id"][0] == backorder["id"]
    assert sales.lines(order, "qty_delivered")[0]["qty_delivered"] == 2.0
    assert sales.state(order)["delivery_status"] == "partial"


def test_a_move_of_which_nothing_ships_keeps_its_id_in_the_backorder(sales: Sales) -> None:
    order = sales.order("o", ("mug", "2", "4"), ("pot", "1", "9"))
    mug, pot = sales.moves(order)
    sales.pick(mug["id"], 2)
    sales.validate(sales.pickings(order)[0]["id"], skip_backorder=True)
    _, backorder = sales.pickings(order)
    after = {move["id"]: move for move in sales.moves(order)}
    assert after[mug["id"]]["state"] == "done"
    assert after[pot["id"]]["picking_id"][0] == backorder["id"]
    assert (after[pot["id"]]["state"], after[pot["id"]]["picked"]) == ("assigned", False)
    assert len(after) == 2


def test_the_backorder_finishes_the_order(sales: Sales) -> None:
    order = sales.order("o", ("mug", "5", "4"))
    sales.pick(sales.moves(order)[0]["id"], 2)
    sales.validate(sales.pickings(order)[0]["id"], skip_backorder=True)
    assert sales.validate(sales.pickings(order)[1]["id"]) is True
    assert sales.lines(order, "qty_delivered")[0]["qty_delivered"] == 5.0
    assert sales.state(order)["delivery_status"] == "full"


def test_without_a_backorder_the_rest_is_given_up(sales: Sales) -> None:
    order = sales.order("o", ("mug", "5", "4"), ("pot", "1", "9"))
    mug, pot = sales.moves(order)
    sales.pick(mug["id"], 2)
    picking = sales.pickings(order)[0]["id"]
    assert sales.validate(picking, skip_backorder=True, picking_ids_not_to_backorder=[picking]) is True
    assert [one["state"] for one in sales.pickings(order)] == ["done"]
    after = {move["id"]: move for move in sales.moves(order)}
    assert (after[mug["id"]]["state"], after[mug["id"]]["quantity"]) == ("done", 2.0)
    assert after[mug["id"]]["product_uom_qty"] == 5.0
    assert (after[pot["id"]]["state"], after[pot["id"]]["quantity"]) == ("cancel", 0.0)
    assert sales.state(order)["delivery_status"] == "full"


def test_a_line_that_is_loaded_again_asks_again_for_what_was_given_up(sales: Sales) -> None:
    order = sales.order("o", ("mug", "5", "4"))
    sales.pick(sales.moves(order)[0]["id"], 2)
    picking = sales.pickings(order)[0]["id"]
    sales.validate(picking, skip_backorder=True, picking_ids_not_to_backorder=[picking])
    sales.odoo.loaded("sale.order.line", "id product_uom_qty price_unit", [sales.odoo.name("o_1"), "5", "4"])
    assert [(one["state"], one["product_uom_qty"]) for one in sales.moves(order)][1:] == [("assigned", 3.0)]


def test_cancelling_after_a_part_has_shipped_leaves_what_is_done(sales: Sales) -> None:
    order = sales.order("o", ("mug", "5", "4"))
    sales.pick(sales.moves(order)[0]["id"], 2)
    sales.validate(sales.pickings(order)[0]["id"], skip_backorder=True)
    sales.odoo.call("sale.order", "action_cancel", [order], context={"disable_cancel_warning": True})
    assert [one["state"] for one in sales.pickings(order)] == ["done", "cancel"]
    assert sales.lines(order, "qty_delivered")[0]["qty_delivered"] == 2.0
    assert sales.state(order)["state"] == "cancel"


def test_a_quantity_may_not_sink_below_what_is_delivered(sales: Sales) -> None:
    order = sales.order("o", ("mug", "5", "4"))
    sales.pick(sales.moves(order)[0]["id"], 3)
    sales.validate(sales.pickings(order)[0]["id"], skip_backorder=True)
    line = sales.lines(order)[0]["id"]
    fault = sales.odoo.fault_of("sale.order.line", "write", [line], {"product_uom_qty": 2})
    assert fault["message"].startswith("The ordered quantity of a sale order line cannot be decreased below")


def test_a_quantity_lowered_to_what_is_delivered_ends_the_backorder(sales: Sales) -> None:
    order = sales.order("o", ("mug", "5", "4"))
    sales.pick(sales.moves(order)[0]["id"], 3)
    sales.validate(sales.pickings(order)[0]["id"], skip_backorder=True)
    sales.odoo.loaded("sale.order.line", "id product_uom_qty price_unit", [sales.odoo.name("o_1"), "3", "4"])
    assert [one["state"] for one in sales.pickings(order)] == ["done", "cancel"]
    assert sales.state(order)["delivery_status"] == "full"


def test_a_new_line_after_all_has_shipped_opens_a_new_transfer(sales: Sales) -> None:
    order = sales.order("o", ("mug", "1", "4"))
    sales.validate(sales.pickings(order)[0]["id"])
    name = sales.odoo.name
    columns = "id order_id/id product_id/id product_uom_qty price_unit tax_id/id"
    sales.odoo.loaded("sale.order.line", columns, [name("o_2"), name("o"), name("pot"), "3", "9", ""])
    assert [one["state"] for one in sales.pickings(order)] == ["done", "assigned"]
    assert sales.state(order)["delivery_status"] == "partial"


def test_a_done_transfer_is_not_validated_again(sales: Sales) -> None:
    order = sales.order("o", ("mug", "1", "4"))
    picking = sales.pickings(order)[0]["id"]
    sales.validate(picking)
    fault = sales.odoo.fault_of("stock.picking", "button_validate", [picking], context={"skip_sms": True})
    assert fault["message"] == (
        "You cannot validate a transfer if no quantities are reserved. To force the transfer, encode quantities."
    )


def test_several_transfers_ship_in_one_call(sales: Sales) -> None:
    orders = [sales.order(f"o{number}", ("mug", str(number), "4")) for number in (1, 2, 3)]
    pickings = [sales.pickings(order)[0]["id"] for order in orders]
    assert sales.odoo.call("stock.picking", "button_validate", pickings, context={"skip_sms": True}) is True
    assert [sales.state(order)["delivery_status"] for order in orders] == ["full"] * 3


def test_an_empty_transfer_among_others_is_passed_over_in_silence(sales: Sales) -> None:
    full, empty = sales.order("a", ("mug", "1", "4")), sales.order("b", ("stored", "1", "4"))
    pickings = [sales.pickings(order)[0]["id"] for order in (full, empty)]
    context = {"skip_sms": True, "skip_backorder": True}
    assert sales.odoo.call("stock.picking", "button_validate", pickings, context=context) is True
    assert [one["state"] for one in sales.pickings(full)] == ["done"]
    assert [one["state"] for one in sales.pickings(empty)] == ["confirmed"]


def test_what_is_not_in_stock_waits_until_it_is_reserved(sales: Sales) -> None:
    order = sales.order("o", ("stored", "3", "7"))
    [picking] = sales.pickings(order)
    assert picking["state"] == "confirmed"
    fault = sales.odoo.fault_of("stock.picking", "button_validate", [picking["id"]], context={"skip_sms": True})
    assert fault["message"].startswith("You cannot validate a transfer if no quantities are reserved.")
    sales.count("stored", 10)
    assert sales.odoo.call("stock.picking", "action_assign", [picking["id"]]) is True
    assert sales.pickings(order)[0]["state"] == "assigned"
    assert sales.validate(picking["id"]) is True
    product = sales.odoo.find("product.product", ["default_code", "=", f"STO-{sales.odoo.prefix}"])[0]["id"]
    assert sales.odoo.read("product.product", product, "qty_available")["qty_available"] == 7.0


def test_stock_that_is_short_is_reserved_in_part(sales: Sales) -> None:
    sales.count("stored", 2)
    order = sales.order("o", ("stored", "3", "7"))
    [move] = sales.moves(order)
    assert (move["state"], move["quantity"]) == ("partially_available", 2.0)
    assert sales.validate(sales.pickings(order)[0]["id"], skip_backorder=True) is True
    assert [one["state"] for one in sales.pickings(order)] == ["done", "confirmed"]
