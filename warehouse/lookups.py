"""Values that the log left out (TOAST), for a table that is being copied: the mirror may not have the row that they stand in.

A chunk is newer than the changes that are replayed over it. So a row that the log moves to another key may be there under its new key
only, and the old one, whose values an unchanged column has, is nowhere. Such values are read from the source by key. What is read may
be newer still: the table is exact only once the log has come to where it was read.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from cdc.batch import TableChanges
from cdc.lsn import Lsn
from cdc.relation import Relation
from config.errors import CausewayError, ErrorKind
from warehouse.evolution import Unfollowable

# (source, relation, keys as text) -> whole rows as text, in no order, and the end of the log behind them
LookUp = Callable[[str, Relation, pa.Table], tuple[pa.Table, Lsn]]


def with_values(look_up: LookUp, source: str, part: TableChanges) -> tuple[TableChanges, Lsn]:
    """Return the changes with every value, and the end of the log behind what was read.

    A row that the source has no more keeps NULL: its end follows in the log. Unfollowable where the table was altered since.
    """
    lacking = np.flatnonzero(np.logical_or.reduce(list(part.unchanged.values())))
    names = part.relation.key_columns
    keys = pa.table({name: _texts(part.rows[name], lacking) for name in names})
    try:
        rows, read_at = look_up(source, part.relation, keys)
    except CausewayError as error:
        if error.kind is not ErrorKind.SCHEMA:
            raise
        raise Unfollowable(
            "was altered while it was copied, before values that the log left out could be read"
        ) from error
    found = {_key(row, names): row for row in rows.to_pylist()}
    table = part.rows
    wanted = [found.get(key) for key in zip(*(keys[name].to_pylist() for name in names), strict=True)]
    for name, mask in part.unchanged.items():
        values: list[Any] = table[name].to_pylist()
        for place, row in zip(lacking, wanted, strict=True):
            if mask[place] and row is not None:
                values[place] = row[name]
        table = table.set_column(table.column_names.index(name), name, pa.array(values, pa.string()))
    return replace(part, rows=table, unchanged={}), read_at


def _key(row: dict[str, Any], names: tuple[str, ...]) -> tuple[Any, ...]:
    return tuple(row[name] for name in names)


def _texts(column: pa.ChunkedArray[Any], places: Any) -> pa.Array[Any]:
    values = column.to_pylist()
    return pa.array([values[place] for place in places], pa.string())
