"""Orders: amounts, confirming, changing, cancelling."""

from __future__ import annotations

import pytest

from tests.contract.sales import Sales


def test_amounts_are_rounded_per_line_and_summed(sales: Sales) -> None:
    order = sales.quotation("q", ("mug", "3", "0.35"), ("pot", "7", "1.11"))
    sales.odoo.loaded("sale.order.line", "id discount", [sales.odoo.name("q_1"), "15"], [sales.odoo.name("q_2"), "7.5"])
    assert [line["price_subtotal"] for line in sales.lines(order, "price_subtotal")] == [0.89, 7.19]
    amounts = sales.odoo.read("sale.order", order, "amount_untaxed", "amount_tax", "amount_total")
    assert amounts == {"id": order, "amount_untaxed": 8.08, "amount_tax": 0.0, "amount_total": 8.08}


def test_prices_quantities_and_discounts_have_two_places(sales: Sales) -> None:
    order = sales.quotation("q", ("mug", "1.005", "2.345"))
    [line] = sales.lines(order, "product_uom_qty", "price_unit")
    assert (line["product_uom_qty"], line["price_unit"]) == (1.01, 2.35)


def test_a_line_without_a_price_has_the_product_s(sales: Sales) -> None:
    name = sales.odoo.name
    columns = "id partner_id/id order_line/id order_line/product_id/id order_line/product_uom_qty order_line/tax_id/id"
    [order] = sales.odoo.loaded("sale.order", columns, [name("q"), name("customer"), name("q_1"), name("mug"), "2", ""])
    [line] = sales.lines(order, "price_unit", "price_subtotal", "name", "product_uom")
    assert (line["price_unit"], line["price_subtotal"]) == (4.5, 9.0)
    assert line["name"] == f"[MUG-{sales.odoo.prefix}] Mug"


def test_an_empty_price_cell_is_a_price_of_zero(sales: Sales) -> None:
    order = sales.quotation("q", ("mug", "2", ""))
    assert sales.lines(order, "price_unit")[0]["price_unit"] == 0.0


def test_dozens_are_priced_by_the_dozen_and_moved_in_units(sales: Sales) -> None:
    name = sales.odoo.name
    columns = (
        "id partner_id/id order_line/id order_line/product_id/id order_line/product_uom_qty order_line/product_uom/id"
    )
    row = [name("q"), name("customer"), name("q_1"), name("mug"), "2", "uom.product_uom_dozen"]
    [order] = sales.odoo.loaded("sale.order", columns, row)
    assert sales.lines(order, "price_unit")[0]["price_unit"] == 54.0
    sales.odoo.call("sale.order", "action_confirm", [order])
    assert sales.moves(order)[0]["product_uom_qty"] == 24.0


def test_confirming_makes_a_transfer_for_goods_and_none_for_services(sales: Sales) -> None:
    order = sales.order("o", ("mug", "2", "4"), ("freight", "1", "5"))
    assert sales.state(order) == {
        "state": "sale",
        "delivery_status": "pending",
        "invoice_status": "to invoice",
        "amount_total": 13.0,
    }
    [picking] = sales.pickings(order)
    assert picking["state"] == "assigned"
    assert picking["origin"].endswith(" - REF-o")
    [move] = sales.moves(order)
    assert (move["product_uom_qty"], move["quantity"], move["picked"], move["state"]) == (2.0, 2.0, False, "assigned")


def test_an_order_of_services_has_no_transfer(sales: Sales) -> None:
    order = sales.order("o", ("freight", "1", "5"))
    assert sales.pickings(order) == []
    assert sales.state(order)["delivery_status"] is False


def test_confirming_overwrites_the_order_date(sales: Sales) -> None:
    order = sales.quotation("q", ("mug", "1", "4"))
    sales.odoo.call("sale.order", "write", [order], {"date_order": "2020-02-03 04:05:06"})
    sales.odoo.call("sale.order", "action_confirm", [order])
    assert sales.odoo.read("sale.order", order, "date_order")["date_order"] > "2025"


def test_confirming_again_is_refused(sales: Sales) -> None:
    order = sales.order("o", ("mug", "1", "4"))
    fault = sales.odoo.fault_of("sale.order", "action_confirm", [order])
    assert fault["name"] == "odoo.exceptions.UserError"
    assert fault["message"] == "Some orders are not in a state requiring confirmation."


def test_one_confirmed_order_in_a_call_refuses_all(sales: Sales) -> None:
    done, other = sales.order("a", ("mug", "1", "4")), sales.quotation("b", ("mug", "1", "4"))
    sales.odoo.fault_of("sale.order", "action_confirm", [other, done])
    assert sales.state(other)["state"] == "draft"


def test_a_draft_is_cancelled_at_once(sales: Sales) -> None:
    order = sales.quotation("q", ("mug", "1", "4"))
    assert sales.odoo.call("sale.order", "action_cancel", [order]) is True
    assert sales.state(order)["state"] == "cancel"


