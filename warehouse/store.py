"""The warehouse's file: the only place where DuckDB is opened, and where its exceptions become the bridge's.

Contract: one process writes a DuckDB file; readers in that process take cursors of the same `Warehouse`. Every cursor has a
transaction of its own, so that a reader sees whole batches while the mirror applies the next one.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from types import TracebackType
from typing import Self

import duckdb

from config.errors import CausewayError, ErrorKind
from config.settings import WarehouseSettings
from transforms.absent_modules import note_absent_modules
from warehouse import history_catalog
from warehouse.memory import MemoryLimit
from warehouse.names import literal, quoted

# What DuckDB raises, most special first; whatever is not named here falls to duckdb.Error at the end.
ERROR_KINDS: tuple[tuple[type[duckdb.Error], ErrorKind], ...] = (
    (duckdb.OutOfMemoryException, ErrorKind.WAREHOUSE),
    (duckdb.IOException, ErrorKind.WAREHOUSE),
    (duckdb.SerializationException, ErrorKind.WAREHOUSE),
    (duckdb.ConnectionException, ErrorKind.WAREHOUSE),
    (duckdb.FatalException, ErrorKind.WAREHOUSE),
    (duckdb.TransactionException, ErrorKind.TRANSIENT),
    (duckdb.InterruptException, ErrorKind.TRANSIENT),
    (duckdb.Error, ErrorKind.INTERNAL),
)
_HINTS: tuple[tuple[type[duckdb.Error], str], ...] = (
    (
        duckdb.OutOfMemoryException,
        "Started again, the lane has warehouse.memory_limit_most; raise that, or make capture.batch_rows smaller.",
    ),
    (duckdb.IOException, "Look at the disk's space and the folder's permissions; what was committed is safe."),
    (
        duckdb.SerializationException,
        "The file is from another DuckDB version: rebuild it, or open it with that version.",
    ),
)
# A full disk in DuckDB's words, whatever class they come as: a TransactionException at a commit, a FatalException at a checkpoint,
# an OutOfMemoryException where a query's temporary files would need more than nine tenths of the room that is left.
_DISK_FULL = re.compile(r"No space left on device|Could not write|File too large|Disk quota exceeded|failed to offload")
_MAKE_ROOM = (
    "The disk is full: make room under warehouse.path. What was committed is safe, and the lane goes on from there."
)
_HELD_BY = re.compile(r"held in (?P<program>.*?)\s*\(PID (?P<pid>\d+)\)")
_TEMPORARY = ".tmp"
_ATTACHED = "SELECT database_name FROM duckdb_databases() WHERE NOT internal AND path IS NOT NULL"


class Warehouse:
    """An open DuckDB file with the bridge's settings and bookkeeping."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, settings: WarehouseSettings, limit: MemoryLimit, *, read_only: bool
    ) -> None:
        self._connection = connection
        self.settings = settings
        self.read_only = read_only
        self._limit = limit
        ((self._database,),) = connection.execute("SELECT current_database()").fetchall()

    @classmethod
    def open(cls, settings: WarehouseSettings, *, read_only: bool = False) -> Self:
        """Open the file, made where it is missing; CausewayError WAREHOUSE says why it cannot be."""
        note_absent_modules()
        if not read_only:
            _make_folder(settings.path.parent)
        limit = MemoryLimit(settings)
        config = _config(settings, limit)
        try:
            connection = _attached(settings, config) if read_only else duckdb.connect(str(settings.path), config=config)
        except duckdb.Error as error:
            raise _cannot_open(error, settings.path, read_only=read_only) from error
        warehouse = cls(connection, settings, limit, read_only=read_only)
        warehouse._prepare()
        return warehouse

    @property
    def path(self) -> Path:
        return self.settings.path

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """Return a connection with a transaction of its own; to be closed by whoever took it. Times are in UTC."""
        cursor = self._connection.cursor()
        cursor.execute(f"USE {quoted(self._database)}")
        cursor.execute("SET TimeZone = 'UTC'")
        return cursor

    @contextmanager
    def querying(self) -> Iterator[Self]:
        """Give DuckDB the memory and threads of a query instead of those of the lane, for as long as it lasts."""
        self._bound(self.settings.query_memory_limit, max(self.settings.threads, os.cpu_count() or 1))
        try:
            yield self
        finally:
            self._bound(self._limit.text, self.settings.threads)

    def touching(self, table: str, changed: int, added: int, count: Callable[[], int]) -> None:
        """Make room in memory for rows of a table that are to be deleted or updated, see MemoryLimit."""
        if self._limit.touching(table, changed, added, count):
            self._bound(self._limit.text, self.settings.threads)

    def lacked_memory(self) -> None:
        """DuckDB ran into its memory limit: opened again, the file has all that it may have."""
        self._limit.lacked()

    def _bound(self, memory_limit: str, threads: int) -> None:
        self._connection.execute(f"SET memory_limit = {literal(memory_limit)}")
        self._connection.execute(f"SET threads = {threads}")

    def show_histories(self) -> None:
        """Show every history as history.SOURCE.TABLE: a catalog in memory with views, made anew after a history has changed."""
        cursor = self.cursor()
        try:
            history_catalog.show(cursor)
        except duckdb.Error as error:
            raise translate(error, "showing the histories") from error
        finally:
            cursor.close()

    def close(self) -> None:
        """Release the file. What was not committed is gone."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _prepare(self) -> None:
        try:
            self._connection.execute("SET TimeZone = 'UTC'")
            if not self.read_only:
                self._connection.execute(sql_text("meta.sql"))
            history_catalog.show(self._connection)
        except duckdb.Error as error:
            self.close()
            raise translate(error, "preparing the warehouse") from error


def sql_text(name: str) -> str:
    """Return the text of one of this package's .sql files, by its path inside the package."""
    return files("warehouse").joinpath(name).read_text(encoding="utf-8")


