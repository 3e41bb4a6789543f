"""`python -m benchmarks`, what `make bench` runs."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from typing import Annotated

import typer
from rich.console import Console

from benchmarks import contest, debezium, growth, idle, latency, machine, report, targets
from benchmarks.run import Run
from benchmarks.workload import TRANSACTION_ROWS, Workload, written
from config.settings import Lane
from sandbox.postgres import EmbeddedPostgres

DEFAULT_ROWS = 500_000
DEFAULT_SECONDS = 20.0
GROWTH_ROWS = (1_000_000, 50_000_000)
_SMALL_GROWTH_ROWS = (100_000, 200_000)  # of a run that is shorter than the default

# A pipe has no width: tables must not be folded there.
_console = Console(highlight=False, width=None if sys.stdout.isatty() else 160)


class Part(StrEnum):
    """A part of the comparison."""

    STREAM = "stream"
    SNAPSHOT = "snapshot"
    LATENCY = "latency"
    GROWTH = "growth"
    IDLE = "idle"


def main(
    rows: Annotated[int, typer.Option(min=100, help="Row changes of a workload.")] = DEFAULT_ROWS,
    rounds: Annotated[int, typer.Option(min=1, help="How often each contestant runs.")] = 3,
    seconds: Annotated[
        float, typer.Option(min=1, help="Length of a look at latency; twice that of an idle lane.")
    ] = DEFAULT_SECONDS,
    only: Annotated[list[Part] | None, typer.Option("--only", help="These parts only; may be given again.")] = None,
    with_debezium: Annotated[bool, typer.Option("--debezium/--no-debezium", help="Measure Debezium too.")] = True,
    write: Annotated[
        bool | None,
        typer.Option(
            "--write/--no-write",
            help="Write docs/reference/benchmarks.md; otherwise done where all parts run at full length.",
        ),
    ] = None,
) -> None:
    """Measure Causeway against the wire and Debezium, and against what it is held to, in one run on the same rows."""
    parts = list(only or Part)
    missing = debezium.missing() if with_debezium else "it was not asked for"
    load = os.getloadavg()[0]
    sections: list[report.Section] = []
    figures: list[targets.Figure] = []
    with EmbeddedPostgres(tcp=True) as server:
        with written(server, "inserts", rows) as inserts:
            facts = machine.facts(inserts, load)
            if Part.STREAM in parts:
                sections.append(_inserts(inserts, rounds, missing, figures))
            if Part.SNAPSHOT in parts:
                sections.append(_snapshot(inserts, rounds, figures))
            if Part.LATENCY in parts:
                figures += _latencies(inserts, seconds)
            if Part.GROWTH in parts:
                figures.append(_growth(inserts, rows))
        if Part.STREAM in parts:
            with written(server, "mixed", rows) as mixed:
                sections.append(_mixed(mixed, rounds, missing, sections[0], figures))
        if Part.IDLE in parts:
            figures += _idle(server, seconds * 2)
    for section in sections:
        report.show(_console, section)
    report.show_figures(_console, figures)
    whole = rows >= DEFAULT_ROWS and seconds >= DEFAULT_SECONDS and set(parts) == set(Part)
    if write or (write is None and whole):
        report.write(facts, sections, rounds, figures=figures)
        _console.print(f"written to {report.DOCUMENT}", soft_wrap=True)


def _inserts(workload: Workload, rounds: int, missing: str | None, figures: list[targets.Figure]) -> report.Section:
    engines = [contest.DEBEZIUM, contest.DEBEZIUM_JSON]
    scores = _stream("Inserts", workload, rounds, [contest.TENTH, *([] if missing else engines)])
    section = _section(scores, workload, "Inserts", missing)
    ours = scores[contest.WAREHOUSE.name]
    figures += targets.stream_figures(ours, section.wire, section.debezium)
    second = targets.second_slot_figure(scores[contest.TENTH.name], section.wire)
    if second is not None:
        figures.append(second)
    return section


def _mixed(
    workload: Workload, rounds: int, missing: str | None, inserts: report.Section, figures: list[targets.Figure]
) -> report.Section:
    name = "Half inserts, four tenths updates, one tenth deletes"
    scores = _stream(name, workload, rounds, [] if missing else [contest.DEBEZIUM])
    before = next(score for score in inserts.scores if score.contestant is contest.WAREHOUSE)
    figures.append(targets.mixed_figure(scores[contest.WAREHOUSE.name], before))
    return _section(scores, workload, name, missing)


def _stream(
    name: str, workload: Workload, rounds: int, others: Sequence[contest.Contestant]
) -> dict[str, contest.Score]:
    return _compete(name, [contest.WIRE, contest.READER, contest.WAREHOUSE, *others], workload, rounds)


def _section(scores: dict[str, contest.Score], workload: Workload, name: str, missing: str | None) -> report.Section:
    return report.Section(
        title=f"{name}: {workload.changes:,} row changes of a 12-column table, {workload.message_bytes:.0f} bytes each,"
        f" {TRANSACTION_ROWS} a transaction",
        scores=list(scores.values()),
        wire=scores[contest.WIRE.name],
        debezium=scores.get(contest.DEBEZIUM.name),
        note=f"Debezium is not in the comparison: {missing}." if missing else "",
    )


def _snapshot(workload: Workload, rounds: int, figures: list[targets.Figure]) -> report.Section:
    title = f"Snapshot: {workload.table_rows:,} rows of the same table"
    scores = _compete(title, [contest.COPY, contest.SNAPSHOT], workload, rounds)
    figures.append(targets.snapshot_figure(scores[contest.SNAPSHOT.name], scores[contest.COPY.name]))
    return report.Section(title=title, scores=list(scores.values()), wire=scores[contest.COPY.name])


def _latencies(workload: Workload, seconds: float) -> Iterator[targets.Figure]:
    _console.print(f"Latency at {latency.RATE_S:,} transactions a second")
    yield from targets.latency_figures(contest.alone(latency.warehouse_latency, workload, seconds), 100, 250)
    yield from targets.latency_figures(contest.alone(latency.outbox_latency, workload, seconds), 50, 150)


def _growth(workload: Workload, rows: int) -> targets.Figure:
    small, large = GROWTH_ROWS if rows >= DEFAULT_ROWS else _SMALL_GROWTH_ROWS
    _console.print(f"Batches of updates in {small:,} and in {large:,} rows")
    return targets.growth_figure(*(contest.alone(growth.batch_cost, workload, size) for size in (small, large)))


def _idle(server: EmbeddedPostgres, seconds: float) -> Iterator[targets.Figure]:
    _console.print("Idle lanes")
    for lane in Lane:
        yield targets.idle_figure(idle.idle_cost(server, lane, seconds), idle.SOURCES)


def _compete(
    title: str, entered: Iterable[contest.Contestant], workload: Workload, rounds: int
) -> dict[str, contest.Score]:
    _console.print(title)
    return dict(contest.compete(entered, workload, rounds, _told))


def _told(contestant: contest.Contestant, run: Run) -> None:
    report.show_run(_console, contestant.name, run)


if __name__ == "__main__":
    typer.run(main)
