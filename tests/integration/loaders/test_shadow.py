"""Shadow mode: everything but the writing, and going live without making anything a second time."""

from __future__ import annotations

from contextlib import closing
from typing import Any

from config.policies import Domain, DomainPolicy, Mode, Ownership, Policies
from loaders.delivering.delivery import Deliverer
from loaders.odoo.client import OdooClient
from loaders.shadow import ShadowReport, adopt
from tests.fixtures.delivery import (
    OperationalEnd,
    address,
    customer,
    deleted,
    line,
    order,
    product,
    shipment,
    shipment_line,
)

EVERYTHING = tuple(Domain)


def _shadowing(lane: OperationalEnd, *domains: Domain, owners: dict[str, Ownership] | None = None) -> Deliverer:
    modes = {domain: DomainPolicy(mode=Mode.SHADOW) for domain in domains}
    return Deliverer(
        lane.state, lane.odoo_settings, lane.delivery, policies=Policies(domains=modes, owners=owners or {})
    )


def _compare(lane: OperationalEnd, *domains: Domain, owners: dict[str, Ownership] | None = None) -> dict[str, Any]:
    with closing(_shadowing(lane, *domains, owners=owners)) as deliverer:
        assert deliverer.run_once().error is None
    with ShadowReport(lane.state) as report:
        return {one["record_id"]: one for one in report.comparisons()}


def _client(lane: OperationalEnd) -> OdooClient:
    return OdooClient(lane.odoo_settings)


def _legacy(lane: OperationalEnd) -> dict[str, int]:
    """What the legacy bridge has left in Odoo: a customer, a product, a confirmed order over two."""
    with closing(_client(lane)) as client:
        ids: dict[str, int] = {}
        ids["customer"] = client.call("res.partner", "create", [{"name": "Acme", "vat": "DE123", "is_company": True}])
        goods = {"name": "Bolt", "default_code": "SKU-p1", "type": "consu", "is_storable": True, "list_price": 9}
        ids["product"] = client.call("product.product", "create", [goods])
        lines = [
            [0, 0, {"product_id": ids["product"], "product_uom_qty": 2, "price_unit": 9.5, "tax_id": [[6, 0, []]]}]
        ]
        values = {"name": "SO-o1", "partner_id": ids["customer"], "order_line": lines}
        ids["order"] = client.call("sale.order", "create", [values])
        client.call("sale.order", "action_confirm", [[ids["order"]]])
    return ids


def _count(lane: OperationalEnd, table: str) -> int:
    return int(lane.odoo_rows(f"SELECT count(*) FROM {table}")[0][0])


def test_nothing_is_written_and_each_record_gets_its_verdict(lane: OperationalEnd) -> None:
    ids = _legacy(lane)
    before = {table: _count(lane, table) for table in ("res_partner", "product_product", "sale_order", "stock_picking")}
    lane.arrive(customer(vat="DE123", city="Bonn"), product(list_price="10"), product(key="p2"))
    lane.arrive(order(amount_total="19"), line(), order(key="o2"), line(key="o2-1", order_key="o2"))
    lane.arrive(shipment(), shipment_line())
    found = _compare(lane, *EVERYTHING)
    assert {table: _count(lane, table) for table in before} == before
    assert set(lane.statuses().values()) == {"shadowed"}
    assert {record: one["verdict"] for record, one in found.items()} == {
        "customer:shop:c1": "differs",
        "product:shop:p1": "differs",
        "product:shop:p2": "missing",
        "sales_order:shop:o1": "same",
        "sales_order:shop:o2": "missing",
        "sales_order_line:shop:o1-1": "not_compared",
        "sales_order_line:shop:o2-1": "not_compared",
        "shipment:wms:s1": "differs",
        "shipment_line:wms:s1-1": "differs",
    }
    bought = found["customer:shop:c1"]
    assert (bought["odoo_id"], bought["matched_by"], bought["differences"]) == (
        ids["customer"],
        "vat",
        {"city": ["Bonn", None]},
    )
    assert found["product:shop:p1"]["differences"] == {"list_price": ["10", "9.0"]}
    assert found["shipment:wms:s1"]["differences"] == {"quantity of SKU-p1": ["2", "0.0"]}


