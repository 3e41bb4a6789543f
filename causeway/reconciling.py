"""Reconciliation and its extracts as commands run them: with the warehouse's file in their own hands."""

from __future__ import annotations

from pathlib import Path

from config.settings import Settings
from warehouse.extracts import extract
from warehouse.reconciliation import ReconciliationReport, latest_run_id, reconcile
from warehouse.store import Warehouse


def run_reconciliation(settings: Settings) -> tuple[ReconciliationReport, list[Path]]:
    """Reconcile what the mirror holds now, write the extracts, and return both."""
    with Warehouse.open(settings.warehouse) as warehouse, warehouse.querying():
        report = reconcile(warehouse, settings.reconcile)
        return report, extract(warehouse, settings.warehouse.extracts, report.run_id)


def write_extracts(settings: Settings, run_id: str | None) -> list[Path]:
    """Write the extracts of a run, the latest where none is named; CausewayError WAREHOUSE where there is no such run."""
    with Warehouse.open(settings.warehouse) as warehouse, warehouse.querying():
        return extract(warehouse, settings.warehouse.extracts, run_id or latest_run_id(warehouse))
