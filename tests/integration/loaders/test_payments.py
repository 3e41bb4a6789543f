"""Payments are booked once each, in the journal of their method, and set off against what they are for."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Literal

import pytest

from config.errors import ErrorKind
from config.policies import Policies
from loaders.odoo.odoo_errors import OdooError
from tests.fixtures.crashes import crash_at_every_call
from tests.fixtures.delivery import OperationalEnd, customer, line, order, product, returned, upsert
from transforms.changes import AnyChange

METHODS = {"card": {"journal": "BNK1"}, "cash": {"journal": "CSH1"}, "voucher": {"journal": "BNK1", "booked": False}}


def money(invoicing: str = "on_order", methods: Mapping[str, Any] | None = None) -> Policies:
    policy = {"invoicing": invoicing, "payment_methods": {**METHODS, **(methods or {})}}
    return Policies.model_validate({"channels": {"shop": {"money": policy}}})


def payment(key: str = "1", amount: str = "19", **fields: Any) -> AnyChange:
    return upsert("payment", "shop", key, amount=amount, **{"method": "card"} | fields)


def an_order(lane: OperationalEnd, *changes: AnyChange, **fields: Any) -> None:
    """Two at 9.50."""
    lane.arrive(customer(), product(), order(**fields), line(), *changes)


def payments(lane: OperationalEnd) -> list[tuple[Any, ...]]:
    return lane.odoo_rows(
        "SELECT j.code, p.payment_type, p.amount, p.state, p.memo FROM account_payment p"
        " JOIN account_journal j ON j.id = p.journal_id ORDER BY p.id"
    )


def settled(lane: OperationalEnd) -> list[tuple[Any, ...]]:
    """What each invoice and credit note is, and what is open of it."""
    rows = lane.odoo_rows(
        "SELECT move_type, payment_state, amount_residual FROM account_move WHERE move_type LIKE 'out%' AND state = 'posted'"
        " ORDER BY id"
    )
    return [(kind, state, residual.quantize(Decimal("0.01"))) for kind, state, residual in rows]


def left_over(lane: OperationalEnd) -> Decimal:
    """What is open on the customers' account, of whatever."""
    [(total,)] = lane.odoo_rows(
        "SELECT coalesce(sum(amount_residual), 0) FROM account_move_line l JOIN account_account a ON a.id = l.account_id"
        " WHERE a.account_type = 'asset_receivable' AND l.parent_state = 'posted'"
    )
    return Decimal(total)


def test_a_captured_payment_settles_its_invoice_in_the_journal_of_its_method(lane: OperationalEnd) -> None:
    lane.use(money())
    an_order(lane, payment(reference="psp_1", captured_at="2026-03-05T10:00:00Z"))
    lane.deliver()
    assert payments(lane) == [("BNK1", "inbound", 19, "in_process", "payment:shop:1 (cw)")]
    assert lane.odoo_rows("SELECT date::text, payment_reference FROM account_payment") == [("2026-03-05", "psp_1")]
    assert settled(lane) == [("out_invoice", "paid", 0)]
    [(odoo_id,)] = lane.odoo_rows("SELECT id FROM account_payment")
    assert lane.rows("SELECT model, odoo_id FROM crosswalk WHERE entity = 'payment'") == [("account.payment", odoo_id)]
    shown = "SELECT expected ->> 'memo' FROM deliveries WHERE record_id = 'payment:shop:1'"
    assert lane.rows(shown) == lane.odoo_rows("SELECT memo FROM account_payment")
    written = lane.odoo_rows("SELECT write_date FROM account_payment")
    lane.arrive(payment(reference="psp_1, again"))
    lane.deliver()
    assert lane.odoo_rows("SELECT write_date FROM account_payment") == written


def test_what_no_policy_books_is_kept_and_drives_nothing(lane: OperationalEnd) -> None:
    lane.use(money())
    an_order(lane, payment(method="voucher"), payment("2", method="barter"), payment("3", status="authorized"))
    lane.deliver()
    assert payments(lane) == []
    assert [lane.status(f"payment:shop:{key}") for key in "123"] == ["recorded", "recorded", "delivered"]


def test_any_other_method_goes_where_the_star_says(lane: OperationalEnd) -> None:
    lane.use(money(methods={"*": {"journal": "CSH1"}}))
    an_order(lane, payment(method="barter"), payment("2", method=None, amount="1"))
    lane.deliver()
    assert [(journal, amount) for journal, _, amount, _, _ in payments(lane)] == [("CSH1", 19), ("CSH1", 1)]


