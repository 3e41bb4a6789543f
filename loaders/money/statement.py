"""What a marketplace's statement is in the books: amounts by account and label, each with its opposite on the clearing account.

Contract: pure; knows policies and canonical lines, no Odoo. The clearing account holds what the marketplace owes. Fees, reserves and
payouts are taken from it; sales and refunds are on it already by the customers' payments, unless the policy names the account
that they are set off against. What a statement's lines sum to beyond the payout stays on the clearing account.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NamedTuple

from config.policies import MoneyPolicy


class Posting(NamedTuple):
    """Where an amount is booked. `account`: its code; `label`: what is written there."""

    account: str
    label: str
    currency: str


@dataclass(kw_only=True, slots=True)
class Statement:
    """`amounts`: debits, credits negative; they sum to zero. `unplaced`: why a line has no account, if one has none."""

    amounts: dict[Posting, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    is_paid: bool = False
    rests: dict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    unplaced: str | None = None

    @property
    def words(self) -> str | None:
        """What somebody should know of a statement that was paid out and does not foot."""
        open_rests = [f"{amount:.2f} {currency}" for currency, amount in self.rests.items() if amount]
        if not self.is_paid or not open_rests:
            return None
        return f"The statement's lines sum to {', '.join(open_rests)}, which stays on the clearing account."


def statement(lines: Iterable[Mapping[str, Any]], money: MoneyPolicy) -> Statement:
    """Return what these lines of one statement are; the policy has a settlement journal, and so a clearing account."""
    found = Statement()
    for line in lines:
        amount = Decimal(line["amount"])
        found.rests[line["currency"]] += amount
        found.is_paid = found.is_paid or line["kind"] == "payout"
        account, label = _place(line, money)
        if account is None and line["kind"] == "fee":
            found.unplaced = (
                f"the policies have no account for fees of the kind {line.get('fee_kind') or '*'} (fee_accounts)"
            )
        elif account is not None:
            found.amounts[Posting(account, label, line["currency"])] -= amount
            found.amounts[Posting(money.clearing_account or "", label, line["currency"])] += amount
    return found


def _place(line: Mapping[str, Any], money: MoneyPolicy) -> tuple[str | None, str]:
    """Return the account that the line is booked on against the clearing account, and its label."""
    match line["kind"]:
        case "fee":
            kind = line.get("fee_kind") or ""
            return money.fee_accounts.get(kind, money.fee_accounts.get("*")), f"Fees: {kind}" if kind else "Fees"
        case "payout":
            reference = line.get("payout_reference")
            return money.payout_account, f"Payout {reference}" if reference else "Payout"
        case "reserve":
            return money.reserve_account, "Reserve"
        case "refund":
            return money.settled_account, "Refunds"
        case _:
            return money.settled_account, "Sales"
