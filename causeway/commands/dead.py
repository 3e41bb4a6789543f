"""`causeway dead`: the records that Odoo refused or that did not validate, and how to send them again."""

from __future__ import annotations

from typing import Annotated

import typer

from causeway.console import DEFAULT_CONFIG, ConfigOption, JsonOption, out, print_json, print_table
from causeway.exits import Exit
from config.loading import load_settings

app = typer.Typer(help="Records that could not be delivered: list, show, replay.", no_args_is_help=True)

RecordArgument = Annotated[str, typer.Argument(metavar="RECORD", help="Record id, such as sales_order:shop:10443.")]


@app.command("list")
def list_(
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
    entity: Annotated[str | None, typer.Option("--entity", help="Only this kind of record.")] = None,
    source: Annotated[str | None, typer.Option("--source", help="Only records of this source.")] = None,
) -> None:
    """List dead letters and parked records, oldest first, each with its reason."""
    from loaders.deadletters import DeadLetters

    with DeadLetters(load_settings(config).state) as letters:
        found = letters.list(entity=entity, source=source)
    if as_json:
        print_json([letter.as_dict() for letter in found])
        return
    rows = [(item.record_id, item.status, item.attempts, item.reason) for item in found]
    print_table(f"{len(rows)} records not delivered", ("record", "status", "attempts", "reason"), rows)


@app.command("show")
def show(record: RecordArgument, config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Show one record: what should be in Odoo, what was tried, and what Odoo said."""
    from loaders.deadletters import DeadLetters

    with DeadLetters(load_settings(config).state) as letters:
        found = letters.show(record)
    if found is None:
        out.print(f"There is no record {record} in the outbox.", markup=False)
        raise typer.Exit(Exit.FOUND)
    if as_json:
        print_json(found)
        return
    print_table(record, ("field", "value"), found.items())


@app.command("replay")
def replay(
    config: ConfigOption = DEFAULT_CONFIG,
    records: Annotated[list[str] | None, typer.Argument(metavar="[RECORD]...", help="Record ids.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every dead letter.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Put dead letters back to be delivered; the operational lane takes them up at once."""
    from loaders.deadletters import DeadLetters

    if bool(records) == everything:
        raise typer.BadParameter("name the records to replay, or give --all")
    with DeadLetters(load_settings(config).state) as letters:
        count = letters.replay(None if everything else tuple(records or ()))
    if as_json:
        print_json({"replayed": count})
    else:
        out.print(f"{count} records will be sent again.")
    if count == 0:
        raise typer.Exit(Exit.FOUND)
