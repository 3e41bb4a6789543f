"""Deliveries that no log of Odoo's has confirmed are read back: Odoo is hosted, or its log had nothing to say because nothing changed.

Contract: reads only; called by the deliverer when nothing is due. What Odoo says now is the last word: it confirms, or it is drift. What
does not confirm is read again an hour later.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, LiteralString

import psycopg
from loguru import logger

from config.errors import Disposition
from loaders.confirming.confirming import Judge, Told, look_again, stage, tell
from loaders.confirming.odoo_log import TABLES, WRITER, OdooTable, texts
from loaders.named_sql import statements
from loaders.odoo.client import OdooClient, Record
from loaders.odoo.odoo_errors import OdooError
from loaders.state import lock_writers, translated

Connection = psycopg.Connection[tuple[Any, ...]]

_BATCH_ROWS = 500
_DUE: LiteralString = """
SELECT delivery_id, model, odoo_id, expected FROM deliveries
WHERE expected IS NOT NULL AND confirmed_at IS NULL AND finished_at < now() - make_interval(secs => %s)
  AND (read_at IS NULL OR read_at < now() - interval '1 hour')
LIMIT %s
"""
_READ: LiteralString = "UPDATE deliveries SET read_at = now() WHERE delivery_id = ANY(%s)"


def read_back(connection: Connection, client: OdooClient, judge: Judge, after_s: float) -> int:
    """Read back a batch of what was delivered at least `after_s` seconds ago; return how many deliveries that was about."""
    with translated("looking for deliveries to read back"):
        due = connection.execute(_DUE, [after_s, _BATCH_ROWS]).fetchall()
        connection.rollback()
    if not due:
        return 0
    wanted: dict[str, dict[int, set[str]]] = {}
    for _, model, odoo_id, expected in due:
        wanted.setdefault(model, {}).setdefault(odoo_id, set()).update(expected)
    told = [one for model, ids in wanted.items() for one in _asked(client, TABLES[model], ids)]
    with translated("confirming deliveries that were read back"):
        stage(connection)
        tell(connection, told)
        lock_writers(connection)
        gone = connection.execute(
            statements("confirming/confirmations.sql")["unbind"], {"before": None, "names": "", "models": list(TABLES)}
        ).fetchall()
        look_again(connection, gone, None)
        judge.judge(connection)
        connection.execute(_READ, [[row[0] for row in due]])
        connection.commit()
    return len(due)


def _asked(client: OdooClient, table: OdooTable, ids: Mapping[int, set[str]]) -> Sequence[Told]:
    """Ask Odoo for these records; who may not read them, or not in this version, learns nothing, and is told so: delivery goes on."""
    columns = sorted(set().union(*ids.values()) & set(table.columns))
    try:
        rows = client.read_by_id(table.model, list(ids), [*columns, WRITER])
    except OdooError as error:
        if error.disposition is Disposition.RETRY:
            raise
        logger.warning("{} can't be read back: {}", table.model, error)
        return ()
    now = datetime.now(UTC)
    return [
        Told(
            seq=number,
            model=table.model,
            odoo_id=odoo_id,
            writer=_writer(rows.get(odoo_id)),
            columns=texts(table, rows[odoo_id]) if odoo_id in rows else None,
            lsn=None,
            committed_at=now,
        )
        for number, odoo_id in enumerate(ids)
    ]


def _writer(row: Record | None) -> int | None:
    """Odoo says a user as its id and name."""
    user = row.get(WRITER) if row else None
    return int(user[0]) if user else None
