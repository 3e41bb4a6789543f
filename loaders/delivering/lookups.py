"""What a parked record waits for, as text: a record's id, or a lookup that some record will answer when it arrives.

Contract: whoever parks a record writes one of these texts into `waits_for`; whoever applies an arriving record releases all
that wait for what `answered_by` says of it; whoever delivers a record releases all that wait for its id.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def record(entity: str, source: str, source_key: str) -> str:
    """The record itself: it has to be delivered."""
    return f"{entity}:{source}:{source_key}"


def product_by_channel_sku(source: str, channel_sku: str) -> str:
    """A product that `source` lists under a code of its own."""
    return f"product#channel_sku={source}:{channel_sku}"


def product_by_sku(sku: str) -> str:
    """A product of any source with our own code."""
    return f"product#sku={sku}"


def order_by_number(source: str, order_number: str) -> str:
    """An order of `source`, as a warehouse names it."""
    return f"sales_order#order_number={source}:{order_number}"


def order_line(order_id: str, line_number: object) -> str:
    """A line of the order whose record id is `order_id`."""
    return f"sales_order_line#line={order_id}#{line_number}"


def any_line(order_id: str) -> str:
    """Whichever line of the order whose record id is `order_id`."""
    return f"sales_order_line#of={order_id}"


def answered_by(entity: str, source: str, source_key: str, payload: Mapping[str, Any]) -> list[str]:
    """Return all that may wait for the arrival of this record."""
    texts = [record(entity, source, source_key)]
    match entity:
        case "product":
            if payload.get("channel_sku"):
                texts += [
                    product_by_channel_sku(source, payload["channel_sku"]),
                    product_by_sku(payload["channel_sku"]),
                ]
            if payload.get("sku"):
                texts.append(product_by_sku(payload["sku"]))
        case "sales_order":
            texts.append(order_by_number(source, payload["order_number"]))
        case "sales_order_line":
            order_id = record("sales_order", source, payload["order_key"])
            texts += [order_line(order_id, payload["line_number"]), any_line(order_id)]
    return texts


def order_driven(order_id: str) -> str:
    """The order whose record id is `order_id`, confirmed in Odoo: what its shipments wait for."""
    return f"{order_id}#driven"


def order_shipped(order_id: str) -> str:
    """A shipment of the order whose record id is `order_id`, carried out in Odoo: what its returns wait for."""
    return f"{order_id}#shipped"


def order_billed(order_id: str) -> str:
    """The next invoice or credit note of the order whose record id is `order_id`: what its payments wait for."""
    return f"{order_id}#billed"


def in_odoo(model: str, name: str) -> str:
    """Something that people keep in Odoo (a tax, a journal), by its name or code. It is looked for again now and then."""
    return f"odoo#{model}={name}"
