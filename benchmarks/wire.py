"""The wire's limits: what PostgreSQL's own programs take from the server and throw away."""

from __future__ import annotations

import subprocess
import time

from benchmarks.run import Run
from benchmarks.workload import SLOT, TABLE, Workload, slot_at_start


def run_pg_recvlogical(workload: Workload) -> Run:
    """Stream the workload into /dev/null with pg_recvlogical."""
    with slot_at_start(workload) as slot:
        options = ["--option=proto_version=1", f"--option=publication_names={SLOT}", f"--endpos={workload.end}"]
        command = [workload.programs / "pg_recvlogical", f"--dbname={workload.dsn}", f"--slot={slot}", "--start"]
        seconds = _timed([*command, *options, "--file=/dev/null"])
    return Run(rows=workload.changes, seconds=seconds)


def run_copy(workload: Workload) -> Run:
    """Copy the table's rows into /dev/null with psql."""
    command = [workload.programs / "psql", f"--dbname={workload.dsn}", "--no-psqlrc", "--quiet"]
    seconds = _timed([*command, f"--command=COPY {TABLE} TO STDOUT", "--output=/dev/null"])
    return Run(rows=workload.table_rows, seconds=seconds)


def _timed(command: list[object]) -> float:
    began = time.perf_counter()
    subprocess.run([str(word) for word in command], check=True)
    return time.perf_counter() - began
