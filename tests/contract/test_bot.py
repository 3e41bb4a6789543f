"""A real Odoo's rights: the groups that the page for administrators names are enough for the bridge's user, and each is needed.

On a real Odoo only: the stand-in knows no rights. It makes a user `causeway_test_bot` there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from config.policies import Policies
from config.settings import Connection, DeliverySettings, OdooSettings, StateSettings
from loaders.odoo.access import denied
from loaders.odoo.client import OdooClient
from loaders.odoo.external_ids import look_up
from loaders.odoo.odoo_errors import OdooError
from tests.contract.client import Odoo
from tests.contract.sales import Sales
from tests.fixtures.delivery import (
    NOON,
    OdooEnd,
    address,
    customer,
    line,
    order,
    product,
    shipment,
    shipment_line,
    upsert,
)
from tests.fixtures.postgres import FreshDatabase

pytestmark = pytest.mark.odoo

LOGIN, PASSWORD = "causeway_test_bot", "a long and random one"
PAGE = Path(__file__).parents[2] / "docs/how-to/give-odoo-a-bot.md"
_ROW = re.compile(r"^\| `([a-z_]+\.group_[a-z_]+)` \|.*\| may not (\w+) `([a-z.]+)`", re.MULTILINE)
# Group, operation and model that it opens, as the page says.
GROUPS: list[tuple[str, str, str]] = _ROW.findall(PAGE.read_text())

Lends = Callable[[list[str]], OdooClient]


@pytest.fixture(params=["real"])
def logged_in(real: Odoo) -> Odoo:
    """Log in as an administrator, on the real one only."""
    return real


@pytest.fixture
def lend(odoo: Odoo) -> Iterator[Lends]:
    """The bot's client, with these groups and no others."""
    clients: list[OdooClient] = []

    def client(groups: list[str]) -> OdooClient:
        ids = [group_id(odoo, name) for name in ("base.group_user", *groups)]
        values = {"groups_id": [[6, 0, ids]], "email": f"{LOGIN}@example.com", "password": PASSWORD}
        known = odoo.call("res.users", "search", [["login", "=", LOGIN]])
        if known:
            odoo.call("res.users", "write", known, values)
        else:
            odoo.call("res.users", "create", {"name": "Causeway's test bot", "login": LOGIN, **values})
        clients.append(OdooClient(bot_settings(odoo)))
        return clients[-1]

    yield client
    for one in clients:
        one.close()


def group_id(odoo: Odoo, name: str) -> int:
    module, _, own = name.partition(".")
    return int(odoo.call("ir.model.data", "check_object_reference", module, own)[1])


def bot_settings(odoo: Odoo) -> OdooSettings:
    where = odoo.address
    return OdooSettings(
        url=where.url, database=where.database, user=LOGIN, password=SecretStr(PASSWORD), prefix=f"cwbot_{odoo.prefix}"
    )


@pytest.fixture
def end(odoo: Odoo, database: FreshDatabase, lend: Lends) -> Iterator[OdooEnd]:
    """The operational lane's end, delivering to the real Odoo as the bot with all the page's groups."""
    lend([group for group, _, _ in GROUPS]).close()
    state = StateSettings(connection=Connection(dsn=database.dsn), db_schema="causeway")
    delivery = DeliverySettings(retry_first_s=0.1, retry_longest_s=1, max_attempts=3)
    with closing(OdooEnd(state=state, odoo_settings=bot_settings(odoo), odoo_dsn="", delivery=delivery)) as end:
        yield end


def test_the_pages_groups_are_enough_from_the_order_to_the_delivery(end: OdooEnd, odoo: Odoo) -> None:
    number = f"BOT-{odoo.prefix}"
    end.arrive(
        customer(name=f"Acme {odoo.prefix}"),
        address(),
        product(sku=number),
        product(key="p2", sku=f"{number}-2"),
        order(order_number=number, delivery_address_key="a1"),
        line(quantity="5"),
        line(key="o1-2", line_number=2, product_key="p2", quantity="3"),
        order(key="o2", order_number=f"{number}-C"),
        line(key="o2-1", order_key="o2"),
        shipment(order_number=number),
        shipment_line(product_sku=number, quantity="2"),
    )
    end.deliver_all()
    end.arrive(
        shipment(key="s2", order_number=number, is_final=True),
        shipment_line(key="s2-1", shipment_key="s2", product_sku=number, quantity="2"),
        order(key="o2", order_number=f"{number}-C", status="cancelled"),
        product(key="p2", sku=f"{number}-2", active=False),
    )
    end.deliver_all()
    assert {record: end.error(record) for record, status in end.statuses().items() if status != "delivered"} == {}
    shipped, cancelled = odoo.find(
        "sale.order", ["name", "like", f"{number}%"], fields=("state", "create_uid", "picking_ids"), order="name"
    )
    assert (shipped["state"], cancelled["state"]) == ("sale", "cancel")
    assert shipped["create_uid"][1] == "Causeway's test bot"
    states = odoo.call("stock.picking", "read", shipped["picking_ids"], ["state"])
    assert [one["state"] for one in states] == ["done", "done"]


