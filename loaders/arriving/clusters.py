"""Which records are one thing: keys, and the rules that join or keep apart. No database here.

A product is known by our own code (sku) and its barcode; what a channel calls it may be our code too. A customer is known by
the VAT number and the e-mail address. Two records that differ in a strong key are never one, and neither are two customers of
one source: a source that keeps two accounts means two. A key that points at several things decides nothing. What was found and not
joined, for one of these reasons or because its rule is too weak, is a doubt for people; what people have said is one, is one.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from config.policies import IdentityPolicy, MatchRule

Key = tuple[str, str]  # kind, value

_NOT_OF_A_CODE = re.compile(r"[^A-Z0-9]")
# What may differ although another key is the same. A VAT number is one company's, whose people write from many addresses.
_WEAKER = {"vat": frozenset({"email"}), "sku_normalised": frozenset({"sku"})}
_BY_BUILT_IN_RULES = IdentityPolicy()
_NEVER_STRONG = frozenset({"channel_sku", "sku_normalised"})


class Why(StrEnum):
    """Why a match was not made."""

    DIFFERS = "differs"  # in a strong key
    AMBIGUOUS = "ambiguous"  # several things have that key
    WEAK = "weak"  # its rule has too little confidence


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """A record that may be a thing that is known already. `keys` are its keys; lower `priority` wins."""

    record_id: str
    entity: str
    source: str
    source_key: str
    priority: int
    keys: tuple[Key, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Identified:
    """What a candidate turned out to be. `replaces`: the canonical id that this record takes over, being the better source."""

    candidate: Candidate
    canonical_id: str
    matched_by: str
    confidence: float | None = None
    replaces: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Doubt:
    """A match that was not made. `differs_in`: the strong key."""

    candidate: Candidate
    canonical_id: str
    matched_by: str
    confidence: float
    why: Why
    differs_in: str | None = None


@dataclass(kw_only=True, slots=True)
class Cluster:
    """One thing: its records' strong keys and sources."""

    canonical_id: str
    priority: int
    sources: set[str] = field(default_factory=set)
    keys: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))


def keys_of(entity: str, payload: Mapping[str, Any], policy: IdentityPolicy) -> tuple[Key, ...]:
    """Return the keys of a product or customer, normalised; an address has none."""
    if entity == "product":
        found = [(kind, (payload.get(kind) or "").strip()) for kind in ("sku", "barcode", "channel_sku")]
        if any(rule.by == "sku_normalised" for rule in policy.rules):
            code = payload.get("sku") or payload.get("channel_sku") or ""
            found.append(("sku_normalised", _NOT_OF_A_CODE.sub("", code.upper())))
        return tuple((kind, value) for kind, value in found if value)
    if entity != "customer" or payload.get("kind") != "contact":
        return ()
    vat = _NOT_OF_A_CODE.sub("", (payload.get("vat") or "").upper())
    email = (payload.get("email") or "").strip().lower()
    return tuple((kind, value) for kind, value in (("vat", vat), ("email", email)) if value)


