"""`causeway check`: every precondition looked at, each by itself, and nothing changed.

Each look is one function; what it raises becomes a finding, and the other looks go on, so that one run tells everything.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from causeway import policy_checks
from causeway.publishing import as_published, mapped, wanted_of
from causeway.sources import connect_source, name_in_hint, with_tables
from cdc import preconditions, publications, server_settings, slots
from cdc.catalog import check_identities, describe, server_facts
from cdc.connection import PlainConnection
from cdc.publications import Publication
from cdc.relation import Relation
from config.errors import CausewayError, ErrorKind
from config.settings import Lane, Settings, SourceRole
from loaders.odoo.client import OdooClient
from loaders.state import connect as connect_state
from transforms.compiled import BrokenMapping
from transforms.compiler import compile_each
from transforms.mapping import Mapping, MappingError, load_mappings
from warehouse.store import Warehouse


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that was looked at. `message`: what is wrong and what to do, or what was found in order."""

    subject: str
    ok: bool
    message: str

    def as_dict(self) -> dict[str, Any]:
        """Return the finding as JSON values."""
        return {"subject": self.subject, "ok": self.ok, "message": self.message}


@dataclass(frozen=True, kw_only=True)
class _Seen:
    """What the sources have, for the mappings to be held to: tables, and what the operational publications have of them."""

    described: dict[str, tuple[Relation, ...]] = field(default_factory=dict)
    published: dict[str, Publication] = field(default_factory=dict)


def run_checks(settings: Settings) -> list[Finding]:
    """Look at everything and return what was found, in the order: sources, mappings, state, warehouse, policies, Odoo."""
    findings = [Finding(subject="settings", ok=True, message=f"{len(settings.sources)} sources")]
    seen = _Seen()
    mappings = _read_mappings(settings)
    for name in settings.sources:
        findings += _look_at_source(settings, name, seen, mappings if isinstance(mappings, tuple) else ())
    findings += _look_at_mappings(settings, seen, mappings)
    findings.append(_look("state database", lambda: _state(settings)))
    findings.append(_look("warehouse", lambda: _warehouse(settings)))
    findings += _look_at_odoo(settings)
    return findings


def _look(subject: str, look: Callable[[], str], source: str = "") -> Finding:
    try:
        return Finding(subject=subject, ok=True, message=look())
    except CausewayError as error:
        if source:
            name_in_hint(error, source)
        return Finding(subject=subject, ok=False, message=str(error))


def _look_at_source(settings: Settings, name: str, seen: _Seen, mappings: Sequence[Mapping]) -> Iterator[Finding]:
    subject = f"source {name}"
    try:
        settings = with_tables(settings, name)
        source = settings.sources[name]
        connection = connect_source(name, source, "check")
    except CausewayError as error:
        yield Finding(subject=subject, ok=False, message=str(error))
        return
    with connection:
        facts = server_facts(connection)
        text = f"PostgreSQL {facts.version_num // 10_000}, database {facts.database}, role {facts.role}"
        yield Finding(subject=subject, ok=True, message=text)

        def server() -> str:
            server_settings.check_server(connection, needs_slot=False)
            return f"wal_level logical, role {facts.role} may replicate"

        def tables() -> str:
            if source.role is SourceRole.STATE and not _state_exists(connection, settings):
                return "the bridge's own tables; the first lane to run makes them"
            relations = describe(connection, source.table_names)
            check_identities(relations)
            publications.check_generated(connection, relations)
            seen.described[name] = relations
            return f"{len(relations)} tables, each with a key"

        yield _look(f"{subject}: server", server, name)
        yield _look(f"{subject}: tables", tables, name)
        for lane in Lane:
            if name in settings.sources_of(lane):
                look = partial(_slot, connection, settings, name, lane, seen, mappings)
                yield _look(f"{subject}: {lane} slot", look, name)


def _state_exists(connection: PlainConnection, settings: Settings) -> bool:
    row = connection.execute("SELECT to_regnamespace(%s) IS NOT NULL", [settings.state.db_schema]).fetchone()
    return row is not None and bool(row[0])


