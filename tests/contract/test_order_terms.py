"""What an order is made with: taxes on top of prices and in them, price lists, teams, companies, the mark of freight."""

from __future__ import annotations

import pytest

from tests.contract.client import Odoo
from tests.contract.sales import Sales

# quantity, price, discount in percent -> total without tax, tax
_ON_TOP = {("3", "3.33", "10"): (8.99, 1.71), ("7", "0.15", "0"): (1.05, 0.2)}
_INCLUDED = {("3", "3.33", "10"): (7.55, 1.44), ("7", "0.15", "0"): (0.88, 0.17), ("1", "119", "0"): (100.0, 19.0)}


def _tax(odoo: Odoo, override: str) -> int:
    values = {
        "name": f"19 {odoo.prefix}",
        "amount": 19,
        "type_tax_use": "sale",
        "price_include_override": override,
        "active": False,  # unknown to everybody else
    }
    one: int = odoo.call("account.tax", "create", values)
    return one


def _price_list(odoo: Odoo, currency: str) -> int:
    [found] = odoo.call(
        "res.currency", "search_read", [["name", "=", currency]], ["id"], context={"active_test": False}
    )
    values = {"name": f"List {odoo.prefix}", "currency_id": found["id"], "active": False}
    one: int = odoo.call("product.pricelist", "create", values)
    return one


@pytest.mark.parametrize(
    ("override", "figures"), [("tax_excluded", _ON_TOP), ("tax_included", _INCLUDED)], ids=["on top", "included"]
)
def test_a_tax_is_taken_by_its_id_and_rounded_per_line(
    sales: Sales, override: str, figures: dict[tuple[str, str, str], tuple[float, float]]
) -> None:
    odoo = sales.odoo
    tax = _tax(odoo, override)
    assert odoo.read("account.tax", tax, "price_include")["price_include"] is (override == "tax_included")
    order = sales.quotation("q", *(("mug", quantity, price) for quantity, price, _ in figures))
    cells = [[odoo.name(f"q_{n}"), discount, price, str(tax)] for n, (_, price, discount) in enumerate(figures, 1)]
    odoo.loaded("sale.order.line", "id discount price_unit tax_id/.id", *cells)
    found = sales.lines(order, "price_subtotal", "price_tax", "tax_id")
    assert [(line["price_subtotal"], round(line["price_tax"], 2)) for line in found] == list(figures.values())
    assert [line["tax_id"] for line in found] == [[tax]] * len(figures)
    amounts = odoo.read("sale.order", order, "amount_untaxed", "amount_tax", "amount_total")
    untaxed, taxed = (round(sum(column), 2) for column in zip(*figures.values(), strict=True))
    assert (amounts["amount_untaxed"], amounts["amount_tax"]) == (untaxed, taxed)
    assert amounts["amount_total"] == round(untaxed + taxed, 2)


def test_an_invoice_takes_its_tax_out_of_the_price_as_its_order_does(sales: Sales) -> None:
    odoo = sales.odoo
    lines = [
        [0, 0, {"name": "Work", "quantity": float(quantity), "price_unit": float(price), "discount": float(discount),
                "tax_ids": [[6, 0, [tax]]]}]
        for tax in [_tax(odoo, "tax_included")] for quantity, price, discount in _INCLUDED
    ]  # fmt: skip
    [customer] = odoo.find("res.partner", ["name", "=", f"Customer {odoo.prefix}"])
    values = {"move_type": "out_invoice", "partner_id": customer["id"], "invoice_line_ids": lines}
    invoice = odoo.call("account.move", "create", values)
    fields = ("price_subtotal", "price_total")
    found = odoo.find("account.move.line", ["move_id", "=", invoice], ["display_type", "=", "product"], fields=fields)
    assert [(line["price_subtotal"], round(line["price_total"] - line["price_subtotal"], 2)) for line in found] == list(
        _INCLUDED.values()
    )
    amounts = odoo.read("account.move", invoice, "amount_untaxed", "amount_tax", "amount_total")
    assert (amounts["amount_untaxed"], amounts["amount_tax"]) == (108.43, 20.61)


