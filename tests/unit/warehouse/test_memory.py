"""DuckDB's memory limit follows the rows that change, and a table is counted seldom."""

from __future__ import annotations

from pathlib import Path

from config.settings import WarehouseSettings
from warehouse.memory import MemoryLimit

ROWS = 50_000_000


def _limit(tmp_path: Path) -> MemoryLimit:
    return MemoryLimit(WarehouseSettings(path=tmp_path / "w.duckdb", extracts=tmp_path))


def test_a_table_whose_rows_change_again_and_again_is_counted_each_time_twice_as_many_have(tmp_path: Path) -> None:
    limit, counts = _limit(tmp_path), list[int]()

    def count() -> int:
        counts.append(1)
        return ROWS

    for _ in range(1000):
        limit.touching("shop.lines", 20_000, 0, count)
    assert len(counts) == 9
    assert limit.bytes == 128_000_000 + 8 * 64_000_000  # 450 MB, and what the lane has anyway


def test_rows_that_are_added_count_before_the_table_is_counted_again(tmp_path: Path) -> None:
    limit = _limit(tmp_path)
    assert not limit.touching("shop.lines", 100_000, 0, lambda: 1000)
    assert not limit.touching("shop.lines", 0, ROWS, lambda: 0)
    assert limit.touching("shop.lines", 1, 0, lambda: 0)
