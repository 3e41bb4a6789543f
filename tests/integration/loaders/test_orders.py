"""Orders go to Odoo whole: partners, products, header, lines, state."""

from __future__ import annotations

from decimal import Decimal

from tests.fixtures.delivery import (
    OperationalEnd,
    address,
    customer,
    deleted,
    line,
    order,
    product,
)


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
