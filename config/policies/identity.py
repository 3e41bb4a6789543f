"""When records of several sources are one customer or product: which keys say so, how surely, and what people have said themselves."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from config.policies.base import Policy

KEYS = {
    "customer": ("vat", "email"),
    "product": ("sku", "sku_normalised", "barcode", "channel_sku"),
}


class MatchRule(Policy):
    """Two records with the same value of a key are one thing, with some confidence."""

    by: Literal["vat", "email", "sku", "sku_normalised", "barcode", "channel_sku"] = Field(
        description="customers: vat, email; products: sku (our code, also under a channel's name), sku_normalised (without "
        "case, spaces and signs), barcode, channel_sku (the same in two channels)"
    )
    confidence: float = Field(default=1.0, gt=0, le=1, description="how surely it is one thing")


_BUILT_IN = {
    "customer": (MatchRule(by="vat"), MatchRule(by="email", confidence=0.9)),
    "product": (MatchRule(by="sku"), MatchRule(by="barcode", confidence=0.95)),
}


class IdentityPolicy(Policy):
    """How the records of one entity are matched."""

    rules: tuple[MatchRule, ...] = Field(
        default=(), description="in the order in which they are tried; none: vat, email or sku, barcode"
    )
    link_from: float = Field(
        default=0.8, ge=0, le=1, description="a match of less confidence is only reported (`causeway identity list`)"
    )
    references: dict[str, str] = Field(
        default_factory=dict, description="records that are one thing whatever their keys say: SOURCE:KEY by SOURCE:KEY"
    )

    @field_validator("references")
    @classmethod
    def _records(cls, value: dict[str, str]) -> dict[str, str]:
        wrong = [one for pair in value.items() for one in pair if not all(one.partition(":"))]
        if wrong:
            raise ValueError(f"must name records as SOURCE:KEY: {', '.join(wrong)}")
        return value

    def rules_of(self, entity: str) -> tuple[MatchRule, ...]:
        """Return the rules in the order in which they are tried."""
        return self.rules or _BUILT_IN.get(entity, ())
