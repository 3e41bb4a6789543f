"""The versions of captured tables as the stream announces them, completed with what only the catalog knows.

pgoutput sends a Relation message before a table's first change after a connection, and again after DDL. It has no type names
and no primary key: these come from the catalog's description (`cdc.catalog.describe`), as long as it fits.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from cdc.relation import Column, Relation
from cdc.type_names import builtin_type_name


class RelationVersions:
    """The current version of each table, by OID."""

    def __init__(self, described: Iterable[Relation] = ()) -> None:
        self._described = {relation.oid: relation for relation in described}
        self._current: dict[int, Relation] = {}
        self._type_names: dict[tuple[int, int], str] = {
            (column.type_oid, column.typmod): column.type_name
            for relation in self._described.values()
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
        columns = tuple(replace(column, type_name=self._type_name(column)) for column in relation.columns)
        described = self._described.get(relation.oid)
        key = described.primary_key if described is not None else ()
        if not set(key) <= set(relation.column_names):
            key = ()
        return replace(relation, columns=columns, primary_key=key)

    def _type_name(self, column: Column) -> str:
        return (
            self._type_names.get((column.type_oid, column.typmod))
            or builtin_type_name(column.type_oid, column.typmod)
            or self._announced.get(column.type_oid, "")
        )
