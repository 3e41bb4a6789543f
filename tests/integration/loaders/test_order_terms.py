"""Orders under policies: taxes by rate, currencies by price list, teams and companies; and what is done about differences."""

from __future__ import annotations

from contextlib import closing
from decimal import Decimal
from typing import Any

import pytest

from config.policies import Policies
from loaders.odoo.client import OdooClient
from loaders.tracing.deadletters import Selection
from tests.fixtures.crashes import Point, crash_at_every_call
from tests.fixtures.delivery import OperationalEnd, customer, line, order, product, shipment, shipment_line
from transforms.changes import AnyChange

NOTES = "SELECT outcome, error FROM deliveries WHERE record_id = 'sales_order:shop:o1' ORDER BY delivery_id"
ORDER = "SELECT state, amount_untaxed, amount_tax FROM sale_order"


def _policies(**channel: Any) -> Policies:
    return Policies.model_validate({"channels": {"shop": channel}})


def _make(lane: OperationalEnd, model: str, **values: Any) -> int:
    with closing(OdooClient(lane.odoo_settings)) as client:
        one: int = client.call(model, "create", [values])
    return one


def _tax(lane: OperationalEnd, name: str, amount: float, *, included: bool = False) -> int:
    override = "tax_included" if included else "tax_excluded"
    return _make(lane, "account.tax", name=name, amount=amount, price_include_override=override)


def _mixed_order(**fields: Any) -> list[AnyChange]:
    """Goods at 19 %, freight at 7 %, a promotion at 19 %, a gift card and a fee without tax."""
    return [
        customer(vat="DE136695976", country_code="DE"),
        product(unit="dozen"),
        order(currency="EUR", amount_total="21.9", amount_tax="5.77", **fields),
        line(quantity="3", unit_price="9.5", discount_percent="10", tax_rate="19.00"),
        line(key="o1-2", line_number=2, kind="freight", quantity="1", unit_price="4.99", tax_rate="7"),
        line(key="o1-3", line_number=3, kind="promotion", quantity="1", unit_price="-2", tax_rate="19"),
        line(key="o1-4", line_number=4, kind="gift_card", quantity="1", unit_price="-7.24"),
        line(key="o1-5", line_number=5, kind="fee", quantity="1", unit_price="0.50", tax_rate="0"),
    ]


def _whole(lane: OperationalEnd) -> Policies:
    """Odoo has everything that these policies name."""
    _tax(lane, "VAT 19", 19)
    _tax(lane, "VAT 7", 7)
    _make(lane, "product.pricelist", name="Euro", currency_id=125)
    return _policies(
        company="My Company",
        team="Sales",
        warehouse="WH",
        currencies={"EUR": "Euro"},
        units={"dozen": "Units"},
        taxes={"by_rate": {"19": "VAT 19", "7.0": "VAT 7"}, "missing": "dead"},
    )


@pytest.mark.parametrize("point", ["before", "after"])
def test_an_order_has_its_channels_taxes_currency_team_and_units_whatever_call_dies(
    lane: OperationalEnd, point: Point
) -> None:
    lane.use(_whole(lane))
    lane.arrive(*_mixed_order())
    crash_at_every_call(lane, point)
    assert set(lane.statuses().values()) == {"delivered"}
    rows = lane.odoo_rows(
        "SELECT o.state, k.name, t.name->>'en_US', o.amount_untaxed, o.amount_tax, o.company_id, o.warehouse_id,"
        " p.vat, c.code FROM sale_order o JOIN res_currency k ON k.id = o.currency_id JOIN crm_team t ON t.id = o.team_id"
        " JOIN res_partner p ON p.id = o.partner_id JOIN res_country c ON c.id = p.country_id"
    )
    assert rows == [("sale", "EUR", "Sales", Decimal("21.90"), Decimal("4.84"), 1, 1, "DE136695976", "DE")]
    lines = lane.odoo_rows(
        "SELECT pt.name->>'en_US', l.price_subtotal, l.is_delivery, string_agg(t.name->>'en_US', ','), u.name->>'en_US'"
        " FROM sale_order_line l JOIN product_product p ON p.id = l.product_id"
        " JOIN product_template pt ON pt.id = p.product_tmpl_id JOIN uom_uom u ON u.id = l.product_uom"
        " LEFT JOIN account_tax_sale_order_line_rel r ON r.sale_order_line_id = l.id"
        " LEFT JOIN account_tax t ON t.id = r.account_tax_id GROUP BY l.id, pt.name, u.name ORDER BY l.sequence"
    )
    assert lines == [
        ("Bolt", Decimal("25.65"), False, "VAT 19", "Units"),
        ("Freight", Decimal("4.99"), True, "VAT 7", "Units"),
        ("Promotion", Decimal(-2), False, "VAT 19", "Units"),
        ("Gift card", Decimal("-7.24"), False, None, "Units"),
        ("Fee", Decimal("0.50"), False, None, "Units"),
    ]
    # The channel's tax differs by 0.93: written, and said.
    words = "The order's tax is 0.93 less in Odoo than at the channel."
    assert [(outcome, error) for outcome, error in lane.rows(NOTES) if outcome != "parked"][-1] == ("delivered", words)


