"""`causeway dead`: the records that are not delivered: why, by cause or one by one; sent again, or closed by somebody."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from causeway.console import DEFAULT_CONFIG, ConfigOption, JsonOption, out, print_json, print_table
from causeway.exits import Exit
from config.loading import load_settings

if TYPE_CHECKING:
    from pathlib import Path

    from loaders.tracing.deadletters import Closed, DeadLetters

app = typer.Typer(help="Records that could not be delivered: list, show, replay, resolve, waive.", no_args_is_help=True)

RecordArgument = Annotated[str, typer.Argument(metavar="RECORD", help="Record id, such as sales_order:shop:10443.")]
RecordsArgument = Annotated[list[str], typer.Argument(metavar="RECORD...", help="Record ids.")]
ByOption = Annotated[str, typer.Option("--by", help="Who says so.")]
EntityOption = Annotated[str | None, typer.Option("--entity", help="Only this kind of record.")]
SourceOption = Annotated[str | None, typer.Option("--source", help="Only records of this source.")]


@app.command("list")
def list_(
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
    entity: EntityOption = None,
    source: SourceOption = None,
    by_cause: Annotated[bool, typer.Option("--by-cause", help="Group what failed in the same words.")] = False,
    closed: Annotated[bool, typer.Option("--closed", help="What was resolved or waived instead.")] = False,
) -> None:
    """List dead letters and parked records, oldest first, each with its reason; or their causes."""
    with _letters(config) as letters:
        if by_cause:
            _print_causes(letters, entity, source, as_json=as_json)
            return
        statuses = ("resolved", "waived") if closed else ("dead", "parked")
        found = letters.list(entity=entity, source=source, statuses=statuses)
    if as_json:
        print_json([letter.as_dict() for letter in found])
        return
    rows = [(item.record_id, item.status, item.attempts, item.reason) for item in found]
    title = f"{len(rows)} records closed" if closed else f"{len(rows)} records not delivered"
    print_table(title, ("record", "status", "attempts", "reason"), rows)


@app.command("show")
def show(record: RecordArgument, config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Show one record: its source row, what should be in Odoo, what was tried, what Odoo said, and what to do about it."""
    with _letters(config) as letters:
        found = letters.show(record)
    if found is None:
        out.print(f"There is no record {record} in the outbox.", markup=False)
        raise typer.Exit(Exit.FOUND)
    if as_json:
        print_json(found)
        return
    print_table(record, ("field", "value"), _flat(found))


@app.command("replay")
def replay(
    config: ConfigOption = DEFAULT_CONFIG,
    records: Annotated[list[str] | None, typer.Argument(metavar="[RECORD]...", help="Record ids.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every dead letter.")] = False,
    cause: Annotated[str | None, typer.Option("--cause", help="Those of this cause; see list --by-cause.")] = None,
    since: Annotated[datetime | None, typer.Option("--since", help="Those that failed then or later, in UTC.")] = None,
    until: Annotated[datetime | None, typer.Option("--until", help="Those that failed before, in UTC.")] = None,
    source: SourceOption = None,
    from_lsn: Annotated[str | None, typer.Option("--from-lsn", help="Those captured at this LSN or later.")] = None,
    to_lsn: Annotated[str | None, typer.Option("--to-lsn", help="Those captured up to this LSN.")] = None,
    by: Annotated[str | None, typer.Option("--by", help="Who says so; the system's user where not given.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Put dead letters back to be delivered; the operational lane takes them up at once."""
    from loaders.tracing.deadletters import Selection

    selection = Selection(
        record_ids=tuple(records) if records else None,
        cause=cause,
        source=source,
        since=_in_utc(since),
        until=_in_utc(until),
        from_lsn=_lsn(from_lsn, source),
        to_lsn=_lsn(to_lsn, source),
    )
    if everything == (selection != Selection()):
        raise typer.BadParameter("name the records to replay, or say which (--cause, --since, ...), or give --all")
    with _letters(config) as letters:
        replayed = letters.replay(selection, by=by)
    if as_json:
        print_json({"replayed": replayed.sent, "read_again": replayed.read})
    else:
        out.print(f"{replayed.sent} records will be sent again, the rows of {replayed.read} will be read again.")
    if not (replayed.sent or replayed.read):
        raise typer.Exit(Exit.FOUND)


@app.command("resolve")
def resolve(
    records: RecordsArgument,
    by: ByOption,
    note: Annotated[str, typer.Option("--note", help="What was done in Odoo.")],
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Close records that were done in Odoo by hand: they are sent again only when their source changes."""
    from loaders.tracing.deadletters import Closed

    _close(config, records, Closed.RESOLVED, by, note, as_json=as_json)


@app.command("waive")
def waive(
    records: RecordsArgument,
    by: ByOption,
    reason: Annotated[str, typer.Option("--reason", help="Why they are not wanted.")],
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Close records that are not wanted in Odoo: nothing of them is sent, whatever the source does, until they are replayed."""
    from loaders.tracing.deadletters import Closed

    _close(config, records, Closed.WAIVED, by, reason, as_json=as_json)


def _letters(config: Path) -> DeadLetters:
    from loaders.tracing.deadletters import DeadLetters

    return DeadLetters(load_settings(config).state)


def _print_causes(letters: DeadLetters, entity: str | None, source: str | None, *, as_json: bool) -> None:
    from dataclasses import asdict

    causes = letters.causes(entity=entity, source=source)
    if as_json:
        print_json([asdict(cause) for cause in causes])
        return
    columns = ("cause", "records", "entity", "kind", "words", "first seen", "last seen", "example", "what to do")
    rows = [
        (
            one.cause_id,
            one.records,
            one.entity,
            one.kind,
            one.words,
            f"{one.first_seen_at:%Y-%m-%d %H:%M}",
            f"{one.last_seen_at:%Y-%m-%d %H:%M}",
            one.example,
            one.suggestion,
        )
        for one in causes
    ]
    print_table(f"{len(rows)} causes", columns, rows)


def _close(config: Path, records: list[str], how: Closed, by: str, why: str, *, as_json: bool) -> None:
    if not by.strip() or not why.strip():
        raise typer.BadParameter("say who it is, and why")
    with _letters(config) as letters:
        closed = letters.close_records(records, how, by=by.strip(), why=why.strip())
    if as_json:
        print_json({how.value: list(closed)})
    else:
        out.print(f"{len(closed)} records are {how.value}: {', '.join(closed)}", markup=False)
    if not set(records) <= set(closed):
        missed = ", ".join(name for name in records if name not in closed)
        out.print(f"Not dead or parked, and so left as they are: {missed}", markup=False)
        raise typer.Exit(Exit.FOUND)


def _in_utc(value: datetime | None) -> datetime | None:
    return value.replace(tzinfo=UTC) if value is not None else None


def _lsn(text: str | None, source: str | None) -> str | None:
    from cdc.lsn import Lsn

    if text is None:
        return None
    if source is None:
        raise typer.BadParameter("an LSN is one source's: give --source")
    try:
        return str(Lsn.parse(text))
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def _flat(found: dict[str, Any]) -> list[tuple[str, Any]]:
    """Return a record's fields as rows; of objects each field is a row of its own."""
    rows: list[tuple[str, Any]] = []
    for name, value in found.items():
        if isinstance(value, dict):
            rows += [(f"{name}.{inner}", each) for inner, each in value.items() if each is not None]
        elif isinstance(value, list):
            rows += [(name, each if isinstance(each, str) else "  ".join(map(str, each.values()))) for each in value]
        elif value is not None:
            rows.append((name, value))
    return rows
