"""Which records are one thing."""

from __future__ import annotations

from typing import Any

import pytest

from config.policies import IdentityPolicy, MatchRule
from loaders.arriving.clusters import Candidate, Clusters, Why, keys_of


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
def test_keys_are_normalised(entity: str, payload: dict[str, Any], keys: tuple[tuple[str, str], ...]) -> None:
    assert keys_of(entity, payload, IdentityPolicy()) == keys


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


def test_what_differs_in_a_strong_key_is_kept_apart_and_doubted() -> None:
    clusters = Clusters("customer")
    clusters.identify(candidate("customer", "one", "shop", vat="1", email="a"))
    found = clusters.identify(candidate("customer", "new", "market", vat="2", email="a"))
    assert found.matched_by == "self"
    (doubt,) = clusters.doubts
    assert (doubt.candidate.record_id, doubt.canonical_id, doubt.matched_by) == ("new", "one", "email")
    assert (doubt.why, doubt.differs_in, doubt.confidence) == (Why.DIFFERS, "vat", 0.9)


def test_several_things_with_one_key_are_doubted_but_not_a_sources_own_two_accounts() -> None:
    clusters = Clusters("customer")
    clusters.identify(candidate("customer", "one", "shop", email="a"))
    clusters.identify(candidate("customer", "two", "shop", email="a"))
    assert clusters.doubts == []
    clusters.identify(candidate("customer", "new", "market", email="a"))
    assert [(one.canonical_id, one.why) for one in clusters.doubts] == [("one", Why.AMBIGUOUS), ("two", Why.AMBIGUOUS)]


def test_a_rule_of_little_confidence_only_raises_a_doubt_and_a_surer_one_that_follows_settles_it() -> None:
    rules = (MatchRule(by="email", confidence=0.5), MatchRule(by="vat"))
    clusters = Clusters("customer", IdentityPolicy(rules=rules))
    clusters.identify(candidate("customer", "one", "shop", vat="1", email="a"))
    assert clusters.identify(candidate("customer", "weak", "market", email="a")).matched_by == "self"
    assert [(one.canonical_id, one.why) for one in clusters.doubts] == [("one", Why.WEAK)]
    sure = clusters.identify(candidate("customer", "sure", "other", vat="1", email="a"))
    assert (sure.canonical_id, sure.matched_by, sure.confidence) == ("one", "vat", 1.0)
    assert {one.candidate.record_id for one in clusters.doubts} == {"weak", "sure"}
    assert {one.canonical_id for one in clusters.doubts if one.candidate.record_id == "sure"} == {"weak"}


def test_codes_that_differ_in_case_and_signs_are_one_where_a_rule_says_so() -> None:
    policy = IdentityPolicy(rules=(MatchRule(by="sku"), MatchRule(by="sku_normalised", confidence=0.85)))
    keys = {name: dict(keys_of("product", {"sku": name}, policy)) for name in ("AB-1 x", "ab1X")}
    assert {one["sku_normalised"] for one in keys.values()} == {"AB1X"}
    for rules, joined in ((policy, "ours"), (IdentityPolicy(), "listing")):
        clusters = Clusters("product", rules)
        clusters.identify(candidate("product", "ours", "shop", 10, **keys["AB-1 x"]))
        assert clusters.identify(candidate("product", "listing", "market", 20, **keys["ab1X"])).canonical_id == joined


def test_what_people_have_said_is_one_is_one_whichever_comes_first_and_whatever_their_keys_say() -> None:
    policy = IdentityPolicy(references={"market:m": "shop:s"})
    for names in (("shop:s", "market:m"), ("market:m", "shop:s")):
        clusters = Clusters("customer", policy)
        found = [
            clusters.identify(candidate("customer", f"customer:{name}", name[:4], vat=name)).canonical_id
            for name in names
        ]
        assert found == [f"customer:{names[0]}"] * 2