def _slot(
    connection: PlainConnection, settings: Settings, name: str, lane: Lane, seen: _Seen, mappings: Sequence[Mapping]
) -> str:
    """Look at a lane's slot and publication; neither need be there before the first run."""
    source, slot = settings.sources[name], settings.slot_name(name, lane)
    operational = lane is Lane.OPERATIONAL
    feeding = operational and name in settings.feeding
    if feeding and (found_publication := publications.find_publication(connection, slot)) is not None:
        seen.published[name] = found_publication
    wanted = mapped(name, source, mappings) if feeding else wanted_of(settings, name, lane)
    published = publications.check_publication(connection, slot, wanted, may_lack=feeding)
    found = next(iter(slots.status(connection, [slot])), None)
    # A lane that runs reads its slot.
    unread = None if found is None else replace(found, active_pid=None)
    preconditions.check_slot(unread, None, slot, server_facts(connection))
    if found is None:
        server_settings.check_server(connection, needs_slot=True)
        return (
            f"{slot} will be made at the first run"
            if not published
            else f"publication {slot} is there, the slot is not yet"
        )
    reader = f"read by process {found.active_pid}" if found.active_pid else "nobody reads it"
    return f"{slot}: {found.wal_status}, keeps {found.retained_bytes or 0:,} bytes, {reader}"


def _read_mappings(settings: Settings) -> tuple[Mapping, ...] | CausewayError:
    try:
        return load_mappings(settings.mappings)
    except CausewayError as error:
        return error


def _look_at_mappings(
    settings: Settings, seen: _Seen, mappings: tuple[Mapping, ...] | CausewayError
) -> Iterator[Finding]:
    """A mapping is compiled against its source's tables, and held to what the operational publication has of them; those of a
    source out of reach can only be read.
    """
    if isinstance(mappings, CausewayError):
        problems = mappings.problems if isinstance(mappings, MappingError) else (str(mappings),)
        yield from (Finding(subject="mappings", ok=False, message=problem) for problem in problems)
        return
    within_reach = [mapping for mapping in mappings if mapping.source in seen.described]
    compiled = [as_published(one, seen.published) for one in compile_each(within_reach, seen.described)]
    problems = tuple(problem for one in compiled if isinstance(one, BrokenMapping) for problem in one.problems)
    for problem in problems:
        yield Finding(subject="mappings", ok=False, message=problem)
    if problems:
        return
    yield Finding(subject="mappings", ok=True, message=f"{len(compiled)} compile against their sources' tables")
    beyond = sorted({mapping.source for mapping in mappings} & set(settings.sources) - set(seen.described))
    if beyond:
        yield Finding(
            subject="mappings",
            ok=False,
            message=f"not checked: those of {', '.join(beyond)}, whose tables could not be read",
        )


def _state(settings: Settings) -> str:
    with connect_state(settings.state, application_name="causeway check") as connection:
        row = connection.execute(
            "SELECT current_database(), has_database_privilege(current_database(), 'CREATE'), to_regnamespace(%s) IS NOT NULL",
            [settings.state.db_schema],
        ).fetchone()
    assert row is not None
    database, may_create, exists = row
    if not exists and not may_create:
        raise CausewayError(
            ErrorKind.PRIVILEGE,
            f"The role may not create schema {settings.state.db_schema} in database {database}.",
            hint="GRANT CREATE ON DATABASE, or create the schema for it.",
        )
    return f"database {database}, schema {settings.state.db_schema} {'is there' if exists else 'will be made'}"


def _warehouse(settings: Settings) -> str:
    """Open the file for reading where there is one; else look whether its folder could be written."""
    path, extracts = settings.warehouse.path, settings.warehouse.extracts
    for folder in (path.parent, extracts):
        _check_writable(folder)
    if path.exists():
        Warehouse.open(settings.warehouse, read_only=True).close()
        return f"{path} can be opened"
    return f"{path} will be made at the first run"


def _check_writable(folder: Path) -> None:
    existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        raise CausewayError(
            ErrorKind.WAREHOUSE, f"{folder} cannot be written.", hint="Name a folder that the bridge's user may write."
        )


def _look_at_odoo(settings: Settings) -> Iterator[Finding]:
    """The policies in words, Odoo itself, and whether it has what the policies name."""
    yield from (_as_finding(said) for said in policy_checks.explain(settings.policies))
    client = OdooClient(settings.odoo)
    try:
        version = client.version
        client.login()
        words = f"Odoo {version}, database {settings.odoo.database}, logged in as {settings.odoo.user}"
        yield Finding(subject="Odoo", ok=True, message=f"{settings.odoo.url}: {words}")
        yield from (_as_finding(said) for said in policy_checks.missing(settings, client))
    except CausewayError as error:
        yield Finding(subject="Odoo", ok=False, message=str(error))
    finally:
        client.close()


def _as_finding(said: policy_checks.Said) -> Finding:
    return Finding(subject=said.subject, ok=said.ok, message=said.message)