def test_an_order_that_odoo_has_otherwise_says_in_what(lane: OperationalEnd) -> None:
    _legacy(lane)
    lane.arrive(product(), order(status="cancelled", amount_total="28.5"), line(quantity="3"))
    found = _compare(lane, *EVERYTHING)["sales_order:shop:o1"]
    assert found["differences"] == {
        "state": ["cancel", "sale"],
        "amount_untaxed": ["28.5", "19.0"],
        "quantity of SKU-p1": ["3", "2.0"],
    }


def test_a_field_that_another_system_owns_is_not_compared(lane: OperationalEnd) -> None:
    _legacy(lane)
    lane.arrive(product(list_price="10"))
    owners = {"product": Ownership(fields={"list_price": "odoo"})}
    assert _compare(lane, *EVERYTHING, owners=owners)["product:shop:p1"]["verdict"] == "same"


def test_several_that_could_be_it_are_not_guessed_at(lane: OperationalEnd) -> None:
    with closing(_client(lane)) as client:
        for name in ("Acme", "Acme Ltd"):
            client.call("res.partner", "create", [{"name": name, "email": "a@acme.example"}])
    lane.arrive(customer(email="a@acme.example"), address())
    found = _compare(lane, Domain.CUSTOMERS)
    assert (found["customer:shop:c1"]["verdict"], found["customer:shop:a1"]["verdict"]) == ("ambiguous", "missing")


def test_a_changed_record_is_compared_again(lane: OperationalEnd) -> None:
    _legacy(lane)
    lane.arrive(product(list_price="10"))
    assert _compare(lane, *EVERYTHING)["product:shop:p1"]["verdict"] == "differs"
    lane.arrive(product(list_price="9"))
    assert _compare(lane, *EVERYTHING)["product:shop:p1"]["verdict"] == "same"
    lane.arrive(deleted("product", "shop", "p1"))
    assert _compare(lane, *EVERYTHING)["product:shop:p1"]["differences"] == {"active": [None, "true"]}


def test_going_live_makes_nothing_that_odoo_has_already(lane: OperationalEnd) -> None:
    ids = _legacy(lane)
    lane.arrive(customer(vat="DE123", city="Bonn"), product(list_price="10"), product(key="p2"))
    _compare(lane, *EVERYTHING)
    with closing(lane.new_deliverer()) as live:
        live.run_once()
        assert lane.statuses() == {
            "customer:shop:c1": "dead",
            "product:shop:p1": "dead",
            "product:shop:p2": "delivered",
        }
        assert lane.error("customer:shop:c1").startswith(
            f"Odoo has it already, as res.partner {ids['customer']} (by vat)"
        )
        with ShadowReport(lane.state) as report, closing(_client(lane)) as client:
            assert adopt(report.connection, client, "customer") == 1
            assert adopt(report.connection, client, "product") == 1
            assert adopt(report.connection, client, "product") == 0
        live.run_once()
    assert set(lane.statuses().values()) == {"delivered"}
    assert lane.odoo_rows("SELECT city FROM res_partner WHERE vat = 'DE123'") == [("Bonn",)]
    assert lane.odoo_rows("SELECT count(*) FROM product_product WHERE default_code = 'SKU-p1'") == [(1,)]
    assert lane.rows("SELECT odoo_id FROM crosswalk WHERE canonical_id = 'customer:shop:c1'") == [(ids["customer"],)]


def test_a_shadowed_order_that_odoo_lacks_is_made_when_it_goes_live(lane: OperationalEnd) -> None:
    lane.arrive(customer(), product(), order(), line())
    _compare(lane, Domain.ORDERS)
    assert lane.status("sales_order:shop:o1") == "shadowed"
    with closing(lane.new_deliverer()) as live:
        live.run_once()
    assert set(lane.statuses().values()) == {"delivered"}
    assert lane.odoo_rows("SELECT name, state FROM sale_order") == [("SO-o1", "sale")]


def test_an_order_that_was_begun_elsewhere_stays_as_odoo_has_it(lane: OperationalEnd) -> None:
    _legacy(lane)
    lane.arrive(
        product(key="p9"), customer(key="c9"), order(customer_key="c9", amount_total="19"), line(product_key="p9")
    )
    _compare(lane, Domain.ORDERS)
    with closing(lane.new_deliverer()) as live:
        live.run_once()
    assert (lane.status("sales_order:shop:o1"), lane.status("sales_order_line:shop:o1-1")) == ("dead", "parked")
    assert lane.odoo_rows(
        "SELECT sale_order.name, count(*) FROM sale_order JOIN sale_order_line l ON l.order_id = sale_order.id GROUP BY 1"
    ) == [("SO-o1", 1)]
