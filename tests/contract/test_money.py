"""What the bridge relies on for orders' money: invoices of orders, payments, credit notes, and how they settle each other."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.client import Values
from tests.contract.sales import Sales

_STATE = ("state", "payment_state", "amount_total", "amount_residual")


def _wizard(sales: Sales, *orders: int, final: bool = False) -> int:
    values = {
        "advance_payment_method": "delivered",
        "consolidated_billing": False,
        "deduct_down_payments": final,
        "sale_order_ids": [[6, 0, list(orders)]],
    }
    made: int = sales.odoo.call("sale.advance.payment.inv", "create", values)
    return made


def _invoices(sales: Sales, *orders: int) -> list[int]:
    """Draft invoices of the orders, one each."""
    answer = sales.odoo.call("sale.advance.payment.inv", "create_invoices", [_wizard(sales, *orders)])
    assert answer["res_model"] == "account.move"
    return [max(sales.odoo.read("sale.order", order, "invoice_ids")["invoice_ids"]) for order in orders]


def _posted(sales: Sales, *orders: int) -> list[int]:
    invoices = _invoices(sales, *orders)
    sales.odoo.call("account.move", "write", invoices, {"invoice_date": "2026-03-02"})
    assert sales.odoo.call("account.move", "action_post", invoices) is False
    return invoices


def _paid(sales: Sales, key: str, invoice: int, amount: str, kind: str = "inbound") -> tuple[int, int]:
    """A payment under an external id, booked; its id and its receivable line's."""
    odoo = sales.odoo
    journal = odoo.find("account.journal", ["code", "=", "BNK1"])[0]["id"]
    about = odoo.read("account.move", invoice, "commercial_partner_id", "currency_id")
    partner, currency = about["commercial_partner_id"][0], about["currency_id"][0]
    [one] = odoo.loaded(
        "account.payment",
        "id payment_type partner_type partner_id/.id amount date journal_id/.id currency_id/.id memo",
        [
            odoo.name(key),
            kind,
            "customer",
            f"{partner}",
            amount,
            "2026-03-03",
            f"{journal}",
            f"{currency}",
            f"memo {key}",
        ],
    )
    assert odoo.read("account.payment", one, "state", "move_id") == {"id": one, "state": "draft", "move_id": False}
    odoo.call("account.payment", "action_post", [one])
    entry = odoo.read("account.payment", one, "move_id")["move_id"][0]
    owed = ["account_id.account_type", "=", "asset_receivable"]
    return one, odoo.find("account.move.line", ["move_id", "=", entry], owed)[0]["id"]


def _reversed(sales: Sales, *invoices: int) -> list[int]:
    """Draft credit notes, in the invoices' order."""
    odoo = sales.odoo
    journal = odoo.read("account.move", invoices[0], "journal_id")["journal_id"][0]
    values = {"move_ids": [[6, 0, list(invoices)]], "journal_id": journal, "date": "2026-03-05", "reason": "why"}
    wizard = odoo.call("account.move.reversal", "create", values)
    odoo.call("account.move.reversal", "refund_moves", [wizard])
    made = odoo.read("account.move.reversal", wizard, "new_move_ids")["new_move_ids"]
    of = {odoo.read("account.move", one, "reversed_entry_id")["reversed_entry_id"][0]: one for one in made}
    return [of[invoice] for invoice in invoices]


def _assign(sales: Sales, document: int, line: int) -> None:
    sales.odoo.call("account.move", "js_assign_outstanding_line", [document], line)


def _settled(sales: Sales, one: int) -> tuple[Any, ...]:
    found = sales.odoo.read("account.move", one, *_STATE)
    return tuple(found[name] for name in _STATE)


def _lines(sales: Sales, move: int) -> list[Values]:
    fields = ("quantity", "price_unit", "discount", "sale_line_ids", "product_id")
    domain = (["move_id", "=", move], ["display_type", "=", "product"])
    return sales.odoo.find("account.move.line", *domain, fields=fields)


