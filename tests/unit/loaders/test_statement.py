"""What a marketplace's statement is in the books."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from config.policies import MoneyPolicy
from loaders.money.statement import Posting, statement

MONEY = {"settlement_journal": "MKT", "clearing_account": "1", "payout_account": "2"}


def _line(kind: str, amount: str, **fields: Any) -> dict[str, Any]:
    return {"kind": kind, "amount": amount, "currency": "GBP"} | fields


def test_a_held_reserve_and_a_released_one_are_set_off_on_its_account() -> None:
    money = MoneyPolicy.model_validate(MONEY | {"reserve_account": "3"})
    found = statement([_line("reserve", "-10"), _line("reserve", "4")], money)
    assert found.amounts == {Posting("3", "Reserve", "GBP"): 6, Posting("1", "Reserve", "GBP"): -6}


def test_without_an_account_reserves_sales_and_refunds_stay_on_the_clearing_account() -> None:
    found = statement(
        [_line("sale", "30"), _line("refund", "-5"), _line("reserve", "-5"), _line("payout", "-15")],
        MoneyPolicy.model_validate(MONEY),
    )
    assert found.amounts == {Posting("2", "Payout", "GBP"): 15, Posting("1", "Payout", "GBP"): -15}
    assert found.words == "The statement's lines sum to 5.00 GBP, which stays on the clearing account."


def test_a_statement_that_is_not_paid_out_or_that_foots_needs_no_words() -> None:
    money = MoneyPolicy.model_validate(MONEY | {"fee_accounts": {"*": "4"}})
    assert statement([_line("sale", "30")], money).words is None
    footing = statement([_line("sale", "30"), _line("fee", "-2"), _line("payout", "-28")], money)
    assert (footing.words, footing.unplaced) == (None, None)
    assert sum(footing.amounts.values()) == Decimal(0)


def test_amounts_of_several_currencies_are_kept_apart() -> None:
    money = MoneyPolicy.model_validate(MONEY | {"fee_accounts": {"a": "4"}})
    found = statement([_line("fee", "-1", fee_kind="a"), _line("fee", "-2", fee_kind="a", currency="EUR")], money)
    assert found.amounts[Posting("4", "Fees: a", "GBP")] == 1
    assert found.amounts[Posting("4", "Fees: a", "EUR")] == 2


def test_a_settlement_journal_without_its_accounts_is_a_mistake() -> None:
    with pytest.raises(ValidationError, match="settlement_journal needs a clearing_account and a payout_account"):
        MoneyPolicy(settlement_journal="MKT")
