"""From a record's references to things in Odoo, in bulk: one statement for all of a batch's references of one kind.

Contract: reads the state only. A reference is usable when it is bound (Odoo has the thing); what is not bound yet is for the
caller to wait for.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import psycopg

from loaders.named_sql import statements
from loaders.state import translated

Connection = psycopg.Connection[tuple[Any, ...]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Reference:
    """A record that another one refers to, and the thing that it is in Odoo (`odoo_id` None: not there yet)."""

    canonical_id: str
    status: str
    operation: str = "upsert"
    external_id: str | None = None
    odoo_id: int | None = None
    name: str | None = None

    @property
    def is_bound(self) -> bool:
        return self.odoo_id is not None


@dataclass(frozen=True, kw_only=True, slots=True)
class OrderLine:
    """A known line of an order, as the outbox has it."""

    order_id: str
    record_id: str
    source: str
    status: str
    waits_for: str | None
    payload: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class ShippedOrder:
    """An order as a warehouse names it."""

    record_id: str
    reference: Reference


@dataclass(frozen=True, kw_only=True, slots=True)
class KnownShipment:
    """A shipment as the outbox has it. `odoo_id`: the transfer that has carried it out."""

    record_id: str
    source: str
    payload: Mapping[str, Any]
    odoo_id: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class KnownReturn:
    """A return as the outbox has it. `order_id`: its order's record id."""

    canonical_id: str
    source: str
    order_id: str
    operation: str
    payload: Mapping[str, Any]


def records(connection: Connection, record_ids: Iterable[str]) -> dict[str, Reference]:
    """Return the known ones of these records, by record id."""
    wanted = list(set(record_ids))
    if not wanted:
        return {}
    with translated("resolving references"):
        rows = connection.execute(_sql("records"), [wanted]).fetchall()
        connection.commit()
    return {row[0]: _reference(row[1:]) for row in rows}


def products_by_channel_sku(
    connection: Connection, wanted: Iterable[tuple[str, str]]
) -> dict[tuple[str, str], Reference]:
    """Return products by (source, the source's own code)."""
    pairs = list(set(wanted))
    if not pairs:
        return {}
    with translated("resolving product codes"):
        rows = connection.execute(_sql("products_by_channel_sku"), _columns(pairs)).fetchall()
        connection.commit()
    return {(row[0], row[1]): _reference(row[2:]) for row in rows}


def products_by_sku(connection: Connection, wanted: Iterable[str]) -> dict[str, Reference]:
    """Return products by our own code, whichever source knows them."""
    codes = list(set(wanted))
    if not codes:
        return {}
    with translated("resolving product codes"):
        rows = connection.execute(_sql("products_by_sku"), [codes]).fetchall()
        connection.commit()
    return {row[0]: _reference(row[1:]) for row in rows}


def order_lines(connection: Connection, order_ids: Iterable[str]) -> dict[str, list[OrderLine]]:
    """Return the known lines of these orders, by the order's record id."""
    with translated("reading order lines"):
        rows = connection.execute(_sql("order_lines"), [list(set(order_ids))]).fetchall()
        connection.commit()
    found: dict[str, list[OrderLine]] = defaultdict(list)
    for order_id, record_id, source, status, waits_for, payload in rows:
        line = OrderLine(
            order_id=order_id, record_id=record_id, source=source, status=status, waits_for=waits_for, payload=payload
        )
        found[order_id].append(line)
    return found


def orders_by_number(connection: Connection, wanted: Iterable[tuple[str, str]]) -> dict[tuple[str, str], ShippedOrder]:
    """Return orders by (source, order number)."""
    pairs = list(set(wanted))
    if not pairs:
        return {}
    with translated("resolving order numbers"):
        rows = connection.execute(_sql("orders_by_number"), _columns(pairs)).fetchall()
        connection.commit()
    return {(row[0], row[1]): ShippedOrder(record_id=row[2], reference=_reference((*row[3:], None))) for row in rows}


