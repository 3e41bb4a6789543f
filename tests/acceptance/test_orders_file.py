"""`causeway demo --orders FILE`: half a million real order lines, captured row-exact, the first thousand invoices in Odoo."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest

ORDERS = Path(
    os.environ.get("CAUSEWAY_ORDERS_FILE", Path(__file__).parents[3] / "shared" / "data" / "online_retail.parquet")
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(400),
    pytest.mark.skipif(not ORDERS.exists(), reason=f"the orders file {ORDERS.name} is not on this machine"),
]

MEMORY_LIMIT_BYTES = 400 * 10**6


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("orders") / "file"
    command = [sys.executable, "-m", "causeway", "demo", "--orders", str(ORDERS), "--dir", str(folder), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=390, check=False)
    assert done.returncode == 0, done.stderr + done.stdout
    return folder, json.loads(done.stdout)


def test_the_json_holds_what_it_promises(played: Any) -> None:
    _, report = played
    promised = {
        "seconds",
        "rows_captured",
        "rows_per_second",
        "mirror_equal",
        "records_delivered",
        "dead_letters",
        "reconciliation",
    }
    assert promised <= set(report)
    assert report["mirror_equal"] is True
    assert report["rows_captured"] >= 541_909
    assert report["dead_letters"] == 0


def test_every_line_of_the_file_is_in_the_mirror(played: Any) -> None:
    folder, _ = played
    with duckdb.connect(str(folder / "warehouse.duckdb"), read_only=True) as connection:
        mirror = connection.execute("SELECT count(*), sum(qty), sum(qty * unit_price) FROM shop.order_lines").fetchone()
        file = connection.execute(
            "SELECT count(*), sum(Quantity), sum(Quantity * UnitPrice::DECIMAL(12, 4)) FROM read_parquet(?)",
            [str(ORDERS)],
        ).fetchone()
    assert mirror == file
    assert mirror is not None
    assert mirror[0] == 541_909


def test_the_first_thousand_invoices_are_in_odoo_to_the_cent(played: Any) -> None:
    folder, report = played
    with duckdb.connect(str(folder / "warehouse.duckdb"), read_only=True) as connection:
        totals = connection.execute(
            "SELECT o.order_no, o.total, s.amount_untaxed FROM shop.orders o"
            " LEFT JOIN odoo.sale_order s ON s.name = o.order_no WHERE o.id <= 1000"
        ).fetchall()
    assert len(totals) == 1_000
    assert [row for row in totals if row[1] != row[2]] == []
    assert report["reconciliation"]["matched"] == 1_000


def test_neither_lane_took_more_memory_than_it_may(played: Any) -> None:
    _, report = played
    peaks = {name: lane["highest_rss_bytes"] for name, lane in report["lanes"].items()}
    assert max(peaks.values()) < MEMORY_LIMIT_BYTES, peaks
