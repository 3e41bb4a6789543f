"""Fields of the stand-in Odoo: values on their way into columns and out of them."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest

from sandbox.odoo.orm.fields import Field, declared_fields, parse_datetime

FIELDS = declared_fields()


def field(model: str, name: str) -> Field:
    return FIELDS[model][name]


@pytest.mark.parametrize(
    ("value", "stored"),
    [("0.125", "0.13"), ("1.005", "1.01"), (-1.005, "-1.01"), (2.345, "2.35"), ("1", "1.00"), (False, "0.00")],
)
def test_prices_are_rounded_half_away_from_zero(value: object, stored: str) -> None:
    assert field("sale.order.line", "price_unit").to_column(value) == stored


def test_a_factor_keeps_all_its_places() -> None:
    assert field("uom.uom", "factor").to_column("0.08333333333333333") == "0.08333333333333333"


def test_a_number_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="could not convert string to float"):
        field("sale.order.line", "price_unit").to_column("four")


def test_translated_text_is_kept_by_language() -> None:
    assert field("product.template", "name").to_column("Tee »x«") == '{"en_US": "Tee \\u00bbx\\u00ab"}'


def test_costs_are_kept_by_company() -> None:
    assert field("product.product", "standard_price").to_column("2.5") == '{"1": 2.5}'


@pytest.mark.parametrize("value", [False, None])
def test_nothing_is_null(value: object) -> None:
    assert field("res.partner", "name").to_column(value) is None
    assert field("sale.order", "partner_id").to_column(value) is None
    assert field("sale.order", "date_order").to_column(value) is None


def test_a_selection_knows_its_values() -> None:
    assert field("res.partner", "type").to_column("delivery") == "delivery"
    with pytest.raises(ValueError, match=r"Wrong value for res.partner.type: 'elsewhere'"):
        field("res.partner", "type").to_column("elsewhere")


def test_values_are_read_in_odoo_s_shapes() -> None:
    assert field("sale.order", "amount_total").from_column(Decimal("1.50")) == 1.5
    assert field("sale.order", "amount_total").from_column(None) == 0.0
    assert field("sale.order", "name").from_column(None) is False
    moment = dt.datetime(2026, 1, 2, 3, 4, 5, 678)  # noqa: DTZ001 - Odoo's columns have no zone
    assert field("sale.order", "date_order").from_column(moment) == "2026-01-02 03:04:05"


@pytest.mark.parametrize("text", ["2024-03-06T10:00:00", "2024-03-06 10:00:00.5", "yesterday"])
def test_only_odoo_s_spelling_of_a_datetime_is_read(text: str) -> None:
    with pytest.raises(ValueError, match=r"time data|unconverted data"):
        parse_datetime(text)


def test_a_bare_date_is_midnight() -> None:
    assert parse_datetime("2024-03-06").isoformat() == "2024-03-06T00:00:00"


def test_every_relation_leads_to_a_declared_model() -> None:
    relations = [one for fields in FIELDS.values() for one in fields.values() if one.comodel]
    assert relations
    assert {one.comodel for one in relations} <= set(FIELDS)
    assert all(one.inverse in FIELDS[one.comodel] for one in relations if one.kind == "one2many")
