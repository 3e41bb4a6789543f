"""What the warehouse has shipped of an order: its parcels in the order in which they are carried out. No database and no Odoo here.

Cumulative on purpose: what Odoo should have delivered after each parcel follows from all shipments together, whatever has been
carried out already, so that a lost reply or a kill in the middle repeats nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from loaders.delivering.references import KnownShipment

Payload = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class ShippedLot:
    """So much of a lot or serial number, for a line or in its place."""

    line_number: int
    sku: str
    is_substitute: bool
    name: str
    quantity: Decimal


@dataclass(kw_only=True, slots=True)
class Parcel:
    """One shipment that has left: quantities by line number, and by (line number, substitute's sku), and the lots they are of."""

    shipment: KnownShipment
    lots: list[ShippedLot] = field(default_factory=list)
    by_line: dict[int, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    substitutes: dict[tuple[int, str], Decimal] = field(default_factory=lambda: defaultdict(Decimal))


@dataclass(kw_only=True, slots=True)
class Shipped:
    """Of one order: its parcels, and their sums."""

    parcels: list[Parcel] = field(default_factory=list)
    by_line: dict[int, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    substitutes: dict[tuple[int, str], Decimal] = field(default_factory=lambda: defaultdict(Decimal))

    @property
    def line_numbers(self) -> set[int]:
        return set(self.by_line) | {number for number, _ in self.substitutes}

    @property
    def final_sources(self) -> set[str]:
        """Who says that nothing follows."""
        return {one.shipment.source for one in self.parcels if one.shipment.payload["is_final"]}

    def substituted(self, line_number: int) -> Decimal:
        """Return how much of a line was replaced by something else."""
        return sum((q for (number, _), q in self.substitutes.items() if number == line_number), Decimal(0))


def shipped(shipments: Iterable[KnownShipment], lines: Mapping[str, Iterable[Payload]]) -> Shipped:
    """Sum up an order's shipments, given in order; `lines`: each one's line payloads. Only what has left counts."""
    total = Shipped()
    for shipment in shipments:
        if shipment.payload["status"] != "shipped":
            continue
        parcel = Parcel(shipment=shipment)
        total.parcels.append(parcel)
        for line in lines.get(shipment.record_id, ()):
            number, quantity = int(line["order_line_number"]), Decimal(line["quantity"])
            for one in (parcel, total):
                if line.get("substitutes_sku"):
                    one.substitutes[number, line["product_sku"]] += quantity
                else:
                    one.by_line[number] += quantity
            if line.get("lot"):
                lot = ShippedLot(
                    line_number=number,
                    sku=line["product_sku"],
                    is_substitute=bool(line.get("substitutes_sku")),
                    name=line["lot"],
                    quantity=quantity,
                )
                parcel.lots.append(lot)
    return total
