"""`warehouse`: a fresh DuckDB file, open for writing; `mirror`: its mirrors."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from config.settings import WarehouseSettings
from warehouse.mirror import Mirror
from warehouse.store import Warehouse


@pytest.fixture
def warehouse_settings(tmp_path: Path) -> WarehouseSettings:
    return WarehouseSettings(path=tmp_path / "warehouse.duckdb", extracts=tmp_path / "extracts")


@pytest.fixture
def warehouse(warehouse_settings: WarehouseSettings) -> Iterator[Warehouse]:
    with Warehouse.open(warehouse_settings) as opened:
        yield opened


@pytest.fixture
def mirror(warehouse: Warehouse) -> Iterator[Mirror]:
    made = Mirror(warehouse)
    yield made
    made.close()
