"""Column names to field paths, and rows to nested records. Pure: no database, no conversion.

A path's parts are field names, ending in None (the record by its name), `id` (external id) or `.id` (database id).
Rows that have values only in one2many columns belong to the record above them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sandbox.odoo.orm.fields import RELATIONAL

if TYPE_CHECKING:
    from sandbox.odoo.orm.model import Model, Registry

Path = tuple[str | None, ...]
Record = dict[str | None, Any]


@dataclass(frozen=True, kw_only=True)
class Extracted:
    """One record's cells, and the rows (0-based, inclusive) that they came from."""

    cells: Record
    first: int
    last: int

    @property
    def rows(self) -> dict[str, int]:
        """As messages carry it."""
        return {"from": self.first, "to": self.last}


def parse_path(column: str) -> Path:
    """`partner_id/id` -> (partner_id, id); `partner_id.id` and `partner_id:id` are the older spellings."""
    column = re.sub(r"([^/])\.id$", r"\1/.id", column)
    column = re.sub(r"([^/]):id$", r"\1/id", column)
    return tuple(column.split("/"))


def extract(
    registry: Registry, model: Model, paths: Sequence[Path], data: Sequence[Sequence[Any]]
) -> Iterator[Extracted]:
    """The records in `data`, in order. ValueError for a column that is no field."""
    check_columns(model, paths)
    many = [place for place, path in enumerate(paths) if _kind(model, path[0]) == "one2many"]
    other = [place for place in range(len(paths)) if place not in set(many)]
    first = 0
    while first < len(data):
        last = first
        while last + 1 < len(data) and _only(data[last + 1], many, other):
            last += 1
        cells = _record(registry, model, paths, data[first : last + 1])
        yield Extracted(cells=cells, first=first, last=last)
        first = last + 1


def check_columns(model: Model, paths: Sequence[Path]) -> None:
    """ValueError, with Odoo's words, for the first column that is no field of `model`."""
    for path in paths:
        if path[0] and "." not in path[0] and path[0] not in model.fields:
            raise ValueError(f"Invalid field name {path[0]!r}")


def _kind(model: Model, name: str | None) -> str:
    return model.fields[name].kind if name in model.fields else ""


def _only(row: Sequence[Any], many: Sequence[int], other: Sequence[int]) -> bool:
    return any(row[place] for place in many) and not any(row[place] for place in other)


def _record(registry: Registry, model: Model, paths: Sequence[Path], rows: Sequence[Sequence[Any]]) -> Record:
    record: Record = {}
    for path, value in zip(paths, rows[0], strict=False):
        if _kind(model, path[0]) not in RELATIONAL:
            record[path[0]] = value
    for name in dict.fromkeys(path[0] for path in paths if _kind(model, path[0]) in RELATIONAL):
        assert name is not None
        record[name] = _related(registry, model, name, paths, rows)
    return record


def _related(
    registry: Registry, model: Model, name: str, paths: Sequence[Path], rows: Sequence[Sequence[Any]]
) -> list[Record]:
    places = [place for place, path in enumerate(paths) if path[0] == name]
    inner: list[Path] = [paths[place][1:] or (None,) for place in places]
    values = [[row[place] for place in places] for row in rows]
    filled = [row for row in values if any(row)]
    return [one.cells for one in extract(registry, registry[model.fields[name].comodel], inner, filled)]
