"""From a mapped row to a canonical record, or to words that say why not: fields and constraints, never values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from transforms.canonical import ENTITIES
from transforms.record import CanonicalRecord
from transforms.statusmaps import UNKNOWN

_MISSING = "is missing: the source gives null"
_UNMAPPED = "maps.yaml has no entry for the source's word; it takes {words}"


def validate(entity: str, values: Mapping[str, Any]) -> CanonicalRecord | str:
    """Return the record that these values make, or the text that says what is wrong with which fields."""
    try:
        return ENTITIES[entity].model_validate(values)
    except ValidationError as error:
        details = error.errors(include_url=False, include_context=True)
        return "; ".join(f"{'.'.join(map(str, each['loc'])) or entity}: {_say(each)}" for each in details)


def _say(detail: Mapping[str, Any]) -> str:
    """Return one constraint in words. pydantic's own texts name what was expected, not what was given."""
    given = detail.get("input")
    if given is None or detail["type"] == "missing":
        return _MISSING
    if detail["type"] == "literal_error" and str(given).startswith(UNKNOWN):
        return _UNMAPPED.format(words=detail["ctx"]["expected"])
    return str(detail["msg"]).replace("Input should", "should").replace("String should", "should")


def as_payload(values: Mapping[str, Any]) -> dict[str, str | None]:
    """Return mapped values as text."""
    return {name: None if value is None else str(value) for name, value in values.items()}
