"""Bounds of the mirror while a retailer's year of order lines streams in, and while twice as many come in one transaction."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

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
