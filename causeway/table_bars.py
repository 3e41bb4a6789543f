"""A progress bar for each table that is being copied, on a terminal only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeElapsedColumn


class TableBars:
    """Bars that are there as long as tables are shown. Rows are those of the server's statistics: an estimate."""

    def __init__(self, console: Console, *, quiet: bool = False) -> None:
        self._console = console
        self._quiet = quiet or not console.is_terminal
        self._progress: Progress | None = None
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> TableBars:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self.show([])

    def show(self, tables: Sequence[dict[str, Any]]) -> None:
        """Show these tables, each with `table`, `rows` and `estimated_rows`; without any the bars go away."""
        if self._quiet:
            return
        if not tables:
            if self._progress is not None:
                self._progress.stop()
            self._progress, self._tasks = None, {}
            return
        progress = self._progress or self._start()
        for one in tables:
            name = f"{one['source']} {one['table']}" if "source" in one else one["table"]
            if name not in self._tasks:
                self._tasks[name] = progress.add_task(name, total=None)
            # A table that was never analyzed has no estimate, and one that has grown is past it.
            total = max(one["estimated_rows"], one["rows"]) or None
            progress.update(self._tasks[name], completed=one["rows"], total=total)

    def _start(self) -> Progress:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.completed} rows"),
            TimeElapsedColumn(),
        )
        self._progress = Progress(*columns, console=self._console, transient=True)
        self._progress.start()
        return self._progress
