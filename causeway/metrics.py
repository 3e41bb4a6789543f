"""Prometheus metrics of a lane: what its status and the watch of the slots say, at the moment of the scrape.

`METRICS` is the list of them; docs/reference/metrics.md is checked against it. A lane shows every slot that is watched, the other
lane's included, so that a dead lane's slot can still be seen.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from causeway.runfiles import RunFolder
from causeway.slot_look import STAGES
from config.errors import CausewayError, ErrorKind
from config.settings import Lane, Settings

_SOURCE = ("lane", "source")
_SLOT = ("source", "lane", "slot")


@dataclass(frozen=True, kw_only=True, slots=True)
class Metric:
    """One metric. A counter's name ends in _total."""

    name: str
    help: str
    labels: tuple[str, ...]

    @property
    def kind(self) -> Literal["counter", "gauge"]:
        """Whether it only grows while the lane runs."""
        return "counter" if self.name.endswith("_total") else "gauge"


def _metric(name: str, labels: tuple[str, ...], text: str) -> Metric:
    return Metric(name=f"causeway_{name}", help=text, labels=labels)


METRICS: tuple[Metric, ...] = (
    _metric("lane_uptime_seconds", ("lane",), "time since the lane's process started"),
    _metric("lane_rss_bytes", ("lane",), "resident memory of the lane's process"),
    _metric("source_state", (*_SOURCE, "state"), "1 for the state that the source is in"),
    _metric("source_lag_bytes", _SOURCE, "log between what is durable at the lane's end and the server's end"),
    _metric("source_rows_total", _SOURCE, "row changes applied since the lane started"),
    _metric("source_transactions_total", _SOURCE, "source transactions applied since the lane started"),
    _metric("source_batches_total", _SOURCE, "batches committed since the lane started"),
    _metric("source_value_exceptions", _SOURCE, "values that the mirrors' types cannot hold, kept as text"),
    _metric("source_stopped_tables", _SOURCE, "tables whose mirrors stopped because a change could not be followed"),
    _metric("source_skipped_rows", _SOURCE, "row changes that stopped tables have left out"),
    _metric("source_last_commit_timestamp_seconds", _SOURCE, "when the source committed the last transaction applied"),
    _metric("outbox_records", ("lane", "status"), "records in the outbox"),
    _metric("odoo_circuit", ("lane", "state"), "1 for the state of the circuit to Odoo: closed, open, half_open"),
    _metric("domain_held", ("lane", "domain"), "1 for a domain of which nothing is delivered"),
    _metric("domain_delivered_total", ("lane", "domain"), "records delivered since the lane started, their age known"),
    _metric("domain_late_total", ("lane", "domain"), "of those, records older than the service level"),
    _metric("domain_age_p50_seconds", ("lane", "domain"), "median age at delivery of the last 2,000 records"),
    _metric("domain_age_p99_seconds", ("lane", "domain"), "99th percentile of the age at delivery of the last 2,000 records"),
    _metric("deliveries_unconfirmed", ("lane",), "deliveries that Odoo has acknowledged and its log has not shown yet"),
    _metric("delivery_latency_seconds", ("lane", "stage", "quantile"), "how long the last confirmed deliveries took, by stage"),
    _metric("drift_fields", ("lane",), "fields that were changed in Odoo though a channel owns them"),
    _metric("slots_sampled_timestamp_seconds", (), "when the slots were last looked at"),
    _metric("slot_state", (*_SLOT, "state"), "1 for the slot's state: missing, unreachable, or the server's wal_status"),
    _metric("slot_active", _SLOT, "1 where somebody reads the slot"),
    _metric("slot_retained_bytes", _SLOT, "WAL that the server keeps for the slot"),
    _metric("slot_safe_wal_size_bytes", _SLOT, "WAL that may still be written before the slot is in danger"),
    _metric("slot_growth_bytes_per_minute", _SLOT, "growth of the retained WAL over the last minutes"),
    _metric("slot_lost_in_seconds", _SLOT, "at this growth, time until the server gives the slot up"),
    _metric("slot_disk_limit_in_seconds", _SLOT, "at this growth, time until slot_disk_limit_bytes is reached"),
    _metric("slot_behind_bytes", (*_SLOT, "stage"), "log between a stage and the server's end"),
    _metric("slot_behind_seconds", (*_SLOT, "stage"), "how long ago the server's end was where the stage is"),
    _metric("slot_spilled_transactions_total", _SLOT, "transactions that did not fit into logical_decoding_work_mem"),
    _metric("slot_spilled_bytes_total", _SLOT, "decoded bytes that were spilled to the server's disk"),
    _metric("slot_inactive_since_timestamp_seconds", _SLOT, "since when nobody reads the slot, from PostgreSQL 17 on"),
    _metric("slot_guard", (*_SLOT, "guard"), "1 for what the guard says: off, ok, warning, useless, dropped"),
)  # fmt: skip

