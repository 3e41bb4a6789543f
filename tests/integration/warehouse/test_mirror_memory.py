"""Bounds of the mirror while a retailer's year of order lines streams in, and while twice as many come in one transaction."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pyarrow as pa
import pytest

from cdc.batch import TableChanges
from config.errors import CausewayError, ErrorKind
from config.settings import WarehouseSettings
from tests.integration.warehouse.source_table import batch, meta_columns, relation, snapshot
from tests.integration.warehouse.stream_lines import texts
from warehouse.mirror import Mirror
from warehouse.store import Warehouse

ROWS = 541_909
# Of the 400 MB of a lane, the reader's batches need about 64.
MOST_BYTES = 336 * 2**20
LARGE_ROWS = 1_000_000


@pytest.mark.slow
def test_half_a_million_lines_stay_within_the_lanes_memory(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "tests.integration.warehouse.stream_lines",
        str(tmp_path / "w.duckdb"),
        str(ROWS),
        "50000",
    ]
    done = subprocess.run(command, cwd=Path(__file__).parents[3], check=True, capture_output=True, text=True)
    measured = json.loads(done.stdout)
    assert measured["rows"] == ROWS
    assert measured["peak_rss_bytes"] < MOST_BYTES


@pytest.mark.slow
@pytest.mark.parametrize(("rows", "history"), [(LARGE_ROWS, ""), (400_000, "history")])
def test_a_large_transaction_stays_within_the_lanes_memory(tmp_path: Path, rows: int, history: str) -> None:
    command = [sys.executable, "-m", "tests.integration.warehouse.large_transaction", str(tmp_path / "w.duckdb")]
    command += [str(rows), "50000", *([history] if history else [])]
    done = subprocess.run(command, cwd=Path(__file__).parents[3], check=True, capture_output=True, text=True)
    measured = json.loads(done.stdout)
    assert measured["seen_before_commit"] == [0]
    assert measured["seen_after_commit"] == rows
    assert measured["peak_rss_bytes"] < MOST_BYTES


TABLE = relation()
TABLE_ROWS = 2_000_000


def spread_updates() -> TableChanges:
    """Updates of rows all over a table: DuckDB keeps 16 KB for each stretch of 2,048 rows that one of them is in."""
    ids = list(range(1, TABLE_ROWS, 1000))
    columns = {
        "id": texts([str(one) for one in ids]),
        "name": texts(["new"] * len(ids)),
        "big": texts([None] * len(ids)),
    }
    return TableChanges(relation=TABLE, rows=pa.table(dict(meta_columns(["u"] * len(ids))) | columns))


@contextmanager
def filled(tmp_path: Path, memory_limit_most: str) -> Iterator[tuple[Warehouse, Mirror]]:
    """A mirror of TABLE_ROWS rows, in a DuckDB that has 18 MB."""
    settings = WarehouseSettings(
        path=tmp_path / "w.duckdb", extracts=tmp_path, memory_limit="18MB", memory_limit_most=memory_limit_most
    )
    with Warehouse.open(settings) as warehouse, closing(Mirror(warehouse)) as mirror:
        mirror.begin_snapshot("shop", [TABLE])
        with warehouse.querying(), warehouse.cursor() as cursor:
            cursor.execute(f"INSERT INTO shop.orders (id, name) SELECT n, 'old' FROM range({TABLE_ROWS}) r (n)")
            cursor.execute("CHECKPOINT")
        mirror.apply(snapshot(1))
        yield warehouse, mirror


def test_the_memory_limit_follows_what_duckdb_keeps_for_rows_that_change_all_over_a_table(tmp_path: Path) -> None:
    with filled(tmp_path, "600MB") as (warehouse, mirror):
        mirror.apply(batch(2, spread_updates()))
        mirror.apply(batch(3, spread_updates()))
        assert warehouse.cursor().execute(
            "SELECT name, count(*) FROM shop.orders GROUP BY 1 ORDER BY 1"
        ).fetchall() == [
            ("new", TABLE_ROWS // 1000),
            ("old", TABLE_ROWS - TABLE_ROWS // 1000),
        ]


def test_a_lane_that_ran_into_the_limit_has_all_it_may_have_when_it_starts_again(tmp_path: Path) -> None:
    with filled(tmp_path, "18MB") as (_, mirror):
        with pytest.raises(CausewayError, match=r"the lane has warehouse\.memory_limit_most") as raised:
            mirror.apply(batch(2, spread_updates()))
        assert raised.value.kind is ErrorKind.WAREHOUSE
    settings = WarehouseSettings(
        path=tmp_path / "w.duckdb", extracts=tmp_path, memory_limit="18MB", memory_limit_most="600MB"
    )
    with Warehouse.open(settings) as warehouse, closing(Mirror(warehouse)) as mirror:
        row = warehouse.cursor().execute("SELECT current_setting('memory_limit')").fetchone()
        assert row is not None
        assert row[0].startswith("572")  # MiB
        position = mirror.position("shop")
        assert position is not None
        mirror.apply(batch(2, spread_updates()))
        assert warehouse.cursor().execute("SELECT count(*) FROM shop.orders WHERE name = 'new'").fetchone() == (
            TABLE_ROWS // 1000,
        )
