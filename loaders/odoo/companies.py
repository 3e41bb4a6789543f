"""Which company a call acts for. Odoo takes the first of `allowed_company_ids` for the active one (odoo/api.py, Environment.company)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def company_context(company_id: int | None, *, also: Sequence[int] = ()) -> Mapping[str, Any]:
    """Return the context in which `company_id` is active, and what belongs to `also` can be seen; none: the user's own company."""
    if company_id is None:
        return {}
    return {"allowed_company_ids": [company_id, *(other for other in also if other != company_id)]}
