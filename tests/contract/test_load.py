"""load(): external ids, all or nothing, messages."""

from __future__ import annotations

import pytest

from tests.contract.client import MODULE, Odoo
from tests.contract.sales import Sales


def test_new_records_get_ids_in_row_order_and_their_external_ids(odoo: Odoo) -> None:
    first, second = odoo.loaded("res.partner", "id name", [odoo.name("a"), "A"], [odoo.name("b"), "B"])
    assert odoo.read("res.partner", second, "name")["name"] == "B"
    known = odoo.find("ir.model.data", ["module", "=", MODULE], ["name", "=", f"{odoo.prefix}_a"], fields=("res_id",))
    assert known[0]["res_id"] == first


def test_the_answer_has_ids_messages_and_nextrow(odoo: Odoo) -> None:
    answer = odoo.load("res.partner", "id name", [odoo.name("a"), "A"])
    assert set(answer) == {"ids", "messages", "nextrow"}
    assert answer["messages"] == []
    assert answer["nextrow"] == 0


def test_a_known_external_id_is_updated_and_only_in_the_given_columns(odoo: Odoo) -> None:
    [one] = odoo.loaded("res.partner", "id name city", [odoo.name("a"), "A", "Leeds"])
    assert odoo.loaded("res.partner", "id name", [odoo.name("a"), "New"]) == [one]
    assert odoo.read("res.partner", one, "name", "city") == {"id": one, "name": "New", "city": "Leeds"}


def test_an_empty_cell_empties_the_field(odoo: Odoo) -> None:
    [one] = odoo.loaded("res.partner", "id name city", [odoo.name("a"), "A", "Leeds"])
    odoo.loaded("res.partner", "id name city", [odoo.name("a"), "A", ""])
    assert odoo.read("res.partner", one, "city")["city"] is False


def test_a_name_without_a_module_belongs_to_the_context_s_module(odoo: Odoo) -> None:
    odoo.loaded("res.partner", "id name", [f"{odoo.prefix}_bare", "A"], module=MODULE)
    assert odoo.find("ir.model.data", ["module", "=", MODULE], ["name", "=", f"{odoo.prefix}_bare"])


def test_a_name_without_a_module_is_an_import_where_the_context_names_none(odoo: Odoo) -> None:
    odoo.loaded("res.partner", "id name", [f"{odoo.prefix}_bare", "A"])
    assert odoo.find("ir.model.data", ["module", "=", "__import__"], ["name", "=", f"{odoo.prefix}_bare"])


def test_one_bad_row_undoes_all_rows(odoo: Odoo) -> None:
    rows = [[odoo.name(f"p{i}"), f"P{i}", "base.uk" if i != 7 else "base.nowhere"] for i in range(12)]
    answer = odoo.load("res.partner", "id name country_id/id", *rows)
    assert answer["ids"] is False
    assert not odoo.find("ir.model.data", ["name", "like", f"{odoo.prefix}_p"])


def test_an_unknown_reference_is_named_with_its_row_and_field(odoo: Odoo) -> None:
    answer = odoo.load(
        "res.partner", "id name country_id/id", [odoo.name("a"), "A", "base.uk"], [odoo.name("b"), "B", "base.nowhere"]
    )
    [message] = answer["messages"]
    assert message["type"] == "error"
    assert message["record"] == 1
    assert message["rows"] == {"from": 1, "to": 1}
    assert message["field"] == "country_id"
    assert message["field_name"] == "Country"
    assert message["message"] == "No matching record found for external id 'base.nowhere' in field 'Country'"
    assert message["moreinfo"]["domain"] == [["model", "=", "res.country"]]


def test_conversion_errors_of_all_rows_come_at_once(odoo: Odoo) -> None:
    rows = [[odoo.name(f"p{i}"), f"P{i}", "base.nowhere"] for i in range(15)]
    answer = odoo.load("res.partner", "id name country_id/id", *rows)
    assert [message["record"] for message in answer["messages"]] == list(range(15))


def test_a_reference_of_another_model_is_refused(odoo: Odoo) -> None:
    answer = odoo.load("res.partner", "id name country_id/id", [odoo.name("a"), "A", "uom.product_uom_unit"])
    assert answer["ids"] is False
    assert (
        answer["messages"][0]["message"]
        == "Invalid external ID uom.product_uom_unit: expected model 'res.country', found 'uom.uom'"
    )


def test_a_missing_required_value_is_named(odoo: Odoo) -> None:
    answer = odoo.load("uom.category", "id name", [odoo.name("a"), "A " + odoo.prefix], [odoo.name("b"), ""])
    assert answer["ids"] is False
    message = answer["messages"][-1]
    assert message["record"] == 1
    assert message["field"] == "name"
    assert message["message"].startswith("Missing required value for the field '")
    assert message["message"].endswith("' (name)")


