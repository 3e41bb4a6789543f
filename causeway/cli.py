"""The command line: which commands there are, and what becomes of an error.

Each group of commands is a module of `causeway.commands`; heavy imports happen inside the commands, so that help is quick.
"""

from __future__ import annotations

import os
import sys

import typer
from loguru import logger

from causeway.commands import (
    audit,
    copy,
    data,
    dead,
    demo,
    domains,
    drift,
    identity,
    preflight,
    run,
    shadow,
    slots,
    trace,
)
from causeway.console import print_error, set_up_logging
from causeway.exits import Exit, exit_code
from config.errors import in_our_words
from config.settings import LogSettings

app = typer.Typer(
    name="causeway",
    help="Carries row changes from sales channels and warehouses into Odoo and DuckDB, and says where they disagree.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode=None,
)
app.command("check")(preflight.check)
app.add_typer(slots.app, name="slots")
app.command("run")(run.run)
app.command("status")(run.status)
app.command("copy")(copy.copy)
app.command("verify")(data.verify)
app.add_typer(dead.app, name="dead")
app.command("trace")(trace.trace)
app.add_typer(audit.app, name="audit")
app.add_typer(identity.app, name="identity")
app.add_typer(domains.app, name="domains")
app.add_typer(shadow.app, name="shadow")
app.add_typer(drift.app, name="drift")
app.command("reconcile")(data.reconcile)
app.command("extract")(data.extract)
app.command("query")(data.query)
app.command("demo")(demo.demo)


def main() -> None:
    """Run the command line; every error ends in one message and its exit code."""
    # numpy, which pyarrow loads, starts a thread a core for a linear algebra that nothing here uses, and they spin: a tenth of the
    # processor time of `causeway check`.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    set_up_logging(LogSettings(level="WARNING"))
    try:
        app()
    except BrokenPipeError:
        # The reader of a pipe has seen enough (`causeway query ... | head`).
        sys.stderr.close()
        sys.exit(Exit.OK)
    except Exception as error:  # noqa: BLE001  the end of the line: Python's traceback would show values of rows
        told = in_our_words(error)
        print_error(told)
        logger.opt(exception=error).debug("the error's origin")
        sys.exit(exit_code(told.kind))
