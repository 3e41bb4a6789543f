"""A thousand real invoices and credits, from a portal's tables to a real Odoo: orders, deliveries, invoices, credit notes, to the cent.

Needs the orders file and a real Odoo (CAUSEWAY_TEST_ODOO_URL), which keeps what this leaves there; about five minutes.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pytest
import yaml
from pydantic import SecretStr

from causeway.demo.folder import write_settings
from config.settings import OdooSettings
from loaders.odoo.client import OdooClient
from sandbox.databases import create_databases, open_sources
from sandbox.orders_file import OrdersFile
from sandbox.postgres import EmbeddedPostgres

ORDERS = Path(
    os.environ.get("CAUSEWAY_ORDERS_FILE", Path(__file__).parents[3] / "shared" / "data" / "online_retail.parquet")
)
INVOICES = int(os.environ.get("CAUSEWAY_TEST_INVOICES", "1000"))
URL = os.environ.get("CAUSEWAY_TEST_ODOO_URL", "")

pytestmark = [
    pytest.mark.odoo,
    pytest.mark.slow,
    pytest.mark.timeout(3600),
    pytest.mark.skipif(not URL, reason="no real Odoo: CAUSEWAY_TEST_ODOO_URL is not set"),
    pytest.mark.skipif(not ORDERS.exists(), reason=f"the orders file {ORDERS.name} is not on this machine"),
]

# The first invoices of the file, with all their lines, in its order.
_FIRST = """
COPY (
    SELECT * FROM read_parquet('{file}') WHERE InvoiceNo IN (
        SELECT InvoiceNo FROM (SELECT InvoiceNo, min(file_row_number) AS n FROM read_parquet('{file}', file_row_number = true) GROUP BY 1)
        ORDER BY n LIMIT {count}
    )
) TO '{out}' (FORMAT parquet)
"""
_TO_SHIP = """
SELECT o.order_no, l.line_no, p.sku, l.qty FROM orders o JOIN order_lines l ON l.order_id = o.id JOIN products p ON p.id = l.product_id
WHERE o.kind = 'order' AND l.kind = 'item' AND l.qty > 0 AND p.kind = 'goods' ORDER BY 1, 2
"""


@dataclass(frozen=True, kw_only=True)
class Bridge:
    """Its settings file, the portal and the state as dsn, and a client of Odoo."""

    config: Path
    shop: str
    state: str
    odoo: OdooClient

    def run(self) -> None:
        """Deliver all there is."""
        command = [
            sys.executable,
            "-m",
            "causeway",
            "run",
            "--config",
            str(self.config),
            "--lane",
            "operational",
            "--until-caught-up",
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=3000)
        assert done.returncode == 0, done.stderr[-4000:]

    def rows(self, dsn: str, query: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute(b"SET search_path TO causeway, public")
            found = connection.execute(query.encode())
            return found.fetchall() if found.description else []

    def crosswalk(self, entity: str) -> dict[str, int]:
        """Odoo's ids by source key."""
        query = f"SELECT source_key, odoo_id FROM outbox JOIN crosswalk USING (canonical_id) WHERE outbox.entity = '{entity}'"
        return dict(self.rows(self.state, query))


@pytest.fixture(scope="module")
def bridge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bridge]:
    folder = tmp_path_factory.mktemp("orders_in_odoo")
    first = folder / "first.parquet"
    duckdb.sql(_FIRST.format(file=ORDERS, count=INVOICES, out=first))
    with EmbeddedPostgres() as server:
        create_databases(server)
        with open_sources(server) as sources:
            file = OrdersFile(first)
            file.masters(sources.shop)
            file.trade(sources.shop)
            _ship(sources.shop, sources.wms)
        config = _settings(folder, server)
        odoo = OdooClient(_odoo_settings())
        yield Bridge(config=config, shop=server.dsn("shop"), state=server.dsn("causeway"), odoo=odoo)
        odoo.close()


def _odoo_settings() -> OdooSettings:
    given = {key: os.environ.get(f"CAUSEWAY_TEST_ODOO_{key}", "") for key in ("DB", "USER", "PASSWORD")}
    password = SecretStr(given["PASSWORD"] or "admin")
    return OdooSettings(url=URL, database=given["DB"] or "odoo", user=given["USER"] or "admin", password=password)


def _settings(folder: Path, server: EmbeddedPostgres) -> Path:
    odoo = _odoo_settings()
    dsns = {name: server.dsn(name) for name in ("shop", "market", "wms", "odoo", "causeway")}
    config = write_settings(folder, dsns=dsns, odoo_url=URL, odoo_password=odoo.password.get_secret_value())
    tree = yaml.safe_load(config.read_text())
    tree["odoo"] |= {"database": odoo.database, "user": odoo.user, "prefix": f"cwfile{int(time.time()):x}"}
    tree["sources"] = {name: tree["sources"][name] for name in ("shop", "wms")}
    tree["policies"] = "policies.yaml"
    config.write_text(yaml.safe_dump(tree))
    policies = {"channels": {"shop": {"money": {"invoicing": "on_order", "invoice_date": "order"}}}}
    (folder / "policies.yaml").write_text(yaml.safe_dump(policies))
    return config


