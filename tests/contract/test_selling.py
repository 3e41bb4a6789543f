"""From canonical records to Odoo's: orders under a channel's terms, and a marketplace's statement, with the deliverer dying on the way."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from config.policies import Policies
from tests.contract.client import Odoo
from tests.fixtures.crashes import crash_at_every_call
from tests.fixtures.delivery import NOON, OperationalEnd, customer, line, order, product, upsert


@pytest.fixture
def taxes(odoo: Odoo) -> Iterator[dict[str, str]]:
    """Names of Odoo's taxes by rate: 19 % in the price, 7 % on top. Archived afterwards."""
    made = {}
    for rate, override in (("19", "tax_included"), ("7", "tax_excluded")):
        values = {"name": f"{rate} {odoo.prefix}", "amount": float(rate), "price_include_override": override}
        made[rate] = (odoo.call("account.tax", "create", values), values["name"])
    yield {rate: str(name) for rate, (_, name) in made.items()}
    odoo.call("account.tax", "write", [one for one, _ in made.values()], {"active": False})


def _policies(**channel: Any) -> Policies:
    return Policies.model_validate({"channels": {"shop": channel}})


def _company_currency(odoo: Odoo) -> str:
    return str(odoo.read("res.company", 1, "currency_id")["currency_id"][1])


def test_an_order_has_its_channels_terms_once_whatever_call_dies(
    odoo: Odoo, bridge: OperationalEnd, taxes: dict[str, str]
) -> None:
    bridge.use(_policies(team="Sales", warehouse="WH", units={"dozen": "Units"}, taxes={"by_rate": taxes}))
    number, currency = f"T-{odoo.prefix}", _company_currency(odoo)
    bridge.arrive(
        customer(name=f"Terms {odoo.prefix}", vat="DE136695976", country_code="DE", is_company=True),
        product(sku=f"SKU-{odoo.prefix}", unit="dozen"),
        order(order_number=number, currency=currency, amount_total="27.41", amount_tax="5.22"),
        line(quantity="3", unit_price="10", discount_percent="10", tax_rate="19"),
        line(key="o1-2", line_number=2, kind="freight", quantity="1", unit_price="5", tax_rate="7"),
        line(key="o1-3", line_number=3, kind="gift_card", quantity="1", unit_price="-4.59"),
    )
    crash_at_every_call(bridge, "after")
    assert bridge.rows("SELECT record_id, waits_for, error FROM outbox WHERE status <> 'delivered'") == []
    fields = ("state", "amount_untaxed", "amount_tax", "team_id", "warehouse_id", "date_order")
    [found] = odoo.find("sale.order", ["name", "=", number], fields=fields)
    assert (found["state"], found["amount_untaxed"], found["amount_tax"]) == ("sale", 27.41, 5.48)
    assert (found["team_id"][1], found["date_order"]) == ("Sales", "2026-03-02 12:00:00")
    lines = odoo.find(
        "sale.order.line",
        ["order_id", "=", found["id"]],
        fields=("price_total", "is_delivery", "tax_id"),
        order="sequence",
    )
    assert [(one["price_total"], one["is_delivery"], len(one["tax_id"])) for one in lines] == [
        (32.13, False, 1),
        (5.35, True, 1),
        (-4.59, False, 0),
    ]
    words = "SELECT error FROM deliveries WHERE record_id = 'sales_order:shop:o1' ORDER BY delivery_id DESC LIMIT 1"
    assert bridge.rows(words) == [("The order's tax is 0.26 more in Odoo than at the channel.",)]


def test_a_statement_is_booked_once_and_its_changes_by_another_entry_whatever_call_dies(
    odoo: Odoo, bridge: OperationalEnd
) -> None:
    money = {
        "settlement_journal": "MISC",
        "clearing_account": "101000",
        "fee_accounts": {"*": "620000"},
        "payout_account": "101403",
    }
    bridge.use(_policies(money=money))
    key, common = f"S-{odoo.prefix}", {"currency": _company_currency(odoo), "posted_at": NOON}
    common["settlement_key"] = key
    bridge.arrive(
        upsert("settlement_line", "shop", "1", line_number=1, kind="sale", amount="100", **common),
        upsert(
            "settlement_line", "shop", "2", line_number=2, kind="fee", amount="-15.5", fee_kind="commission", **common
        ),
        upsert("settlement_line", "shop", "3", line_number=3, kind="payout", amount="-84.5", **common),
    )
    crash_at_every_call(bridge, "after")
    bridge.arrive(
        upsert("settlement_line", "shop", "2", line_number=2, kind="fee", amount="-14", fee_kind="commission", **common)
    )
    crash_at_every_call(bridge, "before")
    assert set(bridge.statuses().values()) == {"delivered"}
    entries = odoo.find(
        "account.move", ["ref", "=", f"{key} ({odoo.prefix} shop)"], fields=("state", "date", "amount_total")
    )
    assert [(one["state"], one["date"], one["amount_total"]) for one in entries] == [
        ("posted", "2026-03-02", 100.0),
        ("posted", "2026-03-02", 1.5),
    ]
    items = odoo.find(
        "account.move.line", ["move_id", "in", [one["id"] for one in entries]], fields=("account_id", "balance")
    )
    balances: dict[str, float] = {}
    for item in items:
        code = item["account_id"][1].split()[0]
        balances[code] = balances.get(code, 0.0) + item["balance"]
    assert balances == {"620000": 14.0, "101403": 84.5, "101000": -98.5}
