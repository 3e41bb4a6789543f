"""The portal's customers, addresses and products of a file, as COPY rows.

A customer's number in the file is their key; lines without one belong to a guest customer of their country. A customer has a
delivery address for each country that they have had something sent to. All keys follow from the survey.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from sandbox.orders_file.codes import COUNTRIES
from sandbox.orders_file.reader import PRICE_SCALE
from sandbox.orders_file.survey import Product, Survey

Values = tuple[object, ...]

CUSTOMER_COLUMNS = ("id", "company_name", "created_at")
ADDRESS_COLUMNS = ("id", "customer_id", "kind", "country_code", "is_default")
PRODUCT_COLUMNS = ("id", "sku", "name", "kind", "list_price", "created_at", "updated_at")


@dataclass(frozen=True, kw_only=True)
class Places:
    """The keys of customers and delivery addresses; a place is a (customer or None, country)."""

    customers: dict[tuple[int | None, str], int]
    deliveries: dict[tuple[int | None, str], int]


def places(survey: Survey) -> Places:
    """Number the guests behind the file's own customers, and the addresses by first appearance, from 1."""
    guests = (
        max((number for number, _ in survey.places if number is not None), default=0) // 100_000 * 100_000 + 100_000
    )
    customers: dict[tuple[int | None, str], int] = {}
    for place in survey.places:
        number = place[0]
        if number is None:
            guests += 1
        customers[place] = guests if number is None else number
    # An odd key is an invoice's address, the even one behind it a delivery's.
    deliveries = {place: 2 * number for number, place in enumerate(survey.places, 1)}
    return Places(customers=customers, deliveries=deliveries)


def customer_rows(survey: Survey, keys: Places) -> Iterator[Values]:
    """A row for each customer and each country's guests."""
    for place in _first_places(survey, keys):
        number, country = place
        name = f"Guest, {country}" if number is None else f"Customer {number}"
        yield keys.customers[place], name, survey.places[place]


def address_rows(survey: Survey, keys: Places) -> Iterator[Values]:
    """An invoice address for each customer, a delivery address for each of their countries."""
    firsts = set(_first_places(survey, keys))
    for place in survey.places:
        customer, delivery, code = keys.customers[place], keys.deliveries[place], COUNTRIES[place[1]]
        if place in firsts:
            yield delivery - 1, customer, "invoice", code, True
        yield delivery, customer, "delivery", code, place in firsts


def product_rows(survey: Survey) -> Iterator[Values]:
    """A row for each stock code, under its most frequent name and price."""
    for product in survey.products.values():
        names = product.names.most_common(1)
        name = names[0][0].strip() if names else product.code
        yield (
            product.id,
            product.code,
            name,
            "goods",
            _list_price(product),
            product.first_seen_at,
            product.first_seen_at,
        )


def _first_places(survey: Survey, keys: Places) -> list[tuple[int | None, str]]:
    first: dict[int, tuple[int | None, str]] = {}
    for place in survey.places:
        first.setdefault(keys.customers[place], place)
    return list(first.values())


def _list_price(product: Product) -> Decimal:
    price = Decimal(product.prices.most_common(1)[0][0]) / PRICE_SCALE
    return price.quantize(Decimal("0.01"), ROUND_HALF_UP)
