"""Orders are invoiced and credited as their channel's policy says, once each, to the cent."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Literal

import pytest

from config.policies import Policies
from tests.fixtures.crashes import crash_at_every_call
from tests.fixtures.delivery import (
    OperationalEnd,
    customer,
    line,
    order,
    product,
    return_line,
    returned,
    shipment,
    shipment_line,
)
from transforms.changes import AnyChange

MASTERS = (customer(), product(), product(key="p2"))
INVOICING = "invoicing:shop:o1"


def money(**policy: Any) -> Policies:
    return Policies.model_validate({"channels": {"shop": {"money": {"invoicing": "on_order", **policy}}}})


def an_order(lane: OperationalEnd, **fields: Any) -> None:
    """Five of one thing and three of another, 5 x 9.50 + 3 x 4.00 = 59.50."""
    lane.arrive(
        *MASTERS,
        order(**fields),
        line(quantity="5"),
        line(key="o1-2", line_number=2, product_key="p2", quantity="3", unit_price="4"),
    )


def refunded(key: str = "r1", amount: str = "9.5", **fields: Any) -> AnyChange:
    return returned(key, status="refunded", reason="damaged", refund_amount=amount, **fields)


def comes_back(key: str = "r1-1", **fields: Any) -> AnyChange:
    return return_line(key, **{"quantity": "1", "refund_amount": "9.5"} | fields)


def documents(lane: OperationalEnd) -> list[tuple[Any, ...]]:
    return lane.odoo_rows(
        "SELECT move_type, state, amount_total FROM account_move WHERE move_type LIKE 'out%' ORDER BY id"
    )


def invoice(total: str, state: str = "posted") -> tuple[Any, ...]:
    return ("out_invoice", state, Decimal(total))


def credit(total: str) -> tuple[Any, ...]:
    return ("out_refund", "posted", Decimal(total))


def shown(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return [(kind, state, total.quantize(Decimal("0.01"))) for kind, state, total in rows]


def test_without_a_policy_nothing_is_invoiced(lane: OperationalEnd) -> None:
    an_order(lane)
    lane.deliver()
    assert documents(lane) == []
    assert lane.status(INVOICING) is None


def test_an_order_is_invoiced_when_it_is_confirmed_under_its_own_date(lane: OperationalEnd) -> None:
    lane.use(money())
    an_order(lane)
    lane.deliver()
    assert shown(documents(lane)) == [invoice("59.50")]
    [(dated, origin)] = lane.odoo_rows("SELECT invoice_date::text, invoice_origin FROM account_move")
    assert (dated, origin) == ("2026-03-02", "SO-o1")
    assert lane.status(INVOICING) == "delivered"
    before = lane.odoo_rows("SELECT max(write_date) FROM account_move")
    lane.arrive(order(note="please ring"))
    lane.deliver()
    assert lane.odoo_rows("SELECT max(write_date) FROM account_move") == before


def test_a_line_that_comes_later_is_invoiced_on_its_own(lane: OperationalEnd) -> None:
    lane.use(money())
    an_order(lane)
    lane.deliver()
    lane.arrive(line(key="o1-3", line_number=3, quantity="1", unit_price="7"))
    lane.deliver()
    assert shown(documents(lane)) == [invoice("59.50"), invoice("7.00")]


def test_on_delivery_what_has_left_is_invoiced_and_the_rest_when_it_leaves(lane: OperationalEnd) -> None:
    lane.use(money(invoicing="on_delivery", invoice_date="delivery"))
    an_order(lane)
    lane.arrive(line(key="o1-3", line_number=3, kind="freight", quantity="1", unit_price="5"))
    lane.deliver()
    assert documents(lane) == []
    lane.arrive(shipment(shipped_at="2026-03-04T09:00:00Z"), shipment_line(quantity="2"))
    lane.deliver()
    assert shown(documents(lane)) == [invoice("24.00")]
    assert lane.odoo_rows("SELECT invoice_date::text FROM account_move") == [("2026-03-04",)]
    lane.arrive(
        shipment(key="s2", is_final=True),
        shipment_line(key="s2-1", shipment_key="s2", quantity="3"),
        shipment_line(key="s2-2", shipment_key="s2", order_line_number=2, product_sku="SKU-p2", quantity="3"),
    )
    lane.deliver()
    assert shown(documents(lane)) == [invoice("24.00"), invoice("40.50")]


def test_a_journal_that_is_not_there_is_waited_for(lane: OperationalEnd) -> None:
    lane.use(money(sales_journal="SHOP"))
    an_order(lane)
    lane.deliver()
    assert lane.status(INVOICING) == "parked"
    assert lane.waits_for(INVOICING) == "odoo#account.journal=SHOP"
    lane.use(money(sales_journal="INV"))
    lane.arrive(order(note="again"))
    lane.deliver()
    assert shown(documents(lane)) == [invoice("59.50")]


def test_what_odoo_refuses_to_post_is_a_dead_letter_in_its_words(lane: OperationalEnd) -> None:
    lane.use(money())
    lane.arrive(*MASTERS, order(), line(kind="discount", quantity="1", unit_price="-5"))
    lane.arrive(customer(key="c2", name="Fine"), order(key="o2", customer_key="c2"), line(key="o2-1", order_key="o2"))
    lane.deliver()
    assert lane.status(INVOICING) == "dead"
    assert lane.error(INVOICING).startswith("You cannot validate an invoice with a negative total amount.")
    assert lane.status("invoicing:shop:o2") == "delivered"


def test_an_order_of_negative_quantities_is_a_credit_note_and_a_mixed_one_a_smaller_invoice(
    lane: OperationalEnd,
) -> None:
    lane.use(money())
    lane.arrive(*MASTERS, order(), line(quantity="-2"), order(key="o2"), line(key="o2-1", order_key="o2", quantity="5"))
    lane.arrive(line(key="o2-2", order_key="o2", line_number=2, product_key="p2", quantity="-1", unit_price="4"))
    lane.deliver()
    assert sorted(shown(documents(lane))) == [invoice("43.50"), credit("19.00")]
    lane.arrive(order(note="again"), order(key="o2", note="again"))
    lane.deliver()
    assert len(documents(lane)) == 2


def test_goods_that_are_back_of_a_product_invoiced_by_delivery_are_credited_when_they_are_refunded(
    lane: OperationalEnd,
) -> None:
    lane.use(money(invoicing="on_delivery"))
    lane.arrive(*MASTERS)
    lane.deliver()
    lane.odoo_rows("UPDATE product_template SET invoice_policy = 'delivery' RETURNING id")
    an_order(lane)
    lane.arrive(shipment(), shipment_line(quantity="5"))
    lane.deliver()
    assert shown(documents(lane)) == [invoice("47.50")]
    lane.arrive(returned(), comes_back(quantity="2", refund_amount="19"))
    lane.deliver()
    assert lane.odoo_rows("SELECT invoice_status, qty_to_invoice::int FROM sale_order_line ORDER BY id LIMIT 1") == [
        ("to invoice", -2)
    ]
    assert shown(documents(lane)) == [invoice("47.50")]
    lane.arrive(refunded(amount="15"))
    lane.deliver()
    assert shown(documents(lane)) == [invoice("47.50"), credit("15.00")]
    assert lane.odoo_rows("SELECT qty_to_invoice::int FROM sale_order_line ORDER BY id LIMIT 1") == [(0,)]


def test_a_credit_note_that_people_have_made_counts_and_nothing_is_invoiced_again(lane: OperationalEnd) -> None:
    lane.use(money())
    an_order(lane)
    lane.deliver()
    [(made, journal)] = lane.odoo_rows("SELECT id, journal_id FROM account_move")
    rpc = lane.deliverer._client
    values = {"move_ids": [[6, 0, [made]]], "journal_id": journal, "date": "2026-03-03", "reason": "goodwill"}
    wizard = rpc.call("account.move.reversal", "create", [values])
    rpc.call("account.move.reversal", "refund_moves", [[wizard]])
    rpc.call("account.move", "action_post", [[row[0] for row in lane.odoo_rows("SELECT max(id) FROM account_move")]])
    assert lane.odoo_rows("SELECT invoice_status FROM sale_order") == [("to invoice",)]
    lane.arrive(refunded(), comes_back(), line(key="o1-3", line_number=3, quantity="1", unit_price="7"))
    lane.deliver()
    assert shown(documents(lane)) == [invoice("59.50"), credit("59.50"), invoice("7.00")]


def test_a_draft_that_is_there_already_is_posted(lane: OperationalEnd) -> None:
    an_order(lane)
    lane.deliver()
    rpc = lane.deliverer._client
    [(order_id,)] = lane.odoo_rows("SELECT id FROM sale_order")
    values = {"consolidated_billing": False, "deduct_down_payments": False, "sale_order_ids": [[6, 0, [order_id]]]}
    wizard = rpc.call("sale.advance.payment.inv", "create", [values])
    rpc.call("sale.advance.payment.inv", "create_invoices", [[wizard]])
    lane.use(money())
    lane.arrive(order(note="now invoiced"), line(key="o1-3", line_number=3, quantity="1", unit_price="7"))
    lane.deliver()
    assert shown(documents(lane)) == [invoice("59.50"), invoice("7.00")]


def test_a_return_that_was_refunded_is_credited_with_what_came_back(lane: OperationalEnd) -> None:
    lane.use(money())
    an_order(lane)
    lane.deliver()
    lane.arrive(returned(), comes_back())
    lane.deliver()
    assert shown(documents(lane)) == [invoice("59.50")]
    lane.arrive(refunded())
    lane.deliver()
    assert shown(documents(lane)) == [invoice("59.50"), credit("9.50")]
    note = "SELECT l.quantity::int, l.price_unit FROM account_move_line l JOIN account_move m ON m.id = l.move_id"
    assert lane.odoo_rows(f"{note} WHERE m.move_type = 'out_refund' AND l.display_type = 'product'") == [
        (1, Decimal("9.50"))
    ]
    assert lane.odoo_rows("SELECT ref FROM account_move WHERE move_type = 'out_refund'") == [("RMA-r1 (cw)",)]
    assert lane.odoo_rows(
        "SELECT payment_state, amount_residual::int FROM account_move WHERE move_type = 'out_invoice'"
    ) == [("partial", 50)]
    assert lane.odoo_rows("SELECT invoice_status FROM sale_order") == [("invoiced",)]


@pytest.mark.parametrize("amount", ["8.37", "9.51", "59.49"])
def test_a_refund_that_is_no_multiple_of_a_line_is_credited_to_the_cent(lane: OperationalEnd, amount: str) -> None:
    lane.use(money())
    an_order(lane)
    lane.arrive(refunded(amount=amount), comes_back(refund_amount=amount))
    lane.deliver()
    assert shown(documents(lane)) == [invoice("59.50"), credit(amount)]


def test_a_refund_of_the_whole_credits_the_whole_and_is_not_invoiced_again(lane: OperationalEnd) -> None:
    lane.use(money())
    an_order(lane)
    lane.arrive(refunded(amount="59.5"))
    lane.deliver()
    lane.arrive(order(note="again"))
    lane.deliver()
    assert shown(documents(lane)) == [invoice("59.50"), credit("59.50")]
    assert lane.odoo_rows("SELECT payment_state FROM account_move WHERE move_type = 'out_invoice'") == [("reversed",)]


def test_each_return_has_its_credit_note_and_none_two(lane: OperationalEnd) -> None:
    lane.use(money())
    an_order(lane)
    lane.arrive(refunded(), comes_back())
    lane.deliver()
    lane.arrive(refunded("r2", amount="3"), comes_back("r2-1", return_key="r2", order_line_key="o1-2"))
    lane.deliver()
    lane.arrive(order(note="again"))
    lane.deliver()
    assert shown(documents(lane)) == [invoice("59.50"), credit("9.50"), credit("3.00")]
    refs = lane.odoo_rows("SELECT ref FROM account_move WHERE move_type = 'out_refund' ORDER BY id")
    assert refs == [("RMA-r1 (cw)",), ("RMA-r2 (cw)",)]


def test_an_order_that_is_cancelled_after_it_was_invoiced_is_credited(lane: OperationalEnd) -> None:
    lane.use(money())
    an_order(lane)
    lane.deliver()
    lane.arrive(order(status="cancelled"))
    lane.deliver()
    assert shown(documents(lane)) == [invoice("59.50"), credit("59.50")]


def test_a_cancelled_order_keeps_to_pay_what_was_delivered(lane: OperationalEnd) -> None:
    lane.use(money())
    an_order(lane)
    lane.arrive(shipment(), shipment_line(quantity="2"))
    lane.deliver()
    lane.arrive(order(status="cancelled"))
    lane.deliver()
    assert shown(documents(lane)) == [invoice("59.50"), credit("40.50")]


def test_a_quantity_that_is_lowered_after_invoicing_is_credited(lane: OperationalEnd) -> None:
    lane.use(money())
    an_order(lane)
    lane.deliver()
    lane.arrive(line(quantity="3"))
    lane.deliver()
    assert shown(documents(lane)) == [invoice("59.50"), credit("19.00")]
    assert lane.odoo_rows("SELECT invoice_status FROM sale_order") == [("invoiced",)]


@pytest.mark.parametrize("point", ["before", "after"])
def test_deliverers_that_die_at_any_call_make_no_second_document(
    lane: OperationalEnd, point: Literal["before", "after"]
) -> None:
    lane.use(money())
    an_order(lane)
    lane.arrive(refunded(amount="8.37"), comes_back())
    crash_at_every_call(lane, point)
    assert shown(documents(lane)) == [invoice("59.50"), credit("8.37")]
    lane.arrive(order(status="cancelled"))
    crash_at_every_call(lane, point)
    assert shown(documents(lane)) == [invoice("59.50"), credit("8.37"), credit("51.13")]
    assert set(lane.statuses().values()) <= {"delivered", "parked"}