def test_several_orders_get_a_draft_each_of_what_is_to_be_invoiced(sales: Sales) -> None:
    one, other = sales.order("a", ("mug", "3", "4.5"), ("freight", "1", "5")), sales.order("b", ("pot", "2", "20"))
    invoices = _invoices(sales, one, other)
    fields = ("state", "move_type", "ref", "invoice_origin", "amount_total", "invoice_date")
    found = [sales.odoo.read("account.move", invoice, *fields) for invoice in invoices]
    name = sales.odoo.read("sale.order", one, "name")["name"]
    assert found[0] == {"id": invoices[0], "state": "draft", "move_type": "out_invoice", "ref": "REF-a",
                        "invoice_origin": name, "amount_total": 18.5, "invoice_date": False}  # fmt: skip
    assert found[1]["amount_total"] == 40
    assert [line["qty_invoiced"] for line in sales.lines(one, "qty_invoiced")] == [3, 1]
    assert [line["untaxed_amount_invoiced"] for line in sales.lines(one, "untaxed_amount_invoiced")] == [0, 0]
    assert sales.state(one)["invoice_status"] == "invoiced"
    sales.odoo.call("account.move", "action_post", invoices)
    assert [line["untaxed_amount_invoiced"] for line in sales.lines(one, "untaxed_amount_invoiced")] == [13.5, 5]


def test_an_order_with_nothing_to_invoice_is_left_out_and_refused_when_alone(sales: Sales) -> None:
    done, open_ = sales.order("a", ("mug", "3", "4.5")), sales.order("b", ("pot", "2", "20"))
    first = _invoices(sales, done)
    fault = sales.odoo.fault_of("sale.advance.payment.inv", "create_invoices", [_wizard(sales, done)])
    assert fault["name"] == "odoo.exceptions.UserError"
    assert fault["message"].startswith("Cannot create an invoice. No items are available to invoice.")
    _invoices(sales, done, open_)
    assert sales.odoo.read("sale.order", done, "invoice_ids")["invoice_ids"] == first


def test_a_drafts_quantities_may_be_lowered_and_the_rest_invoiced_later(sales: Sales) -> None:
    order = sales.order("a", ("mug", "3", "4.5"), ("pot", "1", "20"))
    [draft] = _invoices(sales, order)
    mug, pot = [line["id"] for line in _lines(sales, draft)]
    sales.odoo.call("account.move", "write", [draft], {"invoice_line_ids": [[1, mug, {"quantity": 2}], [2, pot, 0]]})
    assert sales.odoo.read("account.move", draft, "amount_total")["amount_total"] == 9
    assert [
        (line["qty_invoiced"], line["qty_to_invoice"]) for line in sales.lines(order, "qty_invoiced", "qty_to_invoice")
    ] == [
        (2, 1),
        (0, 1),
    ]
    sales.odoo.call("account.move", "action_post", [draft])
    [later] = _invoices(sales, order)
    assert sales.odoo.read("account.move", later, "amount_total")["amount_total"] == 24.5


@pytest.mark.parametrize("override", ["tax_included", "tax_excluded"])
def test_an_invoice_has_the_taxes_of_its_order(sales: Sales, override: str) -> None:
    values = {"name": f"Tax {override} {sales.odoo.prefix}", "amount": 15, "price_include_override": override}
    tax = sales.odoo.call("account.tax", "create", {**values, "type_tax_use": "sale", "amount_type": "percent"})
    quotation = sales.quotation("a", ("mug", "3", "3.33"))
    [line] = sales.lines(quotation)
    sales.odoo.call("sale.order.line", "write", [line["id"]], {"tax_id": [[6, 0, [tax]]]})
    sales.odoo.call("sale.order", "action_confirm", [quotation])
    [invoice] = _posted(sales, quotation)
    found = sales.odoo.read("account.move", invoice, "amount_untaxed", "amount_tax", "amount_total")
    amounts = (8.69, 1.3, 9.99) if override == "tax_included" else (9.99, 1.5, 11.49)
    assert (found["amount_untaxed"], found["amount_tax"], found["amount_total"]) == amounts
    assert sales.state(quotation)["amount_total"] == found["amount_total"]