def _ship(shop: psycopg.Connection, wms: psycopg.Connection) -> None:
    """The warehouse sends every order whole, in one parcel."""
    lines = shop.execute(_TO_SHIP.encode()).fetchall()
    numbers = sorted({line[0] for line in lines})
    wms.execute(b"INSERT INTO warehouses (code, name) VALUES ('W', 'Warehouse')")
    with wms.transaction(), wms.cursor() as cursor:
        cursor.executemany(
            b"INSERT INTO pick_tickets (ticket_id, channel, order_ref, warehouse_code, status, created_at)"
            b" VALUES (%s, 'B2B', %s, 'W', 'CLOSED', '2010-12-02')",
            list(enumerate(numbers, 1)),
        )
        cursor.executemany(
            b"INSERT INTO shipments (shipment_no, ticket_id, channel, order_ref, warehouse_code, status, is_final, dispatched_at)"
            b" VALUES ('S' || %s, %s, 'B2B', %s, 'W', 'DISPATCHED', true, '2010-12-03')",
            [(number, ticket, number) for ticket, number in enumerate(numbers, 1)],
        )
        cursor.executemany(
            b"INSERT INTO shipment_lines (shipment_no, line_no, sku, qty, order_line_ref) VALUES ('S' || %s, %s, %s, %s, %s)",
            [(number, line_no, sku, quantity, str(line_no)) for number, line_no, sku, quantity in lines],
        )


def _money(value: float) -> Decimal:
    return Decimal(str(value)).quantize(Decimal("0.01"))


@pytest.fixture(scope="module")
def delivered(bridge: Bridge) -> Bridge:
    bridge.run()
    return bridge


def test_every_order_and_credit_is_in_odoo_invoiced_to_the_cent_or_a_dead_letter_with_a_reason(
    delivered: Bridge,
) -> None:
    file = {
        str(key): (number, total)
        for key, number, total in delivered.rows(delivered.shop, "SELECT id, order_no, total FROM orders")
    }
    dead = delivered.rows(delivered.state, "SELECT record_id, error FROM outbox WHERE status = 'dead'")
    assert all(error for _, error in dead)
    ids = delivered.crosswalk("sales_order")
    orders = delivered.odoo.read_by_id("sale.order", list(ids.values()), ["amount_untaxed", "state", "invoice_ids"])
    invoices = delivered.odoo.read_by_id(
        "account.move",
        [one for order in orders.values() for one in order["invoice_ids"]],
        ["state", "move_type", "amount_untaxed_signed"],
    )
    wrong = {}
    for key, (number, total) in file.items():
        if any(record.split(":")[2].split("-")[0] == key for record, _ in dead if record.startswith("sales_order")):
            continue
        order = orders[ids[key]]
        its = [invoices[one] for one in order["invoice_ids"]]
        invoiced = sum((_money(one["amount_untaxed_signed"]) for one in its), Decimal(0))
        if (
            _money(order["amount_untaxed"]) != total
            or invoiced != total
            or any(one["state"] != "posted" for one in its)
        ):
            wrong[number] = (total, order, its)
        kind = "out_refund" if total < 0 else "out_invoice"
        if total and {one["move_type"] for one in its} != {kind}:
            wrong[number] = (total, order, its)
    assert wrong == {}
    assert len(file) == INVOICES
    assert len(dead) < INVOICES / 100, dead


def test_every_parcel_has_left(delivered: Bridge) -> None:
    statuses = dict(
        delivered.rows(delivered.state, "SELECT status, count(*) FROM outbox WHERE entity = 'shipment' GROUP BY 1")
    )
    assert set(statuses) == {"delivered"}
    ids = list(delivered.crosswalk("sales_order").values())
    open_moves = delivered.odoo.search_read(
        "stock.move",
        [
            ["sale_line_id.order_id", "in", ids],
            ["state", "not in", ["done", "cancel"]],
            ["picking_code", "=", "outgoing"],
        ],
        ["id"],
    )
    assert open_moves == []


def test_run_again_it_writes_nothing(delivered: Bridge) -> None:
    ids = list(delivered.crosswalk("sales_order").values())

    def newest() -> list[Any]:
        orders = delivered.odoo.search_read(
            "sale.order", [["id", "in", ids]], ["write_date", "invoice_ids", "picking_ids"]
        )
        moves = [one for order in orders for one in order["invoice_ids"]]
        pickings = [one for order in orders for one in order["picking_ids"]]
        return [
            orders,
            delivered.odoo.search_read("account.move", [["id", "in", moves]], ["write_date"]),
            delivered.odoo.search_read("stock.picking", [["id", "in", pickings]], ["write_date"]),
        ]

    before = newest()
    delivered.run()
    delivered.rows(delivered.state, "UPDATE outbox SET status = 'pending', stage = 'load' WHERE status = 'delivered'")
    delivered.run()
    assert newest() == before
