"""`causeway identity`: which records are one customer or product, what is in doubt, and joining or taking apart by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from causeway.console import DEFAULT_CONFIG, ConfigOption, JsonOption, out, print_json, print_table
from causeway.exits import Exit
from config.loading import load_settings

if TYPE_CHECKING:
    from pathlib import Path

    from loaders.arriving.identity_by_hand import Identities

app = typer.Typer(help="Which records are one customer or product: list, show, link, unlink.", no_args_is_help=True)

RecordArgument = Annotated[str, typer.Argument(metavar="RECORD", help="Record id, such as customer:market:77.")]
ByOption = Annotated[str, typer.Option("--by", help="Who says so.")]
ReasonOption = Annotated[str, typer.Option("--reason", help="How that is known.")]


@app.command("list")
def list_(
    config: ConfigOption = DEFAULT_CONFIG,
    entity: Annotated[str | None, typer.Option("--entity", help="Only customer, or product.")] = None,
    conflicts: Annotated[bool, typer.Option("--conflicts", help="Matches that were not made instead.")] = False,
    as_json: JsonOption = False,
) -> None:
    """List the things that several sources' records are; or the matches that were left to people, and why."""
    with _identities(config) as identities:
        found = identities.doubts(entity) if conflicts else identities.things(entity)
    if as_json:
        print_json(found)
    elif conflicts:
        columns = ("record", "may be", "by", "confidence", "why", "differs in")
        doubted = ("record", "thing", "matched_by", "confidence", "why", "differs_in")
        print_table(f"{len(found)} in doubt", columns, [[one[name] for name in doubted] for one in found])
    else:
        names = ("thing", "record", "matched_by", "confidence")
        rows = [[one[name] for name in names] for one in found]
        print_table(f"{len({row[0] for row in rows})} things", ("thing", "record", "by", "confidence"), rows)


@app.command("show")
def show(record: RecordArgument, config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Show the thing that a record is: all its records with their keys, its place in Odoo, and what is in doubt."""
    with _identities(config) as identities:
        found = identities.show(record)
    if found is None:
        out.print(f"There is no customer or product {record}.", markup=False)
        raise typer.Exit(Exit.FOUND)
    if as_json:
        print_json(found)
        return
    place = f"{found['odoo']['model']},{found['odoo']['id']}" if found["odoo"] else "not in Odoo yet"
    names = ("record", "matched_by", "confidence", "status", "keys")
    rows = [[one[name] for name in names] for one in found["records"]]
    print_table(f"{found['thing']}: {place}", ("record", "by", "confidence", "status", "keys"), rows)
    doubts = [
        (one["record"], one["thing"], one["matched_by"], one["why"], one["differs_in"]) for one in found["doubts"]
    ]
    if doubts:
        print_table("in doubt", ("record", "may be", "by", "why", "differs in"), doubts)
    names = ("field", "record", "value", "written", "owner")
    apart = [[one[name] for name in names] for one in found["differences"]]
    if apart:
        print_table("said, and not written", names, apart)


@app.command("link")
def link(
    record: RecordArgument,
    to: Annotated[str, typer.Argument(metavar="TO", help="Record id of what it is.")],
    by: ByOption,
    reason: ReasonOption,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Join a record to the thing that another one is, whatever their keys say."""
    with _identities(config) as identities:
        joined = identities.link(record, to, by=by, reason=reason)
    if as_json:
        print_json(joined)
        return
    out.print(f"{record} is {joined['thing']} now.", markup=False)
    if joined["left_in_odoo"]:
        out.print(
            f"Odoo keeps {joined['left_in_odoo']}, which it was until now: merge or archive it there.", markup=False
        )


@app.command("unlink")
def unlink(
    record: RecordArgument,
    by: ByOption,
    reason: ReasonOption,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Make a record a thing of its own, which it stays whatever its keys say."""
    with _identities(config) as identities:
        left = identities.unlink(record, by=by, reason=reason)
    if as_json:
        print_json({"thing": record, "was": left})
    else:
        out.print(f"{record} is a thing of its own now; it was {left}.", markup=False)


def _identities(config: Path) -> Identities:
    from loaders.arriving.identity_by_hand import Identities

    return Identities(load_settings(config).state)
