"""`causeway slots`: what the bridge asks of a source's server, in a DBA's words; plan runs nothing, create runs just that."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from causeway.console import DEFAULT_CONFIG, ConfigOption, JsonOption, out, print_json, print_table, set_up_logging
from causeway.exits import Exit
from config.loading import load_settings
from config.settings import Lane, Settings

if TYPE_CHECKING:
    from causeway.rebuild import Rebuilt

app = typer.Typer(help="Replication slots and publications: plan, create, status, drop.", no_args_is_help=True)

SourceArgument = Annotated[str, typer.Argument(metavar="SOURCE", help="Name of a source in the settings.")]
LaneOption = Annotated[Lane | None, typer.Option("--lane", help="Only this lane's.")]


@app.command("plan")
def plan(
    source: SourceArgument,
    config: ConfigOption = DEFAULT_CONFIG,
    lane: LaneOption = None,
    dsn: Annotated[
        str | None,
        typer.Option("--dsn", help="Look with this connection instead, where the source's own role is not there yet."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Print what an administrator runs by psql so that capture has what it needs, and what to look at; runs nothing."""
    from causeway.slot_plans import describe_plan, plan_source

    made = plan_source(load_settings(config), source, lane, dsn)
    if as_json:
        print_json({"source": source, **describe_plan(made)})
        return
    from cdc.slot_plan import script

    # Not by rich: what psql is to read must not be folded.
    sys.stdout.write(script(source, made) + "\n")


@app.command("create")
def create(
    source: SourceArgument, config: ConfigOption = DEFAULT_CONFIG, lane: LaneOption = None, as_json: JsonOption = False
) -> None:
    """Make the publications and slots that `plan` prints, as far as the source's own role may; the rest is an administrator's."""
    from cdc import slots

    _each_lane("create", slots.create, load_settings(config), source, lane, as_json=as_json)


@app.command("drop")
def drop(
    source: SourceArgument, config: ConfigOption = DEFAULT_CONFIG, lane: LaneOption = None, as_json: JsonOption = False
) -> None:
    """Drop a source's slots and publications, and forget how far the lanes were: their next run begins with a new snapshot.

    The lanes must not be running.
    """
    from causeway.rebuilding import forget
    from cdc import slots

    settings = load_settings(config)

    def drop_and_forget(connection: Any, _source: Any, of: Lane, slot: str) -> list[Any]:
        # In this order: a slot that is in use is refused before anything is forgotten.
        steps = slots.drop(connection, slot)
        forget(settings, source, of)
        return steps

    _each_lane("drop", drop_and_forget, settings, source, lane, as_json=as_json)


@app.command("rebuild")
def rebuild(
    source: SourceArgument,
    config: ConfigOption = DEFAULT_CONFIG,
    lane: LaneOption = None,
    force: Annotated[bool, typer.Option("--force", help="Make a new slot although the lane could go on.")] = False,
    other_cluster: Annotated[
        bool,
        typer.Option(
            "--other-cluster", help="The source is another cluster or timeline now: a promoted standby, a backup."
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Make a new slot where a lane can't go on from its own, and write only what differs; exit code 1 where something still does.

    The lanes must not be running. Run it again if it was interrupted.
    """
    from causeway.console import err
    from causeway.rebuild import rebuild_source

    settings = load_settings(config)
    set_up_logging(settings.log)
    console = None if as_json else err
    done = rebuild_source(settings, source, lane, console=console, force=force, other_cluster=other_cluster)
    if as_json:
        print_json({"source": source, "rebuilt": [each.as_dict() for each in done]})
    else:
        for each in done:
            _print_rebuilt(each)
    if not all(each.verdict is None or each.verdict.equal for each in done):
        raise typer.Exit(Exit.FOUND)


def _print_rebuilt(done: Rebuilt) -> None:
    out.print(f"{done.lane} lane: {done.reason}", markup=False)
    for step in done.steps:
        out.print(f"{step.statement};", markup=False)
    if done.verdict is None:
        out.print("Its next run reads the source again, and delivers what is not in the outbox yet.", markup=False)
        return
    rows = [(t.table, t.source_rows, t.mirror_rows, t.result, t.problem) for t in done.verdict.tables]
    print_table(f"mirrors at {done.verdict.lsn}", ("table", "source rows", "mirror rows", "result", "problem"), rows)


@app.command("status")
def status(
    source: Annotated[str | None, typer.Argument(metavar="[SOURCE]", help="Only this source's.")] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Say for every slot where it stands and how much WAL it keeps; exit code 1 where a slot is missing or lost."""
    from causeway.sources import find_source

    settings = load_settings(config)
    if source is not None:
        find_source(settings, source)
    found = [row for name in settings.sources if source in (None, name) for row in _statuses(settings, name)]
    if as_json:
        print_json({"slots": found})
    else:
        columns = ("source", "slot", "state", "reader", "confirmed", "lag bytes", "retained bytes", "safe WAL bytes")
        print_table("", columns, [[_cell(value) for value in row.values()] for row in found])
    if any(row["state"] in ("missing", "lost") for row in found):
        raise typer.Exit(Exit.FOUND)


def _statuses(settings: Settings, name: str) -> list[dict[str, Any]]:
    from causeway.sources import connect_source
    from cdc import slots

    wanted = [settings.slot_name(name, lane) for lane in Lane if name in settings.sources_of(lane)]
    with connect_source(name, settings.sources[name], "slots") as connection:
        found = {each.name: each for each in slots.status(connection, wanted)}
    return [_row(name, slot, found.get(slot)) for slot in wanted]


def _row(source: str, slot: str, found: Any) -> dict[str, Any]:
    return {
        "source": source,
        "slot": slot,
        "state": "missing" if found is None else found.wal_status,
        "reader_pid": None if found is None else found.active_pid,
        "confirmed_flush_lsn": None
        if found is None or found.confirmed_flush_lsn is None
        else str(found.confirmed_flush_lsn),
        "lag_bytes": None if found is None else found.lag_bytes,
        "retained_bytes": None if found is None else found.retained_bytes,
        "safe_wal_size_bytes": None if found is None else found.safe_wal_size_bytes,
    }


def _cell(value: object) -> object:
    return f"{value:,}" if isinstance(value, int) else value


def _each_lane(
    verb: str, act: Callable[..., Any], settings: Settings, name: str, only: Lane | None, *, as_json: bool
) -> None:
    """Run `act` for each lane that captures the source and print its steps."""
    from causeway.sources import connect_source, find_source, naming, with_tables

    find_source(settings, name)
    settings = with_tables(settings, name)
    source = settings.sources[name]
    lanes = [lane for lane in Lane if name in settings.sources_of(lane) and only in (None, lane)]
    steps: list[dict[str, str]] = []
    with connect_source(name, source, "slots") as connection, naming(name):
        for lane in lanes:
            done = act(connection, source, lane, settings.slot_name(name, lane))
            steps += [{"lane": lane.value, "statement": step.statement, "reason": step.reason} for step in done]
    if as_json:
        print_json({"source": name, verb: steps})
        return
    if not steps:
        out.print(f"{name}: nothing to {verb}.", markup=False)
    for step in steps:
        out.print(f"-- {step['lane']} lane: {step['reason']}\n{step['statement']};", markup=False)
