"""Which records are one thing: strong keys, and the rule that joins or keeps apart. No database here.

A product is known by our own code (sku) and its barcode; what a channel calls it may be our code too. A customer is known by
the VAT number and the e-mail address. Two records that differ in a strong key are never one, and neither are two customers of
one source: a source that keeps two accounts means two. A key that points at several things decides nothing.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

Key = tuple[str, str]  # kind, value

_NOT_OF_A_VAT_NUMBER = re.compile(r"[^A-Z0-9]")


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """A record that may be a thing that is known already. `keys` are its strong keys; lower `priority` wins."""

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
    replaces: str | None = None


@dataclass(kw_only=True, slots=True)
class Cluster:
    """One thing: its records' strong keys and sources."""

    canonical_id: str
    priority: int
    sources: set[str] = field(default_factory=set)
    keys: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))


def strong_keys(entity: str, payload: Mapping[str, Any]) -> tuple[Key, ...]:
    """Return the strong keys of a product or customer, normalised; an address has none."""
    if entity == "product":
        found = [(kind, payload.get(kind)) for kind in ("sku", "barcode", "channel_sku")]
        return tuple((kind, value.strip()) for kind, value in found if value and value.strip())
    if entity != "customer" or payload.get("kind") != "contact":
        return ()
    vat = _NOT_OF_A_VAT_NUMBER.sub("", (payload.get("vat") or "").upper())
    email = (payload.get("email") or "").strip().lower()
    return tuple((kind, value) for kind, value in (("vat", vat), ("email", email)) if value)


class Clusters:
    """The known things of one entity that share a key with what arrives, and what has just arrived."""

    def __init__(self, entity: str) -> None:
        self._entity = entity
        self._clusters: dict[str, Cluster] = {}
        self._by_key: dict[Key, set[str]] = defaultdict(set)

    def know(self, canonical_id: str, source: str, priority: int, keys: Iterable[Key]) -> None:
        """Add a record of a thing. The record named like the thing owns it; its priority is the thing's."""
        known = self._clusters.setdefault(canonical_id, Cluster(canonical_id=canonical_id, priority=priority))
        known.sources.add(source)
        known.priority = min(known.priority, priority)
        for kind, value in keys:
            known.keys[kind].add(value)
            self._by_key[kind, value].add(canonical_id)

    def identify(self, candidate: Candidate) -> Identified:
        """Return what the candidate is, and remember it."""
        for kind, lookups in self._lookups(candidate):
            matches = {
                found
                for lookup in lookups
                for found in self._by_key.get(lookup, ())
                if self._fits(candidate, found, kind)
            }
            if len(matches) == 1:
                return self._join(candidate, matches.pop(), kind)
        self.know(candidate.record_id, candidate.source, candidate.priority, candidate.keys)
        return Identified(candidate=candidate, canonical_id=candidate.record_id, matched_by="self")

    def _lookups(self, candidate: Candidate) -> list[tuple[str, list[Key]]]:
        """Return the keys to look under, strongest first: (what to call the match, keys)."""
        keys = dict(candidate.keys)
        if self._entity == "customer":
            return [(kind, [(kind, keys[kind])]) for kind in ("vat", "email") if kind in keys]
        code = keys.get("sku") or keys.get("channel_sku")
        codes = [("sku", code)] if code else []
        if "sku" in keys:
            codes.append(("channel_sku", keys["sku"]))
        barcodes = [("barcode", keys["barcode"])] if "barcode" in keys else []
        return [("sku", codes), ("barcode", barcodes)]

    def _fits(self, candidate: Candidate, canonical_id: str, matched_by: str) -> bool:
        """Two that differ in a strong key are never one. A VAT number is one company's, whose people write from many addresses:
        where it is the same, e-mail addresses may differ.
        """
        known = self._clusters[canonical_id]
        if self._entity == "customer" and candidate.source in known.sources:
            return False
        weaker = "email" if matched_by == "vat" else "channel_sku"
        strong = [(kind, value) for kind, value in candidate.keys if kind != weaker]
        return all(not known.keys.get(kind) or value in known.keys[kind] for kind, value in strong)

    def _join(self, candidate: Candidate, canonical_id: str, kind: str) -> Identified:
        known = self._clusters[canonical_id]
        better = candidate.priority < known.priority
        if better:
            self._rename(canonical_id, candidate.record_id)
        final = candidate.record_id if better else canonical_id
        self.know(final, candidate.source, candidate.priority, candidate.keys)
        return Identified(
            candidate=candidate, canonical_id=final, matched_by=kind, replaces=canonical_id if better else None
        )

    def _rename(self, old: str, new: str) -> None:
        cluster = self._clusters.pop(old)
        cluster.canonical_id = new
        self._clusters[new] = cluster
        for members in self._by_key.values():
            if old in members:
                members.discard(old)
                members.add(new)
