"""The figures as tables: for a terminal, and as docs/reference/benchmarks.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from benchmarks.contest import Score
from benchmarks.latency import RATE_S
from benchmarks.run import Run
from benchmarks.targets import Figure

DOCUMENT = Path(__file__).parents[1] / "docs" / "reference" / "benchmarks.md"
COLUMNS = (
    "contestant",
    "rows/s",
    "lowest to highest",
    "of the wire",
    "times Debezium",
    "the same, fastest runs",
    "CPU s",
    "server's CPU s",
    "peak memory",
)
TARGET_COLUMNS = ("figure", "measured", "target", "")

_PREFACE = """\
# Benchmarks

Written by `make bench`. All contestants of a table read the same rows in one run, one at a time, in turns over {rounds} rounds;
rows/s are medians, and a ratio is the median of the rounds' ratios. Ratios tell more than rows/s: they hold on other machines.
Other programs on the machine only ever slow a run down, so the ratios of the fastest runs stand beside them.

- Each has its own copy of a replication slot that stands before the rows. Transactions hold 100 row changes.
- pg_recvlogical, to `/dev/null`, is the wire's limit: no client can be faster than the server decodes and sends.
- Causeway's lane runs as it does in production, with its default settings: one transaction in DuckDB holds the batch and its
  position. Connecting and checking the slot count, and so does the wait for the last batch to be closed (`batch_wait_ms`).
- DuckDB's checkpoint is due at every 64 MB of its own log, about 530,000 of these inserts, so a run of the default length holds
  none. `make bench ARGS="--rows 1500000"` holds some: they add about 0.4 s to half a million rows on these cores.
- Debezium is at its best: a handler that only counts, large batches and queue, a JVM that is warm from the second round on, and
  a clock that starts at its first batch. It connects over TCP, the others over the server's socket.
- CPU s is the user and system time of the contestant's process (Debezium's with the start of its connector), server's CPU s that
  of the walsender that served it.
- Latency: one connection writes {rate:,} transactions a second, a row each. A transaction's clock runs from the commit time in the
  log to the return of the lane's own commit. The lane shares the cores with the server and the writer.
- The cost of a batch by the table's size is that of applying it, without receiving and decoding.
- Peak memory is the highest resident set of the contestant's process.
"""


@dataclass(frozen=True, kw_only=True)
class Section:
    """One table: the scores over one workload, the wire's first. `debezium` None: not measured, for the reason in `note`."""

    title: str
    scores: Sequence[Score]
    wire: Score
    debezium: Score | None = None
    note: str = ""

    def rows(self) -> list[tuple[str, ...]]:
        """The table's cells, see COLUMNS."""
        return [self._row(score) for score in self.scores]

    def _row(self, score: Score) -> tuple[str, ...]:
        speeds = sorted(run.rows_per_s for run in score.runs)
        peak = score.peak_rss_bytes
        return (
            score.contestant.name,
            _thousands(score.rows_per_s),
            f"{_thousands(speeds[0])} to {_thousands(speeds[-1])}",
            f"{median(score.ratios_to(self.wire)):.2f}",
            "" if self.debezium is None else f"{median(score.ratios_to(self.debezium)):.1f}",
            self._fastest(score),
            _seconds(score.cpu_s),
            _seconds(score.server_cpu_s),
            "" if peak is None else f"{peak / 2**20:.0f} MB",
        )

    def _fastest(self, score: Score) -> str:
        """Both ratios of the fastest runs: where other programs disturb a run, the fastest one was disturbed least."""
        wire = f"{score.fastest_rows_per_s / self.wire.fastest_rows_per_s:.2f}"
        if self.debezium is None:
            return wire
        return f"{wire}, {score.fastest_rows_per_s / self.debezium.fastest_rows_per_s:.1f}"


def show(console: Console, section: Section) -> None:
    """Print a section."""
    table = Table(title=section.title, title_justify="left", header_style="bold")
    for number, column in enumerate(COLUMNS):
        table.add_column(column, justify="right" if number else "left", no_wrap=True)
    for row in section.rows():
        table.add_row(*row)
    console.print(table)
    if section.note:
        console.print(section.note)
    console.print()


def show_figures(console: Console, figures: Sequence[Figure]) -> None:
    """Print the figures with their targets."""
    table = Table(title="What Causeway is held to", title_justify="left", header_style="bold")
    for column in TARGET_COLUMNS:
        table.add_column(column)
    for figure in figures:
        table.add_row(*figure.row())
    console.print(table)


def show_run(console: Console, name: str, run: Run) -> None:
    """Print one run as it ends."""
    console.print(f"  {name}: {run.seconds:.2f} s, {_thousands(run.rows_per_s)} rows/s")


def write(
    facts: Mapping[str, str],
    sections: Sequence[Section],
    rounds: int,
    path: Path = DOCUMENT,
    *,
    figures: Sequence[Figure] = (),
) -> None:
    """Write the document."""
    parts = [_PREFACE.format(rounds=rounds, rate=RATE_S)]
    if figures:
        lines = ["## What Causeway is held to", "", _line(TARGET_COLUMNS), _line(["---"] * len(TARGET_COLUMNS))]
        parts.append("\n".join([*lines, *(_line(figure.row()) for figure in figures)]) + "\n")
    parts += [_markdown(section) for section in sections]
    parts.append("\n".join(["## Measured on", "", *(f"- {name}: {value}" for name, value in facts.items())]) + "\n")
    path.write_text("\n".join(parts), encoding="utf-8")


def _markdown(section: Section) -> str:
    lines = [f"## {section.title}", "", _line(COLUMNS), _line(["---", *["---:"] * (len(COLUMNS) - 1)])]
    lines += [_line(row) for row in section.rows()]
    return "\n".join([*lines, *(["", section.note] if section.note else [])]) + "\n"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _thousands(value: float) -> str:
    return f"{value:,.0f}"
