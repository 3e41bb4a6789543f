"""`causeway verify`, `reconcile`, `extract` and `query`: what is done with the warehouse."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from causeway.console import DEFAULT_CONFIG, ConfigOption, JsonOption, err, out, print_json, print_table, set_up_logging
from causeway.exits import Exit
from config.loading import load_settings

if TYPE_CHECKING:
    from causeway.verdict import SourceVerdict


def verify(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="Name of a source in the settings.")],
    config: ConfigOption = DEFAULT_CONFIG,
    tables: Annotated[
        list[str] | None, typer.Option("--table", help="Only this table (schema.table); may be given several times.")
    ] = None,
    repair: Annotated[
        bool, typer.Option("--repair", help="Mend the rows of the mirror that differ, and compare again.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Compare a source with its mirror, row by row, at one LSN; exit code 1 where they differ (after a repair: still differ).

    Rows that differ are named by their keys, never by their values.
    """
    from causeway.verify import verify_source

    settings = load_settings(config)
    set_up_logging(settings.log)
    report = verify_source(settings, source, console=None if as_json else err, only=tables or (), repair=repair)
    if as_json:
        print_json(report.as_dict())
    else:
        _print_verdict(report)
    if not report.equal:
        raise typer.Exit(Exit.FOUND)


def _print_verdict(report: SourceVerdict) -> None:
    rows = [(t.table, t.source_rows, t.mirror_rows, t.ranges, t.result, t.problem) for t in report.tables]
    title = f"{report.source} at {report.lsn}"
    print_table(title, ("table", "source rows", "mirror rows", "ranges", "result", "problem"), rows)
    for table in report.tables:
        for row in table.rows:
            out.print(f"{table.table}: {row}", markup=False)
        if more := table.differing_rows - len(table.rows):
            out.print(f"{table.table}: and {more:,} rows more", markup=False)


def reconcile(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Reconcile the channels' orders with Odoo's; the result is a table of the warehouse and the extracts are written."""
    from causeway.reconciling import run_reconciliation

    settings = load_settings(config)
    set_up_logging(settings.log)
    report, files = run_reconciliation(settings)
    if as_json:
        print_json({**report.as_dict(), "extracts": files})
        return
    print_table(f"reconciliation {report.run_id}", ("status", "orders"), sorted(report.statuses.items()))
    print_table("exceptions", ("kind", "records"), sorted(report.exceptions.items()))
    for file in files:
        out.print(f"wrote {file}", markup=False)


def extract(
    config: ConfigOption = DEFAULT_CONFIG,
    run_id: Annotated[
        str | None, typer.Option("--run-id", help="A reconciliation run; the latest where not given.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write the extracts of a reconciliation run again, as Parquet and CSV with a manifest."""
    from causeway.reconciling import write_extracts

    files = write_extracts(load_settings(config), run_id)
    if as_json:
        print_json({"extracts": files})
        return
    for file in files:
        out.print(f"wrote {file}", markup=False)


def query(
    sql: Annotated[str, typer.Argument(metavar="SQL", help="One statement that reads.")],
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Ask the warehouse; nothing can be written this way."""
    from warehouse.query import run_query
    from warehouse.store import Warehouse

    settings = load_settings(config)
    with Warehouse.open(settings.warehouse, read_only=True) as warehouse, warehouse.querying():
        result = run_query(warehouse, sql)
    if as_json:
        print_json([dict(zip(result.columns, row, strict=True)) for row in result.rows])
    else:
        print_table("", result.columns, result.rows)
