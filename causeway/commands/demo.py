"""`causeway demo`: a business day through the whole bridge, on embedded parts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from causeway.console import JsonOption, print_json
from causeway.exits import Exit

DEFAULT_FOLDER = Path("demo")


def demo(
    orders: Annotated[
        Path | None,
        typer.Option("--orders", help="Play the orders of this Parquet or CSV file (UCI Online Retail's columns)."),
    ] = None,
    folder: Annotated[
        Path, typer.Option("--dir", help="Folder for the warehouse, the extracts and the settings.")
    ] = DEFAULT_FOLDER,
    seed: Annotated[int, typer.Option("--seed", help="Another seed plays another day.")] = 1,
    as_json: JsonOption = False,
) -> None:
    """Play a business day: embedded Postgres, two channels, a warehouse, a stand-in Odoo, both lanes, reconciliation."""
    from causeway.demo.play import play_day, play_file
    from causeway.demo.report import print_report

    report = play_file(orders, folder, quiet=as_json) if orders else play_day(folder, seed=seed, quiet=as_json)
    if as_json:
        print_json(report.as_dict())
    else:
        print_report(report)
    if not report.ok:
        raise typer.Exit(Exit.FOUND)
