"""Batches of changes of the shop's order lines, made by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa

from cdc.batch import BatchKind, ChangeBatch, Position, TableChanges
from cdc.lsn import Lsn
from cdc.relation import Relation
from tests.unit.transforms.relations import LINES

Row = tuple[str | None, ...]
COMMITTED = datetime(2025, 7, 1, 9, tzinfo=UTC)


def line(order: int, number: int, kind: str = "item", *, quantity: str | None = "2.000", text: str = "tea") -> Row:
    return (str(order), str(number), kind, "7", text, quantity, "10.0000", "0.00")


def key(order: int, number: int) -> Row:
    return (str(order), str(number), *[None] * 6)


TRUNCATE: Row = (None,) * 8


def changes(
    *ops: tuple[str, Row],
    over: Relation = LINES,
    first_seq: int = 0,
    unchanged: Mapping[str, Sequence[bool]] | None = None,
) -> TableChanges:
    count = len(ops)
    columns: dict[str, pa.Array[Any]] = {
        "_op": pa.array([op for op, _ in ops], pa.string()),
        "_seq": pa.array(range(first_seq, first_seq + count), pa.int64()),
        "_lsn": pa.array([0x100 + number // 2 for number in range(count)], pa.uint64()),
        "_xid": pa.array([1] * count, pa.uint32()),
        "_committed_at": pa.array([COMMITTED] * count, pa.timestamp("us", tz="UTC")),
    }
    for at, column in enumerate(over.columns):
        columns[column.name] = pa.array([row[at] for _, row in ops], pa.string_view())
    flags = {name: np.array(values) for name, values in (unchanged or {}).items()}
    return TableChanges(relation=over, rows=pa.table(columns), unchanged=flags)


def batch(*parts: TableChanges) -> ChangeBatch:
    position = Position(source="shop", lane="operational", lsn=Lsn(0x200), slot="s", system_identifier="1", timeline=1)
    return ChangeBatch(kind=BatchKind.STREAM, position=position, changes=parts)
