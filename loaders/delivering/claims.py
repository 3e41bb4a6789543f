"""Which records are due, and that nobody else works on their aggregates: rows of `aggregates`, locked until `release`.

Contract: a claim is a transaction of its own connection that stays open while Odoo is called. When the process dies the locks
go with it and the records are due again. The outbox's own rows are never locked for longer than a statement.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from loaders.named_sql import statements
from loaders.state import scalar, translated

# Odoo's speed hardly depends on how many records a call has, from about a hundred on; below fifty the calls themselves count.
_SMALLEST_SHARE = 50

Connection = psycopg.Connection[tuple[Any, ...]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Due:
    """An outbox record to work on. `payload`: the canonical record's JSON object. `delivered_hash`: digest of what Odoo has."""

    record_id: str
    entity: str
    source: str
    source_key: str
    canonical_id: str
    aggregate_id: str
    operation: str
    payload: Mapping[str, Any]
    content_hash: str
    delivered_hash: str | None
    attempts: int
    stage: str
    source_lsn: str
    mapping_version: int

    @property
    def is_delete(self) -> bool:
        return self.operation == "delete"


class Claims:
    """Claims of one deliverer, on a connection of their own."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def anything(self) -> bool:
        """Whether any record is pending, or any call is under way or was left behind; claims nothing."""
        with translated("looking at the outbox"):
            found = bool(scalar(self._connection, _sql("anything")))
            self._connection.rollback()
        return found

    def records(self, entity: str, stage: str, limit: int, *, addresses: bool | None = None) -> list[Due]:
        """Claim due records of an entity in the order of their arrival. `addresses`: only (True), or none (False), of customers."""
        with translated("claiming records"):
            share = self._share(limit, entity, stage, addresses=addresses)
            parameters = {"entity": entity, "stage": stage, "limit": share, "addresses": addresses}
            found = [row[0] for row in self._connection.execute(_sql("claim"), parameters)]
            if not found:
                return []
            rows = self._connection.execute(_sql("claimed"), {"record_ids": found, "stage": stage}).fetchall()
        return [_due(row) for row in rows]

    def orders(self, limit: int) -> list[Due]:
        """Claim due orders, and with those that Odoo does not have yet their lines that are due for the first time."""
        orders = self.records("sales_order", "load", limit)
        upserts = [due.record_id for due in orders if not due.is_delete]
        if not upserts:
            return orders
        with translated("claiming order lines"):
            lines = self._connection.execute(_sql("lines_of_new_orders"), {"orders": upserts}).fetchall()
        return orders + [_due(row) for row in lines]

    def shipments(self, limit: int) -> list[Due]:
        """Claim due shipments and shipment lines, whole orders at a time."""
        return self._by_order("shipments", "shipment", limit)

    def returns(self, limit: int) -> list[Due]:
        """Claim due returns and return lines, whole orders at a time."""
        return self._by_order("returns", "return", limit)

    def _by_order(self, what: str, entity: str, limit: int) -> list[Due]:
        """Claim movements of goods with their lines: the order is what must not be worked on twice at a time."""
        with translated(f"claiming {what}"):
            due = self._connection.execute(_sql(f"due_{what}"), {"limit": self._share(limit, entity)}).fetchall()
            if not due:
                return []
            orders = sorted({order for _, order in due if order is not None})
            held = {row[0] for row in self._connection.execute(_sql("lock_aggregates"), {"aggregates": orders})}
            mine = [moved for moved, order in due if order is None or order in held]
            rows = self._connection.execute(_sql(f"claimed_{what}"), {what: mine}).fetchall() if mine else []
        return [_due(row) for row in rows]

    def _share(self, limit: int, entity: str, stage: str = "load", *, addresses: bool | None = None) -> int:
        """Return how many records a batch may take: `limit`, or while others deliver, too, its share of what is due."""
        if limit <= _SMALLEST_SHARE:
            return limit
        deliverers = int(scalar(self._connection, _sql("deliverers")))
        if deliverers < 2:
            return limit
        parameters = {"entity": entity, "stage": stage, "addresses": addresses, "at_most": limit * deliverers}
        due = int(scalar(self._connection, _sql("how_many_are_due"), parameters))
        return min(limit, max(_SMALLEST_SHARE, -(-due // deliverers)))

    def take_up_settlements(self, sources: Sequence[str]) -> None:
        """Make the statements' lines of these sources due that were only recorded: no policy said what becomes of them then."""
        if sources:
            with translated("taking up recorded settlements"):
                self._connection.execute(_sql("take_up_settlements"), {"sources": list(sources)})
                self._connection.commit()

    def release(self) -> None:
        """Let go of everything claimed."""
        with translated("releasing claims"):
            self._connection.rollback()

    def try_policies_again(self) -> int:
        """Make dead letters due again that the policies had no word for; return how many. Policies are read when a process starts."""
        with translated("looking for records that the policies had no word for"):
            due = self._connection.execute(_sql("try_policies_again")).rowcount
            self._connection.commit()
        return due

    def release_satisfied(self) -> int:
        """Make parked records due again whose wait is over; return how many."""
        with translated("looking for records whose wait is over"):
            released = self._connection.execute(_sql("release_satisfied")).rowcount
            self._connection.commit()
        return released


def _due(row: tuple[Any, ...]) -> Due:
    names = Due.__dataclass_fields__
    return Due(**dict(zip(names, row, strict=True)))


def _sql(name: str) -> Any:
    return statements("delivering/claims.sql")[name]
