"""`causeway slots`: what the bridge asks of a source's server, in a DBA's words; plan runs nothing, create runs just that."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import asdict
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
    from causeway.publishing import wanted_of
    from causeway.sources import with_tables
    from cdc import slots

    settings = with_tables(load_settings(config), source)

    def create_wanted(connection: Any, of_source: Any, of: Lane, slot: str) -> list[Any]:
        return slots.create(connection, of_source, of, slot, wanted_of(settings, source, of))

    _each_lane("create", create_wanted, settings, source, lane, as_json=as_json)


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
    watch: Annotated[bool, typer.Option("--watch", help="Look again and again, until Ctrl-C.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Say for every slot how far each stage is, how much WAL it keeps, how that grows and when it ends.

    Exit code 1 where a slot is missing or lost, a source can't be reached, or the guard warns.
    """
    from causeway.slot_report import print_slots, slot_rows
    from causeway.sources import find_source

    settings = load_settings(config)
    if source is not None:
        find_source(settings, source)
    while True:
        rows = slot_rows(settings, source)
        if as_json:
            print_json({"slots": [asdict(row) for row in rows]})
        else:
            print_slots(rows)
        if not watch:
            break
        time.sleep(settings.slots.sample_s)
    if not all(row.is_well for row in rows):
        raise typer.Exit(Exit.FOUND)


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
