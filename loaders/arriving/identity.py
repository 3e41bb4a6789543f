"""Identity: several sources' records of one customer or product become one thing, in bulk, inside the applying transaction.

Contract: called by the outbox after the batch is staged and upserted. A record that turns out to be another one's thing gets
the status 'linked': it is kept and resolves references, but only the owner (the record named like the canonical id) is
written to Odoo. The owner is the first one seen of the source with the best priority; a better source that comes later takes
the thing over, with its place in Odoo.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import psycopg

from config.policies import Policies
from loaders.arriving.clusters import Candidate, Clusters, Doubt, Identified, Key, keys_of
from loaders.named_sql import statements

_FILE = "arriving/identity.sql"

Connection = psycopg.Connection[tuple[Any, ...]]


def resolve_staged(connection: Connection, priorities: Mapping[str, int], policies: Policies) -> None:
    """Give every staged product and customer its identity by the policies' rules; `priorities` by source, lowest first."""
    rows = connection.execute(statements(_FILE)["staged_candidates"]).fetchall()
    connection.execute(statements(_FILE)["forget_keys"])
    if not rows:
        return
    new: dict[str, list[Candidate]] = defaultdict(list)
    everyone: list[Candidate] = []
    for record_id, entity, source, source_key, payload, known_as in rows:
        candidate = Candidate(
            record_id=record_id,
            entity=entity,
            source=source,
            source_key=source_key,
            priority=priorities.get(source, 100),
            keys=keys_of(entity, json.loads(payload), policies.identity_of(entity)),
        )
        everyone.append(candidate)
        if known_as is None:
            new[entity].append(candidate)
    for entity, candidates in new.items():
        _identify(connection, candidates, priorities, Clusters(entity, policies.identity_of(entity)))
    _store_keys(connection, everyone)


def _identify(
    connection: Connection, candidates: Sequence[Candidate], priorities: Mapping[str, int], clusters: Clusters
) -> None:
    _know_neighbours(connection, candidates, priorities, clusters)
    found = [clusters.identify(candidate) for candidate in sorted(candidates, key=lambda one: one.priority)]
    _store(connection, found)
    for one in found:
        if one.replaces is not None:
            _take_over(connection, one)
    _store_doubts(connection, clusters.doubts)


def _know_neighbours(
    connection: Connection, candidates: Sequence[Candidate], priorities: Mapping[str, int], clusters: Clusters
) -> None:
    """Let the clusters know the things that share a key with one of the candidates, or that people have said are the same."""
    entity = candidates[0].entity
    wanted: set[Key] = set()
    for candidate in candidates:
        wanted.update(candidate.keys)
        wanted.update(("sku", value) for kind, value in candidate.keys if kind == "channel_sku")
        wanted.update(("channel_sku", value) for kind, value in candidate.keys if kind == "sku")
    partners = [one for candidate in candidates for one in clusters.partners_of(candidate.record_id)]
    referred = _things_of(connection, entity, partners) if partners else {}
    for record_id, canonical_id in referred.items():
        clusters.know_record(record_id, canonical_id)
    parameters = {
        "entity": entity,
        "kinds": [kind for kind, _ in wanted],
        "values": [value for _, value in wanted],
        "things": list(referred.values()),
    }
    for canonical_id, source, kind, value in connection.execute(statements(_FILE)["neighbours"], parameters):
        clusters.know(canonical_id, source, priorities.get(source, 100), [(kind, value)] if kind else [])


def _things_of(connection: Connection, entity: str, record_ids: Sequence[str]) -> dict[str, str]:
    names = [one.split(":", 2)[1:] for one in record_ids]
    parameters = {"entity": entity, "sources": [source for source, _ in names], "keys": [key for _, key in names]}
    return dict(connection.execute(statements(_FILE)["things_of"], parameters).fetchall())


def _store(connection: Connection, found: Sequence[Identified]) -> None:
    # A take-over stores the newcomer as the owner; the former owner is then renamed with the kind that matched.
    stored = [
        (
            one.candidate.entity,
            one.candidate.source,
            one.candidate.source_key,
            one.canonical_id,
            "self" if one.canonical_id == one.candidate.record_id else one.matched_by,
            None if one.canonical_id == one.candidate.record_id else one.confidence,
        )
        for one in found
    ]
    connection.execute(statements(_FILE)["store_identity"], _columns(stored, 6))
    linked = [(one.candidate.record_id, one.canonical_id) for one in found]
    connection.execute(statements(_FILE)["link"], _columns(linked, 2))


def _store_keys(connection: Connection, candidates: Sequence[Candidate]) -> None:
    rows = [(one.entity, one.source, one.source_key, kind, value) for one in candidates for kind, value in one.keys]
    connection.execute(statements(_FILE)["store_keys"], _columns(rows, 5))


def _store_doubts(connection: Connection, doubts: Sequence[Doubt]) -> None:
    rows = [
        (
            one.candidate.entity,
            one.candidate.source,
            one.candidate.source_key,
            one.canonical_id,
            one.matched_by,
            one.confidence,
            one.why.value,
            one.differs_in,
        )
        for one in doubts
    ]
    if rows:
        connection.execute(statements(_FILE)["store_doubts"], _columns(rows, 8))


def _take_over(connection: Connection, newcomer: Identified) -> None:
    parameters = {
        "old": newcomer.replaces,
        "new": newcomer.canonical_id,
        "matched_by": newcomer.matched_by,
        "confidence": newcomer.confidence,
    }
    for name in (
        "take_over_identity",
        "take_over_outbox",
        "take_over_crosswalk",
        "take_over_waiting",
        "take_over_doubts",
    ):
        connection.execute(statements(_FILE)[name], parameters)


def _columns(rows: Sequence[tuple[Any, ...]], width: int) -> list[list[Any]]:
    """Turn rows into one array a column, for unnest."""
    return [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in range(width)]