def test_partial_payments_and_what_is_paid_too_much(lane: OperationalEnd) -> None:
    lane.use(money())
    an_order(lane, payment(amount="10"))
    lane.deliver()
    assert settled(lane) == [("out_invoice", "partial", 9)]
    lane.arrive(payment("2", amount="12.34", method="cash"))
    lane.deliver()
    assert settled(lane) == [("out_invoice", "paid", 0)]
    assert left_over(lane) == Decimal("-3.34")


def test_a_payment_waits_for_its_order_and_then_for_its_invoice(lane: OperationalEnd) -> None:
    lane.use(money("on_delivery"))
    lane.arrive(payment())
    lane.deliver()
    assert lane.waits_for("payment:shop:1") == "sales_order:shop:o1#driven"
    an_order(lane)
    lane.deliver()
    assert lane.waits_for("payment:shop:1") == "sales_order:shop:o1#billed"
    assert payments(lane) == []
    lane.use(money("on_order"))
    lane.arrive(order(note="invoiced on order now"))
    lane.deliver()
    assert settled(lane) == [("out_invoice", "paid", 0)]


def test_payments_stay_behind_the_orders_that_are_on_their_way(lane: OperationalEnd) -> None:
    lane.odoo_settings = lane.odoo_settings.model_copy(update={"batch_records": 1})
    lane.use(money())
    for key in ("o1", "o2", "o3"):
        lane.arrive(customer(), product(), order(key=key), line(key=f"{key}-1", order_key=key))
        lane.arrive(payment(key, order_key=key))
    lane.deliver()
    assert settled(lane) == [("out_invoice", "paid", 0)] * 3
    assert lane.rows("SELECT record_id FROM deliveries WHERE outcome = 'parked'") == []


def test_one_payment_settles_the_invoices_of_several_deliveries(lane: OperationalEnd) -> None:
    lane.use(money())
    an_order(lane, payment(amount="24"))
    lane.deliver()
    assert left_over(lane) == -5
    lane.arrive(line(key="o1-2", line_number=2, quantity="1", unit_price="7"))
    lane.deliver()
    assert settled(lane) == [("out_invoice", "paid", 0), ("out_invoice", "partial", 2)]
    assert len(payments(lane)) == 1


def test_where_people_invoice_a_payment_settles_their_invoice(lane: OperationalEnd) -> None:
    lane.use(money("never"))
    an_order(lane, payment())
    lane.deliver()
    assert lane.waits_for("payment:shop:1") == "odoo#account.move=SO-o1"
    rpc = lane.deliverer._client
    orders = [row[0] for row in lane.odoo_rows("SELECT id FROM sale_order")]
    values = {"consolidated_billing": False, "deduct_down_payments": False, "sale_order_ids": [[6, 0, orders]]}
    rpc.call(
        "sale.advance.payment.inv", "create_invoices", [[rpc.call("sale.advance.payment.inv", "create", [values])]]
    )
    rpc.call("account.move", "action_post", [[row[0] for row in lane.odoo_rows("SELECT id FROM account_move")]])
    lane.arrive(payment(reference="look again"))
    lane.deliver()
    assert settled(lane) == [("out_invoice", "paid", 0)]
    lane.arrive(payment(status="refunded"))
    lane.deliver()
    assert lane.waits_for("payment:shop:1") == "odoo#account.move=SO-o1"
    assert len(payments(lane)) == 1


def test_a_journal_that_is_not_there_is_waited_for(lane: OperationalEnd) -> None:
    lane.use(money(methods={"card": {"journal": "BNK9"}}))
    an_order(lane, payment())
    lane.deliver()
    assert lane.status("payment:shop:1") == "parked"
    assert lane.waits_for("payment:shop:1") == "odoo#account.journal=BNK9"
    assert settled(lane) == [("out_invoice", "not_paid", 19)]


def test_a_payment_that_is_refunded_is_credited_and_paid_out(lane: OperationalEnd) -> None:
    lane.use(money())
    an_order(lane, payment())
    lane.deliver()
    lane.arrive(payment(status="refunded"))
    lane.deliver()
    assert [(kind, amount, memo) for _, kind, amount, _, memo in payments(lane)] == [
        ("inbound", 19, "payment:shop:1 (cw)"),
        ("outbound", 19, "payment:shop:1 refund (cw)"),
    ]
    assert settled(lane) == [("out_invoice", "paid", 0), ("out_refund", "paid", 0)]
    assert left_over(lane) == 0
    lane.arrive(payment(status="refunded", reference="again"))
    lane.deliver()
    assert len(payments(lane)) == 2


