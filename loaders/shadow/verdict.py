"""What a comparison says of one record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any

from loaders.delivering.claims import Due


class Verdict(StrEnum):
    """same, differs: Odoo has it. missing: it would be made. ambiguous: several of Odoo's could be it. not_compared: nothing compares it."""

    SAME = "same"
    DIFFERS = "differs"
    MISSING = "missing"
    AMBIGUOUS = "ambiguous"
    NOT_COMPARED = "not_compared"


@dataclass(frozen=True, kw_only=True, slots=True)
class Compared:
    """One record's comparison. `differences`: field -> [ours, Odoo's], as text."""

    due: Due
    verdict: Verdict
    model: str | None = None
    odoo_id: int | None = None
    matched_by: str | None = None
    differences: Mapping[str, list[str | None]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Match:
    """A record of Odoo's that is the thing, and by what it was found."""

    row: Mapping[str, Any]
    matched_by: str


def differing(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> dict[str, list[str | None]]:
    """Return the fields of `ours` in which `theirs` says something else; empty and false mean the same, amounts are compared as numbers."""
    found = {}
    for name, value in ours.items():
        mine, its = _plain(value), _plain(theirs.get(name))
        if mine != its and not _same_number(mine, its):
            found[name] = [mine, its]
    return found


def compared(due: Due, model: str, match: Match | None, ours: Mapping[str, Any]) -> Compared:
    """Return what is to be said of a record and the one of Odoo's that is it."""
    if match is None:
        return Compared(due=due, verdict=Verdict.MISSING, model=model)
    differences = differing(ours, match.row)
    return Compared(
        due=due,
        verdict=Verdict.DIFFERS if differences else Verdict.SAME,
        model=model,
        odoo_id=match.row["id"],
        matched_by=match.matched_by,
        differences=differences,
    )


def _plain(value: Any) -> str | None:
    if value is None or value is False or value == "":
        return None
    if value is True:
        return "true"
    if isinstance(value, list):  # a many2one as read() gives it: [id, name]
        return str(value[1]) if len(value) == 2 else str(value)
    return str(value)


def _same_number(mine: str | None, its: str | None) -> bool:
    try:
        return Decimal(mine or "0") == Decimal(its or "0")
    except InvalidOperation:
        return False
