"""Creating, writing, searching and reading; the shape of what comes back."""

from __future__ import annotations

import pytest

from tests.contract.client import Odoo
from tests.contract.sales import Sales


def test_create_answers_one_id_for_one_and_a_list_for_a_list(odoo: Odoo) -> None:
    assert isinstance(odoo.call("res.partner", "create", {"name": odoo.prefix}), int)
    ids = odoo.call("res.partner", "create", [{"name": odoo.prefix}, {"name": odoo.prefix}])
    assert len(ids) == 2


def test_write_answers_true(odoo: Odoo) -> None:
    one = odoo.call("res.partner", "create", {"name": odoo.prefix})
    assert odoo.call("res.partner", "write", [one], {"city": "York"}) is True
    assert odoo.read("res.partner", one, "city")["city"] == "York"


def test_what_is_deleted_is_no_longer_read(odoo: Odoo) -> None:
    [one] = odoo.loaded("res.partner", "id name", [odoo.name("a"), "A"])
    assert odoo.call("res.partner", "unlink", [one]) is True
    assert odoo.call("res.partner", "read", [one], ["name"]) == []
    assert not odoo.find("ir.model.data", ["name", "=", f"{odoo.prefix}_a"])


def test_a_customer_takes_quotations_along(sales: Sales) -> None:
    order = sales.quotation("q", ("mug", "1", "4"))
    customer = sales.odoo.read("sale.order", order, "partner_id")["partner_id"][0]
    assert sales.odoo.call("res.partner", "unlink", [customer]) is True
    assert sales.odoo.call("sale.order", "read", [order], ["name"]) == []


def test_what_is_referred_to_can_not_be_deleted(sales: Sales) -> None:
    order = sales.order("o", ("mug", "1", "4"))
    customer = sales.odoo.read("sale.order", order, "partner_id")["partner_id"][0]
    fault = sales.odoo.fault_of("res.partner", "unlink", [customer])
    assert fault["name"] == "odoo.exceptions.ValidationError"
    assert fault["message"].startswith("The operation cannot be completed: another model requires")


def test_archived_records_are_found_only_when_asked_for(odoo: Odoo) -> None:
    one = odoo.call("res.partner", "create", {"name": odoo.prefix, "active": False})
    assert odoo.find("res.partner", ["name", "=", odoo.prefix]) == []
    assert odoo.find("res.partner", ["name", "=", odoo.prefix], ["active", "=", False])[0]["id"] == one
    found = odoo.call("res.partner", "search", [["name", "=", odoo.prefix]], context={"active_test": False})
    assert found == [one]


@pytest.mark.parametrize(
    ("domain", "found"),
    [
        ([["city", "=", "A"]], "a"),
        ([["city", "!=", "A"]], "bc"),
        ([["city", "in", ["A", "B"]]], "ab"),
        ([["city", "not in", ["A"]]], "bc"),
        ([["city", "=", False]], "c"),
        (["|", ["city", "=", "A"], ["street", "=", "2 Road"]], "ab"),
        (["!", ["city", "=", "A"]], "bc"),
        (["&", ["city", "!=", False], ["street", "like", "Road"]], "ab"),
        ([["street", "ilike", "ROAD"]], "ab"),
        ([["street", "=like", "1 %"]], "a"),
        ([["country_id.code", "=", "BE"]], "b"),
        ([["country_id", "=", "Belgium"]], "b"),
    ],
)
def test_domains(odoo: Odoo, domain: list[object], found: str) -> None:
    odoo.loaded(
        "res.partner",
        "id name ref city street country_id/id",
        [odoo.name("a"), "a", odoo.prefix, "A", "1 Road", ""],
        [odoo.name("b"), "b", odoo.prefix, "B", "2 Road", "base.be"],
        [odoo.name("c"), "c", odoo.prefix, "", "", ""],
    )
    records = odoo.find("res.partner", ["ref", "=", odoo.prefix], *domain, fields=("name",))
    assert "".join(record["name"] for record in records) == found


