"""The database's tables and what a fresh one holds, as numbered .sql files; `fields.tsv` declares the models' fields."""

from __future__ import annotations

from importlib.resources import files

import psycopg

# Any number that nobody else uses: two processes that start at once must not both create.
_LOCK = 0x0D00_0018


def create_schema(dsn: str) -> None:
    """Create and fill the tables in the database at `dsn`; one that has them is left as it is."""
    with psycopg.connect(dsn) as connection:
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        row = connection.execute("SELECT to_regclass('public.sale_order_line') IS NOT NULL").fetchone()
        if row and row[0]:
            return
        for statements in _scripts():
            connection.execute(statements.encode())


def _scripts() -> list[str]:
    found = [one for one in files(__package__).iterdir() if one.name.endswith(".sql")]
    return [one.read_text(encoding="utf-8") for one in sorted(found, key=lambda one: one.name)]
