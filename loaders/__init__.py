"""The operational lane's end: outbox, identity and crosswalk in Postgres, and the delivery to Odoo.

Imports config, cdc's data types and transforms. The other lane's packages are never imported here.
"""

from __future__ import annotations

from loaders.backlog import Backlog
from loaders.client import OdooClient
from loaders.deadletters import DeadLetter, DeadLetters
from loaders.delivery import Deliverer, DeliveryReport
from loaders.outbox import Outbox

__all__ = ["Backlog", "DeadLetter", "DeadLetters", "Deliverer", "DeliveryReport", "OdooClient", "Outbox"]
