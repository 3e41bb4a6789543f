"""The demo's folder: settings, secrets, warehouse, extracts. It stays after the demo, to be looked at; a second demo clears it."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from config.errors import CausewayError, ErrorKind
from transforms.packs import pack_path

MARKER = ".causeway-demo"
TABLES: Mapping[str, tuple[str, ...]] = {
    "shop": ("customers", "addresses", "products", "orders", "order_lines", "payments"),
    "market": ("listings", "buyers", "orders", "items", "fees", "settlements", "returns"),
    "wms": ("warehouses", "stock", "pick_tickets", "shipments", "shipment_lines", "receipts"),
    "odoo": (
        "res_partner",
        "product_template",
        "product_product",
        "uom_uom",
        "sale_order",
        "sale_order_line",
        "stock_picking",
        "stock_move",
        "account_move",
        "ir_model_data",
    ),
    "causeway": ("outbox", "identity", "crosswalk", "deliveries", "positions"),
}
ROLES = {"shop": "channel", "market": "channel", "wms": "warehouse", "odoo": "erp", "causeway": "state"}


def prepare_folder(folder: Path) -> Path:
    """Return the demo's folder, empty; a folder with something else in it is refused."""
    folder = folder.resolve()
    if folder.exists() and not (folder / MARKER).exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise CausewayError(
            ErrorKind.SETTINGS,
            f"{folder} exists and is not a demo's folder.",
            hint="Name another one with --dir; it would be emptied.",
        )
    try:
        shutil.rmtree(folder, ignore_errors=False) if folder.exists() else None
        folder.mkdir(parents=True)
        (folder / MARKER).write_text("Made by `causeway demo`, which empties this folder when it runs again.\n")
    except OSError as error:
        raise CausewayError(ErrorKind.SETTINGS, f"{folder} cannot be written: {error.strerror}.") from error
    return folder


def write_settings(
    folder: Path,
    *,
    dsns: Mapping[str, str],
    odoo_url: str,
    odoo_password: str,
    row_filters: Mapping[str, str] | None = None,
) -> Path:
    """Write the demo's settings file and return its path. `row_filters`: of the shop's tables, for the operational lane."""
    secret = folder / "secrets" / "odoo"
    secret.parent.mkdir(mode=0o700)
    secret.write_text(odoo_password)
    secret.chmod(0o600)
    tree: dict[str, Any] = {
        "sources": {name: _source(name, dsns[name], row_filters or {}) for name in TABLES},
        "state": {"connection": {"dsn": dsns["causeway"]}},
        "odoo": {"url": odoo_url, "database": "odoo", "user": "admin", "password": {"file": "secrets/odoo"}},
        "warehouse": {"path": "warehouse.duckdb", "extracts": "extracts"},
        # The day is over in a minute: nothing of it is too young to be a break.
        "reconcile": {"timing_minutes": 0},
        "mappings": [str(pack_path("demo"))],
        "capture": {"status_interval_s": 1.0},
        "log": {"level": "WARNING"},
        "run_dir": "run",
    }
    file = folder / "causeway.yaml"
    file.write_text(yaml.safe_dump(tree, sort_keys=False), encoding="utf-8")
    return file


def _source(name: str, dsn: str, row_filters: Mapping[str, str]) -> dict[str, Any]:
    schema = "causeway" if name == "causeway" else "public"
    tables: list[Any] = [f"{schema}.{table}" for table in TABLES[name]]
    if name == "shop":
        tables = [_table(table, row_filters.get(table)) for table in tables]
    source: dict[str, Any] = {"role": ROLES[name], "connection": {"dsn": dsn}, "tables": tables}
    if name == "shop":
        source["timezone"] = "Europe/London"
        source["priority"] = 10
    return source


def _table(name: str, row_filter: str | None) -> Any:
    return {"name": name, "row_filter": row_filter} if row_filter else name
