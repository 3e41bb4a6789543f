"""The names of the parameters of Odoo's methods: JSON-2 takes no positional ones. Pure.

Contract: a method that is called with ids alone needs no entry; every other that a loader calls has one, which a test watches over.
Source: Odoo 19 addons/rpc/controllers/json2.py; odoo/orm/models.py for the signatures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from config.errors import ErrorKind
from loaders.odoo.odoo_errors import OdooError

# Of the model, not of records of it: JSON-2 refuses `ids` with these.
OF_THE_MODEL: Mapping[str, tuple[str, ...]] = {
    "check_object_reference": ("module", "xml_id", "raise_on_access_error"),
    "create": ("vals_list",),
    "fields_get": ("allfields", "attributes"),
    "load": ("fields", "data"),
    "name_search": ("name",),
    "search": ("domain", "offset", "limit", "order"),
    "search_count": ("domain", "limit"),
    "search_read": ("domain", "fields", "offset", "limit", "order"),
}
# Behind the ids, which come first.
OF_RECORDS: Mapping[str, tuple[str, ...]] = {
    "export_data": ("fields_to_export",),
    "js_assign_outstanding_line": ("line_id",),
    "js_remove_outstanding_partial": ("partial_id",),
    "read": ("fields", "load"),
    "write": ("vals",),
}


def named_arguments(model: str, method: str, args: Sequence[Any], named: Mapping[str, Any]) -> dict[str, Any]:
    """Return a call's arguments by name, positional ids as `ids`. Raises OdooError where a parameter's name is not known."""
    if method in OF_THE_MODEL:
        return dict(zip(_enough(OF_THE_MODEL[method], model, method, args), args, strict=False)) | dict(named)
    if not args:
        return dict(named)
    ids, *rest = args
    names = _enough(OF_RECORDS.get(method, ()), model, method, rest)
    return {"ids": [ids] if isinstance(ids, int) else list(ids)} | dict(zip(names, rest, strict=False)) | dict(named)


def _enough(names: tuple[str, ...], model: str, method: str, args: Sequence[Any]) -> tuple[str, ...]:
    if len(args) > len(names):
        message = (
            f"The names of the parameters of {model}.{method} are not known: Odoo's JSON-2 takes them by name only."
        )
        raise OdooError(ErrorKind.INTERNAL, message, hint="Report it: the bridge has a table of them.")
    return names
