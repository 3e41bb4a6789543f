"""One run of the order reconciliation, and what it found.

Contract: everything is worked out from the mirrors and the canonical views in one DuckDB transaction, so that a run sees one state
of each source, whose position it notes. The sources called odoo and causeway are Odoo's database and the bridge's own.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import duckdb

from config.errors import CausewayError, ErrorKind
from config.settings import ReconcileSettings
from warehouse.store import Warehouse, sql_text, translate

# What a run reads besides the canonical views.
NEEDED = (
    ("odoo", "sale_order"),
    ("odoo", "sale_order_line"),
    ("causeway", "outbox"),
    ("causeway", "identity"),
    ("causeway", "crosswalk"),
    ("canonical", "sales_order"),
    ("mart", "fulfilment"),
)
# As text: DuckDB makes Python objects of instants only where pytz is installed.
_AS_OF = """
    SELECT source, lsn, strftime(last_commit_at AT TIME ZONE 'UTC', '%Y-%m-%dT%H:%M:%S.%f+00:00')
    FROM meta.positions ORDER BY source
"""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class ReconciliationReport:
    """A run: orders by status, exceptions by kind, and the state that it saw.

    as_of: source -> {"lsn": X/Y, "last_commit_at": ISO instant or None}.
    """

    run_id: str
    started_at: datetime
    finished_at: datetime
    statuses: Mapping[str, int]
    exceptions: Mapping[str, int]
    as_of: Mapping[str, Mapping[str, str | None]]
    mapping_versions: Mapping[str, int]

    def as_dict(self) -> dict[str, Any]:
        """Return the report for a program."""
        return {
            "run_id": self.run_id,
            "started_at": self.started_at.isoformat(),
            "finished_at": self.finished_at.isoformat(),
            "statuses": dict(self.statuses),
            "exceptions": dict(self.exceptions),
            "as_of": {source: dict(at) for source, at in self.as_of.items()},
            "mapping_versions": dict(self.mapping_versions),
        }


def reconcile(warehouse: Warehouse, settings: ReconcileSettings) -> ReconciliationReport:
    """Reconcile what the mirrors hold now into recon.orders, recon.exceptions and recon.runs, under a new run id.

    CausewayError WAREHOUSE names the mirrors that are missing.
    """
    cursor = warehouse.cursor()
    try:
        cursor.execute("BEGIN")
        _require_mirrors(cursor)
        report = _run(cursor, settings)
        cursor.execute("COMMIT")
    except duckdb.Error as error:
        raise translate(error, "reconciling") from error
    finally:
        cursor.close()
    return report


def latest_run_id(warehouse: Warehouse) -> str:
    """Return the newest run's id; CausewayError WAREHOUSE where nothing was reconciled yet."""
    cursor = warehouse.cursor()
    try:
        row = cursor.execute("SELECT run_id FROM recon.latest_run").fetchone()
    except duckdb.CatalogException:
        row = None
    finally:
        cursor.close()
    if row is None:
        raise CausewayError(
            ErrorKind.WAREHOUSE, "The warehouse holds no reconciliation.", hint="Run `causeway reconcile` first."
        )
    return str(row[0])


def _run(cursor: duckdb.DuckDBPyConnection, settings: ReconcileSettings) -> ReconciliationReport:
    started_at = datetime.now(UTC)
    run_id = f"{started_at:%Y%m%dT%H%M%SZ}-{secrets.token_hex(2)}"
    cursor.execute(sql_text("reconciliation/schema.sql"))
    as_of = read_as_of(cursor)
    cursor.execute(sql_text("reconciliation/facts.sql"))
    parameters = {
        "run_id": run_id,
        "tolerance": Decimal(settings.tolerance),
        "timing_minutes": settings.timing_minutes,
        "started_at": started_at,
        "odoo_seen_until": _seen_until(as_of, "odoo"),
    }
    cursor.execute(sql_text("reconciliation/orders.sql"), parameters)
    cursor.execute(sql_text("reconciliation/exceptions.sql"), {"run_id": run_id})
    report = ReconciliationReport(
        run_id=run_id,
        started_at=started_at,
        finished_at=datetime.now(UTC),
        statuses=_counts(cursor, "SELECT status, count(*) FROM recon.orders WHERE run_id = ? GROUP BY ALL", run_id),
        exceptions=_counts(cursor, "SELECT kind, count(*) FROM recon.exceptions WHERE run_id = ? GROUP BY ALL", run_id),
        as_of=as_of,
        mapping_versions=read_mapping_versions(cursor),
    )
    _note(cursor, report, settings)
    return report


def read_as_of(cursor: duckdb.DuckDBPyConnection) -> dict[str, dict[str, str | None]]:
    """Return, by source, the position that this transaction sees."""
    rows = cursor.execute(_AS_OF).fetchall()
    return {source: {"lsn": lsn, "last_commit_at": at} for source, lsn, at in rows}


def read_mapping_versions(cursor: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Return, by name, the versions of the mappings that the canonical views are made of."""
    return dict(cursor.execute("SELECT name, version FROM meta.mappings ORDER BY name").fetchall())


def _note(cursor: duckdb.DuckDBPyConnection, report: ReconciliationReport, settings: ReconcileSettings) -> None:
    row = [
        report.run_id,
        report.started_at,
        report.finished_at,
        json.dumps(dict(report.statuses)),
        json.dumps(dict(report.exceptions)),
        json.dumps(report.as_of),
        json.dumps(report.mapping_versions),
        Decimal(settings.tolerance),
        settings.timing_minutes,
    ]
    cursor.execute("INSERT INTO recon.runs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)


def _counts(cursor: duckdb.DuckDBPyConnection, query: str, run_id: str) -> dict[str, int]:
    return dict(sorted(cursor.execute(query, [run_id]).fetchall()))


def _seen_until(as_of: Mapping[str, Mapping[str, str | None]], source: str) -> datetime:
    """Up to which commit the mirror of `source` reaches."""
    at = as_of.get(source, {}).get("last_commit_at")
    return datetime.fromisoformat(at) if at else _EPOCH


def _require_mirrors(cursor: duckdb.DuckDBPyConnection) -> None:
    rows = cursor.execute(
        "SELECT table_schema, table_name FROM information_schema.tables WHERE table_catalog = current_database()"
    ).fetchall()
    missing = [f"{schema}.{table}" for schema, table in NEEDED if (schema, table) not in rows]
    if missing:
        raise CausewayError(
            ErrorKind.WAREHOUSE,
            f"The reconciliation needs these tables of the warehouse, which are missing: {', '.join(missing)}.",
            hint="Capture Odoo's and the bridge's own databases as the sources odoo and causeway, and run the analytical lane.",
        )
