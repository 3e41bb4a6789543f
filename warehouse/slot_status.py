"""meta.slot_status: how the sources' slots stood over time, for analysts. The watch of the slots samples; the lane writes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import duckdb

from warehouse.store import Warehouse, translate

_COLUMNS = (
    "sampled_at", "source", "lane", "slot", "state", "is_read", "head", "confirmed", "retained_bytes", "safe_wal_size_bytes",
    "growth_bytes_a_minute", "lost_in_s", "disk_limit_in_s", "received_behind_bytes", "durable_behind_bytes",
    "confirmed_behind_bytes", "confirmed_behind_s", "spilled_transactions", "spilled_bytes", "guard", "reason",
)  # fmt: skip
_INSERT = f"INSERT INTO meta.slot_status BY NAME SELECT {', '.join(f'${name} AS {name}' for name in _COLUMNS)}"
_EXPIRE = "DELETE FROM meta.slot_status WHERE sampled_at < ?"


def write_slot_status(
    warehouse: Warehouse, sampled_at: datetime, rows: Sequence[dict[str, Any]], *, keep: timedelta
) -> None:
    """Add the rows of one look (`causeway.slot_look.SlotRow` as JSON), and take away those older than `keep`."""
    cursor = warehouse.cursor()
    try:
        cursor.begin()
        for row in rows:
            cursor.execute(_INSERT, _values(sampled_at, row))
        cursor.execute(_EXPIRE, [sampled_at - keep])
        cursor.commit()
    except duckdb.Error as error:
        raise translate(error, "writing meta.slot_status") from error
    finally:
        cursor.close()


def _values(sampled_at: datetime, row: dict[str, Any]) -> dict[str, Any]:
    behind = row["behind_bytes"]
    values = {
        **row,
        "sampled_at": sampled_at,
        "is_read": row["reader_pid"] is not None,
        "confirmed": row["confirmed_flush_lsn"],
        "received_behind_bytes": behind.get("received"),
        "durable_behind_bytes": behind.get("durable"),
        "confirmed_behind_bytes": behind.get("confirmed"),
        "confirmed_behind_s": row["behind_s"].get("confirmed"),
    }
    return {name: values[name] for name in _COLUMNS}
