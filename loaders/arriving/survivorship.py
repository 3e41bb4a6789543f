"""Whose values are written where several sources' records are one thing, or where a source does not own what it says.

A field that the policies give to a source is taken from its record of the thing, whichever record owns the thing. One that they give to
a source without such a record, or to Odoo, is written when Odoo gets the thing, and never again. One that they give to nobody is the
owning record's. What is said and not written is noted (`value_differences`), for people to see.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from config.policies.domains import Ownership
from loaders.delivering.claims import Due
from loaders.delivering.load import LoadRow
from loaders.delivering.work import Work
from loaders.named_sql import statements
from loaders.state import translated

# Odoo's cells by the canonical field that they are made of.
CELLS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "customer": {
        "name": ("name",), "is_company": ("is_company",), "email": ("email",), "vat": ("vat",), "phone": ("phone",),
        "street": ("street",), "street2": ("street2",), "city": ("city",), "postcode": ("zip",), "country_code": ("country_id/id",),
        "active": ("active",),
    },
    "product": {
        "sku": ("default_code",), "barcode": ("barcode",), "name": ("name",), "description": ("description_sale",),
        "kind": ("type", "is_storable"), "unit": ("uom_id/id", "uom_id/.id"), "list_price": ("list_price",),
        "cost": ("standard_price",), "active": ("active",),
    },
}  # fmt: skip


class _Said(NamedTuple):
    """Another source's record of a thing."""

    record_id: str
    source: str
    payload: Mapping[str, Any]


class _Difference(NamedTuple):
    """What a record says of a thing's field, that is not written. `owner`: the field's, None where it has none."""

    thing: str
    field: str
    record_id: str
    value: str
    written: str | None
    owner: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Survivor:
    """A record to write. `due`: with the values that are written; `not_ours`: Odoo's cells that somebody else keeps."""

    due: Due
    not_ours: frozenset[str]

    def row(self, cells: Mapping[str, str], *, is_bound: bool) -> LoadRow:
        """Return the cells as a row to load: what is not ours only where Odoo does not have the thing yet."""
        ours = {name: value for name, value in cells.items() if name not in self.not_ours}
        first = {} if is_bound else {name: value for name, value in cells.items() if name in self.not_ours}
        return LoadRow(cells=ours, first=first)


def survivors(work: Work, batch: Sequence[Due]) -> list[Survivor]:
    """Return these records of one entity as they are to be written; note what is said of their things and not written."""
    if not batch:
        return []
    ownership = work.policies.ownership(batch[0].entity)
    others = _others(work, batch)
    found: list[Survivor] = []
    differences: list[_Difference] = []
    for due in batch:
        said = others.get(due.canonical_id, [])
        if ownership.everyone is None and not said:
            found.append(Survivor(due=due, not_ours=frozenset()))
            continue
        survivor = _survivor(due, said, ownership)
        found.append(survivor)
        differences += _differences(survivor, due, said, ownership)
    _note(work, [due.canonical_id for due in batch], differences)
    return found


def _others(work: Work, batch: Sequence[Due]) -> dict[str, list[_Said]]:
    with translated("looking for other sources' records"):
        rows = work.connection.execute(_sql("others"), [[due.canonical_id for due in batch]]).fetchall()
        work.connection.commit()
    others: dict[str, list[_Said]] = defaultdict(list)
    for thing, *said in rows:
        others[thing].append(_Said(*said))
    return others


def _survivor(due: Due, said: Sequence[_Said], ownership: Ownership) -> Survivor:
    values = dict(due.payload)
    kept: set[str] = set()
    by_source = {one.source: one for one in reversed(said)}
    for field, cells in CELLS[due.entity].items():
        owner = ownership.owner_of(field)
        if owner in (None, due.source):
            continue
        if owner in by_source:
            values[field] = by_source[owner].payload.get(field)
        else:
            kept.update(cells)
    return Survivor(due=replace(due, payload=values), not_ours=frozenset(kept))


def _differences(survivor: Survivor, due: Due, said: Sequence[_Said], ownership: Ownership) -> list[_Difference]:
    found = []
    for field, cells in CELLS[due.entity].items():
        kept = not survivor.not_ours.isdisjoint(cells)
        written = None if kept else survivor.due.payload.get(field)
        for record_id, payload in ((due.record_id, due.payload), *((one.record_id, one.payload) for one in said)):
            value = payload.get(field)
            if value is not None and value != written:
                owner = ownership.owner_of(field)
                found.append(_Difference(due.canonical_id, field, record_id, _text(value), _text(written), owner))
    return found


def _note(work: Work, things: Sequence[str], differences: Sequence[_Difference]) -> None:
    columns = [list(column) for column in zip(*differences, strict=True)] or [[] for _ in _Difference._fields]
    with translated("noting differences"):
        work.connection.execute(_sql("forget"), [list(things), columns[0], columns[1], columns[2]])
        if differences:
            work.connection.execute(_sql("note"), columns)
        work.connection.commit()


def _text(value: object) -> Any:
    return None if value is None else str(value)


def _sql(name: str) -> Any:
    return statements("arriving/survivorship.sql")[name]
