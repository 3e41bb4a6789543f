"""Shadow mode: everything but the writing. What a domain's records would make of Odoo is compared with what Odoo holds already.

Contract: reads Odoo and writes the state database only. A compared record is settled as `shadowed` with a row in `shadow`; it is
compared again when it changes. When its domain goes live it is due, unless Odoo holds the thing under a name that is not ours: such
a record becomes a dead letter until it is adopted (`adoption`), so that going live makes no second customer and no second order.
"""

from __future__ import annotations

from loaders.shadow.adoption import adopt, guarded
from loaders.shadow.report import ShadowReport, Verdicts
from loaders.shadow.step import compare

__all__ = ["ShadowReport", "Verdicts", "adopt", "compare", "guarded"]
