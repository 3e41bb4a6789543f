"""How much memory DuckDB has to keep for the mirrors, and its limit, which follows that.

DuckDB 1.5.5 keeps 16 KB for every 2,048 rows of a table of which one was deleted (an update of ours deletes, too), until the file is
closed: measured, of 20,000 random rows out of 50 million 320 MB at first, 450 MB in the end. None of it can be put off to disk. Where it does
not fit, the statement fails in the middle and DuckDB's own state of the table is not to be trusted any more ("Conflict on tuple
deletion" from then on), so the limit is raised before, and a lane that ran into it all the same is started anew with all it may have.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import duckdb
from loguru import logger

from config.settings import WarehouseSettings

_VECTOR_ROWS = 2048
_VECTOR_BYTES = 18_400  # with its bookkeeping
_STEP_BYTES = 64_000_000


def limit_bytes(limit: str) -> int:
    """Return DuckDB's memory limit, such as 128MB or 1GiB, in bytes."""
    found = re.fullmatch(r"(\d+)([KMG])(i?)B", limit)
    assert found is not None, "the settings have been validated"
    unit = 1024 if found[3] else 1000
    return int(found[1]) * int(unit ** (1 + "KMG".index(found[2])))


def rows_of(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    """Return about how many rows a table (schema.table, quoted) has."""
    row = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    return int(row[0]) if row else 0


class MemoryLimit:
    """The limit of one open file: the settings' to begin with, more as rows of large tables are deleted and updated."""

    def __init__(self, settings: WarehouseSettings) -> None:
        self._least = limit_bytes(settings.memory_limit)
        self._most = max(self._least, limit_bytes(settings.memory_limit_most))
        self._lacked = _lacked(settings.path)
        self._changed: dict[str, int] = {}  # rows, by table
        self._counted_at: dict[str, int] = {}  # as many had changed when the table's rows were counted
        self._rows: dict[str, int] = {}
        self.bytes = self._most if self._lacked.exists() else self._least

    @property
    def text(self) -> str:
        """As DuckDB's setting."""
        return f"{self.bytes // 1000}KB"

    def touching(self, table: str, changed: int, added: int, count: Callable[[], int]) -> bool:
        """Note that rows of a table are to be deleted or updated, and others added; True where the limit is another one for it.

        `count` gives the table's rows. It reads the whole table's bookkeeping, so it is asked only each time that twice as many
        rows were changed; in between the rows added make what it gave last an upper bound.
        """
        if table in self._rows:
            self._rows[table] += added
        if not changed:
            return False
        self._changed[table] = its = self._changed.get(table, 0) + changed
        if its > 2 * self._counted_at.get(table, 0):
            self._rows[table], self._counted_at[table] = count() + added, its
        vectors = (min(changed, 1 + self._rows[name] // _VECTOR_ROWS) for name, changed in self._changed.items())
        kept = sum(vectors) * _VECTOR_BYTES
        steps = -(-kept // _STEP_BYTES) if kept > self._least // 4 else 0
        wanted = min(self._most, self._least + steps * _STEP_BYTES)
        if wanted <= self.bytes:
            return False
        self.bytes = wanted
        logger.info("DuckDB's memory limit is {:,.0f} MB now: rows of large tables change", wanted / 1e6)
        return True

    def lacked(self) -> None:
        """Note beside the file that the limit did not do: opened again, it has all that it may have."""
        self._lacked.touch()


def _lacked(path: Path) -> Path:
    return path.with_name(f"{path.name}.lacked-memory")
