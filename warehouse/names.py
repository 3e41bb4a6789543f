"""Where a captured table's mirror stands, and how names go into SQL.

Contract: names come from settings and from the source's catalog, never from rows; each goes through `quoted`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import pyarrow as pa

from cdc.relation import Column, Relation
from transforms.columns import cast_sql, duckdb_type


def quoted(name: str) -> str:
    """Return `name` as an SQL identifier; a double quote inside is doubled."""
    doubled = name.replace('"', '""')
    return f'"{doubled}"'


def literal(text: str) -> str:
    """Return a name as an SQL string literal."""
    doubled = text.replace("'", "''")
    return f"'{doubled}'"


def mirror_schema(source: str, schema: str) -> str:
    """Return the DuckDB schema of a source's tables: SOURCE for public or one named as the source, else SOURCE_schema."""
    return source if schema in ("public", source) else f"{source}_{schema}"


def key_text(alias: str, keys: Sequence[Column], prefix: str = "") -> str:
    """SQL for the text of a key: its value, or a JSON list of them where it has several columns."""
    texts = [f"CAST({alias}.{quoted(prefix + column.name)} AS VARCHAR)" for column in keys]
    return texts[0] if len(texts) == 1 else f"CAST(to_json([{', '.join(texts)}]) AS VARCHAR)"


@dataclass(frozen=True)
class MirrorTable:
    """One version of a captured table and its mirror. DuckDB's names are case-insensitive, Postgres's are not."""

    source: str
    relation: Relation
    fresh: bool = False  # the mirror that a copy under way fills, beside the one that analysts see
    typed: frozenset[str] = frozenset()  # columns whose values the rows at hand bring as typed values, not as texts

    def given(self, rows: pa.Schema) -> Self:
        """Return the table as rows of this shape bring its values."""
        typed = frozenset(name for name in self.relation.column_names if not _is_text(rows.field(name).type))
        return self if typed == self.typed else replace(self, typed=typed)

    def value(self, column: Column, alias: str) -> str:
        """SQL for a column's typed value in the rows at hand, under the name `alias`; NULL where it does not fit exactly."""
        reference = f"{alias}.{quoted(column.name)}"
        return reference if column.name in self.typed else cast_sql(column, reference)

    @cached_property
    def table(self) -> str:
        """The mirror's own name, not quoted."""
        return f"_copying_{self.relation.table}" if self.fresh else self.relation.table

    @cached_property
    def schema(self) -> str:
        return mirror_schema(self.source, self.relation.schema)

    @cached_property
    def name(self) -> str:
        """The mirror, quoted and with its schema."""
        return f"{quoted(self.schema)}.{quoted(self.table)}"

    @cached_property
    def keys(self) -> tuple[Column, ...]:
        """The columns that identify a row in the log, in the table's order."""
        wanted = set(self.relation.key_columns)
        return tuple(column for column in self.relation.columns if column.name in wanted)

    @cached_property
    def column_list(self) -> str:
        return ", ".join(quoted(column.name) for column in self.relation.columns)

    @cached_property
    def definition(self) -> str:
        """The mirror's columns with their types. No key and no index: they make every batch slower by far."""
        return ", ".join(f"{quoted(column.name)} {duckdb_type(column)}" for column in self.relation.columns)

    def key_text(self, alias: str, prefix: str = "") -> str:
        """SQL that names a row in meta.value_exceptions, from typed key columns of `alias`, each named with `prefix`."""
        return key_text(alias, self.keys, prefix)


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string_view(kind) or pa.types.is_string(kind))
