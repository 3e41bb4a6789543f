"""What a batch of random updates costs the mirror, by how many rows the table has. The mirror is filled inside DuckDB."""

from __future__ import annotations

import tempfile
import time
from contextlib import closing
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks import lane
from benchmarks.run import cpu_seconds
from benchmarks.workload import TABLE, Workload
from cdc.batch import META_COLUMNS, BatchKind, ChangeBatch, Position, TableChanges
from cdc.catalog import describe
from cdc.connection import connect
from cdc.lsn import Lsn
from cdc.relation import Relation
from warehouse.mirror import Mirror
from warehouse.names import MirrorTable
from warehouse.store import Warehouse

BATCH_ROWS = 20_000
BATCHES = 7

# The rows of benchmarks.workload's insert_lines, in DuckDB's SQL.
_FILL = """
INSERT INTO {table} (id, order_id, line_number, sku, description, quantity, unit, unit_price, discount_percent, tax_rate, status, updated_at)
SELECT n, 10000 + n // 5, n % 5 + 1, 'SKU-' || lpad((n * 7919 % 50000)::text, 6, '0'),
    'Hexagon bolt M' || n % 30 || ', stainless steel, box of ' || n % 100 + 1, n % 40 + 1, 'piece', (n % 9973) / 100.0,
    CASE WHEN n % 4 > 0 THEN (n % 4) * 2.5 END, 19, ['open', 'reserved', 'shipped'][n % 3 + 1],
    TIMESTAMPTZ '2025-01-01 00:00:00+00' + to_seconds(n)
FROM range({first}, {last}) AS r (n)
"""
_FILL_ROWS = 5_000_000


@dataclass(frozen=True, kw_only=True)
class BatchCost:
    """The median of BATCHES batches of BATCH_ROWS updates of rows anywhere in a table of `table_rows`."""

    table_rows: int
    seconds: float
    cpu_s: float


def batch_cost(workload: Workload, table_rows: int) -> BatchCost:
    """Fill a mirror with so many rows and measure batches on it, the first one not counted."""
    with connect(lane.source_settings(workload).connection, application_name="causeway bench") as connection:
        (relation,) = describe(connection, [TABLE])
    with tempfile.TemporaryDirectory(prefix="causeway-bench-") as folder:
        with Warehouse.open(lane.warehouse_settings(folder)) as warehouse, closing(Mirror(warehouse)) as mirror:
            mirror.begin_snapshot(lane.SOURCE, [relation])
            _fill(warehouse, relation, table_rows)
            mirror.apply(ChangeBatch(kind=BatchKind.SNAPSHOT, position=_position(workload, 1)))
            numbers = np.random.default_rng(5)
            batches = [_updates(workload, relation, table_rows, number, numbers) for number in range(BATCHES + 1)]
            costs = [_timed(mirror, batch) for batch in batches][1:]
    return BatchCost(
        table_rows=table_rows,
        seconds=median(seconds for seconds, _ in costs),
        cpu_s=median(cpu_s for _, cpu_s in costs),
    )


def _fill(warehouse: Warehouse, relation: Relation, rows: int) -> None:
    table = MirrorTable(lane.SOURCE, relation)
    with warehouse.querying(), warehouse.cursor() as cursor:
        for first in range(1, rows + 1, _FILL_ROWS):
            last = min(first + _FILL_ROWS, rows + 1)
            cursor.execute(_FILL.format(table=table.name, first=first, last=last))
        cursor.execute("CHECKPOINT")


def _timed(mirror: Mirror, batch: ChangeBatch) -> tuple[float, float]:
    began, cpu_before_s = time.perf_counter(), cpu_seconds()
    mirror.apply(batch)
    return time.perf_counter() - began, cpu_seconds() - cpu_before_s


def _updates(
    workload: Workload, relation: Relation, table_rows: int, number: int, numbers: np.random.Generator
) -> ChangeBatch:
    """Updates of rows anywhere in the table, each of another row, as the decoder gives them."""
    ids = numbers.permutation(np.unique(numbers.integers(1, table_rows + 1, 2 * BATCH_ROWS)))[:BATCH_ROWS]
    lsn = 2 + number
    meta: list[pa.Array[Any]] = [
        pa.array(["u"] * BATCH_ROWS),
        pa.array(np.arange(BATCH_ROWS, dtype=np.int64)),
        pa.array(np.full(BATCH_ROWS, lsn, dtype=np.uint64)),
        pa.array(np.full(BATCH_ROWS, number + 1, dtype=np.uint32)),
        pa.array(np.full(BATCH_ROWS, int(time.time() * 1e6), dtype=np.int64)).cast(META_COLUMNS[4][1]),
    ]
    columns = [_texts(ids.tolist(), name) for name in relation.column_names]
    names = [name for name, _ in META_COLUMNS] + list(relation.column_names)
    rows = pa.Table.from_arrays(meta + columns, names=names)
    changes = (TableChanges(relation=relation, rows=rows),)
    return ChangeBatch(kind=BatchKind.STREAM, position=_position(workload, lsn), changes=changes, transactions=1)


def _texts(ids: list[int], name: str) -> pa.Array[Any]:
    texts = {
        "id": "{0}",
        "order_id": "{0}",
        "line_number": "1",
        "sku": "SKU-{0}",
        "description": "Hexagon bolt, changed, box of {0}",
        "quantity": "3.000",
        "unit": "piece",
        "unit_price": "12.50",
        "discount_percent": "2.50",
        "tax_rate": "19.00",
        "status": "shipped",
        "updated_at": "2025-06-01 10:00:00+00",
    }
    return pa.array([texts[name].format(each) for each in ids], type=pa.string_view())


def _position(workload: Workload, lsn: int) -> Position:
    return Position(
        source=lane.SOURCE,
        lane="analytical",
        lsn=Lsn(lsn),
        slot="bench",
        system_identifier=workload.system_identifier,
        timeline=workload.timeline,
    )
