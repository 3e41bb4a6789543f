"""The demo itself: start the outside world, run the bridge on it, play, wait, verify, reconcile, report."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from causeway.console import err
from causeway.demo.environment import Environment, bridge_process, open_environment
from causeway.demo.folder import prepare_folder, write_settings
from causeway.demo.progress import BridgeProgress
from causeway.demo.report import DemoReport, count_kinds
from causeway.process import run_lane
from causeway.reconciling import run_reconciliation
from causeway.runfiles import RunFolder
from causeway.sources import current_ends
from causeway.verify import verify_source
from config.errors import CausewayError, ErrorKind
from config.loading import load_settings
from config.settings import Lane, Settings
from loaders.confirming.confirmed import ConfirmedCounter
from loaders.tracing.deadletters import DeadLetters
from sandbox.databases import Sources, open_sources
from sandbox.day import BusinessDay

FIRST_INVOICES = 1_000
PATIENCE_S = 600.0

Tell = Callable[[str], None]


@dataclass(kw_only=True)
class _Stage:
    """A demo under way: its world, its settings, its bridge."""

    environment: Environment
    sources: Sources
    settings: Settings
    config: Path
    report: DemoReport
    tell: Tell


def play_day(folder: Path, *, seed: int, quiet: bool, orders: int = 2_000) -> DemoReport:
    """Play the seeded business day and return what the bridge made of it."""
    day = BusinessDay(seed=seed, orders=orders)
    with _stage(folder, quiet=quiet) as stage:
        stage.tell("Masters: customers, products, listings, warehouses, stock")
        day.masters(stage.sources)
        with bridge_process(stage.config) as process:
            progress = BridgeProgress(stage.settings, process, stage.tell)
            _wait_for_both(stage, progress)
            started = time.monotonic()
            stage.tell(f"The bridge runs. {orders:,} orders come in over two channels; the warehouse ships")
            day.trade(stage.sources)
            _wait_for_both(stage, progress)
            stage.tell("Late in the day: listings arrive, orders are deleted")
            day.late(stage.sources)
            _wait_for_both(stage, progress)
            bridged_s = time.monotonic() - started
        stage.report.expected_exceptions = count_kinds([item.kind for item in day.exceptions])
        _conclude(stage)
        stage.report.rows_per_second = round(stage.report.rows_captured / bridged_s)
    return stage.report


def play_file(orders: Path, folder: Path, *, quiet: bool) -> DemoReport:
    """Play a file's orders: all of them into the mirror, the first thousand invoices into Odoo."""
    from sandbox.orders_file import OrdersFile, OrdersFileError

    filters = {"public.orders": f"id <= {FIRST_INVOICES}", "public.order_lines": f"order_id <= {FIRST_INVOICES}"}
    try:
        file = OrdersFile(orders)
        with _stage(folder, quiet=quiet, row_filters=filters) as stage:
            stage.tell(f"Masters of {orders.name}")
            file.masters(stage.sources.shop)
            with bridge_process(stage.config) as process:
                progress = BridgeProgress(stage.settings, process, stage.tell)
                _wait_for_both(stage, progress)
                _time_the_file(stage, progress, file)
                progress.wait_until_delivered(timeout_s=PATIENCE_S)
                _wait_for_both(stage, progress)
            _conclude(stage)
    except OrdersFileError as error:
        raise CausewayError(ErrorKind.SETTINGS, str(error), file=orders) from error
    return stage.report


def _time_the_file(stage: _Stage, progress: BridgeProgress, file: Any) -> None:
    """Stream the file's orders while both lanes run; from the first COPY to the last line's commit in DuckDB."""
    stage.tell(f"{file.lines:,} order lines are written while the bridge captures them")
    started = time.monotonic()
    file.trade(stage.sources.shop)
    written_s = time.monotonic() - started
    shop = {"shop": stage.settings.sources["shop"]}
    progress.wait_until_durable(Lane.ANALYTICAL, current_ends(shop), timeout_s=PATIENCE_S)
    elapsed_s = time.monotonic() - started
    stage.report.rows_per_second = round(file.lines / elapsed_s)
    stage.report.details = {
        "order_lines": file.lines,
        "seconds_writing": round(written_s, 1),
        "seconds_to_mirror": round(elapsed_s, 1),
    }


@contextmanager
def _stage(folder: Path, *, quiet: bool, row_filters: Mapping[str, str] | None = None) -> Iterator[_Stage]:
    started = time.monotonic()
    tell: Tell = (lambda _text: None) if quiet else lambda text: err.print(text, markup=False)
    folder = prepare_folder(folder)
    tell("An embedded Postgres and a stand-in Odoo start")
    with open_environment() as environment:
        config = write_settings(
            folder,
            dsns=environment.dsns,
            odoo_url=environment.odoo_url,
            odoo_password=environment.odoo_password,
            row_filters=row_filters,
        )
        with open_sources(environment.server) as sources:
            report = DemoReport(folder=folder)
            yield _Stage(
                environment=environment,
                sources=sources,
                settings=load_settings(config),
                config=config,
                report=report,
                tell=tell,
            )
    report.seconds = time.monotonic() - started


def _wait_for_both(stage: _Stage, progress: BridgeProgress) -> None:
    """Wait until all that was committed is in the outbox, delivered, and in the mirror."""
    settings = stage.settings
    progress.wait_until_durable(Lane.OPERATIONAL, current_ends(settings.feeding), timeout_s=PATIENCE_S)
    progress.wait_until_delivered(timeout_s=PATIENCE_S)
    # Odoo's own log, which confirms what was delivered.
    operational = current_ends(settings.sources_of(Lane.OPERATIONAL))
    progress.wait_until_durable(Lane.OPERATIONAL, operational, timeout_s=PATIENCE_S)
    analytical = current_ends(settings.sources_of(Lane.ANALYTICAL))
    progress.wait_until_durable(Lane.ANALYTICAL, analytical, timeout_s=PATIENCE_S)


def _conclude(stage: _Stage) -> None:
    """The lanes have ended: bring the mirror to the very end, compare, reconcile, count."""
    settings, report = stage.settings, stage.report
    report.lanes = _lanes(settings)
    rows = {name: sum(source["rows"] for source in lane["sources"].values()) for name, lane in report.lanes.items()}
    report.rows_captured = rows[Lane.ANALYTICAL]
    run_lane(settings, Lane.ANALYTICAL, until_caught_up=True)
    stage.tell("Verifying the mirror against every source, row by row")
    verified = [verify_source(settings, name, console=None) for name in settings.sources]
    report.mirror_equal = all(item.equal for item in verified)
    report.tables_verified = sum(len(item.tables) for item in verified)
    stage.tell("Reconciling the channels with Odoo")
    result, files = run_reconciliation(settings)
    report.reconciliation, report.exceptions = result.statuses, result.exceptions
    report.extracts = [str(file) for file in files]
    with DeadLetters(settings.state) as letters:
        report.outbox = letters.counts()
    report.records_delivered = report.outbox.get("delivered", 0)
    counter = ConfirmedCounter(settings.state)
    report.deliveries_confirmed, _ = counter.totals()
    report.deliveries_unconfirmed = counter.count().unconfirmed
    counter.close()
    report.dead_letters = report.outbox.get("dead", 0)


def _lanes(settings: Settings) -> dict[str, dict[str, Any]]:
    folder = RunFolder(settings.run_dir)
    lanes = {lane.value: folder.read_status(lane) or {} for lane in Lane}
    for said in lanes.values():
        said["lag_bytes"] = sum(source["lag_bytes"] for source in said.get("sources", {}).values())
    return lanes
