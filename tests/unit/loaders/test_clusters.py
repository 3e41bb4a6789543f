"""Which records are one thing."""

from __future__ import annotations

from typing import Any

import pytest

from loaders.clusters import Candidate, Clusters, strong_keys


def candidate(entity: str, name: str, source: str, priority: int = 10, **keys: str) -> Candidate:
    return Candidate(
        record_id=name, entity=entity, source=source, source_key=name, priority=priority, keys=tuple(keys.items())
    )


@pytest.mark.parametrize(
    ("entity", "payload", "keys"),
    [
        (
            "customer",
            {"kind": "contact", "vat": "gb 12.3-4", "email": " A@B.C "},
            (("vat", "GB1234"), ("email", "a@b.c")),
        ),
        ("customer", {"kind": "delivery", "vat": "GB1", "email": "a@b.c"}, ()),
        ("customer", {"kind": "contact", "vat": " .", "email": None}, ()),
        ("product", {"sku": " A ", "barcode": None, "channel_sku": "M"}, (("sku", "A"), ("channel_sku", "M"))),
        ("location", {"code": "W"}, ()),
    ],
)
def test_strong_keys_are_normalised(entity: str, payload: dict[str, Any], keys: tuple[tuple[str, str], ...]) -> None:
    assert strong_keys(entity, payload) == keys


def test_the_stronger_key_decides() -> None:
    clusters = Clusters("customer")
    clusters.identify(candidate("customer", "by-vat", "shop", vat="1"))
    clusters.identify(candidate("customer", "by-mail", "shop", email="a"))
    found = clusters.identify(candidate("customer", "new", "market", vat="1", email="a"))
    assert (found.canonical_id, found.matched_by) == ("by-vat", "vat")


def test_a_key_that_points_at_two_things_decides_nothing() -> None:
    clusters = Clusters("customer")
    clusters.identify(candidate("customer", "one", "shop", email="a"))
    clusters.identify(candidate("customer", "two", "shop", email="a"))
    assert clusters.identify(candidate("customer", "new", "market", email="a")).matched_by == "self"


def test_a_better_source_takes_over_and_later_ones_join_it() -> None:
    clusters = Clusters("product")
    clusters.identify(candidate("product", "listing", "market", 20, sku="A"))
    better = clusters.identify(candidate("product", "ours", "shop", 10, sku="A"))
    assert (better.canonical_id, better.replaces, better.matched_by) == ("ours", "listing", "sku")
    joined = clusters.identify(candidate("product", "third", "other", 20, sku="A"))
    assert (joined.canonical_id, joined.replaces) == ("ours", None)


def test_a_channels_code_is_ours_only_where_it_has_no_other() -> None:
    clusters = Clusters("product")
    clusters.identify(candidate("product", "ours", "shop", sku="A", barcode="1"))
    assert clusters.identify(candidate("product", "plain", "market", 20, channel_sku="A")).canonical_id == "ours"
    other = clusters.identify(candidate("product", "other", "market", 20, sku="B", channel_sku="A", barcode="2"))
    assert other.matched_by == "self"