def translate(error: duckdb.Error, doing: str, **objects: object) -> CausewayError:
    """Return DuckDB's exception as the bridge's: what failed, on which object, and what to do.

    DuckDB's own words are kept, up to the first line: casts never raise here (transforms.columns), so they hold no values.
    """
    kind = next(kind for driver, kind in ERROR_KINDS if isinstance(error, driver))
    hint = next((hint for driver, hint in _HINTS if isinstance(error, driver)), "")
    if _DISK_FULL.search(str(error)):
        hint = _MAKE_ROOM
    words = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return CausewayError(kind, f"DuckDB failed while {doing}: {words}.", hint=hint, **objects)


@contextmanager
def translated(doing: str, **objects: object) -> Iterator[None]:
    """DuckDB's exceptions in this block become the bridge's."""
    try:
        yield
    except duckdb.Error as error:
        raise translate(error, doing, **objects) from error


def lacked_memory(error: BaseException | None) -> bool:
    """Return whether this is DuckDB's memory limit, and not a disk that has no room for what does not fit into it."""
    return isinstance(error, duckdb.OutOfMemoryException) and not _DISK_FULL.search(str(error))


def _config(settings: WarehouseSettings, limit: MemoryLimit) -> dict[str, str | bool | int | float | list[str]]:
    return {
        "memory_limit": limit.text,
        "threads": settings.threads,
        # Rows of a table have no order; keeping one costs memory and the second thread.
        "preserve_insertion_order": False,
        # A checkpoint compresses the table's last row group again and again. At DuckDB's 16 MB, three batches, that is a third
        # of the CPU time of applying them (2.6 us a 12-column row, 1.7 at 64 MB). A killed lane replays 64 MB in half a second.
        "checkpoint_threshold": "64MB",
        "temp_directory": f"{settings.path}{_TEMPORARY}",
        # Nothing is fetched at run time.
        "autoinstall_known_extensions": False,
    }


def _attached(
    settings: WarehouseSettings, config: dict[str, str | bool | int | float | list[str]]
) -> duckdb.DuckDBPyConnection:
    """Open the file to read, beside a database in memory: DuckDB attaches none to a file that is opened to read."""
    connection = duckdb.connect(":memory:", config=config)
    try:
        connection.execute(f"ATTACH {literal(str(settings.path))} (READ_ONLY)")
        ((name,),) = connection.execute(_ATTACHED).fetchall()
        connection.execute(f"USE {quoted(name)}")
    except duckdb.Error:
        connection.close()
        raise
    return connection


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CausewayError(
            ErrorKind.WAREHOUSE,
            f"The warehouse's folder {folder} cannot be made: {error.strerror}.",
            hint="Set warehouse.path to a file in a folder that this user may write.",
        ) from error


def _cannot_open(error: duckdb.Error, path: Path, *, read_only: bool) -> CausewayError:
    """Say in one line why a file does not open: the causes were provoked one by one with DuckDB 1.5.5."""
    words = str(error)
    held = _HELD_BY.search(words)
    if held is not None:
        message = f"The warehouse {path} is held by another process, PID {held['pid']} ({held['program']})."
        hint = "A DuckDB file has one writing process: stop that one (the analytical lane?), or ask it."
        return CausewayError(ErrorKind.WAREHOUSE, message, hint=hint, pid=held["pid"])
    if "not a valid DuckDB database file" in words:
        message, hint = (
            f"{path} is not a DuckDB file.",
            "Set warehouse.path to another file; this one was left as it is.",
        )
    elif read_only and not path.exists():
        message, hint = f"The warehouse {path} does not exist.", "The analytical lane makes it: causeway run."
    elif isinstance(error, duckdb.SerializationException):
        message, hint = f"{path} was written by another version of DuckDB.", "Open it with that version, or rebuild it."
    else:
        reason = words.rsplit(": ", 1)[-1].strip()
        message, hint = (
            f"The warehouse {path} cannot be opened: {reason}.",
            "Look at warehouse.path and its permissions.",
        )
    return CausewayError(ErrorKind.WAREHOUSE, message, hint=hint)