def shipments_of_orders(
    connection: Connection, wanted: Iterable[tuple[str, str]]
) -> dict[tuple[str, str], list[KnownShipment]]:
    """Return all known shipments of these orders (source, order number), in the order in which they are carried out."""
    found: dict[tuple[str, str], list[KnownShipment]] = defaultdict(list)
    pairs = list(set(wanted))
    if not pairs:
        return found
    with translated("reading shipments"):
        rows = connection.execute(_sql("shipments_of_orders"), _columns(pairs)).fetchall()
        connection.commit()
    for order_source, number, record_id, source, payload, odoo_id in rows:
        shipment = KnownShipment(record_id=record_id, source=source, payload=payload, odoo_id=odoo_id)
        found[order_source, number].append(shipment)
    return found


def shipment_lines(connection: Connection, shipment_ids: Iterable[str]) -> dict[str, list[Mapping[str, Any]]]:
    """Return the known lines of these shipments, by the shipment's record id."""
    with translated("reading shipment lines"):
        rows = connection.execute(_sql("shipment_lines"), [list(set(shipment_ids))]).fetchall()
        connection.commit()
    found: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for shipment_id, _, payload in rows:
        found[shipment_id].append(payload)
    return found


def returns(connection: Connection, record_ids: Iterable[str]) -> dict[str, KnownReturn]:
    """Return the known ones of these returns."""
    with translated("reading returns"):
        rows = connection.execute(_sql("returns"), [list(set(record_ids))]).fetchall()
        connection.commit()
    return {
        row[0]: KnownReturn(canonical_id=row[1], source=row[2], order_id=row[3], operation=row[4], payload=row[5])
        for row in rows
    }


def return_lines(connection: Connection, return_ids: Iterable[str]) -> dict[str, list[Mapping[str, Any]]]:
    """Return the known lines of these returns, by the return's record id."""
    with translated("reading return lines"):
        rows = connection.execute(_sql("return_lines"), [list(set(return_ids))]).fetchall()
        connection.commit()
    found: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for return_id, payload in rows:
        found[return_id].append(payload)
    return found


def substitute_lines(connection: Connection, line_ids: Iterable[str]) -> list[tuple[str, Reference]]:
    """Return (order line, Odoo's line of what was sent in its place) for each substitute that Odoo has a line for."""
    wanted = list(set(line_ids))
    if not wanted:
        return []
    with translated("looking for substitutes"):
        rows = connection.execute(_sql("substitute_lines"), [wanted]).fetchall()
        connection.commit()
    return [(row[0], Reference(canonical_id=row[1], status="delivered", odoo_id=row[2])) for row in rows]


def payloads(connection: Connection, record_ids: Iterable[str]) -> dict[str, Mapping[str, Any]]:
    """Return the payloads of the known ones of these records."""
    wanted = list(set(record_ids))
    if not wanted:
        return {}
    with translated("reading records"):
        rows = connection.execute(_sql("payloads"), [wanted]).fetchall()
        connection.commit()
    return dict(rows)


def settlement_lines(connection: Connection, statement_ids: Iterable[str]) -> dict[str, list[Mapping[str, Any]]]:
    """Return the known lines of these statements, by the statement's id, in the order of their numbers."""
    wanted = list(set(statement_ids))
    found: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    if wanted:
        with translated("reading settlement lines"):
            rows = connection.execute(_sql("settlement_lines"), [wanted]).fetchall()
            connection.commit()
        for statement_id, payload in rows:
            found[statement_id].append(payload)
    return found


def substituted(connection: Connection, line_ids: Iterable[str]) -> dict[str, Decimal]:
    """Return, by order line, how much of it was replaced by a substitute that Odoo has a line for."""
    wanted = list(set(line_ids))
    if not wanted:
        return {}
    with translated("looking for substitutions"):
        rows = connection.execute(_sql("substituted"), [wanted]).fetchall()
        connection.commit()
    return {row[0]: row[1] for row in rows}


def _reference(row: tuple[Any, ...]) -> Reference:
    canonical_id, status, operation, external_id, odoo_id, name = row
    return Reference(
        canonical_id=canonical_id,
        status=status,
        operation=operation,
        external_id=external_id,
        odoo_id=odoo_id,
        name=name,
    )


def _columns(pairs: list[tuple[str, str]]) -> list[list[str]]:
    return [[first for first, _ in pairs], [second for _, second in pairs]]


def _sql(name: str) -> Any:
    return statements("delivering/references.sql")[name]