def test_lines_of_negative_quantity_reduce_a_final_invoice_and_alone_make_a_credit_note(sales: Sales) -> None:
    mixed = sales.order("a", ("mug", "3", "4.5"), ("freight", "-1", "5"))
    alone = sales.order("b", ("freight", "-2", "5"))
    [first] = _invoices(sales, mixed)
    assert sales.odoo.read("account.move", first, "amount_total")["amount_total"] == 13.5
    assert [line["qty_to_invoice"] for line in sales.lines(mixed, "qty_to_invoice")] == [0, -1]
    other = sales.order("c", ("mug", "3", "4.5"), ("freight", "-1", "5"))
    sales.odoo.call("sale.advance.payment.inv", "create_invoices", [_wizard(sales, other, alone, final=True)])
    made = [sales.odoo.read("sale.order", order, "invoice_ids")["invoice_ids"][0] for order in (other, alone)]
    fields = ("move_type", "amount_total", "reversed_entry_id")
    found = [sales.odoo.read("account.move", one, *fields) for one in made]
    assert [tuple(row[name] for name in fields) for row in found] == [
        ("out_invoice", 8.5, False),
        ("out_refund", 10, False),
    ]
    assert [line["quantity"] for line in _lines(sales, made[1])] == [2]
    assert [line["qty_invoiced"] for line in sales.lines(alone, "qty_invoiced")] == [-2]
    sales.odoo.call("account.move", "action_post", made)
    assert _settled(sales, made[1]) == ("posted", "not_paid", 10, 10)


def test_an_invoice_with_a_negative_total_is_not_posted(sales: Sales) -> None:
    [draft] = _invoices(sales, sales.order("a", ("mug", "1", "4.5"), ("freight", "1", "-5")))
    fault = sales.odoo.fault_of("account.move", "action_post", [draft])
    assert fault["message"].startswith("You cannot validate an invoice with a negative total amount.")


def test_a_payment_is_booked_once_and_settles_what_it_is_assigned_to(sales: Sales) -> None:
    [invoice] = _posted(sales, sales.order("a", ("mug", "4", "4.5")))
    payment, line = _paid(sales, "p1", invoice, "10.00")
    assert _settled(sales, invoice) == ("posted", "not_paid", 18, 18)
    sales.odoo.call("account.payment", "action_post", [payment])
    fields = ("state", "memo", "amount", "is_reconciled")
    found = sales.odoo.read("account.payment", payment, *fields, "name")
    assert tuple(found[name] for name in fields) == ("in_process", "memo p1", 10, False)
    assert found["name"].startswith("PBNK1/2026/")
    _assign(sales, invoice, line)
    assert _settled(sales, invoice) == ("posted", "partial", 18, 8)
    assert sales.odoo.read("account.payment", payment, "is_reconciled")["is_reconciled"] is True
    over, rest = _paid(sales, "p2", invoice, "10.00")
    _assign(sales, invoice, rest)
    assert _settled(sales, invoice) == ("posted", "paid", 18, 0)
    assert sales.odoo.read("account.move.line", rest, "amount_residual")["amount_residual"] == -2
    assert sales.odoo.read("account.payment", over, "is_reconciled")["is_reconciled"] is False


def test_what_was_paid_too_much_is_paid_back_against_the_payment(sales: Sales) -> None:
    [invoice] = _posted(sales, sales.order("a", ("mug", "2", "4.5")))
    payment, line = _paid(sales, "p1", invoice, "11.00")
    _assign(sales, invoice, line)
    back, out = _paid(sales, "p2", invoice, "2.00", "outbound")
    entry = sales.odoo.read("account.payment", payment, "move_id")["move_id"][0]
    _assign(sales, entry, out)
    for one in (payment, back):
        assert sales.odoo.read("account.payment", one, "is_reconciled")["is_reconciled"] is True


