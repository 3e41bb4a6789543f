"""Drift: what somebody has changed in Odoo though a channel owns it. A row stays as long as the two differ."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from config.settings import StateSettings
from loaders.state import connect, prepare, translated

_LIST = """
SELECT record_id, model, odoo_id, field, ours, theirs, odoo_user, seen_at, lsn::text FROM drift
WHERE %(record)s::text IS NULL OR record_id = %(record)s ORDER BY seen_at, record_id, field LIMIT 10000
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Drift:
    """One field of one record. `ours`: as Odoo had it from us; `lsn`: of Odoo's log, None where it was read back.

    `field` is Odoo's name; `id` for a record that was deleted in Odoo, `external_id` for one whose name of ours was.
    """

    record_id: str
    model: str
    odoo_id: int
    field: str
    ours: str | None
    theirs: str | None
    odoo_user: int | None
    seen_at: datetime
    lsn: str | None

    def as_dict(self) -> dict[str, Any]:
        """Return the fields by name, ready for JSON."""
        return asdict(self) | {"seen_at": self.seen_at.isoformat()}


def list_drift(settings: StateSettings, record_id: str | None = None) -> tuple[Drift, ...]:
    """Return what differs now, of one record or of all, longest known first."""
    prepare(settings)
    with connect(settings, application_name="causeway drift") as connection, translated("listing drift"):
        rows = connection.execute(_LIST, {"record": record_id}).fetchall()
    return tuple(Drift(**dict(zip(Drift.__dataclass_fields__, row, strict=True))) for row in rows)
