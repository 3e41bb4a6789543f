"""Orders of a channel and of Odoo, written by hand into a warehouse, for tests of the reconciliation one case at a time.

An order is plain unless a test says otherwise: confirmed, one product line of 2 x 5.00, delivered to Odoo, nothing shipped.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb

from config.settings import ReconcileSettings
from transforms.canonical import ENTITIES
from warehouse.reconciliation import ReconciliationReport, reconcile
from warehouse.store import Warehouse
from warehouse.views import build_views

LONG_AGO = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
MIRRORS = """
    CREATE SCHEMA causeway; CREATE SCHEMA odoo; CREATE SCHEMA held;
    CREATE TABLE causeway.identity (entity VARCHAR, source VARCHAR, source_key VARCHAR, canonical_id VARCHAR, matched_by VARCHAR);
    CREATE TABLE causeway.crosswalk (canonical_id VARCHAR, entity VARCHAR, model VARCHAR, odoo_id INTEGER);
    CREATE TABLE causeway.outbox (record_id VARCHAR, entity VARCHAR, source VARCHAR, source_key VARCHAR, canonical_id VARCHAR,
        aggregate_id VARCHAR, operation VARCHAR, status VARCHAR, waits_for VARCHAR, error VARCHAR, committed_at TIMESTAMPTZ,
        delivered_at TIMESTAMPTZ, updated_at TIMESTAMPTZ);
    CREATE TABLE odoo.sale_order (id INTEGER, name VARCHAR, state VARCHAR, amount_untaxed DECIMAL(38, 10));
    CREATE TABLE odoo.sale_order_line (id INTEGER, order_id INTEGER, display_type VARCHAR, product_uom_qty DECIMAL(38, 10),
        qty_delivered DECIMAL(38, 10));
"""


def order_id(key: str) -> str:
    return f"sales_order:shop:{key}"


class OrderBook:
    """The state of both sides, row by row."""

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse
        self._cursor: duckdb.DuckDBPyConnection = warehouse.cursor()
        self._cursor.execute(f"BEGIN; {MIRRORS}; COMMIT")
        build_views(warehouse, [])
        self._cursor.execute("BEGIN")
        for entity in ENTITIES:
            self._cursor.execute(f'CREATE TABLE held."{entity}" AS SELECT * FROM canonical."{entity}"')
            self._cursor.execute(f'CREATE OR REPLACE VIEW canonical."{entity}" AS SELECT * FROM held."{entity}"')

    def clear(self) -> None:
        """Forget every row and every run."""
        tables = self.rows(
            "SELECT schema_name, table_name FROM duckdb_tables() WHERE NOT temporary AND schema_name <> 'meta'"
        )
        for schema, table in tables:
            self._cursor.execute(f'DELETE FROM {schema}."{table}"')

    def close(self) -> None:
        self._cursor.close()

    def add(self, table: str, /, **values: Any) -> None:
        """Insert one row by its columns' names."""
        listed = ", ".join(f'${name} AS "{name}"' for name in values)
        self._cursor.execute(f"INSERT INTO {table} BY NAME SELECT {listed}", values)

    def record(self, entity: str, key: str, source: str = "shop", **fields: Any) -> None:
        """Add a canonical record."""
        record_id = f"{entity}:{source}:{key}"
        fields = {"canonical_id": record_id, "record_id": record_id} | fields
        self.add(f'held."{entity}"', source=source, source_key=key, mapping_version=1, **fields)

    def order(self, key: str, *, quantity: str = "2", price: str = "5", **fields: Any) -> None:
        """Add an order of the channel with one product line."""
        plain: dict[str, Any] = {
            "order_number": f"SO{key}", "status": "confirmed", "ordered_at": LONG_AGO, "customer_key": "c", "currency": "GBP",
        }  # fmt: skip
        self.record("sales_order", key, **(plain | fields))
        self.line(key, 1, quantity=quantity, unit_price=price)

    def line(self, key: str, number: int, **fields: Any) -> None:
        plain = {"kind": "product", "quantity": "1", "unit_price": "0", "discount_percent": "0", "product_key": "p"}
        self.record("sales_order_line", f"{key}-{number}", order_key=key, line_number=number, **(plain | fields))

    def outbox(self, record_id: str, *, status: str = "delivered", aggregate: str | None = None, **fields: Any) -> None:
        entity, source, key = record_id.split(":", 2)
        plain = {"operation": "upsert", "committed_at": LONG_AGO, "delivered_at": LONG_AGO}
        self.add(
            "causeway.outbox", record_id=record_id, entity=entity, source=source, source_key=key, canonical_id=record_id,
            aggregate_id=aggregate or record_id, status=status, **(plain | fields),
        )  # fmt: skip

    def in_odoo(
        self,
        key: str,
        *,
        odoo_id: int = 1,
        state: str = "sale",
        amount: str = "10",
        quantity: str = "2",
        bound: bool = True,
    ) -> None:
        """Add an order of Odoo with one line, bound to the channel's order of that key."""
        if bound:
            self.add(
                "causeway.crosswalk",
                canonical_id=order_id(key),
                entity="sales_order",
                model="sale.order",
                odoo_id=odoo_id,
            )
        self.add("odoo.sale_order", id=odoo_id, name=f"S{odoo_id:05}", state=state, amount_untaxed=amount)
        self.add("odoo.sale_order_line", id=odoo_id, order_id=odoo_id, product_uom_qty=quantity, qty_delivered=0)

    def delivered(self, key: str, **odoo: Any) -> None:
        """Note that the bridge has delivered the order, and what Odoo has of it."""
        self.outbox(order_id(key))
        self.in_odoo(key, **odoo)

    def shipment(
        self, number: str, key: str, quantity: str, *, final: bool = True, substitutes: str | None = None
    ) -> None:
        self.record(
            "shipment", number, "wms", shipment_number=number, order_source="shop", order_number=f"SO{key}",
            status="shipped", shipped_at=LONG_AGO + timedelta(days=1, hours=12), is_final=final,
        )  # fmt: skip
        self.record(
            "shipment_line", f"{number}-1", "wms", shipment_key=number, line_number=1, product_sku="X",
            quantity=quantity, order_line_number=1, substitutes_sku=substitutes,
        )  # fmt: skip

    def reconcile(self, **settings: Any) -> ReconciliationReport:
        self._cursor.execute("COMMIT")
        try:
            return reconcile(self._warehouse, ReconcileSettings(**settings))
        finally:
            self._cursor.execute("BEGIN")

    def found(self) -> dict[str, tuple[str, str | None]]:
        """Status and reason of every order of the latest run, by key."""
        rows = self._cursor.execute("SELECT order_key, status, reason FROM recon.latest_orders").fetchall()
        assert len({key for key, _, _ in rows}) == len(rows)
        return {key: (status, reason) for key, status, reason in rows}

    def exceptions(self) -> list[tuple[str, str, str]]:
        """Entity, key and kind of every exception of the latest run."""
        query = "SELECT entity, source_key, kind FROM recon.latest_exceptions ORDER BY ALL"
        return self._cursor.execute(query).fetchall()

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        return self._cursor.execute(query).fetchall()
