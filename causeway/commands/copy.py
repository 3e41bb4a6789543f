"""`causeway copy`."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from causeway.console import DEFAULT_CONFIG, ConfigOption, JsonOption, err, print_json, print_table, set_up_logging
from causeway.exits import Exit
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
    with _Bars(quiet=as_json) as bars:
        states = copy_tables(settings, source, tables or (), lane, tell=bars.show)
    if as_json:
        print_json({"source": source, "lane": lane.value, "tables": states})
    else:
        rows = [(state["table"], state["state"], state["rows"], state["error"]) for state in states]
        print_table(f"{source} ({lane.value} lane)", ("table", "copy", "rows", "error"), rows)
    if any(state["state"] != "done" for state in states):
        raise typer.Exit(Exit.FOUND)


class _Bars:
    """A progress bar a table, on a terminal."""

    def __init__(self, *, quiet: bool) -> None:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed} rows"),
            TimeElapsedColumn(),
        )
        self._progress = Progress(*columns, console=err, disable=quiet or not err.is_terminal, transient=True)
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> _Bars:
        self._progress.start()
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self._progress.stop()

    def show(self, states: list[dict[str, Any]]) -> None:
        for state in states:
            table = state["table"]
            if table not in self._tasks:
                self._tasks[table] = self._progress.add_task(table, total=None)
            # An estimate of statistics: a table that was never analyzed has none, and one that has grown is past it.
            total = max(state["estimated_rows"], state["rows"]) or None
            self._progress.update(self._tasks[table], completed=state["rows"], total=total)
