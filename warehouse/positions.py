"""meta.positions: how far each source is durable. Written in the transaction that holds the changes themselves."""

from __future__ import annotations

import duckdb

from cdc.batch import ChangeBatch, Position
from cdc.lsn import Lsn
from warehouse.store import Warehouse, translate

_READ = "SELECT source, lane, lsn, slot, system_identifier, timeline FROM meta.positions WHERE source = ?"
_MOVE = """
    UPDATE meta.positions SET lane = $lane, lsn = $lsn, slot = $slot, system_identifier = $system_identifier,
        timeline = $timeline, last_commit_at = coalesce($last_commit_at, last_commit_at),
        applied_rows = applied_rows + $rows, applied_transactions = applied_transactions + $transactions,
        updated_at = now()
    WHERE source = $source
"""
_FIRST = """
    INSERT INTO meta.positions
    VALUES ($source, $lane, $lsn, $slot, $system_identifier, $timeline, $last_commit_at, $rows, $transactions, now())
"""
_FORGET = "DELETE FROM meta.positions WHERE source = ?"


def read_position(connection: duckdb.DuckDBPyConnection, source: str) -> Position | None:
    """Return the stored position of a source, None where it has none."""
    row = connection.execute(_READ, [source]).fetchone()
    if row is None:
        return None
    name, lane, lsn, slot, system_identifier, timeline = row
    return Position(
        source=name, lane=lane, lsn=Lsn.parse(lsn), slot=slot, system_identifier=system_identifier, timeline=timeline
    )


def write_position(
    connection: duckdb.DuckDBPyConnection, batch: ChangeBatch, *, first: bool, rows: int, transactions: int
) -> None:
    """Store a batch's position. `rows` and `transactions` are those since the last position, pieces included."""
    position = batch.position
    values = {
        "source": position.source,
        "lane": position.lane,
        "lsn": str(position.lsn),
        "slot": position.slot,
        "system_identifier": position.system_identifier,
        "timeline": position.timeline,
        "last_commit_at": batch.last_commit_at,
        "rows": rows,
        "transactions": transactions,
    }
    connection.execute(_FIRST if first else _MOVE, values)


def forget_position(connection: duckdb.DuckDBPyConnection, source: str) -> None:
    """Take a source's position away: its snapshot begins again."""
    connection.execute(_FORGET, [source])


def forget_source(warehouse: Warehouse, source: str) -> None:
    """Take a source's position away for good: its slot is gone, so the lane's next run begins with a new snapshot."""
    cursor = warehouse.cursor()
    try:
        forget_position(cursor, source)
    except duckdb.Error as error:
        raise translate(error, "forgetting a position", source=source) from error
    finally:
        cursor.close()
