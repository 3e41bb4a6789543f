"""A chunk that does not see a transaction that was applied already would bring old rows: it is read again."""

from __future__ import annotations

import threading
from typing import Any

import pyarrow as pa
import pytest

from causeway.copying import CopyState, SourceCopies
from cdc.batch import BatchKind, ChangeBatch, CopyProgress, Position, TableChanges
from cdc.lsn import Lsn
from cdc.relation import Column, Relation, ReplicaIdentity
from cdc.table_copy import CopiedChunk
from config.settings import CaptureSettings, Connection, Lane, SourceRole, SourceSettings, TableSettings

RELATION = Relation(
    oid=1,
    schema="public",
    table="t",
    columns=(Column(name="id", type_oid=23, is_key=True),),
    replica_identity=ReplicaIdentity.DEFAULT,
)
POSITION = Position(source="shop", lane="analytical", lsn=Lsn(5), slot="s", system_identifier="1", timeline=1)


class Recording:
    def __init__(self) -> None:
        self.applied: list[ChangeBatch] = []

    def position(self, source: str) -> Position:
        return POSITION

    def apply(self, batch: ChangeBatch) -> None:
        self.applied.append(batch)


def changes(xid: int) -> TableChanges:
    rows = pa.table({"_xid": pa.array([xid], pa.uint32()), "id": pa.array(["1"])})
    return TableChanges(relation=RELATION, rows=rows)


def copies() -> SourceCopies:
    settings = SourceSettings(
        role=SourceRole.CHANNEL, connection=Connection(dsn="dbname=x"), tables=(TableSettings(name="public.t"),)
    )
    made = SourceCopies(
        name="shop", settings=settings, lane=Lane.ANALYTICAL, capture=CaptureSettings(), wake=threading.Event()
    )
    made._due.append(CopyProgress(relation=RELATION, began_at=Lsn(1), exact_from=Lsn(1)))
    made.states["public.t"] = CopyState(table="public.t")
    return made


@pytest.mark.parametrize(("running", "applied"), [({7}, 0), ({8}, 2), (set(), 2)])
def test_a_chunk_that_misses_an_applied_transaction_is_not_taken(running: set[int], applied: int) -> None:
    copying, destination = copies(), Recording()
    end: Any = destination
    copying.note(ChangeBatch(kind=BatchKind.STREAM, position=POSITION, changes=(changes(7),)))
    chunk = CopiedChunk(
        relation=RELATION, changes=changes(0), rows=1, last_key=("1",), running=frozenset(running), ends_at=Lsn(9)
    )
    copying._take(end, chunk)
    assert len(destination.applied) == applied  # the chunk, and that it was the last
    assert copying.active == (applied == 0)
