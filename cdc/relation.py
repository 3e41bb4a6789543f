"""What a captured table looks like at a moment of the log: its name, columns and replica identity.

Source: pgoutput's Relation message (PostgreSQL documentation, "Logical Replication Message Formats").
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from cdc.column_types import ColumnType, type_from_json


class ReplicaIdentity(StrEnum):
    """What an UPDATE or DELETE says of the old row (pg_class.relreplident)."""

    DEFAULT = "d"
    NOTHING = "n"
    FULL = "f"
    INDEX = "i"


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """One column: `type_oid` and `typmod` as in pg_attribute; `is_key` where it is part of the replica identity.

    `type_name` is pg_catalog.format_type's text where the catalog was asked ("numeric(12,2)"), else empty; of a domain its base
    type's. `type`: what the type is made of, where its OID does not say it (`cdc.column_types`) and the catalog was asked.
    """

    name: str
    type_oid: int
    typmod: int = -1
    is_key: bool = False
    type_name: str = ""
    type: ColumnType | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Relation:
    """One version of a table. Two versions of one table differ in at least a column or the replica identity.

    Under REPLICA IDENTITY FULL pgoutput flags every column as key; `key_columns` is then the primary key if the reader
    found one in the catalog (`primary_key`), else every column.
    """

    oid: int
    schema: str
    table: str
    columns: tuple[Column, ...]
    replica_identity: ReplicaIdentity
    primary_key: tuple[str, ...] = ()

    @property
    def qualified_name(self) -> str:
        """schema.table, without quotes."""
        return f"{self.schema}.{self.table}"

    @property
    def column_names(self) -> tuple[str, ...]:
        """Names of all columns, in the log's order."""
        return tuple(column.name for column in self.columns)

    @property
    def key_columns(self) -> tuple[str, ...]:
        """Names of the columns that identify a row of this relation in the log, in the table's order."""
        if self.replica_identity is ReplicaIdentity.FULL and self.primary_key:
            return tuple(name for name in self.column_names if name in self.primary_key)
        return tuple(column.name for column in self.columns if column.is_key)


def relation_to_json(relation: Relation) -> str:
    """Return the relation as a destination keeps it."""
    return json.dumps(asdict(relation))


def relation_from_json(text: str) -> Relation:
    """Return the relation that `relation_to_json` wrote."""
    tree = json.loads(text)
    columns = tuple(_column_from_json(column) for column in tree.pop("columns"))
    identity = ReplicaIdentity(tree.pop("replica_identity"))
    key = tuple(tree.pop("primary_key"))
    return Relation(**tree, columns=columns, replica_identity=identity, primary_key=key)


def _column_from_json(tree: dict[str, Any]) -> Column:
    """A column as it was stored, also by a version that knew no `type`."""
    kind = tree.pop("type", None)
    return Column(**tree, type=None if kind is None else type_from_json(kind))
