"""One call's surroundings: its transaction, user, context and clock. Handed down to everything that touches records."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import psycopg

if TYPE_CHECKING:
    from sandbox.odoo.orm.model import Model, Registry

Row = tuple[Any, ...]


@dataclass(frozen=True, kw_only=True)
class Env:
    """One call's surroundings. `now` is the transaction's start in UTC, without a zone, as Odoo stores times."""

    connection: psycopg.Connection[Row]
    registry: Registry
    uid: int
    now: dt.datetime
    context: Mapping[str, Any]

    @classmethod
    def opened(
        cls, connection: psycopg.Connection[Row], registry: Registry, uid: int, context: Mapping[str, Any]
    ) -> Env:
        """The surroundings of a call on `connection`, whose transaction starts here."""
        row = connection.execute("SELECT now() AT TIME ZONE 'UTC'").fetchone()
        assert row is not None
        return cls(connection=connection, registry=registry, uid=uid, now=row[0], context=context)

    def rows(self, statement: str, params: Sequence[Any] | Mapping[str, Any] = ()) -> list[Row]:
        """Run `statement` and return what it returns (nothing for a statement without RETURNING)."""
        cursor = self.connection.execute(statement.encode(), params)
        return cursor.fetchall() if cursor.description else []

    def ids(self, statement: str, params: Sequence[Any] | Mapping[str, Any] = ()) -> list[int]:
        """The first column of what `statement` returns."""
        return [row[0] for row in self.rows(statement, params)]

    def pairs(self, statement: str, params: Sequence[Any] | Mapping[str, Any] = ()) -> dict[Any, Any]:
        """The first column of what `statement` returns -> its second."""
        return {row[0]: row[1] for row in self.rows(statement, params)}

    def count(self, statement: str, params: Sequence[Any] | Mapping[str, Any] = ()) -> int:
        """The one number that `statement` returns."""
        return int(self.rows(statement, params)[0][0])

    def model(self, name: str) -> Model:
        """The model called `name`."""
        return self.registry[name]

    def with_context(self, **values: Any) -> Env:
        """The same call with more in its context."""
        return replace(self, context={**self.context, **values})

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """What happens inside is undone when it raises; the call's transaction goes on."""
        with self.connection.transaction():
            yield

    @property
    def second(self) -> dt.datetime:
        """`now` as Odoo's own actions write it: whole seconds."""
        return self.now.replace(microsecond=0)
