"""`causeway demo` in an empty folder does what it promises, twice, and finds exactly the exceptions that were seeded."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import psutil
import pytest
import yaml
from psycopg.conninfo import conninfo_to_dict

from sandbox.day.exceptions import seeded_exceptions

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def demo(folder: Path, *arguments: str) -> tuple[int, dict[str, Any]]:
    command = [sys.executable, "-m", "causeway", "demo", "--dir", str(folder), "--json", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280, check=False, cwd=folder.parent)
    assert done.returncode in (0, 1), done.stderr
    return done.returncode, json.loads(done.stdout)


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int, dict[str, Any], list[str]]:
    folder = tmp_path_factory.mktemp("demo") / "day"
    code, report = demo(folder)
    return folder, code, report, _processes_of(folder)


def _processes_of(folder: Path) -> list[str]:
    """Processes that name the demo's folder or its Postgres's in their command line."""
    postgres = _postgres_folder(folder)
    named = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            line = " ".join(process.cmdline())
            if str(folder) in line or str(postgres) in line:
                named.append(line)
    return named


def _postgres_folder(folder: Path) -> Path:
    settings = yaml.safe_load((folder / "causeway.yaml").read_text())
    return Path(str(conninfo_to_dict(settings["sources"]["shop"]["connection"]["dsn"])["host"])).parent


def rows(folder: Path, sql: str) -> set[tuple[Any, ...]]:
    with duckdb.connect(str(folder / "warehouse.duckdb"), read_only=True) as connection:
        return set(connection.execute(sql).fetchall())


def test_it_ends_well_with_the_mirror_equal_and_every_record_accounted_for(day: Any) -> None:
    _, code, report, _ = day
    assert code == 0, report
    assert report["ok"]
    assert report["mirror_equal"]
    assert report["rows_captured"] > 20_000
    assert report["records_delivered"] > 5_000
    assert report["deliveries_confirmed"] > 5_000
    assert report["deliveries_unconfirmed"] == 0
    assert report["outbox"].get("pending", 0) == 0


def test_every_seeded_exception_is_found_and_nothing_else(day: Any) -> None:
    folder = day[0]
    seeded = {
        (item.entity, item.source, item.source_key, item.kind) for item in seeded_exceptions(seed=1, orders=2_000)
    }
    found = rows(folder, "SELECT entity, source, source_key, kind FROM recon.latest_exceptions")
    assert found == seeded


def test_only_the_seeded_breaks_are_not_matched(day: Any) -> None:
    folder = day[0]
    seeded = {
        (item.source, item.source_key, item.recon_status)
        for item in seeded_exceptions(seed=1, orders=2_000)
        if item.recon_status not in (None, "matched")
    }
    found = rows(folder, "SELECT source, order_key, status FROM recon.latest_orders WHERE status <> 'matched'")
    assert found == seeded


def test_a_break_that_a_dead_letter_caused_carries_odoos_words(day: Any) -> None:
    folder = day[0]
    errors = rows(
        folder,
        "SELECT DISTINCT dead_letter_error FROM recon.latest_orders o JOIN recon.latest_exceptions e"
        " ON e.source = o.source AND e.source_key = o.order_key WHERE e.kind = 'refused_by_odoo'",
    )
    assert errors
    assert all("base.xx" in error and "Country" in error for (error,) in errors)


def test_the_extracts_are_there_and_say_what_they_were_made_of(day: Any) -> None:
    _, _, report, _ = day
    files = [Path(file) for file in report["extracts"]]
    assert {file.suffix for file in files} >= {".parquet", ".csv", ".json"}
    assert all(file.stat().st_size > 0 for file in files)


def test_nothing_is_left_running(day: Any) -> None:
    folder, _, _, left = day
    assert left == []
    assert not _postgres_folder(folder).exists()


def test_a_folder_that_is_not_a_demos_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    command = [sys.executable, "-m", "causeway", "demo", "--dir", str(tmp_path / "mine")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "is not a demo's folder" in done.stderr
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years of work"
