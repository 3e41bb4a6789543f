"""External ids: the bridge's own names for records in Odoo, which make load() an upsert.

Source: Odoo 18 odoo/models.py: text before the first dot is the module; a comma separates x2many references; a check
constraint of ir.model.data refuses spaces. So everything but letters, digits, underscore and hyphen is written as ~ and hex.
"""

from __future__ import annotations

import re

_UNSAFE = re.compile(rb"[^A-Za-z0-9_-]")


def external_id(prefix: str, canonical_id: str) -> str:
    """Return ``PREFIX.name`` for a canonical id; different ids give different names."""
    name = _UNSAFE.sub(lambda match: b"~%02X" % match[0][0], canonical_id.encode())
    return f"{prefix}.{name.decode()}"
