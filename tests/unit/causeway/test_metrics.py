"""What a lane's status says of confirmations is what Prometheus is shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from causeway.metrics import LaneCollector
from causeway.runfiles import RunFolder
from loaders.confirming.confirmed import Confirmed


def test_confirmations_are_shown_with_their_latencies(tmp_path: Path) -> None:
    confirmed = Confirmed(unconfirmed=3, latency_s={"confirmed": {"0.5": 0.02, "0.99": 0.1}}, drift=2)
    status: dict[str, Any] = {"lane": "operational", "uptime_s": 1, "rss_bytes": 1, "sources": {}}
    status["confirmations"] = confirmed.as_dict()
    families = LaneCollector(lambda: status, RunFolder(tmp_path)).collect()
    shown = {(one.name, one.labels.get("quantile")): one.value for family in families for one in family.samples}
    assert shown["causeway_deliveries_unconfirmed", None] == 3
    assert shown["causeway_drift_fields", None] == 2
    assert shown["causeway_delivery_latency_seconds", "0.99"] == 0.1
    assert shown["causeway_delivery_latency_seconds", "0.5"] == 0.02
