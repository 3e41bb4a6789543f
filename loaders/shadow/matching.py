"""Which of Odoo's records a canonical record is, before the bridge has written anything: by the crosswalk, else by natural keys.

Contract: one search a key for the whole batch. The first key that finds exactly one decides; one that finds several makes the record
ambiguous. Nothing is guessed by a name.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from loaders.delivering import references
from loaders.delivering.claims import Due
from loaders.delivering.work import Work
from loaders.shadow.verdict import Match

Values = Callable[[Due], str | None]
_AT_ONCE = 500


@dataclass(frozen=True, kw_only=True, slots=True)
class NaturalKey:
    """A field of Odoo's that names the thing, and what a record says of it. `where`: more of the domain."""

    name: str
    field: str
    value: Values
    where: Sequence[Any] = ()


@dataclass(kw_only=True, slots=True)
class Matches:
    """What was found: a match a record id, and the record ids of which Odoo has several."""

    found: dict[str, Match] = field(default_factory=dict)
    ambiguous: set[str] = field(default_factory=set)


def match(work: Work, model: str, batch: Sequence[Due], keys: Sequence[NaturalKey], fields: Sequence[str]) -> Matches:
    """Return Odoo's records of `model` that these records are, with `fields` read; archived ones count."""
    matches = Matches()
    _by_crosswalk(work, model, batch, fields, matches)
    for key in keys:
        left = [due for due in batch if due.record_id not in matches.found and due.record_id not in matches.ambiguous]
        wanted = {due.record_id: value for due in left if (value := key.value(due))}
        rows = _rows(work, model, key, sorted(set(wanted.values())), fields)
        for record_id, value in wanted.items():
            its = rows.get(value.casefold(), [])
            if len(its) == 1:
                matches.found[record_id] = Match(row=its[0], matched_by=key.name)
            elif its:
                matches.ambiguous.add(record_id)
    return matches


def _by_crosswalk(work: Work, model: str, batch: Sequence[Due], fields: Sequence[str], matches: Matches) -> None:
    known = references.records(work.connection, [due.record_id for due in batch])
    bound = {due.record_id: known[due.record_id].odoo_id for due in batch if due.record_id in known}
    rows = work.client.read_by_id(model, [one for one in bound.values() if one is not None], fields)
    for record_id, odoo_id in bound.items():
        if odoo_id in rows:
            matches.found[record_id] = Match(row=rows[odoo_id], matched_by="crosswalk")


def _rows(
    work: Work, model: str, key: NaturalKey, values: Sequence[str], fields: Sequence[str]
) -> dict[str, list[Mapping[str, Any]]]:
    found: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for start in range(0, len(values), _AT_ONCE):
        domain = [[key.field, "in", list(values[start : start + _AT_ONCE])], *key.where]
        for row in work.client.search_read(model, domain, [*fields, key.field], archived=True):
            found[str(row[key.field]).casefold()].append(row)
    return found
