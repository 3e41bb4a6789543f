"""`causeway audit`: who or what has written which field of which record of Odoo, and whether the list of it is whole."""

from __future__ import annotations

import re
from typing import Annotated

import typer

from causeway.console import DEFAULT_CONFIG, ConfigOption, JsonOption, out, print_json, print_table
from causeway.exits import Exit
from config.loading import load_settings

app = typer.Typer(help="What was written to Odoo, by whom and why: verify, show.", no_args_is_help=True)

_ANCHOR = re.compile(r"(\d+):([0-9a-f]{32})")
_IN_ODOO = re.compile(r"([a-z_]+(?:\.[a-z0-9_]+)+),(\d+)")


@app.command("verify")
def verify(
    config: ConfigOption = DEFAULT_CONFIG,
    anchor: Annotated[
        str | None,
        typer.Option("--anchor", metavar="ENTRY:HASH", help="An entry with the hash it had when it was noted."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Walk the chain of hashes; exit code 1 with the first entry that was changed, removed or put in."""
    from dataclasses import asdict

    from loaders.state import connect, prepare
    from loaders.tracing import audit

    found = _ANCHOR.fullmatch(anchor) if anchor is not None else None
    if anchor is not None and found is None:
        raise typer.BadParameter("must be ENTRY:HASH, as this command prints it", param_hint="--anchor")
    settings = load_settings(config).state
    prepare(settings)
    with connect(settings, application_name="causeway audit") as connection:
        verdict = audit.verify(connection, (int(found[1]), found[2]) if found else None)
    if as_json:
        print_json(asdict(verdict))
    elif verdict.broken_at is not None:
        out.print(f"The audit is broken at entry {verdict.broken_at}: {verdict.problem}.", markup=False)
    else:
        out.print(f"{verdict.entries} entries are whole. Note the last one elsewhere, for --anchor:", markup=False)
        out.print(f"{verdict.last_entry}:{verdict.last_hash}", markup=False)
    if verdict.broken_at is not None:
        raise typer.Exit(Exit.FOUND)


@app.command("show")
def show(
    record: Annotated[
        str, typer.Argument(metavar="RECORD", help="Record id, or a record of Odoo as MODEL,ID such as res.partner,17.")
    ],
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Show what was written for a record, or to a record of Odoo: fields, values, source row, mapping, policies, by whom."""
    from loaders.state import connect, prepare
    from loaders.tracing import audit

    settings = load_settings(config).state
    prepare(settings)
    in_odoo = _IN_ODOO.fullmatch(record)
    with connect(settings, application_name="causeway audit") as connection:
        if in_odoo:
            entries = audit.of_odoo(connection, in_odoo[1], int(in_odoo[2]))
        else:
            entries = audit.of_record(connection, record)
    if as_json:
        print_json([one.as_dict() for one in entries])
    else:
        columns = ("entry", "at", "who", "did", "in Odoo", "fields", "from", "mapping", "policies", "note")
        print_table(f"{record}: {len(entries)} entries", columns, [_shown(one.as_dict()) for one in entries])
    if not entries:
        raise typer.Exit(Exit.FOUND)


def _shown(one: dict[str, object]) -> tuple[object, ...]:
    fields = one["fields"]
    written = ", ".join(f"{name}={value}" for name, value in fields.items()) if isinstance(fields, dict) else None
    place = f"{one['model']},{one['odoo_id']}" if one["odoo_id"] else one["model"]
    origin = f"{one['record_id']} at {one['source_lsn']}" if one["source_lsn"] else one["record_id"]
    return (
        one["entry"], str(one["at"])[:19], one["actor"], one["action"], place, written, origin, one["mapping_version"],
        one["policy_version"], one["note"],
    )  # fmt: skip