_OF_SLOT = {
    "slot_retained_bytes": "retained_bytes",
    "slot_safe_wal_size_bytes": "safe_wal_size_bytes",
    "slot_growth_bytes_per_minute": "growth_bytes_a_minute",
    "slot_lost_in_seconds": "lost_in_s",
    "slot_disk_limit_in_seconds": "disk_limit_in_s",
    "slot_spilled_transactions_total": "spilled_transactions",
    "slot_spilled_bytes_total": "spilled_bytes",
}
_OF_SOURCE = {
    "source_lag_bytes": "lag_bytes",
    "source_rows_total": "rows",
    "source_transactions_total": "transactions",
    "source_batches_total": "batches",
    "source_value_exceptions": "value_exceptions",
    "source_stopped_tables": "stopped_tables",
    "source_skipped_rows": "skipped_rows",
}

Sample = tuple[str, tuple[str, ...], float]


class LaneCollector(Collector):
    """Collects at each scrape. What is not known has no sample."""

    def __init__(self, status: Callable[[], dict[str, Any]], folder: RunFolder) -> None:
        self._status = status
        self._folder = folder

    def collect(self) -> Iterator[GaugeMetricFamily | CounterMetricFamily]:
        """Yield every metric, with its samples."""
        samples = [*_of_lane(self._status()), *_of_slots(self._folder.read_slots())]
        for metric in METRICS:
            kind = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
            family = kind(metric.name, metric.help, labels=metric.labels)
            for name, labels, value in samples:
                if metric.name == f"causeway_{name}":
                    family.add_metric(labels, value)
            yield family


def _of_lane(status: dict[str, Any]) -> Iterator[Sample]:
    lane = str(status["lane"])
    yield "lane_uptime_seconds", (lane,), float(status["uptime_s"])
    yield "lane_rss_bytes", (lane,), float(status["rss_bytes"])
    for source, said in status["sources"].items():
        yield "source_state", (lane, source, said["state"]), 1.0
        for name, key in _OF_SOURCE.items():
            yield name, (lane, source), float(said[key])
        if said["last_commit_at"]:
            yield "source_last_commit_timestamp_seconds", (lane, source), _seconds(said["last_commit_at"])
    for state, records in status.get("outbox", {}).items():
        yield "outbox_records", (lane, state), float(records)
    if "delivery" in status:
        yield from _of_delivery(lane, status["delivery"])
    if confirmed := status.get("confirmations"):
        yield "deliveries_unconfirmed", (lane,), float(confirmed["unconfirmed"])
        yield "drift_fields", (lane,), float(confirmed["drift"])
        for stage, quantiles in confirmed["latency_s"].items():
            for quantile, took_s in quantiles.items():
                yield "delivery_latency_seconds", (lane, stage, quantile), float(took_s)


def _of_delivery(lane: str, said: dict[str, Any]) -> Iterator[Sample]:
    yield "odoo_circuit", (lane, said["circuit"]), 1.0
    for domain in said["held"]:
        yield "domain_held", (lane, domain), 1.0
    for domain, its in said["domains"].items():
        yield "domain_delivered_total", (lane, domain), float(its["delivered"])
        yield "domain_late_total", (lane, domain), float(its["late"])
        yield "domain_age_p50_seconds", (lane, domain), its["age_p50_s"]
        yield "domain_age_p99_seconds", (lane, domain), its["age_p99_s"]


def _of_slots(watched: dict[str, Any]) -> Iterator[Sample]:
    if "sampled_at" not in watched:
        return
    yield "slots_sampled_timestamp_seconds", (), float(watched["sampled_at"])
    for row in watched["slots"]:
        labels = (row["source"], row["lane"], row["slot"])
        yield "slot_state", (*labels, row["state"]), 1.0
        yield "slot_guard", (*labels, row["guard"]), 1.0
        yield "slot_active", labels, float(row["reader_pid"] is not None)
        for name, key in _OF_SLOT.items():
            if row[key] is not None:
                yield name, labels, float(row[key])
        if row["inactive_since"]:
            yield "slot_inactive_since_timestamp_seconds", labels, _seconds(row["inactive_since"])
        for stage in STAGES:
            yield from _of_stage(row, (*labels, stage), stage)


def _of_stage(row: dict[str, Any], labels: tuple[str, ...], stage: str) -> Iterator[Sample]:
    for name, key in (("slot_behind_bytes", "behind_bytes"), ("slot_behind_seconds", "behind_s")):
        value = row[key].get(stage)
        if value is not None:
            yield name, labels, float(value)


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


@contextmanager
def serving(
    settings: Settings, lane: Lane, status: Callable[[], dict[str, Any]], folder: RunFolder
) -> Iterator[int | None]:
    """Serve the lane's metrics where the settings name a port; CausewayError SETTINGS for a port that is taken."""
    port = settings.metrics.port(lane)
    if port is None:
        yield None
        return
    registry = CollectorRegistry()
    registry.register(LaneCollector(status, folder))
    try:
        server, thread = start_http_server(port, settings.metrics.host, registry)
    except OSError as error:
        raise CausewayError(
            ErrorKind.SETTINGS,
            f"metrics.{lane}_port: {settings.metrics.host}:{port} cannot be listened on: {error.strerror or error}.",
            hint="Name another port, or another address in metrics.host.",
        ) from error
    try:
        yield port
    finally:
        threading.Thread(target=server.shutdown, daemon=True).start()
        thread.join(timeout=1.0)
        server.server_close()