def test_an_order_of_another_company_takes_that_companys_tax_of_the_name(lane: OperationalEnd) -> None:
    partner = _make(lane, "res.partner", name="Second Ltd")
    second = _make(lane, "res.company", name="Second Ltd", partner_id=partner, currency_id=143)
    _make(lane, "account.tax", name="VAT", amount=19)
    _make(lane, "account.tax", name="VAT", amount=5, company_id=second)
    lane.use(_policies(company="Second Ltd", taxes={"by_rate": {"5": "VAT"}}))
    lane.arrive(customer(), product(), order(), line(tax_rate="5"))
    lane.deliver()
    assert lane.odoo_rows("SELECT company_id, amount_tax FROM sale_order") == [(second, Decimal("0.95"))]


def test_a_changed_note_reaches_a_confirmed_order_with_a_price_list(lane: OperationalEnd) -> None:
    lane.use(_whole(lane))
    lane.arrive(*_mixed_order())
    lane.deliver()
    lane.arrive(*_mixed_order(note="Ring twice"))
    lane.deliver()
    assert lane.odoo_rows("SELECT note, pricelist_id IS NOT NULL FROM sale_order") == [("<p>Ring twice</p>", True)]


def test_what_odoo_lacks_is_waited_for_and_what_the_policies_lack_is_a_dead_letter(lane: OperationalEnd) -> None:
    taxes = {"by_rate": {"19": "VAT 19"}, "missing": "dead"}
    lane.use(_policies(taxes=taxes, currencies={"GBP": "Pounds"}, units={"unit": "Crates"}))
    lane.arrive(customer(), product(), order(), line(tax_rate="19"))
    lane.deliver()
    assert lane.waits_for("product:shop:p1") == "odoo#uom.uom=Crates"
    lane.use(_policies(taxes=taxes, currencies={"GBP": "Pounds"}))
    _an_hour_passes(lane)
    assert lane.waits_for("sales_order:shop:o1") == "odoo#account.tax=VAT 19"
    _tax(lane, "VAT 19", 19)
    _an_hour_passes(lane)
    assert lane.waits_for("sales_order:shop:o1") == "odoo#product.pricelist=Pounds"
    _make(lane, "product.pricelist", name="Pounds", currency_id=143)
    lane.arrive(line(key="o1-2", line_number=2, tax_rate="7.50"))
    _an_hour_passes(lane)
    assert lane.status("sales_order:shop:o1") == "dead"
    assert lane.error("sales_order:shop:o1") == (
        "its line sales_order_line:shop:o1-2: the policies have no tax for its rate of 7.5 % (channels.shop.taxes.by_rate)"
    )
    assert lane.odoo_rows("SELECT 1 FROM sale_order") == []
    lane.use(_policies(taxes=taxes | {"missing": "none"}, currencies={"GBP": "Pounds"}))
    lane.deliver()  # by itself: the policies have the word now
    assert lane.odoo_rows(ORDER) == [("sale", Decimal(38), Decimal("3.61"))]
    lane.use(_policies(currencies={"EUR": "Euro"}))
    lane.arrive(order(key="o2", order_number="SO-2"), line(key="o2-1", order_key="o2"))
    lane.deliver()
    assert lane.error("sales_order:shop:o2") == "the policies have no price list for GBP (channels.shop.currencies)"


def _an_hour_passes(lane: OperationalEnd) -> None:
    lane.rows("UPDATE outbox SET updated_at = now() - interval '1 hour' WHERE status = 'parked' RETURNING 1")
    lane.use(lane.policies)
    lane.deliver()
    lane.deliver()


@pytest.mark.parametrize(("channel_has_it", "odoo_has_it"), [(True, False), (False, True), (True, True)])
def test_prices_with_tax_in_them_are_converted_where_odoos_are_not(
    lane: OperationalEnd, channel_has_it: bool, odoo_has_it: bool
) -> None:
    _tax(lane, "VAT 19", 19, included=odoo_has_it)
    lane.use(_policies(taxes={"by_rate": {"19": "VAT 19"}, "prices_include": channel_has_it}))
    price = "11.90" if channel_has_it else "10.00"
    lane.arrive(customer(), product(), order(amount_total="30", amount_tax="5.7"))
    lane.arrive(line(quantity="3", unit_price=price, tax_rate="19"))
    lane.deliver()
    assert lane.odoo_rows(ORDER) == [("sale", Decimal(30), Decimal("5.70"))]
    assert lane.rows(NOTES)[-1] == ("delivered", None)


