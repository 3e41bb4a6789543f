"""`python -m benchmarks` runs to its end and shows every contestant; no time is asserted."""

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import debezium, report, targets
from benchmarks.contest import Contestant, Score
from benchmarks.run import Run
from benchmarks.workload import Workload

ROOT = Path(__file__).resolve().parents[3]


def bench(*options: str) -> str:
    command = [sys.executable, "-m", "benchmarks", "--rounds", "1", "--no-write", *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_every_contestant_but_debezium_is_shown_with_the_reason_why_it_is_missing() -> None:
    before = report.DOCUMENT.read_text() if report.DOCUMENT.exists() else None
    shown = bench("--rows", "2000", "--no-debezium", "--only", "stream", "--only", "snapshot")
    for name in (
        "pg_recvlogical",
        "Causeway's reader",
        "Causeway, WAL to committed",
        "psql, binary COPY",
        "Causeway, snapshot",
    ):
        assert f"│ {name}" in shown, name
    assert "Debezium is not in the comparison: it was not asked for." in shown
    assert (report.DOCUMENT.read_text() if report.DOCUMENT.exists() else None) == before


def test_latency_a_batch_by_the_size_of_its_table_and_idle_lanes_are_measured() -> None:
    parts = ("--only", "latency", "--only", "growth", "--only", "idle")
    shown = bench("--rows", "2000", "--seconds", "1", "--no-debezium", *parts)
    for figure in (
        "commit on the source to visible in DuckDB, p99",
        "commit on the source to canonical record in the outbox, p50",
        "20,000 random updates",
        "CPU of an idle operational lane",
        "CPU of an idle analytical lane",
    ):
        assert f"│ {figure}" in shown, figure


@pytest.mark.jvm
@pytest.mark.slow
def test_debezium_is_measured_on_the_same_rows() -> None:
    assert "│ Debezium engine" in bench("--rows", "2000", "--only", "stream")


def test_a_machine_without_java_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert debezium.missing() == "there is no Java runtime on the PATH"


def test_ratios_compare_the_runs_of_one_round_with_each_other(tmp_path: Path) -> None:
    def measure(workload: Workload) -> Run:
        raise NotImplementedError

    wire = Score(
        contestant=Contestant(name="wire", measure=measure), runs=[Run(rows=100, seconds=s) for s in (1, 2, 4)]
    )
    ours = Score(
        contestant=Contestant(name="ours", measure=measure),
        runs=[Run(rows=100, seconds=s, peak_rss_bytes=2**20, cpu_s=s - 1) for s in (2, 4, 5)],
    )
    assert ours.ratios_to(wire) == [0.5, 0.5, 0.8]
    page = tmp_path / "benchmarks.md"
    section = report.Section(title="Inserts", scores=[wire, ours], wire=wire, debezium=wire)
    report.write({"processor": "one"}, [section], 3, page)
    assert "| ours | 25 | 20 to 50 | 0.50 | 0.5 | 0.50, 0.5 | 3.00 |  | 1 MB |" in page.read_text()
    assert "- processor: one" in page.read_text()


def test_a_figure_says_whether_its_target_is_met_and_by_how_much_it_is_missed() -> None:
    assert targets.Figure(name="speed", measured=0.8, target=0.8).row() == ("speed", "0.80", "at least 0.80", "met")
    assert targets.Figure(name="speed", measured=0.6, target=0.8).met == "missed, 0.75 of it"
    assert targets.Figure(name="age", measured=120, target=100, at_most=True).met == "missed, 1.20 of it"
    assert targets.Figure(name="cost", measured=0.3).met == "reported"
