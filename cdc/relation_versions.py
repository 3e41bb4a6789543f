"""The versions of captured tables as the stream announces them, completed with what only the catalog knows.

pgoutput sends a Relation message before a table's first change after a connection, and again after DDL. It has no type names
and no primary key: these come from the catalog's description (`cdc.catalog.describe`), as long as it fits. What a type that came
later is made of is asked for when it is first announced.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from cdc.column_types import ColumnType
from cdc.relation import Column, Relation, ReplicaIdentity
from cdc.type_names import builtin_type_name

# What the types of columns are made of, by OID and modifier (`cdc.type_catalog.described_types`); CausewayError where it fails.
DescribeTypes = Callable[[Sequence[Column]], Mapping[tuple[int, int], ColumnType | None]]


# A table (schema.table) that was not described when the stream was opened; None where there is none; CausewayError where it fails.
DescribeTable = Callable[[str], Relation | None]


def no_table(_name: str) -> None:
    """Describe no table: its announcement must do."""


def nothing_more(_columns: Sequence[Column]) -> Mapping[tuple[int, int], ColumnType | None]:
    """Describe no types: their OIDs must do."""
    return {}


class RelationVersions:
    """The current version of each table, by OID."""

    def __init__(
        self,
        described: Iterable[Relation] = (),
        describe_types: DescribeTypes = nothing_more,
        describe_table: DescribeTable = no_table,
    ) -> None:
        described = tuple(described)
        self._described: dict[int, Relation | None] = {relation.oid: relation for relation in described}
        self._describe_types = describe_types
        self._describe_table = describe_table
        self._types: dict[tuple[int, int], ColumnType | None] = {
            (column.type_oid, column.typmod): column.type for relation in described for column in relation.columns
        }
        self._current: dict[int, Relation] = {}
        self._type_names: dict[tuple[int, int], str] = {
            (column.type_oid, column.typmod): column.type_name
            for relation in described
            for column in relation.columns
            if column.type_name
        }
        self._announced: dict[int, str] = {}

    def announce_type(self, oid: int, name: str) -> None:
        """Take note of a Type message."""
        self._announced[oid] = name

    def announce(self, relation: Relation) -> Relation:
        """Take a Relation message; return the version in force, the old object where nothing has changed."""
        completed = self._completed(relation)
        current = self._current.get(relation.oid)
        if current == completed:
            return current
        self._current[relation.oid] = completed
        return completed

    def in_force(self) -> dict[int, Relation]:
        """Return the versions in force, by OID."""
        return dict(self._current)

    def _completed(self, relation: Relation) -> Relation:
        self._learn_types(relation)
        columns = tuple(
            replace(column, type_name=self._type_name(column), type=self._types.get((column.type_oid, column.typmod)))
            for column in relation.columns
        )
        described = self._described_now(relation)
        key = described.primary_key if described is not None else ()
        if not set(key) <= set(relation.column_names):
            key = ()
        return replace(relation, columns=columns, primary_key=key)

    def _described_now(self, relation: Relation) -> Relation | None:
        """Ask once about a table that was published later, where the log does not say its key: under FULL."""
        if relation.oid not in self._described and relation.replica_identity is ReplicaIdentity.FULL:
            found = self._describe_table(relation.qualified_name)
            self._described[relation.oid] = found if found is not None and found.oid == relation.oid else None
        return self._described.get(relation.oid)

    def _learn_types(self, relation: Relation) -> None:
        """Ask once for every type that was not there when the tables were described."""
        new = [column for column in relation.columns if (column.type_oid, column.typmod) not in self._types]
        if new:
            unsaid: dict[tuple[int, int], ColumnType | None] = {(each.type_oid, each.typmod): None for each in new}
            self._types |= {**unsaid, **self._describe_types(new)}

    def _type_name(self, column: Column) -> str:
        return (
            self._type_names.get((column.type_oid, column.typmod))
            or builtin_type_name(column.type_oid, column.typmod)
            or self._announced.get(column.type_oid, "")
        )
