"""Who is measured, and how: one at a time, in turns, each in a process of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import get_context
from statistics import median
from typing import TypeVar

from benchmarks import debezium, lane, wire
from benchmarks.run import Run
from benchmarks.workload import Workload

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Contestant:
    """`measure` runs once a round. `warm`: all rounds in one process, else each in a new one."""

    name: str
    measure: Callable[[Workload], Run]
    warm: bool = False


WIRE = Contestant(name="pg_recvlogical to /dev/null", measure=wire.run_pg_recvlogical)
TENTH = Contestant(name="pg_recvlogical, a tenth of the changes published", measure=wire.run_tenth)
READER = Contestant(name="Causeway's reader, no destination", measure=lane.run_reader)
WAREHOUSE = Contestant(name="Causeway, WAL to committed in DuckDB", measure=lane.run_warehouse)
DEBEZIUM = Contestant(
    name="Debezium engine, handler does nothing",
    measure=partial(debezium.run_debezium, event_format="connect"),
    warm=True,
)
DEBEZIUM_JSON = Contestant(
    name="Debezium engine, the same, events as JSON",
    measure=partial(debezium.run_debezium, event_format="json"),
    warm=True,
)
COPY = Contestant(name="psql, binary COPY to /dev/null", measure=wire.run_copy)
SNAPSHOT = Contestant(name="Causeway, snapshot to committed in DuckDB", measure=lane.run_snapshot)


@dataclass(frozen=True, kw_only=True)
class Score:
    """All runs of one contestant."""

    contestant: Contestant
    runs: Sequence[Run] = field(default_factory=tuple)

    @property
    def rows_per_s(self) -> float:
        return median(run.rows_per_s for run in self.runs)

    @property
    def fastest_rows_per_s(self) -> float:
        return max(run.rows_per_s for run in self.runs)

    @property
    def peak_rss_bytes(self) -> int | None:
        """The highest of all runs, None where nobody looked."""
        return max((run.peak_rss_bytes for run in self.runs if run.peak_rss_bytes is not None), default=None)

    @property
    def cpu_s(self) -> float | None:
        """The median of the process's CPU seconds, None where nobody looked."""
        return _median(run.cpu_s for run in self.runs)

    @property
    def server_cpu_s(self) -> float | None:
        """The median of the walsender's CPU seconds, None where nobody looked."""
        return _median(run.server_cpu_s for run in self.runs)

    def ratios_to(self, other: Score) -> list[float]:
        """How many times as fast as the other, round by round: what slows a machine down for a while slows both."""
        pairs = zip(self.runs, other.runs, strict=True)
        return [mine.rows_per_s / theirs.rows_per_s for mine, theirs in pairs]


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None


def compete(
    contestants: Iterable[Contestant], workload: Workload, rounds: int, told: Callable[[Contestant, Run], None]
) -> Mapping[str, Score]:
    """Run every contestant once a round, in turns; return scores by name. `told` hears of each run."""
    entered = list(contestants)
    runs: dict[str, list[Run]] = {contestant.name: [] for contestant in entered}
    with ExitStack() as stack:
        warm = {one.name: stack.enter_context(_process()) for one in entered if one.warm}
        for contestant in _turns(entered, rounds):
            run = _measure(contestant, workload, warm.get(contestant.name))
            runs[contestant.name].append(run)
            told(contestant, run)
    return {one.name: Score(contestant=one, runs=runs[one.name]) for one in entered}


def _turns(contestants: Sequence[Contestant], rounds: int) -> Iterator[Contestant]:
    for _ in range(rounds):
        yield from contestants


def _measure(contestant: Contestant, workload: Workload, warm: ProcessPoolExecutor | None) -> Run:
    if warm is not None:
        return warm.submit(contestant.measure, workload).result()
    with _process() as process:
        return process.submit(contestant.measure, workload).result()


def _process() -> ProcessPoolExecutor:
    """One new process, started from nothing: no memory, threads or JVM of ours in it."""
    return ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn"))


def alone(measure: Callable[..., T], *arguments: object) -> T:
    """Run one measurement in a new process of its own."""
    with _process() as process:
        return process.submit(measure, *arguments).result()
