"""A process that applies one source transaction of many rows in pieces, while a second cursor looks at what queries see.

    python -m tests.integration.warehouse.large_transaction FILE ROWS PIECE_ROWS [history]

Prints one JSON object: rows, seconds, seen_before_commit (every number of rows that was seen), seen_after_commit, peak_rss_bytes.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from benchmarks.run import peak_rss_bytes
from config.settings import WarehouseSettings
from tests.integration.warehouse.source_table import batch, snapshot
from tests.integration.warehouse.stream_lines import LINES, lines
from warehouse.mirror import Mirror
from warehouse.names import MirrorTable
from warehouse.store import Warehouse

_COUNT = f"SELECT count(*) FROM {MirrorTable('shop', LINES).name}"


def apply(file: Path, rows: int, piece_rows: int, *, history: bool) -> dict[str, object]:
    before: set[int] = set()
    with Warehouse.open(WarehouseSettings(path=file, extracts=file.parent)) as warehouse, warehouse.cursor() as reader:
        mirror = Mirror(warehouse, history=lambda _source, _table: "on" if history else "off")
        mirror.begin_snapshot("shop", [LINES])
        mirror.apply(snapshot(1))
        started = time.perf_counter()
        for first in range(0, rows, piece_rows):
            before.add(reader.execute(_COUNT).fetchall()[0][0])
            changes = lines(first, min(piece_rows, rows - first))
            mirror.apply(batch(2, changes, complete=first + piece_rows >= rows))
        seconds = time.perf_counter() - started
        after = reader.execute(_COUNT).fetchall()[0][0]
        mirror.close()
    return {
        "rows": rows,
        "seconds": seconds,
        "seen_before_commit": sorted(before),
        "seen_after_commit": after,
        "peak_rss_bytes": peak_rss_bytes(),
    }


if __name__ == "__main__":
    file, rows, piece_rows = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    print(json.dumps(apply(file, rows, piece_rows, history="history" in sys.argv)))  # noqa: T201
