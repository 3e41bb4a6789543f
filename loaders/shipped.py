"""What the warehouse has shipped of an order, summed over all its shipments. No database and no Odoo here.

Cumulative on purpose: what Odoo should have delivered follows from all shipments together, whatever has been carried out
already, so that a lost reply or a kill in the middle repeats nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

Payload = Mapping[str, Any]


@dataclass(kw_only=True, slots=True)
class Shipped:
    """Of one order: quantities by line number, and by (line number, substitute's sku). `is_final`: nothing follows."""

    by_line: dict[int, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    substitutes: dict[tuple[int, str], Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    is_final: bool = False

    @property
    def line_numbers(self) -> set[int]:
        return set(self.by_line) | {number for number, _ in self.substitutes}

    def substituted(self, line_number: int) -> Decimal:
        """Return how much of a line was replaced by something else."""
        return sum((q for (number, _), q in self.substitutes.items() if number == line_number), Decimal(0))


def shipped(shipments: Iterable[tuple[str, Payload]], lines: Mapping[str, Iterable[Payload]]) -> Shipped:
    """Sum up an order's shipments (record id, payload); `lines`: each one's line payloads. Only what has left counts."""
    total = Shipped()
    for record_id, shipment in shipments:
        if shipment["status"] != "shipped":
            continue
        total.is_final = total.is_final or bool(shipment["is_final"])
        for line in lines.get(record_id, ()):
            number, quantity = int(line["order_line_number"]), Decimal(line["quantity"])
            if line.get("substitutes_sku"):
                total.substitutes[number, line["product_sku"]] += quantity
            else:
                total.by_line[number] += quantity
    return total