def test_a_confirmed_order_asks_before_it_is_cancelled(sales: Sales) -> None:
    order = sales.order("o", ("mug", "1", "4"))
    wizard = sales.odoo.call("sale.order", "action_cancel", [order])
    assert wizard["res_model"] == "sale.order.cancel"
    assert sales.state(order)["state"] == "sale"


def test_a_cancelled_order_cancels_its_open_transfers(sales: Sales) -> None:
    order = sales.order("o", ("mug", "1", "4"))
    cancel = sales.odoo.call("sale.order", "action_cancel", [order], context={"disable_cancel_warning": True})
    assert cancel is True
    assert [picking["state"] for picking in sales.pickings(order)] == ["cancel"]
    assert [(move["state"], move["quantity"]) for move in sales.moves(order)] == [("cancel", 0.0)]
    assert sales.state(order) == {
        "state": "cancel",
        "delivery_status": False,
        "invoice_status": "no",
        "amount_total": 4.0,
    }


def test_a_larger_quantity_enlarges_the_open_move(sales: Sales) -> None:
    order = sales.order("o", ("mug", "2", "4"))
    [before] = sales.moves(order)
    line = sales.lines(order)[0]["id"]
    sales.odoo.call(
        "sale.order", "write", [order], {"order_line": [[1, line, {"product_uom_qty": 5, "price_unit": 4}]]}
    )
    [after] = sales.moves(order)
    assert (after["id"], after["product_uom_qty"], after["quantity"]) == (before["id"], 5.0, 5.0)
    assert sales.state(order)["amount_total"] == 20.0


def test_a_smaller_quantity_shrinks_the_open_move(sales: Sales) -> None:
    order = sales.order("o", ("mug", "5", "4"))
    sales.odoo.loaded("sale.order.line", "id product_uom_qty price_unit", [sales.odoo.name("o_1"), "2", "4"])
    [move] = sales.moves(order)
    assert (move["product_uom_qty"], move["quantity"]) == (2.0, 2.0)


def test_a_quantity_of_nothing_cancels_the_move(sales: Sales) -> None:
    order = sales.order("o", ("mug", "5", "4"), ("pot", "1", "9"))
    sales.odoo.loaded("sale.order.line", "id product_uom_qty price_unit", [sales.odoo.name("o_1"), "0", "4"])
    assert sorted((move["state"], move["product_uom_qty"]) for move in sales.moves(order)) == [
        ("assigned", 1.0),
        ("cancel", 0.0),
    ]


def test_a_line_loaded_into_a_confirmed_order_joins_its_open_transfer(sales: Sales) -> None:
    order = sales.order("o", ("mug", "1", "4"))
    name = sales.odoo.name
    columns = "id order_id/id product_id/id product_uom_qty price_unit tax_id/id"
    sales.odoo.loaded("sale.order.line", columns, [name("o_2"), name("o"), name("pot"), "3", "9", ""])
    assert {move["picking_id"][0] for move in sales.moves(order)} == {sales.pickings(order)[0]["id"]}
    assert len(sales.moves(order)) == 2
    assert sales.state(order)["amount_total"] == 31.0


def test_a_quantity_without_its_price_brings_the_list_price_back(sales: Sales) -> None:
    order = sales.quotation("q", ("mug", "1", "3.33"))
    sales.odoo.loaded("sale.order.line", "id product_uom_qty", [sales.odoo.name("q_1"), "2"])
    assert sales.lines(order, "price_unit")[0]["price_unit"] == 4.5


def test_a_product_with_moves_can_not_be_exchanged(sales: Sales) -> None:
    order = sales.order("o", ("mug", "1", "4"))
    pot = sales.odoo.find("product.product", ["default_code", "=", f"POT-{sales.odoo.prefix}"])[0]["id"]
    line = sales.lines(order)[0]["id"]
    fault = sales.odoo.fault_of("sale.order.line", "write", [line], {"product_id": pot})
    assert fault["message"] == "You cannot modify the product of this order line."


def test_deleting_a_line_of_a_draft_lowers_the_orders_total(sales: Sales) -> None:
    order = sales.quotation("shrinks", ("mug", "2", "4.5"), ("pot", "1", "20"))
    (_, pot) = sales.lines(order, "price_unit")
    sales.odoo.call("sale.order.line", "unlink", [pot["id"]])
    assert sales.odoo.read("sale.order", order, "amount_untaxed")["amount_untaxed"] == 9.0


def test_a_line_of_a_confirmed_order_can_not_be_deleted(sales: Sales) -> None:
    order = sales.order("o", ("mug", "1", "4"))
    fault = sales.odoo.fault_of("sale.order.line", "unlink", [sales.lines(order)[0]["id"]])
    assert fault["name"] == "odoo.exceptions.UserError"
    assert fault["message"].startswith("Once a sales order is confirmed, you can't remove one of its lines")


def test_a_confirmed_order_can_not_be_deleted(sales: Sales) -> None:
    order = sales.order("o", ("mug", "1", "4"))
    fault = sales.odoo.fault_of("sale.order", "unlink", [order])
    assert fault["message"] == (
        "You can not delete a sent quotation or a confirmed sales order. You must first cancel it."
    )


