"""An order's figures in Odoo against the channel's, and what the policies do about a difference.

Contract: pure. Compared before an order is confirmed, when all its lines are in Odoo: that is the gate. A held order stays a
quotation, a rejected one is cancelled; both are dead letters. What a person has confirmed in Odoo all the same is accepted.
Taxes are compared where the policies say which taxes the channel's rates are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from config.policies import ChannelPolicy, Tolerance

# What is read of an order for this.
FIELDS = ("amount_untaxed", "amount_tax", "currency_id")
Beyond = Literal["write", "hold", "reject"]
_STRICTNESS = ("write", "hold", "reject")


@dataclass(frozen=True, kw_only=True, slots=True)
class Differing:
    """How an order differs past its tolerances, in words, and the strictest of what is to be done about it."""

    words: str
    beyond: Beyond


def differing(channel: ChannelPolicy, payload: Mapping[str, Any], row: Mapping[str, Any]) -> Differing | None:
    """Return how Odoo's order (`row`, with FIELDS) differs from the channel's (`payload`); None within the tolerances."""
    found = [*_currency(channel, payload, row), *_amounts(channel, payload, row)]
    if not found:
        return None
    return Differing(
        words=" ".join(one.words for one in found), beyond=max((one.beyond for one in found), key=_STRICTNESS.index)
    )


def _currency(channel: ChannelPolicy, payload: Mapping[str, Any], row: Mapping[str, Any]) -> Iterator[Differing]:
    has = row["currency_id"][1] if row["currency_id"] else "none"
    if has != payload["currency"]:
        words = f"The order's currency is {has} in Odoo and {payload['currency']} at the channel."
        least: Beyond = "hold" if channel.currencies else "write"
        yield Differing(words=words, beyond=max(least, channel.price_difference.beyond, key=_STRICTNESS.index))


def _amounts(channel: ChannelPolicy, payload: Mapping[str, Any], row: Mapping[str, Any]) -> Iterator[Differing]:
    compared: list[tuple[str, str, str, Tolerance]] = [
        ("total without tax", "amount_untaxed", "amount_total", channel.price_difference)
    ]
    if channel.taxes.by_rate:
        compared.append(("tax", "amount_tax", "amount_tax", channel.tax_difference))
    for called, in_odoo, at_channel, tolerance in compared:
        if payload.get(at_channel) is None:
            continue
        more = Decimal(str(row[in_odoo])) - Decimal(payload[at_channel])
        if abs(more) > tolerance.amount:
            words = (
                f"The order's {called} is {abs(more):.2f} {'more' if more > 0 else 'less'} in Odoo than at the channel."
            )
            yield Differing(words=words, beyond=tolerance.beyond)
