"""The operational lane's end: outbox, identity and crosswalk in Postgres, and the delivery to Odoo.

Imports config, cdc's data types and transforms. The other lane's packages are never imported here.
"""

from __future__ import annotations

from loaders.arriving.outbox import Outbox
from loaders.delivering.backlog import Backlog
from loaders.delivering.delivery import Deliverer, DeliveryReport
from loaders.odoo.client import OdooClient
from loaders.tracing.deadletters import DeadLetter, DeadLetters

__all__ = ["Backlog", "DeadLetter", "DeadLetters", "Deliverer", "DeliveryReport", "OdooClient", "Outbox"]
