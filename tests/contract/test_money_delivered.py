"""Orders' money from the outbox to an Odoo: invoiced, paid, returned and paid back, by deliverers that die at every call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from config.policies import Policies
from tests.contract.client import Odoo
from tests.fixtures.crashes import crash_at_every_call
from tests.fixtures.delivery import (
    OdooEnd,
    customer,
    line,
    order,
    product,
    return_line,
    returned,
    shipment,
    shipment_line,
    upsert,
)

pytestmark = pytest.mark.parametrize(
    "logged_in", ["stand_in", pytest.param("real", marks=pytest.mark.odoo)], indirect=True
)


@dataclass(frozen=True, kw_only=True)
class Shop:
    """A channel of its own in one Odoo, whose orders are invoiced."""

    lane: OdooEnd
    odoo: Odoo
    currency: str

    def sells(self, key: str, *more: Any) -> None:
        """An order of three at 3.33 and freight for 5, 14.99 in all."""
        masters = (
            customer(name=f"Buyer {self.odoo.prefix}"),
            product(sku=f"{self.odoo.prefix}-p1", name="Mug"),
        )
        lines = (
            line(key=f"{key}-1", order_key=key, quantity="3", unit_price="3.33"),
            line(key=f"{key}-2", order_key=key, line_number=2, kind="freight", quantity="1", unit_price="5"),
        )
        self.lane.arrive(*masters, order(key=key, order_number=self.number(key), currency=self.currency), *lines, *more)

    def number(self, key: str) -> str:
        return f"{self.odoo.prefix}-{key}"

    def pays(self, key: str, amount: str, **fields: Any) -> Any:
        values = {"order_key": "o1", "amount": amount, "currency": self.currency, "method": "card"}
        return upsert("payment", "shop", key, **values | fields)

    def documents(self, key: str) -> list[tuple[Any, ...]]:
        """The order's invoices and credit notes: kind, state, total, what is open."""
        [found] = self.odoo.find("sale.order", ["name", "=", self.number(key)], fields=("invoice_ids",))
        fields = ("move_type", "state", "payment_state", "amount_total", "amount_residual")
        rows = self.odoo.find("account.move", ["id", "in", found["invoice_ids"]], fields=fields)
        return [tuple(row[name] for name in fields) for row in rows]

    def payments(self) -> list[tuple[Any, ...]]:
        fields = ("payment_type", "amount", "state", "is_reconciled")
        rows = self.odoo.find("account.payment", ["memo", "like", f"({self.odoo.prefix})"], fields=fields)
        return [tuple(row[name] for name in fields) for row in rows]


@pytest.fixture
def shop(odoo: Odoo, bridge: OdooEnd) -> Shop:
    """See Shop. Its deliverer writes under the test's own prefix."""
    money = {"invoicing": "on_order", "payment_methods": {"card": {"journal": "BNK1"}}}
    bridge.use(Policies.model_validate({"channels": {"shop": {"money": money}}}))
    [company] = odoo.find("res.company", ["id", "=", 1], fields=("currency_id",))
    return Shop(lane=bridge, odoo=odoo, currency=company["currency_id"][1])


