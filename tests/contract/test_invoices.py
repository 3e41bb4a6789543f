"""Invoices, minimally."""

from __future__ import annotations

from tests.contract.sales import Sales


def _invoice(sales: Sales) -> int:
    odoo = sales.odoo
    customer = odoo.find("res.partner", ["name", "=", f"Customer {odoo.prefix}"])[0]["id"]
    line = {"name": "Work", "quantity": 3, "price_unit": 3.33, "discount": 10, "tax_ids": [[6, 0, []]]}
    values = {"move_type": "out_invoice", "partner_id": customer, "invoice_line_ids": [[0, 0, line]]}
    one: int = odoo.call("account.move", "create", values)
    return one


def test_a_draft_has_amounts_and_no_number(sales: Sales) -> None:
    found = sales.odoo.read("account.move", _invoice(sales), "state", "name", "amount_untaxed", "amount_total")
    assert (found["state"], found["amount_untaxed"], found["amount_total"]) == ("draft", 8.99, 8.99)
    assert found["name"] is False


def test_posting_numbers_and_books_it(sales: Sales) -> None:
    one = _invoice(sales)
    sales.odoo.call("account.move", "write", [one], {"invoice_date": "2025-03-04"})
    sales.odoo.call("account.move", "action_post", [one])
    found = sales.odoo.read("account.move", one, "state", "name", "payment_state", "amount_residual", "invoice_date")
    assert found["state"] == "posted"
    assert found["name"].startswith("INV/2025/")
    assert (found["payment_state"], found["amount_residual"], found["invoice_date"]) == ("not_paid", 8.99, "2025-03-04")
    booked = sales.odoo.find("account.move.line", ["move_id", "=", one], fields=("debit", "credit", "display_type"))
    assert sum(line["debit"] for line in booked) == sum(line["credit"] for line in booked) == 8.99
    assert {line["display_type"] for line in booked} == {"product", "payment_term"}


def test_posting_again_is_refused(sales: Sales) -> None:
    one = _invoice(sales)
    sales.odoo.call("account.move", "action_post", [one])
    fault = sales.odoo.fault_of("account.move", "action_post", [one])
    assert fault["name"] == "odoo.exceptions.UserError"
