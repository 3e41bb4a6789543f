"""`causeway drift`: what somebody has changed in Odoo though a channel owns it."""

from __future__ import annotations

from typing import Annotated

import typer

from causeway.console import DEFAULT_CONFIG, ConfigOption, JsonOption, print_json, print_table
from causeway.exits import Exit
from config.loading import load_settings

app = typer.Typer(help="What was changed in Odoo though a channel owns it: list.", no_args_is_help=True)


@app.callback()
def drift() -> None:
    """Keep `list` a command of its own."""


@app.command("list")
def list_(
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
    record: Annotated[str | None, typer.Option("--record", help="Only this record.")] = None,
) -> None:
    """List the fields in which Odoo differs from what was delivered, with who changed them; exit code 1 where there are any."""
    from loaders.confirming.drift import list_drift

    found = list_drift(load_settings(config).state, record)
    if as_json:
        print_json([one.as_dict() for one in found])
    else:
        rows = [
            (one.record_id, f"{one.model} {one.odoo_id}", one.field, one.ours, one.theirs, one.odoo_user, one.seen_at)
            for one in found
        ]
        columns = ("record", "in Odoo", "field", "ours", "theirs", "Odoo's user", "seen")
        print_table(f"{len(rows)} fields changed in Odoo", columns, rows)
    if found:
        raise typer.Exit(Exit.FOUND)