def test_a_nameless_contact_is_refused_in_odoo_s_words(odoo: Odoo) -> None:
    answer = odoo.load("res.partner", "id name", [odoo.name("a"), ""])
    assert answer["ids"] is False
    assert answer["messages"][-1]["message"] == "'Contacts require a name'"


def test_an_unknown_column_raises(odoo: Odoo) -> None:
    fault = odoo.fault_of("res.partner", "load", ["id", "nmae"], [[odoo.name("a"), "A"]])
    assert fault["name"] == "builtins.ValueError"
    assert fault["message"] == "Invalid field name 'nmae'"


def test_after_ten_errors_the_rest_is_not_tried(odoo: Odoo) -> None:
    rows = [[odoo.name(f"p{i}"), ""] for i in range(40)]
    answer = odoo.load("res.partner", "id name", *rows)
    errors = [message for message in answer["messages"] if message["type"] == "error"]
    assert len(errors) == 10
    assert answer["messages"][-1]["type"] == "warning"
    assert answer["messages"][-1]["message"].startswith("Found more than 10 errors")


def test_an_external_id_twice_in_one_matrix_is_one_record(odoo: Odoo) -> None:
    first, second = odoo.loaded("res.partner", "id name", [odoo.name("a"), "First"], [odoo.name("a"), "Last"])
    assert first == second
    assert odoo.read("res.partner", first, "name")["name"] == "Last"


def test_a_row_may_refer_to_a_row_above(odoo: Odoo) -> None:
    company, contact = odoo.loaded(
        "res.partner", "id name parent_id/id", [odoo.name("co"), "Company", ""], [odoo.name("c"), "C", odoo.name("co")]
    )
    assert odoo.read("res.partner", contact, "parent_id")["parent_id"][0] == company


def test_database_ids_refer_too(odoo: Odoo) -> None:
    [one] = odoo.loaded("res.partner", "id name", [odoo.name("a"), "A"])
    assert odoo.loaded("res.partner", ".id name", [str(one), "B"]) == [one]
    [child] = odoo.loaded("res.partner", "id name parent_id/.id", [odoo.name("c"), "C", str(one)])
    assert odoo.read("res.partner", child, "parent_id")["parent_id"] == [one, "B"]


def test_a_relation_without_id_is_matched_by_name(odoo: Odoo) -> None:
    [one] = odoo.loaded("res.partner", "id name country_id", [odoo.name("a"), "A", "Belgium"])
    assert odoo.read("res.partner", one, "country_id")["country_id"][1] == "Belgium"


def test_of_two_that_have_the_name_the_first_is_taken_with_a_warning(odoo: Odoo) -> None:
    twins = odoo.loaded("res.partner", "id name", [odoo.name("a"), odoo.prefix], [odoo.name("b"), odoo.prefix])
    answer = odoo.load("res.partner", "id name parent_id", [odoo.name("c"), "C", odoo.prefix])
    assert answer["messages"][0]["type"] == "warning"
    assert "Found multiple matches for value" in answer["messages"][0]["message"]
    assert odoo.read("res.partner", answer["ids"][0], "parent_id")["parent_id"][0] in twins


@pytest.mark.parametrize(("cell", "value"), [("1", True), ("", False), ("0", False), ("true", True)])
def test_booleans_are_text(odoo: Odoo, cell: str, value: bool) -> None:
    [one] = odoo.loaded("res.partner", "id name is_company", [odoo.name("a"), "A", cell])
    assert odoo.read("res.partner", one, "is_company")["is_company"] is value


def test_a_number_that_is_none_is_refused(sales: Sales) -> None:
    answer = sales.odoo.load("product.product", "id list_price", [sales.odoo.name("mug"), "four"])
    assert answer["messages"][0]["message"] == "'four' does not seem to be a number for field 'Sales Price'"


def test_a_date_that_is_none_is_refused(sales: Sales) -> None:
    one = sales.quotation("q", ("mug", "1", "4"))
    answer = sales.odoo.load("sale.order", ".id date_order", [str(one), "yesterday"])
    text = "'yesterday' does not seem to be a valid datetime for field 'Order Date'"
    assert answer["messages"][0]["message"] == text


def test_a_selection_takes_key_or_label_and_nothing_else(odoo: Odoo) -> None:
    rows = [odoo.name("a"), "A", "delivery"], [odoo.name("b"), "B", "Delivery Address"]
    ids = odoo.loaded("res.partner", "id name type", *rows)
    assert [odoo.read("res.partner", one, "type")["type"] for one in ids] == ["delivery", "delivery"]
    answer = odoo.load("res.partner", "id name type", [odoo.name("c"), "C", "elsewhere"])
    assert answer["messages"][0]["message"] == "Value 'elsewhere' not found in selection field 'Address Type'"


