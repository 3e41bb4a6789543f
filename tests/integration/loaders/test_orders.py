"""Orders go to Odoo whole: partners, products, header, lines, state."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.fixtures.delivery import (
    OperationalEnd,
    address,
    customer,
    deleted,
    line,
    order,
    product,
)
from transforms.changes import Upsert


def test_an_order_is_delivered_and_confirmed_with_the_channels_figures(lane: OperationalEnd) -> None:
    lane.arrive(
        customer(),
        address(country_code="GB", street="1 High St"),
        product(),
        order(delivery_address_key="a1", client_reference="PO 7"),
        line(quantity="3", unit_price="9.5", discount_percent="10"),
        line(key="o1-2", line_number=2, kind="freight", quantity="1", unit_price="4.99"),
    )
    lane.deliver()
    assert set(lane.statuses().values()) == {"delivered"}
    rows = lane.odoo_rows(
        "SELECT o.name, o.state, o.amount_untaxed, o.amount_tax, o.client_order_ref, o.date_order::text, s.street, s.type"
        " FROM sale_order o JOIN res_partner s ON s.id = o.partner_shipping_id"
    )
    amount = Decimal("30.64")
    assert rows == [("SO-o1", "sale", amount, 0, "PO 7", "2026-03-02 12:00:00", "1 High St", "delivery")]


def loads_of(lane: OperationalEnd) -> list[tuple[str, int]]:
    """Deliver, and return the models that rows were loaded of, with how many."""
    seen: list[tuple[str, int]] = []
    call = lane.deliverer._client.call

    def watched(model: str, method: str, args: Any, **named: Any) -> Any:
        if method == "load" and model.startswith("sale."):
            seen.append((model, len(args[1])))
        return call(model, method, args, **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lane.deliverer._client, "call", watched)
        lane.deliver()
    return seen


def some_lines(order_key: str = "o1", **of_the_second: Any) -> list[Upsert]:
    second: dict[str, Any] = {"key": f"{order_key}-2", "line_number": 2, "product_key": "p2"} | of_the_second
    return [line(key=f"{order_key}-1", order_key=order_key), line(order_key=order_key, **second)]


def test_new_orders_are_loaded_with_their_lines_and_changed_ones_by_what_has_changed(lane: OperationalEnd) -> None:
    draft = {"status": "draft"}
    lane.arrive(customer(), product(), product(key="p2"), order(**draft), *some_lines())
    lane.arrive(order(key="o2", **draft), *some_lines("o2"), order(key="o3", **draft))
    assert loads_of(lane) == [("sale.order", 4), ("sale.order", 1)]
    assert set(lane.statuses().values()) == {"delivered"}
    in_odoo = (
        "SELECT o.name, d.name, l.product_uom_qty::int FROM sale_order_line l JOIN sale_order o ON o.id = l.order_id"
        " JOIN ir_model_data d ON d.model = 'sale.order.line' AND d.res_id = l.id ORDER BY 1, l.sequence"
    )
    before = lane.odoo_rows(in_odoo)
    assert [(name, quantity) for name, _, quantity in before] == [("SO-o1", 2)] * 2 + [("SO-o2", 2)] * 2
    bound = lane.rows("SELECT external_id FROM crosswalk WHERE model = 'sale.order.line' ORDER BY 1")
    assert sorted(f"cw.{name}" for _, name, _ in before) == [name for (name,) in bound]
    lane.arrive(*some_lines(quantity="5"), line(key="o1-3", line_number=3))
    assert loads_of(lane) == [("sale.order.line", 2)]
    assert [quantity for *_, quantity in lane.odoo_rows(in_odoo)] == [2, 5, 2, 2, 2]
    lane.arrive(*some_lines(quantity="5"), *some_lines("o2"))
    assert loads_of(lane) == []


def test_lines_that_share_a_number_follow_their_order(lane: OperationalEnd) -> None:
    lane.arrive(customer(), product(), product(key="p2"), order(), *some_lines(line_number=1))
    assert loads_of(lane)[:2] == [("sale.order", 1), ("sale.order.line", 2)]
    assert set(lane.statuses().values()) == {"delivered"}


def test_the_line_that_odoo_refuses_is_the_dead_one_and_not_its_order(lane: OperationalEnd) -> None:
    lane.arrive(customer(), product(), product(key="p2"))
    lane.deliver()
    lane.odoo_rows("DELETE FROM ir_model_data WHERE model = 'product.product' AND name LIKE '%p2' RETURNING id")
    lane.arrive(order(), *some_lines(), order(key="o2"), *some_lines("o2", product_key="p1"))
    lane.deliver()
    assert lane.status("sales_order_line:shop:o1-2") == "dead"
    assert lane.status("sales_order_line:shop:o1-1") == "delivered"
    assert lane.waits_for("sales_order:shop:o1") == "sales_order_line:shop:o1-2"
    assert lane.odoo_rows("SELECT name, state FROM sale_order ORDER BY 1") == [("SO-o1", "draft"), ("SO-o2", "sale")]


def test_what_is_unchanged_is_not_sent_again(lane: OperationalEnd) -> None:
    lane.arrive(customer(), product(), order(), line())
    lane.deliver()
    before = lane.odoo_rows("SELECT max(write_date) FROM res_partner")
    lane.arrive(customer(), product(), order(), line())
    assert not lane.deliver().worked
    assert lane.odoo_rows("SELECT max(write_date) FROM res_partner") == before


def test_a_cancelled_order_that_was_never_delivered_goes_to_odoo_cancelled(lane: OperationalEnd) -> None:
    lane.arrive(customer(), product(), order(status="cancelled"), line())
    lane.deliver()
    assert lane.odoo_rows(
        "SELECT o.state, count(l.id) FROM sale_order o JOIN sale_order_line l ON l.order_id = o.id GROUP BY 1"
    ) == [("cancel", 1)]


def test_a_deleted_order_is_cancelled(lane: OperationalEnd) -> None:
    lane.arrive(customer(), product(), order(), line())
    lane.deliver()
    lane.arrive(deleted("sales_order_line", "shop", "o1-1"), deleted("sales_order", "shop", "o1"))
    lane.deliver()
    assert lane.odoo_rows("SELECT state FROM sale_order") == [("cancel",)]
    assert lane.status("sales_order:shop:o1") == "delivered"


def test_of_a_long_backlog_the_oldest_orders_are_finished_first(lane: OperationalEnd) -> None:
    few = lane.odoo_settings.model_copy(update={"batch_records": 2})
    deliverer = type(lane.deliverer)(lane.state, few, lane.delivery)
    lane.arrive(customer(), product())
    for number in range(10):
        lane.arrive(order(key=f"o{number}"), line(key=f"o{number}-1", order_key=f"o{number}"))
    seen: list[tuple[int, int]] = []
    call = deliverer._client.call

    def watched(model: str, method: str, *arguments: object, **named: object) -> object:
        if method == "action_confirm":
            seen.extend(lane.odoo_rows("SELECT count(*), count(*) FILTER (WHERE state = 'sale') FROM sale_order"))
        return call(model, method, *arguments, **named)  # type: ignore[arg-type]

    deliverer._client.call = watched  # type: ignore[method-assign]
    report = deliverer.run_once()
    deliverer.close()
    assert report.error is None
    assert set(lane.statuses().values()) == {"delivered"}
    assert seen[0] == (4, 0)
    assert seen[-1] == (10, 8)
    assert lane.rows("SELECT 1 FROM deliveries WHERE outcome = 'parked'") == []
