"""Customers and products that are gone at their source. Odoo keeps what documents refer to, so they are archived there."""

from __future__ import annotations

from collections.abc import Sequence

from loaders.delivering import references
from loaders.delivering.claims import Due
from loaders.delivering.outcomes import promote_heirs
from loaders.delivering.work import Work


def archive_deleted(work: Work, model: str, deleted: Sequence[Due]) -> None:
    """Archive these in Odoo; where another source's record is the same thing, that one is written from now on instead."""
    if not deleted:
        return
    inherited = promote_heirs(work.connection, [due.canonical_id for due in deleted])
    known = references.records(work.connection, [due.record_id for due in deleted])
    gone = [due for due in deleted if due.canonical_id not in inherited]
    ids = [found for due in gone if (found := known[due.record_id].odoo_id) is not None]
    if ids:
        work.client.write(model, ids, {"active": False})
    for due in deleted:
        own = due.canonical_id not in inherited
        work.outcomes.sent(due, "")
        work.outcomes.delivered(due, model=model, odoo_id=known[due.record_id].odoo_id, cancelled=own)
