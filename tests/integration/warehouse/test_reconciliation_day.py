"""A business day, mirrored and delivered as it should be: every seeded exception is found, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from cdc.batch import TableChanges
from cdc.catalog import describe
from config.settings import ReconcileSettings, WarehouseSettings
from sandbox.day.business_day import BusinessDay
from sandbox.postgres import EmbeddedPostgres
from tests.fixtures.sources import fresh_sources
from tests.integration.transforms.oracle import as_text, prepare
from tests.integration.warehouse.source_table import meta_columns, position, snapshot
from transforms.compiled import CompiledMapping
from transforms.compiler import compile_mappings
from transforms.mapping import load_mappings
from transforms.packs import pack_path
from warehouse.mirror import Mirror
from warehouse.reconciliation import ReconciliationReport, reconcile
from warehouse.store import Warehouse
from warehouse.views import build_views

TABLES = {
    "shop": ("customers", "addresses", "products", "orders", "order_lines", "payments"),
    "market": ("listings", "buyers", "orders", "items", "fees", "settlements", "returns"),
    "wms": ("warehouses", "stock", "shipments", "shipment_lines"),
}
DELIVERED = Path(__file__).with_name("delivered_day.sql").read_text()


def mirror_tables(mirror: Mirror, source: str, connection: psycopg.Connection) -> list[CompiledMapping]:
    """Copy a source into its mirrors, and compile its mappings."""
    prepare(connection)
    relations = describe(connection, [f"public.{table}" for table in TABLES[source]])
    mirror.begin_snapshot(source, relations)
    parts = []
    for relation in relations:
        rows = as_text(connection, relation)
        for name, values in reversed(meta_columns(["i"] * rows.num_rows)):
            rows = rows.add_column(0, name, values)
        parts.append(TableChanges(relation=relation, rows=rows))
    mirror.apply(snapshot(100, *parts, source=source))
    mappings = [mapping for mapping in load_mappings([pack_path("demo")]) if mapping.source == source]
    return list(compile_mappings(mappings, {source: relations}))


@pytest.fixture(scope="module")
def day() -> BusinessDay:
    return BusinessDay(seed=5, orders=150)


@pytest.fixture(scope="module")
def delivered(
    day: BusinessDay, postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Warehouse]:
    """The warehouse at the end of the day."""
    folder = tmp_path_factory.mktemp("day")
    settings = WarehouseSettings(path=folder / "w.duckdb", extracts=folder / "extracts")
    with Warehouse.open(settings) as warehouse, fresh_sources(postgres) as sources:
        mirror = Mirror(warehouse)
        for phase in (day.masters, day.trade, day.late):
            phase(sources)
        compiled: list[CompiledMapping] = []
        for source in TABLES:
            compiled += mirror_tables(mirror, source, getattr(sources, source))
        build_views(warehouse, compiled)
        with warehouse.cursor() as cursor:
            cursor.execute("CREATE SCHEMA causeway; CREATE SCHEMA odoo")
            cursor.execute(DELIVERED)
            forget_deleted_orders(cursor_day=day, warehouse=warehouse)
        build_views(warehouse, compiled)  # now with the identities
        mirror.close()
        yield warehouse


def forget_deleted_orders(*, cursor_day: BusinessDay, warehouse: Warehouse) -> None:
    """Orders that were deleted at the channel: Odoo keeps them, cancelled."""
    deleted = [one for one in cursor_day.exceptions if one.kind == "deleted_order"]
    with warehouse.cursor() as cursor:
        for number, one in enumerate(deleted, 90_001):
            record = f"sales_order:{one.source}:{one.source_key}"
            cursor.execute(
                """INSERT INTO causeway.outbox BY NAME SELECT $r AS record_id, 'sales_order' AS entity, $s AS source,
                $k AS source_key, $r AS canonical_id, $r AS aggregate_id, 'delete' AS operation, 'delivered' AS status""",
                {"r": record, "s": one.source, "k": one.source_key},
            )
            cursor.execute(
                "INSERT INTO causeway.crosswalk VALUES (?, 'sales_order', 'sale.order', ?)", [record, number]
            )
            cursor.execute("INSERT INTO odoo.sale_order VALUES (?, 'S9', 'cancel', 12.5)", [number])


@pytest.fixture(scope="module")
def report(delivered: Warehouse) -> ReconciliationReport:
    return reconcile(delivered, ReconcileSettings())


def test_the_exceptions_found_are_the_seeded_ones(
    day: BusinessDay, delivered: Warehouse, report: ReconciliationReport
) -> None:
    seeded = {(one.entity, one.source, one.source_key, one.kind) for one in day.exceptions}
    with delivered.cursor() as cursor:
        rows = cursor.execute(
            "SELECT entity, source, source_key, kind FROM recon.exceptions WHERE run_id = ?", [report.run_id]
        ).fetchall()
    assert sorted(rows) == sorted(seeded)


def test_every_order_without_a_seeded_status_is_matched(
    day: BusinessDay, delivered: Warehouse, report: ReconciliationReport
) -> None:
    seeded = {
        (one.source, one.source_key): one.recon_status
        for one in day.exceptions
        if one.recon_status not in (None, "matched")
    }
    with delivered.cursor() as cursor:
        rows = cursor.execute(
            "SELECT source, order_key, status FROM recon.orders WHERE run_id = ? AND status <> 'matched'",
            [report.run_id],
        ).fetchall()
    assert {(source, key): status for source, key, status in rows} == seeded
    assert sum(report.statuses.values()) == 150


def test_an_order_that_odoo_refused_names_its_address_and_odoos_words(
    day: BusinessDay, delivered: Warehouse, report: ReconciliationReport
) -> None:
    refused = {one.source_key for one in day.exceptions if one.kind == "refused_by_odoo"}
    with delivered.cursor() as cursor:
        rows = cursor.execute(
            "SELECT order_key, reason, dead_letter_error FROM recon.latest_orders WHERE dead_letter_error IS NOT NULL"
        ).fetchall()
    assert {key for key, _, _ in rows} == refused
    for _, reason, error in rows:
        assert reason.startswith("its delivery address (customer:shop:address-")
        assert error == "No matching record found for external id base.xx"


def test_the_marts_add_up_to_the_channels_own_totals(delivered: Warehouse, report: ReconciliationReport) -> None:
    with delivered.cursor() as cursor:
        marts = cursor.execute(
            """SELECT channel, sum(orders), sum(gross + discount + freight), bool_and(net = gross + discount + freight + fees)
            FROM mart.orders_by_channel_day GROUP BY channel ORDER BY channel"""
        ).fetchall()
        own = cursor.execute(
            """SELECT source, count(*), sum(amount_total) FROM canonical.sales_order
            WHERE status IN ('confirmed', 'fulfilled') AND source_key NOT IN (
                SELECT source_key FROM recon.exceptions WHERE kind = 'duplicate_order' AND run_id = ?)
            GROUP BY source ORDER BY source""",
            [report.run_id],
        ).fetchall()
        open_orders = cursor.execute(
            "SELECT count(*) FROM mart.fulfilment WHERE open < 0 OR shipped > ordered"
        ).fetchone()
    assert [row[:3] for row in marts] == own
    assert all(row[3] for row in marts)
    assert open_orders == (0,)


def test_a_second_run_is_kept_beside_the_first(delivered: Warehouse, report: ReconciliationReport) -> None:
    second = reconcile(delivered, ReconcileSettings())
    with delivered.cursor() as cursor:
        runs = cursor.execute("SELECT run_id, count(*) FROM recon.orders GROUP BY run_id").fetchall()
    assert {count for _, count in runs} == {150}
    assert {report.run_id, second.run_id} <= {run_id for run_id, _ in runs}
    assert second.as_of["shop"]["lsn"] == str(position(100).lsn)
