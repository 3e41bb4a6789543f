"""The domains that are delivered to Odoo: whether, when and how soon each is written there, and who owns which field."""

from __future__ import annotations

from enum import StrEnum
from typing import Self

from pydantic import Field, field_validator

from config.policies.base import Policy


class Domain(StrEnum):
    """What is switched, scheduled and measured on its own."""

    CUSTOMERS = "customers"
    PRODUCTS = "products"
    ORDERS = "orders"
    SHIPMENTS = "shipments"
    RETURNS = "returns"
    INVOICES = "invoices"
    PAYMENTS = "payments"
    SETTLEMENTS = "settlements"
    STOCK = "stock"


class Mode(StrEnum):
    """live: written. shadow: compared with what Odoo holds, nothing is written. held: kept in the outbox until the mode is changed."""

    LIVE = "live"
    SHADOW = "shadow"
    HELD = "held"


class DomainPolicy(Policy):
    """How one domain is delivered."""

    mode: Mode = Field(default=Mode.LIVE, description="live, shadow or held")
    deliver: str = Field(default="realtime", description="realtime, `every N minutes`, or a cron expression in UTC")
    service_level_s: float | None = Field(
        default=None, gt=0, description="oldest age at delivery that is still in time; none: not measured against one"
    )
    priority: int = Field(default=100, ge=0, description="which domain goes first after an outage; lowest first")

    @field_validator("deliver")
    @classmethod
    def _schedule(cls, value: str) -> str:
        if value == "realtime":
            return value
        words = value.split()
        if words[:1] == ["every"]:
            if len(words) == 3 and words[1].isdigit() and int(words[1]) > 0 and words[2] in ("minute", "minutes"):
                return value
            raise ValueError("must be realtime, `every N minutes` or a cron expression")
        from config.schedule import cron_trigger  # apscheduler: a fifth of a second, for a setting that few have

        try:
            cron_trigger(value)
        except ValueError as error:
            raise ValueError(f"must be realtime, `every N minutes` or a cron expression: {error}") from None
        return value


class Ownership(Policy):
    """The system of record of an entity, and of single fields of it: a source's name, or `odoo`."""

    owner: str | None = Field(
        default=None, description="whose values are written; none: whichever source has the record"
    )
    fields: dict[str, str] = Field(default_factory=dict, description="owners of single canonical fields")

    def owner_of(self, field: str) -> str | None:
        """Return who owns a field of the entity; None where every source may write it."""
        return self.fields.get(field, self.owner)

    def may_write(self, source: str, field: str) -> bool:
        """Return whether a source's value of this field is written to Odoo."""
        return self.owner_of(field) in (None, source)

    @property
    def everyone(self) -> Self | None:
        """Return None where any source may write anything: nothing has to be looked at."""
        return self if self.owner is not None or self.fields else None