def test_a_datetime_is_read_in_the_caller_s_zone(sales: Sales) -> None:
    order = sales.quotation("q", ("mug", "1", "4"))
    row = [sales.odoo.name("q"), "2024-03-06 10:00:00"]
    sales.odoo.loaded("sale.order", "id date_order", row, tz="Europe/Berlin")
    assert sales.odoo.read("sale.order", order, "date_order")["date_order"] == "2024-03-06 09:00:00"


@pytest.mark.parametrize("text", ["2024-03-06T10:00:00", "2024-03-06 10:00:00.5"])
def test_other_spellings_of_a_datetime_are_refused(sales: Sales, text: str) -> None:
    sales.quotation("q", ("mug", "1", "4"))
    answer = sales.odoo.load("sale.order", "id date_order", [sales.odoo.name("q"), text])
    assert answer["messages"][0]["message"].startswith(f"'{text}' does not seem to be a valid datetime")


def test_a_business_error_is_first_blamed_on_record_0(sales: Sales) -> None:
    name = sales.odoo.name
    order = sales.order("o", ("mug", "5", "4"), ("pot", "5", "4"))
    sales.validate(sales.pickings(order)[0]["id"])
    answer = sales.odoo.load(
        "sale.order.line", "id product_uom_qty price_unit", [name("o_1"), "6", "4"], [name("o_2"), "2", "4"]
    )
    assert answer["ids"] is False
    assert [message["record"] for message in answer["messages"]] == [0, 1]
    assert len({message["message"] for message in answer["messages"]}) == 1


def test_an_empty_name_cell_is_no_name(sales: Sales) -> None:
    name = sales.odoo.name
    sales.quotation("q", ("mug", "1", "4"))
    row = [name("q_2"), name("q"), name("mug"), "1", ""]
    answer = sales.odoo.load("sale.order.line", "id order_id/id product_id/id product_uom_qty name", row)
    assert answer["messages"][-1]["message"] == "Missing required value for the field 'Description' (name)"


def test_an_unknown_required_reference_gives_two_messages(sales: Sales) -> None:
    name = sales.odoo.name
    answer = sales.odoo.load(
        "sale.order.line",
        "id order_id/id product_id/id product_uom_qty price_unit name",
        [name("q_1"), name("nothing"), name("mug"), "1", "4", "Mug"],
    )
    assert [message["message"] for message in answer["messages"]] == [
        f"No matching record found for external id '{name('nothing')}' in field 'Order Reference'",
        "Missing required value for the field 'Order Reference' (order_id)",
    ]


def test_an_external_id_of_another_model_is_refused(sales: Sales) -> None:
    answer = sales.odoo.load("res.partner", "id name", [sales.odoo.name("mug"), "A"])
    assert answer["ids"] is False
    start = f"For external id {sales.odoo.name('mug')} when trying to create/update a record of model res.partner"
    assert answer["messages"][0]["message"].startswith(start)


def test_a_variant_s_template_gets_an_external_id_of_its_own(sales: Sales) -> None:
    name = f"{sales.odoo.prefix}_mug_product_template"
    found = sales.odoo.find("ir.model.data", ["name", "=", name], fields=("model",))
    assert found[0]["model"] == "product.template"


def test_nested_lines_are_loaded_with_their_order(sales: Sales) -> None:
    order = sales.quotation("q", ("mug", "2", "4.25"), ("freight", "1", "5"))
    lines = sales.lines(order, "product_uom_qty", "price_unit", "price_subtotal")
    assert [line["price_subtotal"] for line in lines] == [8.5, 5.0]


def test_lines_with_external_ids_are_not_doubled_by_a_reload(sales: Sales) -> None:
    order = sales.quotation("q", ("mug", "2", "4.25"), ("freight", "1", "5"))
    assert sales.quotation("q", ("mug", "3", "4.25"), ("freight", "1", "5")) == order
    assert [line["product_uom_qty"] for line in sales.lines(order, "product_uom_qty")] == [3.0, 1.0]


def test_an_error_in_a_nested_line_names_order_row_and_field(sales: Sales) -> None:
    name = sales.odoo.name
    columns = "id partner_id/id order_line/id order_line/product_id/id order_line/product_uom_qty"
    answer = sales.odoo.load(
        "sale.order",
        columns,
        [name("q"), name("customer"), name("q_1"), name("mug"), "1"],
        ["", "", name("q_2"), name("nothing"), "1"],
    )
    assert answer["ids"] is False
    [message] = answer["messages"]
    assert message["rows"] == {"from": 0, "to": 1}
    assert message["field"] == "order_line"
    expected = f"No matching record found for external id '{name('nothing')}' in field 'Order Lines/Product'"
    assert message["message"] == expected
