"""The figures that Causeway is held to, each with what was measured in this run."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from statistics import median

from benchmarks.contest import Score
from benchmarks.growth import BatchCost
from benchmarks.idle import IdleCost
from benchmarks.latency import Latency


@dataclass(frozen=True, kw_only=True)
class Figure:
    """`target`: the bound, at least or at most; None where the figure is only reported. `shown` renders both."""

    name: str
    measured: float
    target: float | None = None
    at_most: bool = False
    shown: Callable[[float], str] = "{:.2f}".format
    note: str = ""

    @property
    def met(self) -> str:
        """Whether the target is met, in a word; by how much it is missed."""
        if self.target is None:
            return "reported"
        if self.measured <= self.target if self.at_most else self.measured >= self.target:
            return "met"
        return f"missed, {self.measured / self.target:.2f} of it"

    def row(self) -> tuple[str, str, str, str]:
        """The cells: figure, measured, target, met."""
        bound = "" if self.target is None else f"{'at most' if self.at_most else 'at least'} {self.shown(self.target)}"
        return self.name, f"{self.shown(self.measured)}{f' ({self.note})' if self.note else ''}", bound, self.met


_MS = "{:.0f} ms".format
_TIMES = "{:.1f} times".format
_SHARE = "{:.2%}".format


def stream_figures(ours: Score, wire: Score, debezium: Score | None) -> Iterable[Figure]:
    """WAL to committed in DuckDB, against the wire and against Debezium."""
    yield Figure(name="inserts, over pg_recvlogical", measured=median(ours.ratios_to(wire)), target=0.8)
    if debezium is not None:
        measured = median(ours.ratios_to(debezium))
        name = "inserts, over the Debezium engine with a handler that does nothing"
        yield Figure(name=name, measured=measured, target=6, shown=_TIMES)


def mixed_figure(mixed: Score, inserts: Score) -> Figure:
    """Half inserts, four tenths updates of random rows, one tenth deletes."""
    return Figure(name="mixed load, over inserts", measured=mixed.rows_per_s / inserts.rows_per_s, target=0.6)


def snapshot_figure(ours: Score, copy: Score) -> Figure:
    """The first copy of a table."""
    return Figure(name="snapshot, over psql's binary COPY", measured=median(ours.ratios_to(copy)), target=0.7)


def latency_figures(latency: Latency, p50_ms: float, p99_ms: float) -> Iterable[Figure]:
    """Age at which a change is durable."""
    note = f"worst {latency.worst_ms:.0f} ms, {latency.cpu_ratio:.0%} of a core"
    yield Figure(
        name=f"{latency.name}, p50", measured=latency.p50_ms, target=p50_ms, at_most=True, shown=_MS, note=note
    )
    yield Figure(name=f"{latency.name}, p99", measured=latency.p99_ms, target=p99_ms, at_most=True, shown=_MS)


def growth_figure(small: BatchCost, large: BatchCost) -> Figure:
    """20,000 updates of rows anywhere in a table; the bound of four times is one for fifty million rows over one."""
    note = f"{small.seconds * 1000:.0f} ms and {large.seconds * 1000:.0f} ms"
    name = f"20,000 random updates in {large.table_rows / 1e6:.0f} M rows, over {small.table_rows / 1e6:.0f} M"
    return Figure(name=name, measured=large.seconds / small.seconds, shown=_TIMES, note=note)


def idle_figure(cost: IdleCost, sources: int) -> Figure:
    """A lane to which nothing comes."""
    name = f"CPU of an idle {cost.lane} lane over {sources} sources"
    return Figure(name=name, measured=cost.cpu_ratio, target=0.01, at_most=True, shown=_SHARE)


def second_slot_figure(tenth: Score, whole: Score) -> Figure | None:
    """The server's work for a slot of a tenth of the changes, over that for a slot of all of them."""
    costs = [
        few.server_cpu_s / all_.server_cpu_s
        for few, all_ in zip(tenth.runs, whole.runs, strict=True)
        if few.server_cpu_s and all_.server_cpu_s
    ]
    if not costs:
        return None
    name = "second slot: walsender's CPU with a tenth of the changes published, over all of them"
    return Figure(name=name, measured=median(costs))
