"""The kinds of calls: what is known of a method by its name, and how long its reply may take."""

from __future__ import annotations

from enum import StrEnum

from config.settings import OdooSettings

READING = frozenset(
    {
        "read",
        "search",
        "search_read",
        "search_count",
        "fields_get",
        "check_object_reference",
        "get_external_id",
        "export_data",
    }
)
_WRITING = frozenset({"create", "write", "unlink"})


class CallKind(StrEnum):
    """What a call is about; each kind has its own timeout."""

    LOGIN = "login"
    READ = "read"  # changes nothing: a lost reply leaves nothing unknown
    WRITE = "write"
    LOAD = "load"  # hundreds of records
    ACTION = "action"  # a button or wizard: as long as Odoo needs for the documents that it makes


def kind_of_call(method: str) -> CallKind:
    """Return the kind of a model's method; what is not known by name is an action."""
    if method in READING:
        return CallKind.READ
    if method in _WRITING:
        return CallKind.WRITE
    return CallKind.LOAD if method == "load" else CallKind.ACTION


def timeout_of(kind: CallKind, settings: OdooSettings) -> float:
    """Return the seconds to wait for a reply: the kind's own, never more than `odoo.timeout_s`."""
    own: float | None = getattr(settings.timeouts, f"{kind}_s")
    return settings.timeout_s if own is None else min(own, settings.timeout_s)
