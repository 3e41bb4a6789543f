"""A lane's applying side as a process that can be killed: the same random traffic every time, from the stored position on.

    python -m tests.integration.warehouse.replay FILE SEED BATCHES

Every third batch comes in two pieces.
"""

from __future__ import annotations

import sys
from pathlib import Path

from config.settings import WarehouseSettings
from tests.integration.warehouse.source_table import Change, batch, relation, snapshot, stream, table_changes
from tests.integration.warehouse.traffic import TrafficSource
from warehouse.mirror import Mirror
from warehouse.store import Warehouse

TABLE = relation(columns=[("id", "int8"), ("part", "text"), ("name", "text"), ("big", "text")], key=["id", "part"])
FIRST_LSN = 100


def traffic(seed: int, batches: int) -> tuple[list[list[list[Change]]], TrafficSource]:
    """The steps of every batch, and the source at the end of them."""
    source = TrafficSource(seed)
    return [[source.step() for _ in range(20)] for _ in range(batches)], source


def replay(file: Path, seed: int, batches: int) -> None:
    settings = WarehouseSettings(path=file, extracts=file.parent)
    with Warehouse.open(settings) as warehouse:
        mirror = Mirror(warehouse)
        if mirror.position("shop") is None:
            mirror.begin_snapshot("shop", [TABLE])
            mirror.apply(snapshot(FIRST_LSN))
        for lsn, steps in enumerate(traffic(seed, batches)[0], FIRST_LSN + 1):
            stored = mirror.position("shop")
            assert stored is not None
            if lsn <= stored.lsn:
                continue
            if lsn % 3 == 0:
                first = [change for step in steps[:10] for change in step]
                mirror.apply(batch(lsn, table_changes(TABLE, first), complete=False))
                steps = steps[10:]
            mirror.apply(stream(lsn, TABLE, steps))
        mirror.close()


if __name__ == "__main__":
    replay(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
