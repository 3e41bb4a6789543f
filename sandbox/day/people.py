"""Who buys: the portal's customers with their addresses, and the marketplace's buyers.

The first buyers are customers of the portal as well, known by the same VAT number or the same e-mail address, of which a few
are written in another way, as people do. All other numbers and addresses are nobody else's.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sandbox.day.clock import OPENING, london
from sandbox.day.exceptions import SAME_CUSTOMERS, key_uuid
from sandbox.day.statements import Row
from sandbox.day.words import CITIES, FAMILIES, GIVEN, STREETS, TRADES

CUSTOMERS = 160
BUYERS = 240


@dataclass(frozen=True, kw_only=True)
class Address:
    """A row of the portal's addresses."""

    id: int
    customer_id: int
    kind: str
    street: str
    street2: str | None
    city: str
    postcode: str
    country_code: str
    is_default: bool


@dataclass(frozen=True, kw_only=True)
class Customer:
    """A row of the portal's customers, with their addresses: the first is the invoice's, the others are for deliveries."""

    id: int
    company_name: str
    contact_name: str
    email: str
    vat_number: str | None
    addresses: tuple[Address, ...]

    @property
    def country_code(self) -> str:
        """The country of the invoice's address."""
        return self.addresses[0].country_code

    def row(self) -> Row:
        """The row of shop.customers."""
        return {
            "id": self.id,
            "company_name": self.company_name,
            "contact_name": self.contact_name,
            "email": self.email,
            "vat_number": self.vat_number,
            "phone": f"+44 1632 {960_000 + self.id}",
            "price_list": "trade" if self.id % 4 == 0 else "standard",
            "active": True,
            "created_at": london(OPENING - timedelta(days=300, hours=-self.id)),
        }


@dataclass(frozen=True, kw_only=True)
class Buyer:
    """A row of the marketplace's buyers."""

    buyer_id: UUID
    full_name: str
    email: str | None
    tax_id: str | None
    shipping_address: Row

    def row(self) -> Row:
        """The row of market.buyers."""
        return {
            "buyer_id": self.buyer_id,
            "full_name": self.full_name,
            "email": self.email,
            "tax_id": self.tax_id,
            "shipping_address": self.shipping_address,
            "created_at": OPENING - timedelta(days=20, minutes=-(self.buyer_id.int % 20_000)),
        }


@dataclass(frozen=True, kw_only=True)
class People:
    """All customers and buyers of a day. `refused` are customers whose delivery address no Odoo takes, one an order."""

    customers: tuple[Customer, ...]
    refused: tuple[Customer, ...]
    buyers: tuple[Buyer, ...]


def make_people(seed: int, *, refused: int) -> People:
    """The people of a seed, with so many customers whose delivery address has a country that does not exist."""
    rng = random.Random(f"{seed}/people")
    customers = tuple(_customer(number, rng, delivery_country=None) for number in range(1, CUSTOMERS + 1))
    beyond = range(CUSTOMERS + 1, CUSTOMERS + refused + 1)
    return People(
        customers=customers,
        refused=tuple(_customer(number, rng, delivery_country="XX") for number in beyond),
        buyers=tuple(_buyer(seed, index, customers, rng) for index in range(BUYERS)),
    )


def _customer(number: int, rng: random.Random, *, delivery_country: str | None) -> Customer:
    family, given = rng.choice(FAMILIES), rng.choice(GIVEN)
    company = f"{family} {rng.choice(TRADES)}"
    kinds = ["invoice", "delivery"] + ["delivery"] * (number % 7 == 0)
    addresses = [_address(number, place, kind, rng, delivery_country) for place, kind in enumerate(kinds)]
    return Customer(
        id=number,
        company_name=company,
        contact_name=f"{given} {family}",
        email=f"orders@{family.lower()}-{number}.example",
        # The first ones have one whatever happens: buyers are linked by it.
        vat_number=f"{addresses[0].country_code}{300_000_000 + 7 * number}"
        if number <= SAME_CUSTOMERS or number % 6
        else None,
        addresses=tuple(addresses),
    )


def _address(customer: int, place: int, kind: str, rng: random.Random, delivery_country: str | None) -> Address:
    city, postcode, country = rng.choice(CITIES)
    return Address(
        id=3 * customer + place - 2,
        customer_id=customer,
        kind=kind,
        street=f"{rng.randint(1, 180)} {rng.choice(STREETS)}",
        street2="Unit 4" if rng.random() < 0.1 else None,
        city=city,
        postcode=postcode,
        country_code=delivery_country if delivery_country and kind == "delivery" else country,
        is_default=place <= 1,
    )


def _buyer(seed: int, index: int, customers: tuple[Customer, ...], rng: random.Random) -> Buyer:
    given, family = rng.choice(GIVEN), rng.choice(FAMILIES)
    city, postcode, country = rng.choice(CITIES)
    email, tax_id = _identity(index, family, customers)
    street = f"{rng.randint(1, 90)} {rng.choice(STREETS)}"
    return Buyer(
        buyer_id=key_uuid(seed, "buyer", index),
        full_name=customers[index].company_name if index < SAME_CUSTOMERS else f"{given} {family}",
        email=email,
        tax_id=tax_id,
        shipping_address={"street": street, "city": city, "zip": postcode, "country": country},
    )


def _identity(index: int, family: str, customers: tuple[Customer, ...]) -> tuple[str | None, str | None]:
    """E-mail address and tax number of a buyer: a customer's for the first ones, else their own, or none at all."""
    own = f"{family.lower()}{index}@mail.example"
    if index >= SAME_CUSTOMERS:
        return (None if index % 17 == 0 else own), (f"GB{800_000_000 + index}" if index % 9 == 0 else None)
    customer = customers[index]
    if index % 2:
        return (customer.email.upper() if index == 1 else customer.email), None
    number = customer.vat_number or ""
    return own, (f"{number[:2]} {number[2:5]} {number[5:9]} {number[9:]}" if index == 0 else number)