def test_a_substitute_has_the_tax_and_price_of_what_it_replaces(lane: OperationalEnd) -> None:
    _tax(lane, "VAT 19", 19)
    lane.use(_policies(taxes={"by_rate": {"19": "VAT 19"}, "prices_include": True}))
    lane.arrive(customer(), product(), product(key="p2"), order(amount_total="30", amount_tax="5.7"))
    lane.arrive(line(quantity="3", unit_price="11.9", tax_rate="19"))
    lane.arrive(shipment(), shipment_line(quantity="3", product_sku="SKU-p2", substitutes_sku="SKU-p1"))
    lane.deliver()
    assert lane.status("shipment:wms:s1") == "delivered"
    assert lane.odoo_rows(ORDER) == [("sale", Decimal(30), Decimal("5.70"))]
    assert lane.odoo_rows("SELECT product_uom_qty, price_unit FROM sale_order_line ORDER BY id") == [
        (0, Decimal("10.00")),
        (3, Decimal("10.00")),
    ]


def test_a_currency_that_no_policy_maps_is_noted(lane: OperationalEnd) -> None:
    lane.arrive(customer(), product(), order(currency="EUR"), line())
    lane.deliver()
    assert lane.rows(NOTES)[-1] == ("delivered", "The order's currency is GBP in Odoo and EUR at the channel.")


def test_an_order_that_differs_is_held_until_a_person_confirms_it_or_the_channel_mends_it(lane: OperationalEnd) -> None:
    held = {"price_difference": {"amount": "0.5", "beyond": "hold"}}
    lane.use(_policies(**held))
    lane.arrive(customer(), product(), order(amount_total="20"), line())
    lane.arrive(order(key="o2", amount_total="18.6"), line(key="o2-1", order_key="o2"))
    lane.deliver()
    assert lane.status("sales_order:shop:o2") == "delivered"
    assert (
        lane.error("sales_order:shop:o1") == "The order's total without tax is 1.00 less in Odoo than at the channel."
    )
    assert lane.odoo_rows("SELECT name, state FROM sale_order ORDER BY 1") == [("SO-o1", "draft"), ("SO-o2", "sale")]
    with closing(OdooClient(lane.odoo_settings)) as person, closing(lane.dead_letters()) as letters:
        person.call("sale.order", "action_confirm", [[_id_of(lane, "SO-o1")]])
        letters.replay(Selection())
    lane.deliver()
    assert lane.status("sales_order:shop:o1") == "delivered"
    lane.arrive(order(key="o3", amount_total="25"), line(key="o3-1", order_key="o3"))
    lane.deliver()
    lane.arrive(order(key="o3", amount_total="19"))
    lane.deliver()
    assert lane.odoo_rows("SELECT state FROM sale_order WHERE name = 'SO-o3'") == [("sale",)]


def test_an_order_that_is_rejected_is_cancelled_in_odoo_and_reopened_when_it_is_mended(lane: OperationalEnd) -> None:
    _tax(lane, "VAT 20", 20)
    rejecting = {"taxes": {"by_rate": {"20": "VAT 20"}}, "tax_difference": {"beyond": "reject"}}
    lane.use(_policies(**rejecting))
    lane.arrive(customer(), product(), order(amount_total="19", amount_tax="3.7"), line(tax_rate="20"))
    lane.deliver()
    assert lane.error("sales_order:shop:o1") == "The order's tax is 0.10 more in Odoo than at the channel."
    assert lane.odoo_rows(ORDER)[0][0] == "cancel"
    with closing(lane.dead_letters()) as letters:
        letters.replay(Selection())
    lane.deliver()
    assert (lane.status("sales_order:shop:o1"), lane.odoo_rows(ORDER)[0][0]) == ("dead", "cancel")
    lane.arrive(order(amount_total="19", amount_tax="3.8"))
    lane.deliver()
    assert lane.odoo_rows(ORDER) == [("sale", Decimal(19), Decimal("3.80"))]


def test_what_odoo_does_not_let_be_changed_is_a_dead_letter_in_its_words(lane: OperationalEnd) -> None:
    lane.arrive(customer(), product(), order(), line(quantity="5"))
    lane.arrive(shipment(), shipment_line(quantity="4"))
    lane.deliver()
    lane.arrive(line(quantity="3"))
    lane.deliver()
    assert "cannot be decreased below the amount already delivered" in lane.error("sales_order_line:shop:o1-1")
    with closing(OdooClient(lane.odoo_settings)) as person:
        person.call("sale.order", "action_lock", [[_id_of(lane, "SO-o1")]])
    lane.arrive(line(quantity="6"))
    lane.deliver()
    assert "forbidden to modify the following fields in a locked order" in lane.error("sales_order_line:shop:o1-1")
    assert lane.odoo_rows(
        "SELECT product_uom_qty, locked FROM sale_order_line l JOIN sale_order o ON o.id = order_id"
    ) == [(5, True)]


def _id_of(lane: OperationalEnd, name: str) -> int:
    return int(lane.odoo_rows("SELECT id FROM sale_order WHERE name = %s", name)[0][0])
