"""Journal entries that are made by load() and posted: what a marketplace's statement is booked as."""

from __future__ import annotations

from tests.contract.client import Odoo, Values

COLUMNS = (
    "id ref journal_id/.id date line_ids/id line_ids/account_id/.id line_ids/name line_ids/amount_currency"
    " line_ids/currency_id/.id"
)


def _rows(odoo: Odoo, key: str, *amounts: tuple[str, str, str]) -> list[list[str]]:
    """An entry of (account's code, label, amount) items."""
    [journal] = odoo.find("account.journal", ["code", "=", "MISC"], ["company_id", "in", [1, False]])
    currency = odoo.read("res.company", 1, "currency_id")["currency_id"][0]
    rows = []
    for number, (code, label, amount) in enumerate(amounts, 1):
        [account] = odoo.find("account.account", ["code", "=", code], ["company_ids", "in", [1, False]])
        head = [odoo.name(key), f"{key} {odoo.prefix}", str(journal["id"]), "2026-03-02"] if number == 1 else [""] * 4
        rows.append([*head, odoo.name(f"{key}_{number}"), str(account["id"]), label, amount, str(currency)])
    return rows


def _items(odoo: Odoo, *entries: int) -> list[Values]:
    fields = ("name", "debit", "credit", "balance", "amount_currency", "parent_state", "account_id")
    return odoo.find("account.move.line", ["move_id", "in", list(entries)], fields=fields)


FEES = (("620000", "Fees", "15"), ("101000", "Fees", "-15"))


def test_amounts_in_currency_are_debits_and_credits_and_a_draft_is_made_again_as_it_is(odoo: Odoo) -> None:
    payout = (("101403", "Payout", "55.5"), ("101000", "Payout", "-55.5"))
    [one, other] = odoo.loaded(
        "account.move", COLUMNS, *_rows(odoo, "a", *FEES, *payout), *_rows(odoo, "b", *payout), allowed_company_ids=[1]
    )
    items = _items(odoo, one)
    assert [(i["name"], i["debit"], i["credit"], i["balance"], i["amount_currency"]) for i in items] == [
        ("Fees", 15.0, 0.0, 15.0, 15.0),
        ("Fees", 0.0, 15.0, -15.0, -15.0),
        ("Payout", 55.5, 0.0, 55.5, 55.5),
        ("Payout", 0.0, 55.5, -55.5, -55.5),
    ]
    assert odoo.read("account.move", one, "amount_total", "amount_untaxed")["amount_total"] == 70.5
    again = (("620000", "Fees", "16"), ("101000", "Fees", "-16"), *payout)
    assert odoo.loaded("account.move", COLUMNS, *_rows(odoo, "a", *again)) == [one]
    assert [item["balance"] for item in _items(odoo, one)] == [16.0, -16.0, 55.5, -55.5]
    assert odoo.find("account.move", ["ref", "in", [f"b {odoo.prefix}"]], fields=("ref", "state")) == [
        {"id": other, "ref": f"b {odoo.prefix}", "state": "draft"}
    ]


def test_a_posted_entry_keeps_its_date_and_takes_no_items_not_even_the_same(odoo: Odoo) -> None:
    [one] = odoo.loaded("account.move", COLUMNS, *_rows(odoo, "a", *FEES))
    assert odoo.call("account.move", "action_post", [one]) is False
    found = odoo.read("account.move", one, "state", "name", "date")
    assert (found["state"], found["date"], found["name"].startswith("MISC/2026/")) == ("posted", "2026-03-02", True)
    assert {item["parent_state"] for item in _items(odoo, one)} == {"posted"}
    answer = odoo.load("account.move", COLUMNS, *_rows(odoo, "a", *FEES))
    words = "You cannot modify the following readonly fields on a posted move: date, line_ids"
    assert [message["message"] for message in answer["messages"]] == [words]
    assert "must be in draft" in odoo.fault_of("account.move", "action_post", [one])["arguments"][0]


def test_an_entry_that_does_not_balance_is_refused_with_all_of_its_load(odoo: Odoo) -> None:
    bad = (("620000", "Fees", "15"), ("101000", "Fees", "-14"))
    answer = odoo.load("account.move", COLUMNS, *_rows(odoo, "a", *FEES), *_rows(odoo, "b", *bad))
    assert answer["ids"] is False
    assert "is not balanced" in answer["messages"][0]["message"]
    assert odoo.find("account.move", ["ref", "=", f"a {odoo.prefix}"]) == []