def test_an_empty_tax_cell_takes_the_tax_off(sales: Sales) -> None:
    order = sales.quotation("q", ("mug", "1", "10"))
    name, tax = sales.odoo.name("q_1"), _tax(sales.odoo, "tax_excluded")
    sales.odoo.loaded("sale.order.line", "id tax_id/.id", [name, str(tax)])
    assert sales.lines(order, "tax_id")[0]["tax_id"] == [tax]
    sales.odoo.loaded("sale.order.line", "id tax_id/.id", [name, ""])
    assert sales.lines(order, "tax_id")[0]["tax_id"] == []


def test_a_price_list_gives_the_currency_and_keeps_a_price_that_is_given(sales: Sales) -> None:
    odoo, name = sales.odoo, sales.odoo.name
    listed = _price_list(odoo, "EUR")
    row = [name("q"), name("customer"), str(listed), "2", "1"]
    columns = "id partner_id/id pricelist_id/.id team_id/.id company_id/.id"
    [order] = odoo.loaded("sale.order", columns, row, allowed_company_ids=[1])
    line = "id order_id/id product_id/id price_unit product_uom_qty tax_id/.id"
    odoo.loaded("sale.order.line", line, [name("q_1"), name("q"), name("mug"), "7.77", "2", ""])
    found = odoo.read("sale.order", order, "currency_id", "pricelist_id", "team_id", "company_id", "amount_untaxed")
    assert found["currency_id"][1] == "EUR"
    assert (found["pricelist_id"][0], found["team_id"], found["company_id"][0]) == (listed, [2, "Website"], 1)
    assert found["amount_untaxed"] == 15.54
    for currency, found_by_it in (("EUR", [listed]), ("GBP", [])):
        domain = [
            ["name", "=", f"List {odoo.prefix}"],
            ["currency_id.name", "=", currency],
            ["company_id", "in", [1, False]],
        ]
        rows = odoo.call("product.pricelist", "search_read", domain, [], context={"active_test": False})
        assert [row["id"] for row in rows] == found_by_it


def test_a_confirmed_order_takes_no_other_price_list_not_even_the_same(sales: Sales) -> None:
    odoo = sales.odoo
    order = sales.order("o", ("mug", "1", "10"))
    fault = odoo.fault_of("sale.order", "write", [order], {"pricelist_id": _price_list(odoo, "EUR")})
    assert fault["arguments"] == ["You cannot change the pricelist of a confirmed order !"]


def test_freight_is_marked_and_its_line_may_change_after_confirming(sales: Sales) -> None:
    odoo = sales.odoo
    assert "is_delivery" in odoo.call("sale.order.line", "fields_get", ["is_delivery"], ["type"])
    assert odoo.call("sale.order.line", "fields_get", ["is_no_field"], ["type"]) == {}
    order = sales.quotation("q", ("mug", "1", "10"), ("freight", "1", "5"))
    odoo.loaded("sale.order.line", "id is_delivery", [odoo.name("q_2"), "1"], [odoo.name("q_1"), ""])
    assert [line["is_delivery"] for line in sales.lines(order, "is_delivery")] == [False, True]
    odoo.call("sale.order", "action_confirm", [order])
    odoo.loaded("sale.order.line", "id is_delivery price_unit", [odoo.name("q_2"), "1", "6"])
    assert odoo.read("sale.order", order, "amount_untaxed")["amount_untaxed"] == 16.0


def test_a_load_on_a_locked_order_is_refused_with_the_fields(sales: Sales) -> None:
    odoo = sales.odoo
    order = sales.order("o", ("mug", "1", "10"))
    odoo.call("sale.order", "action_lock", [order])
    answer = odoo.load("sale.order.line", "id product_uom_qty", [odoo.name("o_1"), "2"])
    assert answer["ids"] is False
    assert "It is forbidden to modify the following fields in a locked order" in answer["messages"][0]["message"]
    odoo.call("sale.order", "action_unlock", [order])


def test_a_vat_number_goes_in_with_its_country_and_reaches_the_addresses(odoo: Odoo) -> None:
    columns = "id name is_company vat country_id/id parent_id/id type"
    company = [odoo.name("c"), f"VAT {odoo.prefix}", "1", "DE136695976", "base.de", "", "contact"]
    [one] = odoo.loaded("res.partner", columns, company, no_vat_validation=True)
    found = odoo.read("res.partner", one, "vat", "country_id")
    assert (found["vat"], found["country_id"][1]) == ("DE136695976", "Germany")