def test_a_refund_told_as_a_return_and_as_a_payment_is_credited_once(lane: OperationalEnd) -> None:
    lane.use(money())
    an_order(lane, payment())
    lane.deliver()
    lane.arrive(returned(status="refunded", refund_amount="9.5"), payment("2", amount="-9.5"))
    lane.deliver()
    assert settled(lane) == [("out_invoice", "paid", 0), ("out_refund", "paid", 0)]
    assert [(kind, amount) for _, kind, amount, _, _ in payments(lane)] == [
        ("inbound", 19),
        ("outbound", Decimal("9.5")),
    ]
    assert left_over(lane) == 0


def test_what_was_paid_twice_goes_back_without_a_credit_note(lane: OperationalEnd) -> None:
    lane.use(money())
    an_order(lane, payment(), payment("2"))
    lane.deliver()
    assert left_over(lane) == -19
    lane.arrive(payment("2", status="refunded"))
    lane.deliver()
    assert settled(lane) == [("out_invoice", "paid", 0)]
    assert left_over(lane) == 0
    assert lane.status("payment:shop:2") == "delivered"


def test_a_cancelled_order_that_was_never_invoiced_books_nothing_of_a_refunded_payment(lane: OperationalEnd) -> None:
    lane.use(money())
    an_order(lane, payment(status="refunded"), status="cancelled")
    lane.deliver()
    assert payments(lane) == []
    assert lane.status("payment:shop:1") == "delivered"


def test_a_payment_that_fails_after_it_was_booked_is_for_people(lane: OperationalEnd) -> None:
    lane.use(money())
    an_order(lane, payment(), payment("2", status="failed"))
    lane.deliver()
    lane.arrive(payment(status="failed"))
    lane.deliver()
    assert lane.status("payment:shop:2") == "delivered"
    assert (
        lane.error("payment:shop:1")
        == "The channel says that the payment failed, but it is booked in Odoo; cancel it there."
    )


def test_a_currency_that_odoo_does_not_have_is_waited_for(lane: OperationalEnd) -> None:
    lane.use(money())
    an_order(lane, payment(currency="XAF"))
    lane.deliver()
    assert lane.waits_for("payment:shop:1") == "odoo#res.currency=XAF"


def test_what_odoo_refuses_to_book_is_a_dead_letter_in_its_words(
    lane: OperationalEnd, monkeypatch: pytest.MonkeyPatch
) -> None:
    lane.use(money())
    an_order(lane, payment(), payment("2"))
    client, words = (
        lane.deliverer._client,
        "You cannot add entries prior to and inclusive of: Hard Lock Date (03/31/2026).",
    )
    call = client.call

    def locked(model: str, method: str, args: Any, **named: Any) -> Any:
        if (model, method) == ("account.payment", "action_post"):
            raise OdooError(ErrorKind.REFUSED, words)
        return call(model, method, args, **named)

    monkeypatch.setattr(client, "call", locked)
    lane.deliver()
    assert {lane.error(f"payment:shop:{key}") for key in "12"} == {words}
    assert settled(lane) == [("out_invoice", "not_paid", 19)]
    monkeypatch.undo()
    lane.arrive(payment(reference="unlocked"))
    lane.deliver()
    assert settled(lane) == [("out_invoice", "paid", 0)]
    assert len(payments(lane)) == 2


@pytest.mark.parametrize("point", ["before", "after"])
def test_deliverers_that_die_at_any_call_book_nothing_twice(
    lane: OperationalEnd, point: Literal["before", "after"]
) -> None:
    lane.use(money())
    an_order(lane, payment(), payment("2", amount="4"))
    crash_at_every_call(lane, point)
    lane.arrive(payment(status="refunded"), payment("2", amount="4", status="refunded"))
    crash_at_every_call(lane, point)
    assert [(kind, amount) for _, kind, amount, _, _ in payments(lane)] == [
        ("inbound", 19),
        ("inbound", 4),
        ("outbound", 19),
        ("outbound", 4),
    ]
    assert settled(lane) == [("out_invoice", "paid", 0), ("out_refund", "paid", 0)]
    assert left_over(lane) == 0
    assert set(lane.statuses().values()) == {"delivered"}
