"""What one channel, counter or warehouse is in Odoo: its company, warehouse, units, taxes and carriers, and what is done about exceptions."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Literal

from pydantic import Field, field_validator

from config.policies.base import Policy
from config.policies.money import MoneyPolicy
from config.policies.stock import StockPolicy


class Tolerance(Policy):
    """How far a figure of Odoo's may be from the channel's, and what is done beyond: write and report it, hold or reject the order."""

    amount: Decimal = Field(
        default=Decimal("0.01"), ge=0, description="largest difference of an order, in its currency"
    )
    beyond: Literal["write", "hold", "reject"] = Field(default="write", description="what is done past it")


class TaxPolicy(Policy):
    """Which taxes a channel's rates are in Odoo."""

    by_rate: dict[str, str] = Field(
        default_factory=dict, description="names of Odoo's sale taxes by the channel's rate in percent, such as `19`"
    )
    missing: Literal["none", "dead"] = Field(
        default="none", description="a rate without a tax: no tax on the line, or a dead letter"
    )
    prices_include: bool = Field(default=False, description="whether the channel's unit prices have the tax in them")

    def of_rate(self, rate: Decimal) -> str | None:
        """Return the name of the tax for a rate in percent, however the policy writes it."""
        return next((name for text, name in self.by_rate.items() if Decimal(text) == rate), None)

    @field_validator("by_rate")
    @classmethod
    def _rates(cls, value: dict[str, str]) -> dict[str, str]:
        for text in value:
            try:
                Decimal(text)
            except InvalidOperation:
                raise ValueError(f"{text!r} is not a rate in percent, such as 19 or 7.5") from None
        return value


class ChannelPolicy(Policy):
    """How one source's records are treated in Odoo."""

    company: str | None = Field(default=None, description="name of its company; none: the integration user's")
    warehouse: str | None = Field(default=None, description="code of the warehouse that ships; none: the company's")
    warehouses: dict[str, str] = Field(
        default_factory=dict, description="codes of warehouses by the source's location code"
    )
    team: str | None = Field(default=None, description="name of the sales team of its orders")
    currencies: dict[str, str] = Field(default_factory=dict, description="names of price lists by currency")
    units: dict[str, str] = Field(default_factory=dict, description="names of units of measure by canonical unit")
    carriers: dict[str, str] = Field(
        default_factory=dict, description="names of delivery methods by the source's carrier"
    )
    taxes: TaxPolicy = TaxPolicy()
    price_difference: Tolerance = Tolerance()
    tax_difference: Tolerance = Tolerance()
    money: MoneyPolicy = MoneyPolicy()
    stock: StockPolicy = StockPolicy()
