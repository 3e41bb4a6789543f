"""What is done about shortages, substitutions, returns and counts."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from config.policies.base import Policy


class ReturnRule(Policy):
    """What a channel's reason for a return means in Odoo."""

    label: str | None = Field(default=None, description="what is written on the transfer; none: the canonical reason")
    disposition: Literal["restock", "scrap"] = Field(
        default="restock", description="whether the goods go back to stock or are scrapped"
    )


class StockPolicy(Policy):
    """How a channel's or warehouse's movements are carried out."""

    shortage: Literal["backorder", "cancel"] = Field(
        default="cancel", description="what a short final shipment leaves open: a backorder, or nothing"
    )
    substitution: Literal["accept", "hold"] = Field(
        default="accept", description="whether goods sent in place of others are booked, or held as a dead letter"
    )
    returns: dict[str, ReturnRule] = Field(
        default_factory=dict, description="rules by canonical reason; `*` for any other"
    )
    counts: bool = Field(default=False, description="whether a warehouse's counts are applied to Odoo's stock")