def test_a_credit_note_reverses_an_open_invoice_when_it_is_posted(sales: Sales) -> None:
    order = sales.order("a", ("mug", "3", "4.5"), ("freight", "1", "5"))
    [invoice] = _posted(sales, order)
    [note] = _reversed(sales, invoice)
    fields = ("state", "move_type", "ref", "amount_total", "invoice_date")
    found = sales.odoo.read("account.move", note, *fields)
    name = sales.odoo.read("account.move", invoice, "name")["name"]
    assert tuple(found[field] for field in fields) == (
        "draft",
        "out_refund",
        f"Reversal of: {name}, why",
        18.5,
        "2026-03-05",
    )
    assert [line["sale_line_ids"] for line in _lines(sales, note)] == [[line["id"]] for line in sales.lines(order)]
    assert [line["qty_to_invoice"] for line in sales.lines(order, "qty_to_invoice")] == [3, 1]
    sales.odoo.call("account.move", "action_post", [note])
    assert _settled(sales, note) == ("posted", "paid", 18.5, 0)
    assert _settled(sales, invoice) == ("posted", "reversed", 18.5, 0)
    assert sales.odoo.read("account.move", note, "name")["name"].startswith("RINV/2026/")


def test_a_credit_notes_lines_are_the_bridges_to_write_and_a_note_line_keeps_it_with_its_order(sales: Sales) -> None:
    order = sales.order("a", ("mug", "3", "4.5"), ("freight", "1", "5"))
    [invoice] = _posted(sales, order)
    [note] = _reversed(sales, invoice)
    sold = [line["id"] for line in sales.lines(order)]
    mug = _lines(sales, note)[0]["product_id"][0]
    rows = [
        {"display_type": "line_note", "name": "Return R-1", "sale_line_ids": [[6, 0, sold]]},
        {"product_id": mug, "name": "Mug", "quantity": 1, "price_unit": 4.5, "discount": 0, "tax_ids": [[6, 0, []]]},
        {"name": "Difference", "quantity": 1, "price_unit": -0.7, "tax_ids": [[6, 0, []]]},
    ]
    commands = [[2, line["id"], 0] for line in _lines(sales, note)] + [[0, 0, row] for row in rows]
    sales.odoo.call("account.move", "write", [note], {"invoice_line_ids": commands, "ref": "Return R-1"})
    assert sorted(sales.odoo.read("sale.order", order, "invoice_ids")["invoice_ids"]) == sorted([invoice, note])
    assert [line["qty_to_invoice"] for line in sales.lines(order, "qty_to_invoice")] == [0, 0]
    sales.odoo.call("account.move", "action_post", [note])
    assert _settled(sales, note) == ("posted", "paid", 3.8, 0)
    assert _settled(sales, invoice) == ("posted", "partial", 18.5, 14.7)


def test_the_credit_note_of_a_paid_invoice_stays_open_until_it_is_paid_out(sales: Sales) -> None:
    [invoice] = _posted(sales, sales.order("a", ("mug", "2", "4.5")))
    _, line = _paid(sales, "p1", invoice, "9.00")
    _assign(sales, invoice, line)
    [note] = _reversed(sales, invoice)
    sales.odoo.call("account.move", "action_post", [note])
    assert _settled(sales, note) == ("posted", "not_paid", 9, 9)
    _, out = _paid(sales, "p2", invoice, "9.00", "outbound")
    _assign(sales, note, out)
    assert _settled(sales, note) == ("posted", "paid", 9, 0)
    assert _settled(sales, invoice) == ("posted", "paid", 9, 0)


def test_a_cancelled_order_keeps_its_invoice_and_has_nothing_to_invoice(sales: Sales) -> None:
    order = sales.order("a", ("mug", "2", "4.5"))
    [invoice] = _posted(sales, order)
    sales.odoo.call("sale.order", "action_cancel", [order], context={"disable_cancel_warning": True})
    found = sales.odoo.read("sale.order", order, "state", "invoice_ids", "invoice_status")
    assert found == {"id": order, "state": "cancel", "invoice_ids": [invoice], "invoice_status": "no"}
    assert [line["qty_to_invoice"] for line in sales.lines(order, "qty_to_invoice")] == [0]
    [note] = _reversed(sales, invoice)
    sales.odoo.call("account.move", "action_post", [note])
    assert _settled(sales, invoice) == ("posted", "reversed", 9, 0)
