"""What every delivery step works with, and the step that most of them share: load what changed, one outcome a record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from config.policies import ChannelPolicy, Policies
from loaders.delivering.claims import Due
from loaders.delivering.load import Loaded, LoadRow, load
from loaders.delivering.outcomes import Binding, Outcomes
from loaders.delivering.references import Reference
from loaders.odoo.client import OdooClient
from loaders.odoo.external_ids import external_id
from loaders.odoo.odoo_names import OdooNames


@dataclass(kw_only=True, slots=True)
class Work:
    """One batch: the records are claimed, `outcomes` is written when the step returns (and not when it raises)."""

    client: OdooClient
    connection: psycopg.Connection[tuple[Any, ...]]
    prefix: str
    batch_records: int
    outcomes: Outcomes
    policies: Policies
    names: OdooNames

    def channel(self, source: str) -> ChannelPolicy:
        """Return how a source's records are treated."""
        return self.policies.channel(source)

    def external_id(self, canonical_id: str, bound: Reference | None = None) -> str:
        """Return the thing's external id: the one that Odoo has it under, else the one that it will have."""
        if bound is not None and bound.external_id:
            return bound.external_id
        return external_id(self.prefix, canonical_id)


@dataclass(frozen=True, kw_only=True, slots=True)
class Prepared:
    """A record with the row that says it to Odoo. `bound`: what Odoo has of it already."""

    due: Due
    row: LoadRow
    bound: Reference | None

    @property
    def unchanged(self) -> bool:
        return self.bound is not None and self.bound.odoo_id is not None and self.row.digest == self.due.delivered_hash


def load_prepared(work: Work, model: str, prepared: Sequence[Prepared]) -> list[tuple[Prepared, int]]:
    """Load what Odoo does not have yet in these words; return those that are in, with their ids. The refused become dead."""
    changed = [one for one in prepared if not one.unchanged]
    loaded = load(work.client, model, [one.row for one in changed], batch_records=work.batch_records)
    arrived = [(one, one.bound.odoo_id) for one in prepared if one.unchanged and one.bound and one.bound.odoo_id]
    arrived += [(one, odoo_id) for one in changed if (odoo_id := _settled(work, model, one, loaded)) is not None]
    return arrived


def _settled(work: Work, model: str, one: Prepared, loaded: Loaded) -> int | None:
    words = loaded.refused.get(one.row.external_id)
    if words is not None:
        work.outcomes.dead(one.due, words)
        return None
    odoo_id = loaded.ids[one.row.external_id]
    note_loaded(work, model, one.due, one.row, odoo_id)
    return odoo_id


def note_loaded(work: Work, model: str, due: Due, row: LoadRow, odoo_id: int) -> None:
    """Odoo has this row, under this id."""
    work.outcomes.sent(due, row.digest, row.cells)
    work.outcomes.bind(
        Binding(
            canonical_id=due.canonical_id,
            entity=due.entity,
            model=model,
            external_id=row.external_id,
            odoo_id=odoo_id,
        )
    )
