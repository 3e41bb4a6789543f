"""The order reconciliation: each channel order against Odoo's, with a status, a reason, and what is unusual about it."""

from __future__ import annotations

from warehouse.reconciliation.run import ReconciliationReport, latest_run_id, reconcile

__all__ = ["ReconciliationReport", "latest_run_id", "reconcile"]
