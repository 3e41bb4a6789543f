"""`python -m benchmarks`, what `make bench` runs."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from typing import Annotated

import typer
from rich.console import Console

from benchmarks import contest, debezium, machine, report
from benchmarks.run import Run
from benchmarks.workload import TRANSACTION_ROWS, Workload, written
from sandbox.postgres import EmbeddedPostgres

DEFAULT_ROWS = 500_000

# A pipe has no width: tables must not be folded there.
_console = Console(highlight=False, width=None if sys.stdout.isatty() else 160)


def main(
    rows: Annotated[int, typer.Option(min=100, help="Row changes of a workload.")] = DEFAULT_ROWS,
    rounds: Annotated[int, typer.Option(min=1, help="How often each contestant runs.")] = 3,
    with_debezium: Annotated[bool, typer.Option("--debezium/--no-debezium", help="Measure Debezium too.")] = True,
    write: Annotated[
        bool | None,
        typer.Option(
            "--write/--no-write", help="Write docs/reference/benchmarks.md; otherwise done from the default rows on."
        ),
    ] = None,
) -> None:
    """Measure Causeway against the wire and Debezium, in one run on the same rows."""
    missing = debezium.missing() if with_debezium else "it was not asked for"
    load = os.getloadavg()[0]
    with EmbeddedPostgres(tcp=True) as server:
        with written(server, "inserts", rows) as inserts:
            facts = machine.facts(inserts, load)
            engines = [contest.DEBEZIUM, contest.DEBEZIUM_JSON]
            sections = [_stream("Inserts", inserts, rounds, engines, missing), _snapshot(inserts, rounds)]
        with written(server, "mixed", rows) as mixed:
            name = "Half inserts, four tenths updates, one tenth deletes"
            sections.append(_stream(name, mixed, rounds, [contest.DEBEZIUM], missing))
    for section in sections:
        report.show(_console, section)
    if write or (write is None and rows >= DEFAULT_ROWS):
        report.write(facts, sections, rounds)
        _console.print(f"written to {report.DOCUMENT}", soft_wrap=True)


def _stream(
    name: str, workload: Workload, rounds: int, engines: Sequence[contest.Contestant], missing: str | None
) -> report.Section:
    title = (
        f"{name}: {workload.changes:,} row changes of a 12-column table, {workload.message_bytes:.0f} bytes each,"
        f" {TRANSACTION_ROWS} a transaction"
    )
    entered = [contest.WIRE, contest.READER, contest.WAREHOUSE]
    scores = _compete(title, entered if missing else [*entered, *engines], workload, rounds)
    return report.Section(
        title=title,
        scores=list(scores.values()),
        wire=scores[contest.WIRE.name],
        debezium=scores.get(contest.DEBEZIUM.name),
        note=f"Debezium is not in the comparison: {missing}." if missing else "",
    )


def _snapshot(workload: Workload, rounds: int) -> report.Section:
    title = f"Snapshot: {workload.table_rows:,} rows of the same table"
    scores = _compete(title, [contest.COPY, contest.SNAPSHOT], workload, rounds)
    return report.Section(title=title, scores=list(scores.values()), wire=scores[contest.COPY.name])


def _compete(
    title: str, entered: Iterable[contest.Contestant], workload: Workload, rounds: int
) -> dict[str, contest.Score]:
    _console.print(title)
    return dict(contest.compete(entered, workload, rounds, _told))


def _told(contestant: contest.Contestant, run: Run) -> None:
    report.show_run(_console, contestant.name, run)


if __name__ == "__main__":
    typer.run(main)
