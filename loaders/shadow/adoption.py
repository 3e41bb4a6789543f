"""Going live: what Odoo held before the bridge did is taken over under the external id that it has there, or gets there.

Source: Odoo 18 odoo/models.py, export_data: exporting the column `id` gives each record that has none an external id of the
module __export__. The user needs the group "Access to export feature" for it.
"""

from __future__ import annotations

from collections.abc import Sequence

from loaders.delivering.claims import Connection, Due
from loaders.delivering.outcomes import Binding, bind
from loaders.delivering.work import Work
from loaders.named_sql import statements
from loaders.odoo.client import OdooClient
from loaders.sales import orders
from loaders.state import lock_writers, scalar, translated

_AT_ONCE = 500


def went_live(connection: Connection, entities: Sequence[str]) -> bool:
    """Make due what was compared of these entities, which are compared no more; return whether anything was ever compared."""
    with translated("looking at what was compared"):
        ever = bool(scalar(connection, statements("shadow/shadow.sql")["any"]))
        if ever:
            lock_writers(connection)
            connection.execute(statements("shadow/shadow.sql")["go_live"], [list(entities)])
        connection.commit()
    return ever


def guarded(work: Work, batch: Sequence[Due]) -> list[Due]:
    """Return the records that may be written; those that Odoo has under another name become dead letters."""
    with translated("looking for what Odoo has already"):
        rows = work.connection.execute(
            statements("shadow/shadow.sql")["unadopted"], [[due.record_id for due in batch]]
        ).fetchall()
        work.connection.commit()
    found = {record_id: (model, odoo_id, matched_by) for record_id, model, odoo_id, matched_by in rows}
    for due in batch:
        if due.record_id in found:
            work.outcomes.dead(due, _words(*found[due.record_id]))
    return [due for due in batch if due.record_id not in found]


def adopt(connection: Connection, client: OdooClient, entity: str) -> int:
    """Bind what Odoo has of this entity to the records that were compared with it; return how many. Raises OdooError."""
    with translated("reading what was compared"):
        rows = connection.execute(statements("shadow/shadow.sql")["to_adopt"], [entity]).fetchall()
        connection.commit()
    for start in range(0, len(rows), _AT_ONCE):
        some = rows[start : start + _AT_ONCE]
        names = client.call(some[0][2], "export_data", [[row[3] for row in some], ["id"]])["datas"]
        bindings = [
            Binding(canonical_id=canonical_id, entity=entity, model=model, external_id=name, odoo_id=odoo_id)
            for (canonical_id, _, model, odoo_id), (name,) in zip(some, names, strict=True)
        ]
        with translated("adopting Odoo's records"):
            lock_writers(connection)
            bind(connection, bindings)
            connection.execute(
                statements("shadow/shadow.sql")["release_adopted"], [[one.canonical_id for one in bindings]]
            )
            connection.commit()
    return len(rows)


def _words(model: str, odoo_id: int | None, matched_by: str | None) -> str:
    if odoo_id is None:
        return f"Odoo has several records ({model}) that could be it: leave one of them its key, and compare again."
    way_out = "it runs out where it was begun" if model == orders.MODEL else "adopt it"
    return f"Odoo has it already, as {model} {odoo_id} (by {matched_by}): {way_out}."
