"""Marketplaces' statements become posted entries against the clearing account, and what changes later becomes another entry."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from config.policies import Policies
from tests.fixtures.crashes import Point, crash_at_every_call
from tests.fixtures.delivery import NOON, OperationalEnd, deleted, upsert
from transforms.changes import Upsert

MONEY = {
    "settlement_journal": "MISC",
    "clearing_account": "101000",
    "fee_accounts": {"commission": "620000", "*": "600000"},
    "payout_account": "101403",
}
BY_ACCOUNT = """
SELECT a.code_store->>'1', sum(l.balance) FROM account_move_line l JOIN account_account a ON a.id = l.account_id
WHERE l.parent_state = 'posted' GROUP BY 1 HAVING sum(l.balance) <> 0 ORDER BY 1
"""
ENTRIES = """
SELECT m.ref, m.state, m.date::text, string_agg(l.name || ' ' || l.balance, ', ' ORDER BY l.id) FILTER (WHERE l.account_id <> 1)
FROM account_move m JOIN account_move_line l ON l.move_id = m.id GROUP BY m.id ORDER BY m.id
"""


def _policies(**money: Any) -> Policies:
    return Policies.model_validate({"channels": {"market": {"money": MONEY | money}}})


def settlement_line(number: int, kind: str, amount: str, **fields: Any) -> Upsert:
    key = fields.get("settlement_key", "S1")
    values = {"settlement_key": key, "line_number": number, "currency": "GBP", "posted_at": NOON}
    return upsert("settlement_line", "market", f"{key}-{number}", kind=kind, amount=amount, **values | fields)


def _statement(payout: str = "-62.50") -> list[Upsert]:
    return [
        settlement_line(1, "sale", "100.00", order_key="o1"),
        settlement_line(2, "fee", "-15.00", order_key="o1", fee_kind="commission"),
        settlement_line(3, "fee", "-2.50", fee_kind="storage"),
        settlement_line(4, "refund", "-20.00", order_key="o0"),
        settlement_line(5, "payout", payout, payout_reference="PO-7"),
    ]


@pytest.mark.parametrize("point", ["before", "after"])
def test_a_statement_is_one_posted_entry_whatever_call_dies_and_a_late_line_makes_another(
    lane: OperationalEnd, point: Point
) -> None:
    lane.use(_policies())
    lane.arrive(*_statement())
    assert crash_at_every_call(lane, point) >= 3
    assert set(lane.statuses().values()) == {"delivered"}
    first = ("S1 (cw market)", "posted", "2026-03-02", "Fees: commission 15.00, Fees: storage 2.50, Payout PO-7 62.50")
    assert lane.odoo_rows(ENTRIES) == [first]
    # Sales and refunds are on the clearing account by the customers' payments: 100 - 20 - 15 - 2.5 - 62.5 = 0.
    assert lane.odoo_rows(BY_ACCOUNT) == [
        ("101000", Decimal("-80.00")),
        ("101403", Decimal("62.50")),
        ("600000", Decimal("2.50")),
        ("620000", Decimal("15.00")),
    ]
    assert lane.rows("SELECT DISTINCT model FROM crosswalk WHERE entity = 'settlement_line'") == [("account.move",)]

    lane.arrive(settlement_line(6, "fee", "-1.00", fee_kind="commission", posted_at=NOON.replace(day=5)))
    crash_at_every_call(lane, point)
    late = ("S1 (cw market)", "posted", "2026-03-05", "Fees: commission 1.00")
    assert lane.odoo_rows(ENTRIES) == [first, late]
    words = "The statement's lines sum to -1.00 GBP, which stays on the clearing account."
    assert lane.rows(
        "SELECT DISTINCT error FROM deliveries WHERE record_id LIKE %s AND outcome = 'delivered'", "%S1-6"
    ) == [(words,)]


def test_a_line_that_changes_or_goes_is_set_off_by_an_entry_of_the_difference(lane: OperationalEnd) -> None:
    lane.use(_policies(settled_account="121000"))
    lane.arrive(*_statement(), settlement_line(1, "payout", "-9", settlement_key="S2"))
    lane.deliver()
    assert dict(lane.odoo_rows(BY_ACCOUNT)) == {
        "101000": Decimal("-9.00"),
        "101403": Decimal("71.50"),
        "121000": Decimal("-80.00"),
        "600000": Decimal("2.50"),
        "620000": Decimal("15.00"),
    }
    lane.arrive(settlement_line(2, "fee", "-14.00", fee_kind="commission"), settlement_line(5, "payout", "-63.50"))
    lane.arrive(deleted("settlement_line", "market", "S1-3"), deleted("settlement_line", "market", "S2-1"))
    lane.deliver()
    assert [row[3] for row in lane.odoo_rows(ENTRIES)][2:] == [
        "Fees: commission -1.00, Payout 63.50, Fees: storage -2.50, Payout PO-7 -62.50",
        "Payout -9.00",
    ]
    assert dict(lane.odoo_rows(BY_ACCOUNT)) == {
        "101000": Decimal("2.50"),
        "101403": Decimal("63.50"),
        "121000": Decimal("-80.00"),
        "620000": Decimal("14.00"),
    }
    assert set(lane.statuses().values()) == {"delivered"}
    lane.arrive(*_statement("-63.50")[:2])
    lane.deliver()
    assert not lane.deliver().worked


def test_a_statement_in_another_currency_is_booked_in_it_where_odoo_has_it_active(lane: OperationalEnd) -> None:
    lane.use(_policies())
    lane.arrive(settlement_line(1, "payout", "-7.25", currency="EUR"), settlement_line(2, "fee", "-1", currency="CHF"))
    lane.deliver()
    assert lane.waits_for("settlement_line:market:S1-1") == "odoo#res.currency=CHF"
    lane.arrive(deleted("settlement_line", "market", "S1-2"))
    lane.rows("UPDATE outbox SET updated_at = now() - interval '1 hour' RETURNING 1")
    lane.use(lane.policies)
    lane.deliver()
    lane.deliver()
    assert lane.odoo_rows(
        "SELECT l.amount_currency, k.name, l.parent_state FROM account_move_line l"
        " JOIN res_currency k ON k.id = l.currency_id ORDER BY 1"
    ) == [(Decimal("-7.25"), "EUR", "posted"), (Decimal("7.25"), "EUR", "posted")]


def test_what_no_policy_or_statement_names_is_only_recorded_until_the_policies_do(lane: OperationalEnd) -> None:
    lane.arrive(*_statement(), settlement_line(9, "fee", "-3", settlement_key=None))
    lane.deliver()
    assert set(lane.statuses().values()) == {"recorded"}
    lane.use(_policies())
    lane.deliver()
    assert [row[3] for row in lane.odoo_rows(ENTRIES)] == [
        "Fees: commission 15.00, Fees: storage 2.50, Payout PO-7 62.50"
    ]
    assert lane.status("settlement_line:market:None-9") == "recorded"


def test_what_odoo_lacks_is_waited_for_and_what_the_policies_lack_is_a_dead_letter(lane: OperationalEnd) -> None:
    lane.use(_policies(settlement_journal="MKT", reserve_account="141000"))
    lane.arrive(*_statement(), settlement_line(6, "reserve", "-5"))
    lane.deliver()
    assert {lane.waits_for(record) for record in lane.statuses()} == {"odoo#account.journal=MKT"}
    lane.use(_policies(reserve_account="141000"))
    lane.rows("UPDATE outbox SET updated_at = now() - interval '1 hour' RETURNING 1")
    lane.deliver()
    lane.deliver()
    assert {lane.waits_for(record) for record in lane.statuses()} == {"odoo#account.account=141000"}
    lane.use(_policies(fee_accounts={"storage": "600000"}))
    lane.arrive(settlement_line(7, "fee", "-5", fee_kind="storage"))
    lane.deliver()
    assert lane.error("settlement_line:market:S1-7") == (
        "the policies have no account for fees of the kind commission (fee_accounts)"
    )
    assert lane.odoo_rows("SELECT 1 FROM account_move") == []