class Clusters:
    """The known things of one entity that share a key with what arrives, and what has just arrived. `doubts` grow with it."""

    def __init__(self, entity: str, policy: IdentityPolicy = _BY_BUILT_IN_RULES) -> None:
        self._entity = entity
        self._policy = policy
        self._rules = policy.rules_of(entity)
        self._partners: dict[str, list[str]] = defaultdict(list)
        for one, other in policy.references.items():
            self._partners[f"{entity}:{one}"].append(f"{entity}:{other}")
            self._partners[f"{entity}:{other}"].append(f"{entity}:{one}")
        self._clusters: dict[str, Cluster] = {}
        self._by_key: dict[Key, set[str]] = defaultdict(set)
        self._thing_of: dict[str, str] = {}
        self.doubts: list[Doubt] = []

    def partners_of(self, record_id: str) -> list[str]:
        """Return the records that people have said are the same thing."""
        return self._partners.get(record_id, [])

    def know(self, canonical_id: str, source: str, priority: int, keys: Iterable[Key]) -> None:
        """Add a record of a thing. The record named like the thing owns it; its priority is the thing's."""
        known = self._clusters.setdefault(canonical_id, Cluster(canonical_id=canonical_id, priority=priority))
        known.sources.add(source)
        known.priority = min(known.priority, priority)
        for kind, value in keys:
            known.keys[kind].add(value)
            self._by_key[kind, value].add(canonical_id)

    def know_record(self, record_id: str, canonical_id: str) -> None:
        """Say of which thing a record is, for those that refer to it by its id."""
        self._thing_of[record_id] = canonical_id

    def identify(self, candidate: Candidate) -> Identified:
        """Return what the candidate is, and remember it."""
        doubts: list[Doubt] = []
        found = self._referred(candidate) or self._matched(candidate, doubts)
        if found is None:
            self.know(candidate.record_id, candidate.source, candidate.priority, candidate.keys)
            found = Identified(candidate=candidate, canonical_id=candidate.record_id, matched_by="self")
        if self._partners:
            self._thing_of[candidate.record_id] = found.canonical_id
        self.doubts += [one for one in doubts if one.canonical_id not in (found.canonical_id, found.replaces)]
        return found

    def _referred(self, candidate: Candidate) -> Identified | None:
        things = {self._thing_of[one] for one in self.partners_of(candidate.record_id) if one in self._thing_of}
        return self._join(candidate, things.pop(), "reference", 1.0) if len(things) == 1 else None

    def _matched(self, candidate: Candidate, doubts: list[Doubt]) -> Identified | None:
        for rule in self._rules:
            keys = self._lookups(candidate, rule.by)
            same = {found for key in keys for found in self._by_key.get(key, ())}
            fitting = {found for found in same if self._fits(candidate, found, rule.by)}
            apart = {found: self._differs_in(candidate, found, rule.by) for found in sorted(same - fitting)}
            doubts += [_doubt(candidate, found, rule, Why.DIFFERS, key) for found, key in apart.items() if key]
            if len(fitting) == 1 and rule.confidence >= self._policy.link_from:
                return self._join(candidate, fitting.pop(), rule.by, rule.confidence)
            why = Why.WEAK if len(fitting) == 1 else Why.AMBIGUOUS
            doubts += [_doubt(candidate, found, rule, why) for found in sorted(fitting)]
        return None

    def _lookups(self, candidate: Candidate, by: str) -> list[Key]:
        """Return the keys to look under for a rule."""
        keys = dict(candidate.keys)
        if by != "sku":
            return [(by, keys[by])] if by in keys else []
        code = keys.get("sku") or keys.get("channel_sku")
        codes = [("sku", code)] if code else []
        if "sku" in keys:
            codes.append(("channel_sku", keys["sku"]))
        return codes

    def _fits(self, candidate: Candidate, canonical_id: str, matched_by: str) -> bool:
        """Two that differ in a strong key are never one, and a source that keeps two accounts means two customers."""
        if self._entity == "customer" and candidate.source in self._clusters[canonical_id].sources:
            return False
        return self._differs_in(candidate, canonical_id, matched_by) is None

    def _differs_in(self, candidate: Candidate, canonical_id: str, matched_by: str) -> str | None:
        known = self._clusters[canonical_id]
        weaker = _WEAKER.get(matched_by, frozenset()) | _NEVER_STRONG
        strong = [(kind, value) for kind, value in candidate.keys if kind not in weaker]
        return next((kind for kind, value in strong if known.keys.get(kind) and value not in known.keys[kind]), None)

    def _join(self, candidate: Candidate, canonical_id: str, kind: str, confidence: float) -> Identified:
        known = self._clusters[canonical_id]
        better = candidate.priority < known.priority
        if better:
            self._rename(canonical_id, candidate.record_id)
        final = candidate.record_id if better else canonical_id
        self.know(final, candidate.source, candidate.priority, candidate.keys)
        return Identified(
            candidate=candidate,
            canonical_id=final,
            matched_by=kind,
            confidence=confidence,
            replaces=canonical_id if better else None,
        )

    def _rename(self, old: str, new: str) -> None:
        cluster = self._clusters.pop(old)
        cluster.canonical_id = new
        self._clusters[new] = cluster
        for members in self._by_key.values():
            if old in members:
                members.discard(old)
                members.add(new)
        self._thing_of = {record: new if thing == old else thing for record, thing in self._thing_of.items()}


def _doubt(candidate: Candidate, found: str, rule: MatchRule, why: Why, differs_in: str | None = None) -> Doubt:
    return Doubt(
        candidate=candidate,
        canonical_id=found,
        matched_by=rule.by,
        confidence=rule.confidence,
        why=why,
        differs_in=differs_in,
    )
