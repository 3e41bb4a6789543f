"""A day of sales in an Odoo whose own database is captured meanwhile: every table of its mirror equals Odoo's, row by row.

For the real one CAUSEWAY_TEST_ODOO_DSN says how its database is reached, as a role that may replicate and create publications.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.contract.sales import Sales
from tests.fixtures.postgres import FreshDatabase

MAPPING = """-- mapping: partners
-- entity: customer
-- source: odoo
-- table: public.res_partner
-- version: 1
SELECT id AS source_key, name AS name, is_company AS is_company, 'contact' AS kind, active AS active FROM public.res_partner
"""
Causeway = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def causeway(tmp_path: Path, odoo_dsn: str, sales: Sales, database: FreshDatabase) -> Iterator[Causeway]:
    """The bridge's command, over a settings file that captures the whole of Odoo's database; its slot is dropped at the end."""
    address = sales.odoo.address
    (tmp_path / "maps").mkdir()
    (tmp_path / "maps" / "partners.sql").write_text(MAPPING)
    (tmp_path / "secret").write_text(address.password)
    (tmp_path / "secret").chmod(0o600)
    tree: dict[str, Any] = {
        "sources": {
            "odoo": {
                "role": "erp",
                "connection": {"dsn": odoo_dsn},
                "tables": ["public.*"],
                "slot_prefix": f"test_{database.name}",
            }
        },
        "state": {"connection": {"dsn": database.dsn}},
        "odoo": {
            "url": address.url,
            "database": address.database,
            "user": address.user,
            "password": {"file": "secret"},
        },
        "warehouse": {"path": "warehouse.duckdb", "extracts": "extracts"},
        "mappings": ["maps"],
        "run_dir": "run",
    }
    (tmp_path / "causeway.yaml").write_text(yaml.safe_dump(tree))

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "causeway", *arguments, "--config", str(tmp_path / "causeway.yaml")]
        return subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)

    yield run
    run("slots", "drop", "odoo")


def sell(sales: Sales, day: str) -> None:
    """Orders in every state: shipped in whole, in part and not at all, changed, cancelled, invoiced; a partner comes and goes."""
    odoo = sales.odoo
    whole = sales.order(f"{day}a", ("mug", "2", "4.125"), ("freight", "1", "5"))
    sales.validate(sales.pickings(whole)[0]["id"])
    part = sales.order(f"{day}b", ("mug", "5", "4"), ("pot", "1", "19.99"))
    sales.pick(sales.moves(part)[0]["id"], 2)
    sales.validate(sales.pickings(part)[0]["id"], skip_backorder=True)
    changed = sales.order(f"{day}c", ("pot", "3", "18"))
    odoo.call("sale.order.line", "write", [sales.lines(changed)[0]["id"]], {"product_uom_qty": 7})
    cancelled = sales.order(f"{day}d", ("pot", "1", "18"))
    odoo.call("sale.order", "action_cancel", [cancelled], context={"disable_cancel_warning": True})
    sales.quotation(f"{day}e", ("mug", "1", "3.3333333"))
    customer = odoo.find("res.partner", ["name", "=", f"Customer {odoo.prefix}"])[0]["id"]
    line = {"name": "Work", "quantity": 3, "price_unit": 3.33, "discount": 10, "tax_ids": [[6, 0, []]]}
    values = {"move_type": "out_invoice", "partner_id": customer, "invoice_line_ids": [[0, 0, line]]}
    odoo.call("account.move", "action_post", [odoo.call("account.move", "create", values)])
    names = [f"Kunde {day} é€", "y" * 3000]
    [gone, kept] = [odoo.call("res.partner", "create", {"name": name}) for name in names]
    odoo.call("res.partner", "unlink", [gone])
    odoo.call("res.partner", "write", [kept], {"active": False})


def test_every_table_of_odoos_database_is_mirrored_through_a_day_of_sales(causeway: Causeway, sales: Sales) -> None:
    sell(sales, "before")
    for day in ("first", "second"):
        ran = causeway("run", "--lane", "analytical", "--until-caught-up")
        assert ran.returncode == 0, ran.stderr
        sell(sales, day)
    verified = causeway("verify", "odoo", "--json")
    assert verified.returncode == 0, verified.stdout + verified.stderr
    tables = {table["table"]: table for table in json.loads(verified.stdout)["tables"]}
    assert all(table["equal"] for table in tables.values())
    mirrored = {
        "public.sale_order",
        "public.sale_order_line",
        "public.stock_move",
        "public.account_move",
        "public.res_partner",
    }
    assert mirrored <= tables.keys()
    assert all(tables[name]["source_rows"] for name in mirrored)
    assert not [name for name in tables if name.startswith("public.mail_message")]
