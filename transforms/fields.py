"""The entities' fields as the compiler and the views need them: the kind of value, whether it must be given, the allowed words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from functools import cache
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import AwareDatetime

from transforms.canonical import ENTITIES


class FieldKind(Enum):
    """Kind of a field's values, in words for messages."""

    TEXT = "text"
    WORD = "one of a few words"
    NUMBER = "an exact number"
    INTEGER = "a whole number"
    BOOLEAN = "true or false"
    INSTANT = "an instant (timestamp with time zone)"


@dataclass(frozen=True, kw_only=True, slots=True)
class Field:
    """One business field of an entity. `words`: what a WORD field may hold, else empty."""

    name: str
    kind: FieldKind
    required: bool
    words: tuple[str, ...] = ()


_KINDS: dict[Any, FieldKind] = {
    str: FieldKind.TEXT,
    Decimal: FieldKind.NUMBER,
    int: FieldKind.INTEGER,
    bool: FieldKind.BOOLEAN,
    AwareDatetime: FieldKind.INSTANT,
}

# Types of the nulls that a canonical view shows for a field its mapping does not give.
_NULLS = {
    FieldKind.TEXT: "VARCHAR",
    FieldKind.WORD: "VARCHAR",
    FieldKind.NUMBER: "DECIMAL(18,4)",
    FieldKind.INTEGER: "BIGINT",
    FieldKind.BOOLEAN: "BOOLEAN",
    FieldKind.INSTANT: "TIMESTAMPTZ",
}


def _bare(annotation: Any) -> Any:
    """Return the type behind Annotated and Optional."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _bare(get_args(annotation)[0])
    if origin in (Union, UnionType):
        (only,) = (part for part in get_args(annotation) if part is not type(None))
        return _bare(only)
    return annotation


@cache
def entity_fields(entity: str) -> Mapping[str, Field]:
    """Return the business fields of an entity by name; KeyError for an unknown one."""
    model = ENTITIES[entity]
    found = {}
    for name in model.business_fields():
        info = model.model_fields[name]
        bare = _bare(info.annotation)
        words = tuple(get_args(bare)) if get_origin(bare) is Literal else ()
        kind = FieldKind.WORD if words else _KINDS[bare]
        found[name] = Field(name=name, kind=kind, required=info.is_required(), words=words)
    return found


def null_of(field: Field) -> str:
    """Return a typed SQL null for a view that has no value for a field."""
    return f"CAST(NULL AS {_NULLS[field.kind]})"
