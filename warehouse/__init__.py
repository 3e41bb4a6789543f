"""The analytical lane's end: mirrors of the captured tables, views, marts, reconciliation and extracts, in one DuckDB file."""

from __future__ import annotations

from warehouse.mirror import Mirror
from warehouse.store import Warehouse

__all__ = ["Mirror", "Warehouse"]
