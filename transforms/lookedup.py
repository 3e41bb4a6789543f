"""Rows that were read at the source, in the form of a batch's changes: those that are there as updates, the others as deletes."""

from __future__ import annotations

import time

import numpy as np
import pyarrow as pa

from cdc.batch import OP_DELETE, OP_UPDATE, TableChanges
from transforms.lastchanges import Found


def as_changes(keys: pa.Table, found: Found) -> TableChanges:
    """Return changes of all these keys. `_lsn` is where the log was, `_committed_at` now; no transaction is named."""
    relation = found.relation
    names = relation.key_columns
    there = set(zip(*(found.rows[name].to_pylist() for name in names), strict=True))
    wanted = list(zip(*(keys[name].to_pylist() for name in names), strict=True)) if keys.num_rows else []
    gone = [key for key in dict.fromkeys(wanted) if key not in there]
    deleted = {name: pa.array([key[at] for key in gone], pa.string()) for at, name in enumerate(names)}
    empty = pa.nulls(len(gone), pa.string())
    rows = pa.concat_tables(
        [
            found.rows.select(list(relation.column_names)),
            pa.table({name: deleted.get(name, empty) for name in relation.column_names}),
        ]
    )
    count, present = rows.num_rows, found.rows.num_rows
    meta = {
        "_op": pa.array([OP_UPDATE] * present + [OP_DELETE] * len(gone), pa.string()),
        "_seq": pa.array(np.arange(count, dtype=np.int64)),
        "_lsn": pa.array(np.full(count, int(found.visibility.as_of), dtype=np.uint64)),
        "_xid": pa.array(np.zeros(count, dtype=np.uint32)),
        "_committed_at": pa.array(np.full(count, time.time_ns() // 1000), pa.timestamp("us", tz="UTC")),
    }
    return TableChanges(
        relation=relation, rows=pa.table({**meta, **dict(zip(rows.column_names, rows.columns, strict=True))})
    )
