"""`causeway run` and `causeway status`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from causeway.console import DEFAULT_CONFIG, ConfigOption, JsonOption, print_json, print_table, set_up_logging
from causeway.exits import Exit
from config.loading import load_settings
from config.settings import Lane


def run(
    config: ConfigOption = DEFAULT_CONFIG,
    lane: Annotated[Lane | None, typer.Option("--lane", help="Run this lane only, in this process.")] = None,
    until_caught_up: Annotated[
        bool,
        typer.Option(
            "--until-caught-up", help="End when all that was committed before the start is durable at the lane's end."
        ),
    ] = False,
) -> None:
    """Run the bridge: both lanes as processes of their own, or one of them here."""
    settings = load_settings(config)
    set_up_logging(settings.log)
    if lane is None:
        from causeway.supervisor import Supervisor

        raise typer.Exit(Supervisor(config, until_caught_up=until_caught_up).run())
    from causeway.process import run_lane

    run_lane(settings, lane, until_caught_up=until_caught_up)


def status(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Say what the lanes are doing: exit code 0 where both run, 1 where one does not, a source or table of it stands still, or a mapping
    does not fit its table.
    """
    from causeway.runfiles import RunFolder

    settings = load_settings(config)
    folder = RunFolder(settings.run_dir)
    lanes = {lane.value: lane_status(folder, lane) for lane in Lane}
    if as_json:
        print_json({"lanes": lanes})
    else:
        for name, said in lanes.items():
            _print_lane(name, said)
    sources = [source for said in lanes.values() for source in said["sources"].values()]
    stopped = any(tables for said in lanes.values() for tables in said.get("stopped_tables", {}).values())
    broken = any(said.get("mappings") or said.get("mappings_unread") for said in lanes.values())
    if (
        stopped
        or broken
        or not all(said["running"] for said in lanes.values())
        or any(one["state"] == "failed" for one in sources)
    ):
        raise typer.Exit(Exit.FOUND)


def lane_status(folder: Any, lane: Lane) -> dict[str, Any]:
    """What the lane of this run folder says of itself, and whether it runs."""
    running = folder.is_running(lane)
    said: dict[str, Any] = folder.read_status(lane) or {"state": "never ran", "sources": {}}
    if not running and said["state"] == "running":
        said["state"] = "killed"
    return {**said, "running": running}


def _print_lane(name: str, said: dict[str, Any]) -> None:
    title = f"{name} lane: {said['state']}" + (f" (process {said['pid']})" if said["running"] else "")
    rows = [
        (source, item["state"], item["durable"], item["lag_bytes"], item["rows"], item["last_commit_at"], item["error"])
        for source, item in said["sources"].items()
    ]
    print_table(title, ("source", "state", "durable", "lag bytes", "rows", "last commit", "error"), rows)
    copying = [
        (one["source"], one["table"], one["rows"], one["estimated_rows"] or None) for one in said.get("copying", ())
    ]
    if copying and said["running"]:
        print_table("tables being copied", ("source", "table", "rows", "of about"), copying)
    kept = [
        (source, item["value_exceptions"]) for source, item in said["sources"].items() if item.get("value_exceptions")
    ]
    if kept:
        print_table("values kept as text", ("source", "values"), kept)
    if said.get("outbox"):
        print_table("outbox", ("status", "records"), sorted(said["outbox"].items()))
    if said.get("confirmations"):
        _print_confirmations(said["confirmations"])
    stopped = [
        (source, table, problem)
        for source, tables in said.get("stopped_tables", {}).items()
        for table, problem in tables.items()
    ]
    if stopped:
        print_table("stopped tables", ("source", "table", "problem"), stopped)
    _print_held(said)


def _print_confirmations(said: dict[str, Any]) -> None:
    """Say how far Odoo's own log has confirmed what was delivered, and how long that took."""
    title = f"{said['unconfirmed']} deliveries not confirmed yet, {said['drift']} fields changed in Odoo"
    rows = [(stage, *quantiles.values()) for stage, quantiles in said["latency_s"].items()]
    if rows or said["unconfirmed"] or said["drift"]:
        print_table(title, ("stage", "p50 s", "p95 s", "p99 s"), rows)


def _print_held(said: dict[str, Any]) -> None:
    """Say which mappings hold their records back, and which rows wait to be read at their source."""
    broken = [
        (one["mapping"], one["entity"], f"{one['source']}: {one['table']}", one["problem"])
        for one in said.get("mappings", [])
    ]
    if broken:
        print_table("mappings that hold their records back", ("mapping", "entity", "table", "problem"), broken)
    if said.get("mappings_unread"):
        print_table(
            "mappings that can't be read; those from before are in force", ("problem",), [(said["mappings_unread"],)]
        )
    waiting = [
        (one["source"], one["table"], one["mapping"] or "all", one["reason"], one["rows"], one["problem"])
        for one in said.get("rows_to_read", [])
    ]
    if waiting:
        print_table("rows to be read", ("source", "table", "mapping", "reason", "rows", "problem"), waiting)
