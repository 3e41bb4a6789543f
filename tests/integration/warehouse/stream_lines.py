"""A process that streams order lines into a fresh mirror and says how fast, and how much memory it took.

    python -m tests.integration.warehouse.stream_lines FILE ROWS BATCH_ROWS

Prints one JSON object: rows, seconds, rows_per_second, peak_rss_bytes. Batches are made while the clock stands still.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa

from benchmarks.run import peak_rss_bytes
from cdc.batch import TableChanges
from config.settings import WarehouseSettings
from tests.integration.warehouse.source_table import batch, meta_columns, relation, snapshot
from warehouse.mirror import Mirror
from warehouse.store import Warehouse

MONEY = (12 << 16 | 4) + 4
LINES = relation(
    "public.order_lines",
    [
        ("order_id", "int8"), ("line_no", "int4"), ("kind", "text"), ("product_id", "int8"), ("description", "text"),
        ("qty", "numeric"), ("unit_price", "numeric"), ("list_price", "numeric"), ("discount_pct", "numeric"),
        ("tax_rate", "numeric"), ("created_at", "timestamptz"), ("bundle_line_no", "int4"),
    ],
    ["order_id", "line_no"],
    typmods=dict.fromkeys(("qty", "unit_price", "list_price", "discount_pct", "tax_rate"), MONEY),
)  # fmt: skip


def texts(values: list[str | None]) -> pa.Array[pa.StringViewScalar]:
    return pa.array(values, pa.string_view())


def lines(first: int, count: int) -> TableChanges:
    """Rows `first` to `first + count`, three to an order."""
    numbers = np.arange(first, first + count)
    columns = {
        "order_id": texts([str(number) for number in numbers // 3]),
        "line_no": texts([str(number) for number in numbers % 3]),
        "kind": texts(["item"] * count),
        "product_id": texts([str(number) for number in numbers % 4000]),
        "description": texts([f"WHITE HANGING HEART T-LIGHT HOLDER {number % 4000}" for number in numbers]),
        "qty": texts([f"{number % 100}.0000" for number in numbers]),
        "unit_price": texts([f"{number % 977}.2500" for number in numbers]),
        "list_price": texts([f"{number % 977}.5000" for number in numbers]),
        "discount_pct": texts(["0.0000"] * count),
        "tax_rate": texts(["20.0000"] * count),
        "created_at": texts([f"2026-03-02 10:{number % 60:02}:00+00" for number in numbers]),
        "bundle_line_no": texts([None] * count),
    }
    return TableChanges(relation=LINES, rows=pa.table(dict(meta_columns(["i"] * count)) | columns))


def stream(file: Path, rows: int, batch_rows: int) -> dict[str, float]:
    seconds = 0.0
    with Warehouse.open(WarehouseSettings(path=file, extracts=file.parent)) as warehouse:
        mirror = Mirror(warehouse)
        mirror.begin_snapshot("shop", [LINES])
        mirror.apply(snapshot(1))
        for lsn, first in enumerate(range(0, rows, batch_rows), 2):
            changes = lines(first, min(batch_rows, rows - first))
            started = time.perf_counter()
            mirror.apply(batch(lsn, changes))
            seconds += time.perf_counter() - started
        mirror.close()
    peak = peak_rss_bytes()
    return {"rows": rows, "seconds": seconds, "rows_per_second": rows / seconds, "peak_rss_bytes": peak}


if __name__ == "__main__":
    print(json.dumps(stream(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))))  # noqa: T201
