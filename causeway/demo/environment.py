"""The outside world of a demo: the embedded Postgres with its five databases, and the stand-in Odoo as a process of its own."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from causeway.process import SUPERVISOR_VARIABLE
from config.errors import CausewayError, ErrorKind
from sandbox.databases import DATABASES, create_databases
from sandbox.postgres import EmbeddedPostgres, PostgresStartError

END_GRACE_S = 6.0


@dataclass(frozen=True, kw_only=True)
class Environment:
    """What the demo's bridge connects to."""

    server: EmbeddedPostgres
    odoo_url: str
    odoo_password: str

    @property
    def dsns(self) -> dict[str, str]:
        """Connection strings of the five databases by name."""
        return {name: self.server.dsn(name) for name in DATABASES}


@contextmanager
def open_environment() -> Iterator[Environment]:
    """Start the outside world; at the end nothing of it is left running."""
    try:
        server = EmbeddedPostgres()
        with server:
            create_databases(server)
            password = secrets.token_urlsafe(12)
            with _stand_in(server.dsn("odoo"), password) as url:
                yield Environment(server=server, odoo_url=url, odoo_password=password)
    except PostgresStartError as error:
        raise CausewayError(ErrorKind.INTERNAL, f"The demo's Postgres did not start: {error}") from error


@contextmanager
def _stand_in(dsn: str, password: str) -> Iterator[str]:
    """Run the stand-in Odoo as a process, as a real one would be, and yield its URL."""
    command = [sys.executable, "-m", "sandbox.odoo", "--dsn", dsn, "--port", "0"]
    environment = os.environ | {"STAND_IN_ODOO_PASSWORD": password}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, start_new_session=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise CausewayError(ErrorKind.INTERNAL, "The stand-in Odoo did not start.")
        yield json.loads(line)["url"]
    finally:
        end_process(process)


@contextmanager
def bridge_process(config: Path, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run `causeway run` beside the demo, and end it as an operator would: with SIGTERM."""
    command = [sys.executable, "-m", "causeway", "run", "--config", str(config), *arguments]
    environment = {name: value for name, value in os.environ.items() if name != SUPERVISOR_VARIABLE}
    process = subprocess.Popen(command, env=environment, start_new_session=True)
    try:
        yield process
    finally:
        end_process(process)


def end_process(process: subprocess.Popen[bytes]) -> int:
    """Ask a process to end and wait; kill it where it does not. Returns its exit code."""
    process.terminate()
    try:
        return process.wait(END_GRACE_S + 2)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()
