"""`python -m sandbox.odoo --dsn ...`: the stand-in as a process.

Prints one JSON line with `url`, `database` and `user` once it listens, then serves until SIGTERM or SIGINT and exits 0.
The password comes from the environment variable STAND_IN_ODOO_PASSWORD (default: admin).
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
from types import FrameType

from sandbox.odoo.server import StandInOdoo


def main(arguments: list[str] | None = None) -> int:
    """Serve until told to end."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.odoo", description="A stand-in for Odoo 18.")
    parser.add_argument("--dsn", required=True, help="the Postgres database that keeps its records")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes any free one")
    parser.add_argument("--database", default="odoo", help="the name by which clients call the database")
    parser.add_argument("--user", default="admin")
    given = parser.parse_args(arguments)
    password = os.environ.get("STAND_IN_ODOO_PASSWORD", "admin")
    end = threading.Event()

    def stop(_signal: int, _frame: FrameType | None) -> None:
        end.set()

    for one in (signal.SIGTERM, signal.SIGINT):
        signal.signal(one, stop)
    server = StandInOdoo(
        given.dsn, host=given.host, port=given.port, database=given.database, user=given.user, password=password
    )
    with server:
        sys.stdout.write(json.dumps({"url": server.url, "database": server.database, "user": server.user}) + "\n")
        sys.stdout.flush()
        end.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
