"""When a channel's orders are invoiced, in which journals its money is booked, and how its marketplace is settled with."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from config.policies.base import Policy


class PaymentMethod(Policy):
    """Where payments by one method go."""

    journal: str = Field(description="code of the bank or cash journal")
    booked: bool = Field(default=True, description="whether captured payments are booked in Odoo")


class MoneyPolicy(Policy):
    """What becomes of a channel's money."""

    invoicing: Literal["never", "on_order", "on_delivery"] = Field(
        default="never", description="when invoices are made and posted"
    )
    invoice_date: Literal["order", "delivery", "today"] = Field(default="order", description="date of invoices")
    sales_journal: str | None = Field(default=None, description="code of the journal of invoices; none: Odoo's default")
    payment_methods: dict[str, PaymentMethod] = Field(
        default_factory=dict, description="by the source's method; `*` stands for any other"
    )
    settlement_journal: str | None = Field(
        default=None, description="code of the journal of a marketplace's statements"
    )
    clearing_account: str | None = Field(default=None, description="code of the account of what the marketplace owes")
    fee_accounts: dict[str, str] = Field(
        default_factory=dict, description="codes of expense accounts by kind of fee; `*` stands for any other"
    )
    reserve_account: str | None = Field(
        default=None, description="code of the account of held reserves; none: they stay on the clearing account"
    )
    settled_account: str | None = Field(
        default=None,
        description="code of the account that a statement's sales and refunds are set off against; none: customers' payments "
        "have put them on the clearing account",
    )
    payout_account: str | None = Field(
        default=None, description="code of the account that payouts arrive at, such as outstanding receipts"
    )

    @model_validator(mode="after")
    def _settling_needs_accounts(self) -> Self:
        if self.settlement_journal is not None and None in (self.clearing_account, self.payout_account):
            raise ValueError("settlement_journal needs a clearing_account and a payout_account")
        return self