@pytest.mark.timeout(600)
def test_an_order_is_invoiced_paid_credited_and_paid_back_once_by_deliverers_that_die_at_every_call(shop: Shop) -> None:
    money = shop.lane.policies
    shop.lane.use(Policies())
    shop.sells("o1")
    shop.lane.deliver()
    shop.lane.use(money)
    again = order(order_number=shop.number("o1"), currency=shop.currency, note="invoiced from now on")
    shop.lane.arrive(again, shop.pays("1", "10"), shop.pays("2", "7.01"))
    crash_at_every_call(shop.lane, "after")
    assert shop.documents("o1") == [("out_invoice", "posted", "paid", 14.99, 0)]
    assert shop.payments() == [("inbound", 10, "in_process", True), ("inbound", 7.01, "in_process", False)]
    back = returned(status="refunded", refund_amount="4.2"), return_line(quantity="1", refund_amount="4.2")
    shop.lane.arrive(*back, shop.pays("3", "-4.2"))
    crash_at_every_call(shop.lane, "after")
    assert shop.documents("o1") == [
        ("out_invoice", "posted", "paid", 14.99, 0),
        ("out_refund", "posted", "paid", 4.2, 0),
    ]
    assert shop.payments()[2] == ("outbound", 4.2, "in_process", True)
    assert shop.lane.rows("SELECT DISTINCT status FROM outbox WHERE entity IN ('invoicing', 'payment')") == [
        ("delivered",)
    ]
    shop.lane.arrive(order(order_number=shop.number("o1"), currency=shop.currency, status="cancelled"))
    shop.lane.deliver()
    assert [row[:2] + row[3:4] for row in shop.documents("o1")][2:] == [("out_refund", "posted", 10.79)]


def test_on_delivery_a_partly_shipped_order_is_invoiced_in_parts(shop: Shop) -> None:
    money = {"invoicing": "on_delivery", "invoice_date": "delivery"}
    shop.lane.use(Policies.model_validate({"channels": {"shop": {"money": money}}}))
    shop.sells("o2")
    sku, number = f"{shop.odoo.prefix}-p1", shop.number("o2")
    shop.lane.deliver()
    assert shop.documents("o2") == []
    for key, quantity in (("s1", "2"), ("s2", "1")):
        shop.lane.arrive(
            shipment(key, order_number=number),
            shipment_line(f"{key}-1", shipment_key=key, product_sku=sku, quantity=quantity),
        )
        shop.lane.deliver()
    assert [row[3] for row in shop.documents("o2")] == [11.66, 3.33]


def test_fifty_orders_are_invoiced_and_paid_in_a_few_calls(shop: Shop) -> None:
    for number in range(50):
        shop.sells(f"b{number}", shop.pays(f"b{number}", "14.99", order_key=f"b{number}"))
    client = shop.lane.deliverer._client
    made: dict[tuple[str, str], int] = {}
    call = client.call

    def counted(model: str, method: str, args: Any, **named: Any) -> Any:
        made[model, method] = made.get((model, method), 0) + 1
        return call(model, method, args, **named)

    client.call = counted  # type: ignore[method-assign]
    shop.lane.deliver()
    assert made["account.payment", "load"] == 1
    in_batches = [
        ("sale.advance.payment.inv", "create_invoices"),
        ("account.move", "action_post"),
        ("account.payment", "action_post"),
    ]
    assert all(made[call] <= 5 for call in in_batches), made
    assert {shop.documents(f"b{number}")[0][2] for number in range(0, 50, 7)} == {"paid"}


def test_a_refund_of_a_taxed_order_takes_back_its_tax_and_is_exact(shop: Shop) -> None:
    odoo = shop.odoo
    if not odoo.find("account.tax", ["name", "=", "15%"], ["type_tax_use", "=", "sale"]):
        odoo.call("account.tax", "create", {"name": "15%", "amount": 15})
    money = shop.lane.policies.channel("shop").money.model_dump()
    channel = {"money": money, "taxes": {"by_rate": {"15": "15%"}}}
    shop.lane.use(Policies.model_validate({"channels": {"shop": channel}}))
    taxed = line(key="o3-3", order_key="o3", line_number=3, quantity="1", unit_price="6.66", tax_rate="15")
    shop.sells("o3", taxed, returned(order_key="o3", status="refunded", refund_amount="7.77"))
    shop.lane.deliver()
    assert [row[3] for row in shop.documents("o3")] == [22.65, 7.77]
    [found] = odoo.find("sale.order", ["name", "=", shop.number("o3")], fields=("invoice_ids",))
    notes = (["id", "in", found["invoice_ids"]], ["move_type", "=", "out_refund"])
    assert odoo.find("account.move", *notes, fields=("amount_tax",))[0]["amount_tax"] == 0.34
