"""Extracts: whole files or none, that say of which run and state they are, with checksums that hold."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from config.errors import CausewayError, ErrorKind
from tests.integration.warehouse.order_book import OrderBook
from tests.integration.warehouse.source_table import relation, snapshot
from warehouse.extracts import MANIFEST, extract
from warehouse.mirror import Mirror
from warehouse.store import Warehouse

NAMES = {"orders", "exceptions", "orders_by_channel_day", "fulfilment"}


@pytest.fixture
def run_id(warehouse: Warehouse, mirror: Mirror) -> Iterator[str]:
    mirror.begin_snapshot("shop", [relation()])
    mirror.apply(snapshot(0x10))
    book = OrderBook(warehouse)
    book.add("meta.mappings", name="shop_orders", entity="sales_order", source="shop", table="public.orders", version=3)
    book.order("1", order_number='it\'s, "one"')
    book.delivered("1")
    yield book.reconcile().run_id
    book.close()


def test_every_table_is_written_twice_with_a_manifest(warehouse: Warehouse, run_id: str, tmp_path: Path) -> None:
    files = extract(warehouse, tmp_path / "out", run_id)
    assert {file.name for file in files} == {f"{n}.{k}" for n in NAMES for k in ("parquet", "csv")} | {MANIFEST}
    assert sorted((tmp_path / "out" / run_id).iterdir()) == sorted(files)
    manifest = json.loads(files[-1].read_text())
    assert manifest["run_id"] == run_id
    assert manifest["as_of"]["shop"]["lsn"] == "0/10"
    assert manifest["mapping_versions"] == {"shop_orders": 3}
    for entry in manifest["files"]:
        content = (files[-1].parent / entry["file"]).read_bytes()
        assert entry["sha256"] == hashlib.sha256(content).hexdigest()
        assert entry["bytes"] == len(content)
    assert {entry["file"]: entry["rows"] for entry in manifest["files"]}["orders.csv"] == 1


def test_a_file_says_itself_of_which_run_and_state_it_is(warehouse: Warehouse, run_id: str, tmp_path: Path) -> None:
    extract(warehouse, tmp_path, run_id)
    for name in NAMES:
        table = pq.read_table(tmp_path / run_id / f"{name}.parquet")
        metadata = table.schema.metadata
        assert metadata[b"run_id"].decode() == run_id
        assert json.loads(metadata[b"as_of"])["shop"]["lsn"] == "0/10"
        assert json.loads(metadata[b"mapping_versions"]) == {"shop_orders": 3}
        for row in table.to_pylist():
            assert (row["run_id"], row["as_of"], row["mapping_versions"]) == (run_id, "shop=0/10", "shop_orders=3")
    with (tmp_path / run_id / "orders.csv").open(newline="") as opened:
        (order,) = csv.DictReader(opened)
    assert (order["order_number"], order["run_id"], order["channel_amount"]) == ('it\'s, "one"', run_id, "10.00")
    assert order["as_of"] == "shop=0/10"


def test_extracts_written_again_replace_the_old_ones(warehouse: Warehouse, run_id: str, tmp_path: Path) -> None:
    first = extract(warehouse, tmp_path, run_id)
    first[0].write_text("damaged")
    second = extract(warehouse, tmp_path, run_id)
    assert first == second
    assert second[0].read_bytes()[:4] == b"PAR1"


def test_a_run_that_does_not_exist_is_refused(warehouse: Warehouse, tmp_path: Path) -> None:
    with pytest.raises(CausewayError, match="no reconciliation run 'r-1'") as raised:
        extract(warehouse, tmp_path, "r-1")
    assert raised.value.kind is ErrorKind.WAREHOUSE


def test_a_folder_that_cannot_be_written_is_named(warehouse: Warehouse, run_id: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CausewayError, match="cannot be written: Not a directory") as raised:
        extract(warehouse, tmp_path / "file", run_id)
    assert raised.value.kind is ErrorKind.WAREHOUSE


def test_a_file_in_the_way_leaves_no_half_written_one(warehouse: Warehouse, run_id: str, tmp_path: Path) -> None:
    (tmp_path / run_id / "orders.csv").mkdir(parents=True)
    with pytest.raises(CausewayError, match="cannot be written"):
        extract(warehouse, tmp_path, run_id)
    assert {file.name for file in (tmp_path / run_id).iterdir()} == {"orders.parquet", "orders.csv"}
