"""Which tables of a database patterns such as `public.*` stand for, so that a database of hundreds needs no list.

Left out are tables that no mirror can follow (without a key, temporary or unlogged, or not to be read by the role), partitions
(they come under their root's name) and what the settings exclude. In Odoo's own database also its wizards, whose rows live for
an hour: ir_model knows which they are (`transient`), and ir_model_fields their many2many tables.
Source: Odoo's odoo/addons/base/models/ir_model.py; PostgreSQL documentation, pg_class and CREATE PUBLICATION, notes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

import psycopg

from cdc.connection import PlainConnection
from cdc.driver_errors import translate
from config.errors import CausewayError, ErrorKind

_TABLES = """
SELECT n.nspname || '.' || c.relname, c.relpersistence = 'p', has_table_privilege(c.oid, 'SELECT'),
    EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisvalid
        AND CASE c.relreplident WHEN 'i' THEN i.indisreplident WHEN 'n' THEN false ELSE i.indisprimary END)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname = ANY (%s) ORDER BY 1
"""
_HAS_WIZARDS = "SELECT count(*) = 2 FROM (VALUES ('public.ir_model'), ('public.ir_model_fields')) AS t (name) WHERE to_regclass(name) IS NOT NULL"
_WIZARDS = """
SELECT 'public.' || replace(model, '.', '_') FROM public.ir_model WHERE transient
UNION SELECT 'public.' || f.relation_table FROM public.ir_model_fields f JOIN public.ir_model m ON m.id = f.model_id
WHERE m.transient AND f.relation_table IS NOT NULL
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Discovery:
    """`tables`: what the patterns stand for. `unfit`: what they would have stood for, by name, with the reason why it is left out."""

    tables: tuple[str, ...]
    unfit: dict[str, str]


def find_tables(
    connection: PlainConnection, patterns: Sequence[str], exclude: Sequence[str], *, without_wizards: bool
) -> Discovery:
    """Return the tables that the patterns stand for, by name.

    patterns: each schema.table, with * and ? in the table's part. exclude: the same, of what is left out.
    CausewayError: SCHEMA where a pattern stands for no table at all; else as `cdc.driver_errors` maps the driver's.
    """
    schemas = sorted({pattern.split(".", 1)[0] for pattern in patterns})
    try:
        rows = connection.execute(_TABLES, [schemas]).fetchall()
        wizards = _wizards(connection) if without_wizards else frozenset()
    except psycopg.Error as error:
        raise translate(error, "looking for tables to capture") from error
    _refuse_idle_patterns(patterns, [row[0] for row in rows])
    tables, unfit = [], {}
    for name, persistent, readable, has_key in rows:
        if not _matches(name, patterns) or _matches(name, exclude) or name in wizards:
            continue
        if reason := _why_unfit(persistent=persistent, readable=readable, has_key=has_key):
            unfit[name] = reason
        else:
            tables.append(name)
    return Discovery(tables=tuple(tables), unfit=unfit)


def _wizards(connection: PlainConnection) -> frozenset[str]:
    (is_odoo,) = connection.execute(_HAS_WIZARDS).fetchone() or (False,)
    return frozenset(name for (name,) in connection.execute(_WIZARDS).fetchall()) if is_odoo else frozenset()


def _refuse_idle_patterns(patterns: Sequence[str], names: Sequence[str]) -> None:
    idle = [pattern for pattern in patterns if not any(fnmatchcase(name, pattern) for name in names)]
    if idle:
        raise CausewayError(
            ErrorKind.SCHEMA,
            f"no table of this database is named as {', '.join(idle)} says.",
            hint="Correct `tables`; names are written as Postgres stores them, without quotes.",
        )


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _why_unfit(*, persistent: bool, readable: bool, has_key: bool) -> str:
    if not persistent:
        return "it is temporary or unlogged, so that the log does not have it"
    if not readable:
        return "the role may not read it"
    return "" if has_key else "it has no key"
