"""`causeway check`: everything that can be wrong before anything runs."""

from __future__ import annotations

import typer

from causeway.console import DEFAULT_CONFIG, ConfigOption, JsonOption, print_json, print_table
from causeway.exits import Exit
from config.loading import load_settings


def check(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Check settings, connections, privileges, tables, slots, mappings, warehouse and Odoo; changes nothing.

    Exit code 0 where everything is ready, 1 where something is not, 2 where the settings themselves are wrong.
    """
    from causeway.preflight import run_checks

    findings = run_checks(load_settings(config))
    if as_json:
        print_json({"ok": all(item.ok for item in findings), "findings": [item.as_dict() for item in findings]})
    else:
        rows = [("ok" if item.ok else "WRONG", item.subject, item.message) for item in findings]
        print_table("", ("", "what", "finding"), rows)
    if not all(item.ok for item in findings):
        raise typer.Exit(Exit.FOUND)
