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

from loaders.clusters import Candidate, Clusters, Identified, Key, strong_keys
from loaders.named_sql import statements

_FILE = "identity.sql"

Connection = psycopg.Connection[tuple[Any, ...]]


def resolve_staged(connection: Connection, priorities: Mapping[str, int]) -> None:
    """Give every staged product and customer its identity; `priorities` by source, lowest first."""
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
            keys=strong_keys(entity, json.loads(payload)),
        )
        everyone.append(candidate)
        if known_as is None:
            new[entity].append(candidate)
    for entity, candidates in new.items():
        _identify(connection, entity, candidates, priorities)
    _store_keys(connection, everyone)


def _identify(
    connection: Connection, entity: str, candidates: Sequence[Candidate], priorities: Mapping[str, int]
) -> None:
    clusters = _neighbours(connection, entity, candidates, priorities)
    found = [clusters.identify(candidate) for candidate in sorted(candidates, key=lambda one: one.priority)]
    _store(connection, found)
    for one in found:
        if one.replaces is not None:
            _take_over(connection, one.replaces, one.canonical_id, one.matched_by)


def _neighbours(
    connection: Connection, entity: str, candidates: Sequence[Candidate], priorities: Mapping[str, int]
) -> Clusters:
    """Return what is known of the things that share a key with one of the candidates."""
    wanted: set[Key] = set()
    for candidate in candidates:
        wanted.update(candidate.keys)
        wanted.update(("sku", value) for kind, value in candidate.keys if kind == "channel_sku")
        wanted.update(("channel_sku", value) for kind, value in candidate.keys if kind == "sku")
    clusters = Clusters(entity)
    parameters = {"entity": entity, "kinds": [kind for kind, _ in wanted], "values": [value for _, value in wanted]}
    for canonical_id, source, kind, value in connection.execute(statements(_FILE)["neighbours"], parameters):
        clusters.know(canonical_id, source, priorities.get(source, 100), [(kind, value)] if kind else [])
    return clusters


def _store(connection: Connection, found: Sequence[Identified]) -> None:
    # A take-over stores the newcomer as the owner; the former owner is then renamed with the kind that matched.
    stored = [
        (
            one.candidate.entity,
            one.candidate.source,
            one.candidate.source_key,
            one.canonical_id,
            "self" if one.canonical_id == one.candidate.record_id else one.matched_by,
        )
        for one in found
    ]
    connection.execute(statements(_FILE)["store_identity"], _columns(stored, 5))
    linked = [(one.candidate.record_id, one.canonical_id) for one in found]
    connection.execute(statements(_FILE)["link"], _columns(linked, 2))


def _store_keys(connection: Connection, candidates: Sequence[Candidate]) -> None:
    rows = [(one.entity, one.source, one.source_key, kind, value) for one in candidates for kind, value in one.keys]
    connection.execute(statements(_FILE)["store_keys"], _columns(rows, 5))


def _take_over(connection: Connection, old: str, new: str, matched_by: str) -> None:
    parameters = {"old": old, "new": new, "matched_by": matched_by}
    for name in ("take_over_identity", "take_over_outbox", "take_over_crosswalk", "take_over_waiting"):
        connection.execute(statements(_FILE)[name], parameters)


def _columns(rows: Sequence[tuple[str, ...]], width: int) -> list[list[str]]:
    """Turn rows into one array a column, for unnest."""
    return [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in range(width)]
