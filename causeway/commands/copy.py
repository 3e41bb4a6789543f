"""`causeway copy`."""

from __future__ import annotations

from typing import Annotated

import typer

from causeway.console import DEFAULT_CONFIG, ConfigOption, JsonOption, err, print_json, print_table, set_up_logging
from causeway.exits import Exit
from causeway.table_bars import TableBars
from config.loading import load_settings
from config.settings import Lane


def copy(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="Name of a source in the settings.")],
    tables: Annotated[
        list[str] | None, typer.Argument(metavar="[TABLE]...", help="Captured tables; all where none is named.")
    ] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    lane: Annotated[Lane, typer.Option("--lane", help="Whose end the rows are copied to.")] = Lane.ANALYTICAL,
    as_json: JsonOption = False,
) -> None:
    """Copy tables anew while streaming goes on: exit code 0 where all were copied, 1 where one failed.

    A running lane does it, in between; where none runs, this command does. Interrupted, the lane's next run goes on with it.
    """
    from causeway.copy_command import copy_tables

    settings = load_settings(config)
    set_up_logging(settings.log)
    with TableBars(err, quiet=as_json) as bars:
        states = copy_tables(settings, source, tables or (), lane, tell=bars.show)
    if as_json:
        print_json({"source": source, "lane": lane.value, "tables": states})
    else:
        rows = [(state["table"], state["state"], state["rows"], state["error"]) for state in states]
        print_table(f"{source} ({lane.value} lane)", ("table", "copy", "rows", "error"), rows)
    if any(state["state"] != "done" for state in states):
        raise typer.Exit(Exit.FOUND)
