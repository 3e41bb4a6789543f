"""What commands print: rich tables for people, one JSON document for programs, errors as one line on standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import typer
from loguru import logger
from rich.console import Console
from rich.table import Table

from config.errors import CausewayError
from config.loading import DEFAULT_FILE
from config.settings import LogSettings

# A pipe or a file has no width: a table there must not be folded to 80 columns.
_WIDTH_WITHOUT_TERMINAL = 240

out = Console(highlight=False, width=None if sys.stdout.isatty() else _WIDTH_WITHOUT_TERMINAL)
err = Console(stderr=True, highlight=False, soft_wrap=True)

ConfigOption = Annotated[Path, typer.Option("--config", "-c", help="Settings file.", show_default=True)]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of tables.")]
DEFAULT_CONFIG = DEFAULT_FILE


def print_json(value: Any) -> None:
    """Print `value` as one JSON document; dates in ISO 8601, decimals as text so that no cent is lost."""
    json.dump(value, sys.stdout, default=_plain, indent=2)
    sys.stdout.write("\n")


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows as a table; None shows as an empty cell."""
    table = Table(title=title or None, title_justify="left", header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*("" if cell is None else str(cell) for cell in row))
    out.print(table)


def print_error(error: CausewayError) -> None:
    """Print what failed and what to do next, on standard error."""
    err.print(f"causeway: {error}", markup=False, style="red" if err.is_terminal else None)


def set_up_logging(settings: LogSettings) -> None:
    """Send the log to standard error as the settings say; before they are read, only warnings are shown."""
    logger.remove()
    line = "{time:YYYY-MM-DD HH:mm:ss.SSS} {level: <7} {message}"
    # diagnose would print values of variables, and so of rows and secrets.
    logger.add(sys.stderr, level=settings.level, format=line, serialize=settings.json_lines, diagnose=False)


def _plain(value: object) -> object:
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Decimal | Path):
        return str(value)
    if isinstance(value, bytes):
        return value.hex()
    return str(value)
