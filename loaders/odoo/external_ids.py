"""External ids: the bridge's own names for records in Odoo, which make load() an upsert; and what Odoo has under them.

Source: Odoo 18 odoo/models.py: text before the first dot is the module; a comma separates x2many references; a check
constraint of ir.model.data refuses spaces. So everything but letters, digits, underscore and hyphen is written as ~ and hex.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from loguru import logger

from config.errors import ErrorKind
from loaders.odoo.client import OdooClient
from loaders.odoo.odoo_errors import OdooError

_UNKNOWN = "External ID not found"
_UNSAFE = re.compile(rb"[^A-Za-z0-9_-]")


def external_id(prefix: str, canonical_id: str) -> str:
    """Return ``PREFIX.name`` for a canonical id; different ids give different names."""
    name = _UNSAFE.sub(lambda match: b"~%02X" % match[0][0], canonical_id.encode())
    return f"{prefix}.{name.decode()}"


class Found(NamedTuple):
    """What Odoo has under an external id."""

    model: str
    odoo_id: int


def look_up(client: OdooClient, prefix: str, names: Sequence[str]) -> dict[str, Found]:
    """Return what Odoo has under these names, without their prefix; those that it does not have are left out.

    ir.model.data is open to administrators of access rights only. For any other user each name is asked for alone, with
    check_object_reference (base/models/ir_model.py), which needs the right to read the record itself.
    """
    domain = [["module", "=", prefix], ["name", "in", list(names)]]
    try:
        rows = client.search_read("ir.model.data", domain, ["name", "model", "res_id"])
    except OdooError as error:
        if error.kind is not ErrorKind.REFUSED:
            raise
        logger.debug("external ids are asked for one by one: {}", error.hint or error.message)
        return {name: found for name in names if (found := _look_up_one(client, prefix, name)) is not None}
    return {row["name"]: Found(row["model"], row["res_id"]) for row in rows}


def _look_up_one(client: OdooClient, prefix: str, name: str) -> Found | None:
    try:
        answer = client.call("ir.model.data", "check_object_reference", [prefix, name], context={"active_test": False})
    except OdooError as error:
        if error.kind is ErrorKind.REFUSED and _UNKNOWN in error.message:
            return None
        raise
    model, odoo_id = answer
    return Found(model, odoo_id) if odoo_id else None
