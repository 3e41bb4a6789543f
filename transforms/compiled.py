"""A compiled mapping: DuckDB SQL over typed columns, with what it reads and where each field comes from.

Contract: the batch mapper runs `outputs` over the changes of a batch, the warehouse runs `view_sql` over the mirror; both are made
of the same expressions, so that the operational and the analytical lane can't drift apart. The relation that the SQL is over
has the source's column names and the types of `transforms.columns.duckdb_type`; DuckDB's TimeZone must be UTC.
"""

from __future__ import annotations

from collections.abc import Mapping as Map
from dataclasses import dataclass

from cdc.relation import Relation
from transforms.fields import entity_fields, null_of
from transforms.mapping import Mapping
from transforms.record import record_id
from transforms.sqltypes import BOOLEAN_TYPE
from transforms.translator import Fragment, identifier, text_literal

SOURCE_KEY = "source_key"
_ALWAYS = Fragment(sql="TRUE", type=BOOLEAN_TYPE)


@dataclass(frozen=True, kw_only=True)
class CompiledMapping:
    """One mapping, compiled against one version of its table.

    `fields`: DuckDB expression for each field given, `source_key` apart in `key`. `keep`: the WHERE. `lineage`: field (and
    source_key) -> source columns. `key_pattern`: regular expression that all its source keys match, for both Python and Postgres.
    `source_sql`: the same SELECT for the source itself, its status words written out. `begins`: the backfill policy's condition.
    """

    mapping: Mapping
    relation: Relation
    key: Fragment
    keep: Fragment
    fields: Map[str, Fragment]
    lineage: Map[str, tuple[str, ...]]
    keep_columns: tuple[str, ...]
    key_pattern: str
    source_sql: str
    begins: Fragment = _ALWAYS
    begin_columns: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.mapping.name

    @property
    def entity(self) -> str:
        return self.mapping.entity

    @property
    def source(self) -> str:
        return self.mapping.source

    @property
    def table(self) -> str:
        return self.mapping.table

    @property
    def version(self) -> int:
        return self.mapping.version

    @property
    def begins_at_insert_only(self) -> bool:
        """Whether the backfill policy is none."""
        return self.mapping.backfill.none

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the result's columns: source_key, then the fields given."""
        return (SOURCE_KEY, *self.fields)

    @property
    def columns(self) -> tuple[str, ...]:
        """Source columns that the mapping reads, in the table's order."""
        read = {*self.keep_columns, *self.begin_columns, *(name for names in self.lineage.values() for name in names)}
        return tuple(name for name in self.relation.column_names if name in read)

    @property
    def key_sql(self) -> str:
        """DuckDB expression of the source key; reads only columns that identify a row."""
        return self.key.sql

    @property
    def keep_sql(self) -> str:
        """DuckDB condition of the rows that have a record."""
        return self.keep.sql

    def select_sql(self, relation_name: str) -> str:
        """Return the whole SELECT over a relation (its name quoted by the caller)."""
        return f"SELECT {self.projection_sql()} FROM {relation_name} WHERE {self.keep.sql}"

    def projection_sql(self) -> str:
        """Return the select list: source_key, then the fields given."""
        outputs = {SOURCE_KEY: self.key, **self.fields}
        return ", ".join(f"{fragment.sql} AS {identifier(name)}" for name, fragment in outputs.items())


@dataclass(frozen=True, kw_only=True)
class BrokenMapping:
    """A mapping that does not fit its table as it is now. `problems`: each ``file:line: message``, never empty."""

    mapping: Mapping
    problems: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.mapping.name


AnyMapping = CompiledMapping | BrokenMapping


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyPattern:
    """Which records a mapping over `table` makes: those of `entity` whose source key matches. None: the mapping is broken."""

    table: str
    entity: str
    pattern: str | None


def view_sql(compiled: CompiledMapping, mirror_relation: str) -> str:
    """Return the canonical view's SELECT over a mirror table: provenance, then every field of the entity.

    A field that can't be computed on some row is null there: one row must not end every query. The operational lane refuses
    such a record, and the mirror keeps the row as the source has it.
    """
    key = _tried(compiled.key)
    prefix = text_literal(record_id(compiled.entity, compiled.source, ""))
    columns = {
        "source": text_literal(compiled.source),
        SOURCE_KEY: key,
        "record_id": f"{prefix} || {key}",
        "mapping_version": str(compiled.version),
    }
    for name, field in entity_fields(compiled.entity).items():
        given = compiled.fields.get(name)
        columns[name] = null_of(field) if given is None else _tried(given)
    listed = ", ".join(f"{sql} AS {identifier(name)}" for name, sql in columns.items())
    return f"SELECT {listed} FROM {mirror_relation} WHERE {_tried(compiled.keep)}"


def _tried(fragment: Fragment) -> str:
    return f"TRY({fragment.sql})" if fragment.may_fail else fragment.sql
