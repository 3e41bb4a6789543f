"""What the file's stock codes and country names mean."""

from __future__ import annotations

from typing import Literal

LineKind = Literal["item", "freight", "discount", "manual", "fee"]

CODES: dict[str, LineKind] = {
    "POST": "freight",
    "DOT": "freight",
    "C2": "freight",  # carriage
    "C3": "freight",
    "D": "discount",
    "M": "manual",
    "m": "manual",
    "S": "manual",  # samples
    "B": "manual",  # adjustment of bad debt
    "PADS": "manual",  # pads to match all cushions, at a tenth of a penny
    "TEST001": "manual",
    "TEST002": "manual",
    "ADJUST": "manual",
    "ADJUST2": "manual",
    "BANK CHARGES": "fee",
    "AMAZONFEE": "fee",
    "CRUK": "fee",  # commission for a charity
}
"""Codes that are not products."""

PREFIXES: dict[str, LineKind] = {"gift_": "manual", "DCGS": "manual"}
"""Beginnings of codes that are not products: gift vouchers, and a partner shop's own codes."""

COUNTRIES: dict[str, str | None] = {
    "Australia": "AU",
    "Austria": "AT",
    "Bahrain": "BH",
    "Belgium": "BE",
    "Bermuda": "BM",
    "Brazil": "BR",
    "Canada": "CA",
    "Channel Islands": "JE",  # not a country to ISO 3166: the larger bailiwick
    "Cyprus": "CY",
    "Czech Republic": "CZ",
    "Denmark": "DK",
    "EIRE": "IE",
    "European Community": None,
    "Finland": "FI",
    "France": "FR",
    "Germany": "DE",
    "Greece": "GR",
    "Hong Kong": "HK",
    "Iceland": "IS",
    "Israel": "IL",
    "Italy": "IT",
    "Japan": "JP",
    "Korea": "KR",
    "Lebanon": "LB",
    "Lithuania": "LT",
    "Malta": "MT",
    "Netherlands": "NL",
    "Nigeria": "NG",
    "Norway": "NO",
    "Poland": "PL",
    "Portugal": "PT",
    "RSA": "ZA",
    "Saudi Arabia": "SA",
    "Singapore": "SG",
    "Spain": "ES",
    "Sweden": "SE",
    "Switzerland": "CH",
    "Thailand": "TH",
    "USA": "US",
    "United Arab Emirates": "AE",
    "United Kingdom": "GB",
    "Unspecified": None,
    "West Indies": None,
}
"""ISO 3166 codes of the file's country names; None where the name is no one country."""


def line_kind(stock_code: str) -> LineKind:
    """What a line with this stock code is; `item` where the code is a product's."""
    for prefix, kind in PREFIXES.items():
        if stock_code.startswith(prefix):
            return kind
    return CODES.get(stock_code, "item")
