"""The plan of a configured source's slots: which connection looks, which lanes count, and its JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from pydantic import ValidationError

from causeway.publishing import wanted_of
from causeway.sources import connect_source, find_source, naming, with_tables
from cdc.slot_plan import Plan, plan
from config.errors import CausewayError, ErrorKind
from config.settings import Connection, Lane, Settings

_CANNOT_LOOK = frozenset({ErrorKind.AUTHENTICATION, ErrorKind.PRIVILEGE})


def plan_source(settings: Settings, name: str, only: Lane | None, dsn: str | None) -> Plan:
    """Plan a source's lanes, looking with the source's own connection or with `dsn`; CausewayError as the connection's."""
    source = find_source(settings, name)
    looking = source if dsn is None else source.model_copy(update={"connection": _connection(dsn)})
    lanes = {
        lane: settings.slot_name(name, lane)
        for lane in Lane
        if name in settings.sources_of(lane) and only in (None, lane)
    }
    settings = settings.model_copy(update={"sources": {**settings.sources, name: looking}})
    try:
        settings = with_tables(settings, name)
        found = settings.sources[name]
        with connect_source(name, found, "slots") as connection, naming(name):
            planned = found.model_copy(update={"connection": source.connection})
            wanted = {lane: wanted_of(settings, name, lane) for lane in lanes}
            return plan(connection, planned, lanes, wanted)
    except CausewayError as error:
        if error.kind in _CANNOT_LOOK and dsn is None:
            error.hint = (
                f"Let an administrator look: `causeway slots plan {name} --dsn 'host=... dbname=... user=...'`."
            )
        raise


def describe_plan(made: Plan) -> dict[str, Any]:
    """Return a plan as JSON values."""
    return {
        "database": made.database,
        "role": made.role,
        "settings": [asdict(each) | {"advised": each.advised} for each in made.settings],
        "plan": [asdict(step) | {"section": section.title} for section in made.sections for step in section.steps],
        "notes": [note for section in made.sections for note in section.notes],
    }


def _connection(dsn: str) -> Connection:
    try:
        return Connection(dsn=dsn)
    except ValidationError as error:
        words = "; ".join(each["msg"].removeprefix("Value error, ") for each in error.errors())
        raise CausewayError(
            ErrorKind.SETTINGS, f"--dsn {words}.", hint="PGPASSWORD, or ~/.pgpass, gives libpq the password."
        ) from None
