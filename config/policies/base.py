"""What every model of a policy is built on."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Policy(BaseModel):
    """Base of all policies: unknown fields are mistakes, values do not change after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True)
