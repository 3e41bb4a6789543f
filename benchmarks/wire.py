"""The wire's limits: what PostgreSQL's own programs take from the server and throw away."""

from __future__ import annotations

import resource
import subprocess
import time

from benchmarks.run import Run, cpu_seconds
from benchmarks.server_process import watched
from benchmarks.workload import SLOT, TABLE, TENTH, Workload, slot_at_start


def run_pg_recvlogical(workload: Workload, publication: str = SLOT) -> Run:
    """Stream the workload into /dev/null with pg_recvlogical."""
    with slot_at_start(workload) as slot, watched(workload, slot) as server:
        options = ["--option=proto_version=1", f"--option=publication_names={publication}", f"--endpos={workload.end}"]
        command = [workload.programs / "pg_recvlogical", f"--dbname={workload.dsn}", f"--slot={slot}", "--start"]
        seconds, cpu_s = _timed([*command, *options, "--file=/dev/null"])
    return Run(rows=workload.changes, seconds=seconds, cpu_s=cpu_s, server_cpu_s=server.cpu_s)


def run_tenth(workload: Workload) -> Run:
    """Stream the same WAL through a publication of a tenth of its changes; `rows` are those of the WAL."""
    return run_pg_recvlogical(workload, TENTH)


def run_copy(workload: Workload) -> Run:
    """Copy the table's rows into /dev/null with psql, in the binary format."""
    command = [workload.programs / "psql", f"--dbname={workload.dsn}", "--no-psqlrc", "--quiet"]
    copy = f"--command=COPY {TABLE} TO STDOUT (FORMAT binary)"
    seconds, cpu_s = _timed([*command, copy, "--output=/dev/null"])
    return Run(rows=workload.table_rows, seconds=seconds, cpu_s=cpu_s)


def _timed(command: list[object]) -> tuple[float, float]:
    began, before_s = time.perf_counter(), cpu_seconds(resource.RUSAGE_CHILDREN)
    subprocess.run([str(word) for word in command], check=True)
    return time.perf_counter() - began, cpu_seconds(resource.RUSAGE_CHILDREN) - before_s