def test_limit_offset_order_and_count(odoo: Odoo) -> None:
    odoo.call("res.partner", "create", [{"name": f"n{i}", "ref": odoo.prefix} for i in range(5)])
    mine = [["ref", "=", odoo.prefix]]
    page = odoo.call("res.partner", "search_read", mine, ["name"], order="name desc", limit=2, offset=1)
    assert [record["name"] for record in page] == ["n3", "n2"]
    assert odoo.call("res.partner", "search_count", mine) == 5


def test_values_are_read_in_odoo_s_shapes(sales: Sales) -> None:
    order = sales.quotation("q", ("mug", "1", "4"))
    record = sales.odoo.read(
        "sale.order", order, "partner_id", "order_line", "amount_total", "commitment_date", "locked", "date_order"
    )
    assert record["partner_id"][1] == f"Customer {sales.odoo.prefix}"
    assert record["order_line"] == [line["id"] for line in sales.lines(order)]
    assert record["amount_total"] == 4.0
    assert record["commitment_date"] is False
    assert record["locked"] is False
    assert len(record["date_order"]) == len("2026-01-02 03:04:05")


def test_plain_text_in_an_html_field_becomes_a_paragraph(sales: Sales) -> None:
    order = sales.quotation("q", ("mug", "1", "4"))
    sales.odoo.loaded("sale.order", "id note", [sales.odoo.name("q"), "handle with care"])
    assert sales.odoo.read("sale.order", order, "note")["note"] == "<p>handle with care</p>"


def test_external_ids_are_told_of_records(sales: Sales) -> None:
    order = sales.quotation("q", ("mug", "1", "4"))
    assert sales.odoo.call("sale.order", "get_external_id", [order]) == {str(order): sales.odoo.name("q")}
    reference = sales.odoo.name("q").split(".")
    assert sales.odoo.call("ir.model.data", "check_object_reference", *reference) == ["sale.order", order]


def test_a_product_s_name_shows_its_reference(sales: Sales) -> None:
    [product] = sales.odoo.find(
        "product.product", ["default_code", "=", f"MUG-{sales.odoo.prefix}"], fields=("display_name", "name", "type")
    )
    assert product["display_name"] == f"[MUG-{sales.odoo.prefix}] Mug"
    assert (product["name"], product["type"]) == ("Mug", "consu")


def test_a_contact_of_a_company_shows_both(odoo: Odoo) -> None:
    _, contact = odoo.loaded(
        "res.partner",
        "id name is_company parent_id/id",
        [odoo.name("co"), "Works", "1", ""],
        [odoo.name("c"), "Ann", "", odoo.name("co")],
    )
    found = odoo.read("res.partner", contact, "display_name", "commercial_partner_id")
    assert found["display_name"] == "Works, Ann"
    assert found["commercial_partner_id"][1] == "Works"


def test_fields_get_tells_kind_label_and_relation(odoo: Odoo) -> None:
    fields = odoo.call("sale.order.line", "fields_get", ["product_id", "price_unit"], ["type", "string", "relation"])
    assert fields["product_id"] == {"type": "many2one", "string": "Product", "relation": "product.product"}
    assert fields["price_unit"] == {"type": "float", "string": "Unit Price"}


def test_name_search_answers_pairs(sales: Sales) -> None:
    found = sales.odoo.call("res.partner", "name_search", f"Customer {sales.odoo.prefix}")
    assert found[0][1] == f"Customer {sales.odoo.prefix}"


def test_a_barcode_is_given_once(sales: Sales) -> None:
    odoo = sales.odoo
    answer = odoo.load(
        "product.product", "id barcode", [odoo.name("mug"), odoo.prefix], [odoo.name("pot"), odoo.prefix]
    )
    assert answer["ids"] is False
    assert answer["messages"][0]["message"].startswith("Barcode(s) already assigned:")
