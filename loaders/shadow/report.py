"""What was compared, for people."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from typing import Any, Self

from config.policies import Domain
from config.settings import StateSettings
from loaders.delivering.claims import Connection
from loaders.delivering.domains import ENTITIES_OF
from loaders.named_sql import statements
from loaders.state import connect, prepare, translated

_LISTED_AT_MOST = 10_000

Verdicts = dict[str, dict[str, int]]


class ShadowReport:
    """The comparisons of one state database; usable as a context manager."""

    def __init__(self, settings: StateSettings) -> None:
        prepare(settings)
        self.connection: Connection = connect(settings, application_name="causeway shadow")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    def summary(self) -> Verdicts:
        """Return how many records have which verdict, by entity."""
        found: Verdicts = defaultdict(dict)
        for entity, verdict, count in self._rows("summary"):
            found[entity][verdict] = count
        return dict(found)

    def comparisons(self, *, domain: Domain | None = None, verdict: str | None = None) -> list[dict[str, Any]]:
        """Return the comparisons as JSON values; `differences` holds [ours, Odoo's] by field."""
        entities = [*ENTITIES_OF[domain]] if domain is not None else None
        names = ("record_id", "verdict", "model", "odoo_id", "matched_by", "differences", "compared_at")
        rows = self._rows("list", {"entities": entities, "verdict": verdict, "limit": _LISTED_AT_MOST})
        return [dict(zip(names, (_json(value) for value in row), strict=True)) for row in rows]

    def _rows(self, name: str, parameters: Any = None) -> list[tuple[Any, ...]]:
        with translated("reading comparisons"):
            rows = self.connection.execute(statements("shadow/shadow.sql")[name], parameters).fetchall()
            self.connection.commit()
        return rows


def _json(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
