"""A table at a source, for tests: it writes its own log as pgoutput would, and knows its rows at any time.

`big` is TOASTed: an update that does not change it does not send it. Batches are cut wherever the test wants.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa

from cdc.batch import META_COLUMNS, BatchKind, ChangeBatch, Position, TableChanges
from cdc.lsn import Lsn
from cdc.relation import Column, Relation, ReplicaIdentity
from transforms.forms.table import BPCHAR, INT4, INT8, NUMERIC, TEXT, TIMESTAMPTZ

OIDS = {"int8": INT8, "int4": INT4, "text": TEXT, "numeric": NUMERIC, "timestamptz": TIMESTAMPTZ, "char": BPCHAR}
COMMITTED = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)


def relation(
    name: str = "public.orders",
    columns: Sequence[tuple[str, str]] = (("id", "int8"), ("name", "text"), ("big", "text")),
    key: Sequence[str] = ("id",),
    *,
    oid: int = 1000,
    identity: ReplicaIdentity = ReplicaIdentity.DEFAULT,
    typmods: dict[str, int] | None = None,
) -> Relation:
    schema, table = name.split(".")
    full = identity is ReplicaIdentity.FULL
    made = tuple(
        Column(name=column, type_oid=OIDS.get(kind) or int(kind), typmod=(typmods or {}).get(column, -1), is_key=full or column in key)
        for column, kind in columns
    )  # fmt: skip
    return Relation(
        oid=oid, schema=schema, table=table, columns=made, replica_identity=identity, primary_key=tuple(key)
    )


@dataclass
class Change:
    """One row of the log. `values` are texts by column; `unchanged` names the columns that were not sent."""

    op: str
    values: dict[str, str | None] = field(default_factory=dict)
    unchanged: frozenset[str] = frozenset()
    moved: bool = False


def insert(**values: str | None) -> Change:
    return Change("i", values)


def update(*unchanged: str, **values: str | None) -> Change:
    return Change("u", values, frozenset(unchanged))


def delete(**key: str | None) -> Change:
    return Change("d", key)


def move(old: dict[str, str], *unchanged: str, **values: str | None) -> list[Change]:
    return [Change("d", dict(old)), Change("i", values, frozenset(unchanged), moved=True)]


TRUNCATE = Change("t")


def meta_columns(operations: list[str], *, first_seq: int = 0, lsn: int = 1) -> list[tuple[str, pa.Array[Any]]]:
    """The arrays of META_COLUMNS, by name, of rows of one transaction."""
    count = len(operations)
    values: list[Any] = [
        operations,
        range(first_seq, first_seq + count),
        [lsn] * count,
        [7] * count,
        [COMMITTED] * count,
    ]
    return [(name, pa.array(given, kind)) for given, (name, kind) in zip(values, META_COLUMNS, strict=True)]


def table_changes(of: Relation, changes: Sequence[Change], *, first_seq: int = 0, lsn: int = 1) -> TableChanges:
    named = meta_columns([change.op for change in changes], first_seq=first_seq, lsn=lsn)
    arrays = [values for _, values in named]
    arrays += [pa.array([change.values.get(name) for change in changes], pa.string_view()) for name in of.column_names]
    masks = {
        name: np.array([name in change.unchanged for change in changes], dtype=np.bool_) for name in of.column_names
    }
    names = [name for name, _ in META_COLUMNS] + list(of.column_names)
    moved = np.array([change.moved for change in changes], dtype=np.bool_)
    return TableChanges(
        relation=of,
        rows=pa.Table.from_arrays(arrays, names=names),
        unchanged={name: mask for name, mask in masks.items() if mask.any()},
        moved=moved if moved.any() else None,
    )


def position(lsn: int, source: str = "shop") -> Position:
    return Position(
        source=source,
        lane="analytical",
        lsn=Lsn(lsn),
        slot="causeway_shop_analytical",
        system_identifier="1",
        timeline=1,
    )


def batch(
    lsn: int,
    *parts: TableChanges,
    kind: BatchKind = BatchKind.STREAM,
    complete: bool = True,
    source: str = "shop",
) -> ChangeBatch:
    return ChangeBatch(
        kind=kind,
        position=position(lsn, source),
        changes=parts,
        complete=complete,
        transactions=1 if complete else 0,
        last_commit_at=COMMITTED,
    )


def stream(lsn: int, of: Relation, changes: Iterable[Change | list[Change]], source: str = "shop") -> ChangeBatch:
    flat = [one for change in changes for one in (change if isinstance(change, list) else [change])]
    return batch(lsn, table_changes(of, flat, lsn=lsn), source=source)


def snapshot(lsn: int, *parts: TableChanges, source: str = "shop", complete: bool = True) -> ChangeBatch:
    return batch(lsn, *parts, kind=BatchKind.SNAPSHOT, complete=complete, source=source)