def test_the_pages_groups_are_enough_for_counts_returns_scrap_invoices_and_credit_notes(
    sales: Sales, lend: Lends
) -> None:
    order_id = sales.order("o", ("stored", "5", "7"), ("mug", "2", "4"))
    bot = lend([group for group, _, _ in GROUPS])
    of_order = {"active_model": "sale.order", "active_ids": [order_id]}
    [stored] = bot.search_read("product.product", [["default_code", "=", f"STO-{sales.odoo.prefix}"]], [])
    [picking] = bot.search_read("stock.picking", [["sale_id", "=", order_id]], ["location_id"])
    values = {"product_id": stored["id"], "location_id": picking["location_id"][0], "inventory_quantity": 9}
    count = bot.call("stock.quant", "create", [values], context={"inventory_mode": True})
    bot.call("stock.quant", "action_apply_inventory", [[count]])
    quiet = {"skip_backorder": True, "skip_sms": True}
    bot.call("stock.picking", "action_assign", [[picking["id"]]])
    assert bot.call("stock.picking", "button_validate", [[picking["id"]]], context=quiet) is True
    back = returned(bot, picking["id"])
    assert bot.call("stock.picking", "button_validate", [[back]], context=quiet) is True
    scrap = bot.call("stock.scrap", "create", [{"product_id": stored["id"], "scrap_qty": 1}])
    bot.call("stock.scrap", "action_validate", [[scrap]])
    wizard = bot.call("sale.advance.payment.inv", "create", [{"advance_payment_method": "delivered"}], context=of_order)
    bot.call("sale.advance.payment.inv", "create_invoices", [[wizard]], context=of_order)
    [invoice] = bot.search_read("account.move", [["line_ids.sale_line_ids.order_id", "=", order_id]], ["journal_id"])
    bot.write("account.move", [invoice["id"]], {"invoice_date": "2026-01-06"})
    bot.call("account.move", "action_post", [[invoice["id"]]])
    of_invoice = {"active_model": "account.move", "active_ids": [invoice["id"]]}
    reversal = {"journal_id": invoice["journal_id"][0], "date": "2026-01-08", "reason": "returned"}
    wizard = bot.call("account.move.reversal", "create", [reversal], context=of_invoice)
    bot.call("account.move.reversal", bot.dialect.refund, [[wizard]])
    notes = bot.read_by_id("account.move.reversal", [wizard], ["new_move_ids"])[wizard]["new_move_ids"]
    bot.call("account.move", "action_post", [notes])
    assert [note["state"] for note in bot.read_by_id("account.move", notes, ["state"]).values()] == ["posted"]


def test_the_pages_groups_are_enough_for_orders_that_are_invoiced_paid_and_paid_back(end: OdooEnd, odoo: Odoo) -> None:
    number, currency = f"BOT-{odoo.prefix}", odoo.read("res.company", 1, "currency_id")["currency_id"][1]
    money = {"invoicing": "on_order", "payment_methods": {"*": {"journal": "BNK1"}}}
    end.use(Policies.model_validate({"channels": {"shop": {"money": money}}}))
    end.arrive(customer(name=number), product(sku=number), order(order_number=number), line())
    end.arrive(
        *(
            upsert("payment", "shop", key, amount=amount, currency=currency)
            for key, amount in (("1", "19"), ("2", "-5"))
        )
    )
    back = {"return_number": number, "status": "refunded", "refund_amount": "5"}
    end.arrive(upsert("return", "shop", "r1", **back))
    end.deliver_all()
    assert {record: end.error(record) for record, status in end.statuses().items() if status != "delivered"} == {}
    [found] = odoo.find("sale.order", ["name", "=", number], fields=("invoice_ids",))
    fields = ("move_type", "amount_residual")
    rows = odoo.find("account.move", ["id", "in", found["invoice_ids"]], ["state", "=", "posted"], fields=fields)
    assert [tuple(row[name] for name in fields) for row in rows] == [("out_invoice", 0), ("out_refund", 0)]