def test_a_locked_order_refuses_quantities_and_cancelling(sales: Sales) -> None:
    order = sales.order("o", ("mug", "1", "4"))
    sales.odoo.call("sale.order", "action_lock", [order])
    line = sales.lines(order)[0]["id"]
    fault = sales.odoo.fault_of("sale.order.line", "write", [line], {"product_uom_qty": 2})
    assert fault["message"] == "It is forbidden to modify the following fields in a locked order:\nQuantity"
    fault = sales.odoo.fault_of("sale.order", "action_cancel", [order], context={"disable_cancel_warning": True})
    assert fault["message"] == "You cannot cancel a locked order. Please unlock it first."


@pytest.mark.parametrize("method", ["action_lock", "action_unlock"])
def test_a_method_that_returns_nothing_answers_none(sales: Sales, method: str) -> None:
    assert sales.odoo.call("sale.order", method, [sales.quotation("q", ("mug", "1", "4"))]) is None


def test_a_line_of_less_than_nothing_comes_back_by_a_receipt(sales: Sales) -> None:
    order = sales.order("o", ("mug", "-3", "4"), ("pot", "1", "9"))
    assert sorted(picking["name"][:7] for picking in sales.pickings(order)) == ["WH/IN/0", "WH/OUT/"]
    line = sales.lines(order)[0]["id"]
    [move] = [one for one in sales.moves(order) if one["sale_line_id"][0] == line]
    assert (move["product_uom_qty"], move["state"]) == (3.0, "assigned")
    sales.validate(move["picking_id"][0])
    assert sales.lines(order, "qty_delivered")[0]["qty_delivered"] == -3.0
    assert sales.state(order)["amount_total"] == -3.0


def test_a_currency_that_is_given_is_ignored(sales: Sales) -> None:
    company = sales.odoo.read("res.company", 1, "currency_id")["currency_id"]
    other = "base.EUR" if company[1] != "EUR" else "base.USD"
    name = sales.odoo.name
    [order] = sales.odoo.loaded("sale.order", "id partner_id/id currency_id/id", [name("q"), name("customer"), other])
    assert sales.odoo.read("sale.order", order, "currency_id")["currency_id"] == company


def test_a_unit_of_another_category_is_refused(sales: Sales) -> None:
    name = sales.odoo.name
    sales.quotation("q", ("mug", "1", "4"))
    columns = "id order_id/id product_id/id product_uom_qty product_uom/id"
    row = [name("q_2"), name("q"), name("mug"), "1", "uom.product_uom_kgm"]
    answer = sales.odoo.load("sale.order.line", columns, row)
    assert answer["ids"] is False
    assert answer["messages"][-1]["message"].startswith(
        "The unit of measure kg defined on the order line doesn't belong to the same category as the unit of measure"
    )


def test_an_order_keeps_the_name_it_is_given(sales: Sales) -> None:
    name = sales.odoo.name
    columns = "id name partner_id/id"
    [order] = sales.odoo.loaded("sale.order", columns, [name("q"), f"ERP-{sales.odoo.prefix}", name("customer")])
    assert sales.odoo.read("sale.order", order, "name")["name"] == f"ERP-{sales.odoo.prefix}"


def test_a_cancelled_order_becomes_a_draft_and_is_confirmed_again(sales: Sales) -> None:
    order = sales.order("o", ("mug", "2", "4"))
    sales.odoo.call("sale.order", "action_cancel", [order], context={"disable_cancel_warning": True})
    assert sales.odoo.call("sale.order", "action_draft", [order]) is True
    assert sales.state(order)["state"] == "draft"
    assert sales.odoo.call("sale.order", "action_confirm", [order]) is True
    assert [one["state"] for one in sales.pickings(order)] == ["cancel", "assigned"]


def test_a_quantity_raised_again_after_nothing_opens_a_new_transfer(sales: Sales) -> None:
    order = sales.order("o", ("mug", "5", "4"))
    for quantity in ("0", "3"):
        sales.odoo.loaded("sale.order.line", "id product_uom_qty price_unit", [sales.odoo.name("o_1"), quantity, "4"])
    assert [one["state"] for one in sales.pickings(order)] == ["cancel", "assigned"]
    assert [one["product_uom_qty"] for one in sales.moves(order)] == [0.0, 3.0]


def test_addresses_follow_from_the_customer(sales: Sales) -> None:
    name = sales.odoo.name
    [ship] = sales.odoo.loaded(
        "res.partner", "id name type parent_id/id", [name("ship"), "Dock", "delivery", name("customer")]
    )
    order = sales.quotation("q", ("mug", "1", "4"))
    found = sales.odoo.read("sale.order", order, "partner_id", "partner_invoice_id", "partner_shipping_id")
    assert found["partner_shipping_id"][0] == ship
    assert found["partner_invoice_id"] == found["partner_id"]