def test_the_pages_groups_are_enough_for_taxes_teams_and_marketplaces_statements(end: OdooEnd, odoo: Odoo) -> None:
    number, currency = f"BOT-{odoo.prefix}", odoo.read("res.company", 1, "currency_id")["currency_id"][1]
    tax = odoo.call("account.tax", "create", {"name": number, "amount": 19.0, "price_include_override": "tax_included"})
    money = {
        "settlement_journal": "MISC",
        "clearing_account": "101000",
        "fee_accounts": {"*": "620000"},
        "payout_account": "101403",
    }
    terms = {"team": "Sales", "company": "My Company", "units": {"unit": "Units"}, "taxes": {"by_rate": {"19": number}}}
    end.use(Policies.model_validate({"channels": {"shop": {"money": money, **terms}}}))
    fee: dict[str, Any] = {
        "settlement_key": number,
        "line_number": 1,
        "kind": "fee",
        "currency": currency,
        "posted_at": NOON,
    }
    end.arrive(customer(name=number), product(sku=number), order(order_number=number), line(tax_rate="19"))
    end.arrive(upsert("settlement_line", "shop", "1", amount="-3", **fee))
    end.deliver_all()
    odoo.call("account.tax", "write", [tax], {"active": False})
    assert {record: end.error(record) for record, status in end.statuses().items() if status != "delivered"} == {}
    assert odoo.find("sale.order", ["name", "=", number], fields=("amount_tax",))[0]["amount_tax"] == 3.61
    [entry] = odoo.find("account.move", ["ref", "like", f"{number} ("], fields=("state",))
    assert entry["state"] == "posted"


def returned(bot: OdooClient, picking_id: int) -> int:
    """The transfer that takes back one of each move."""
    of_picking = {"active_model": "stock.picking", "active_id": picking_id}
    wizard = bot.call("stock.return.picking", "create", [{"picking_id": picking_id}], context=of_picking)
    lines = bot.read_by_id("stock.return.picking", [wizard], ["product_return_moves"])[wizard]["product_return_moves"]
    bot.write("stock.return.picking.line", lines, {"quantity": 1})
    return int(bot.call("stock.return.picking", "action_create_returns", [[wizard]])["res_id"])


def test_the_bot_finds_its_external_ids_though_it_may_not_read_them(odoo: Odoo, lend: Lends) -> None:
    bot = lend([group for group, _, _ in GROUPS])
    name = f"bot_{odoo.prefix}"
    answer = bot.call("res.partner", "load", [["id", "name", "active"], [[f"cwbot.{name}", "Gone", ""]]])
    with pytest.raises(OdooError) as caught:
        bot.search_read("ir.model.data", [["name", "=", name]], ["res_id"])
    assert "ir.model.data" in caught.value.objects["model"]
    assert look_up(bot, "cwbot", [name, "nothing"]) == {name: ("res.partner", answer["ids"][0])}


# What each group opens first, done without it.
PROBES: dict[str, Callable[[OdooClient], Any]] = {
    "sale.order": lambda bot: bot.call("sale.order", "create", [{"partner_id": 1}]),
    "stock.quant": lambda bot: bot.call("stock.quant", "create", [{}], context={"inventory_mode": True}),
    "account.payment": lambda bot: bot.call("account.payment", "create", [{}]),
    "res.partner": lambda bot: bot.call("res.partner", "create", [{"name": "Nobody"}]),
    "product.product": lambda bot: bot.call("product.product", "create", [{"name": "Nothing"}]),
}


@pytest.mark.parametrize(("group", "operation", "model"), GROUPS, ids=[group for group, _, _ in GROUPS])
def test_without_one_of_the_groups_the_refusal_names_model_and_right(
    lend: Lends, group: str, operation: str, model: str
) -> None:
    bot = lend([other for other, _, _ in GROUPS if other != group])
    with pytest.raises(OdooError) as caught:
        PROBES[model](bot)
    refused = denied(caught.value.message)
    assert refused is not None
    assert (refused.operation, refused.model) == (operation, model)
    assert refused.groups
    assert caught.value.objects == {"model": model, "operation": operation}
