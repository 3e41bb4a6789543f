"""Versions of tables in the stream: what the catalog said stays with them, and a new type is asked for once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cdc.column_types import ColumnType, TypeKind
from cdc.relation import Column, Relation, ReplicaIdentity
from cdc.relation_versions import RelationVersions

PAIR = ColumnType(kind=TypeKind.COMPOSITE, oid=20000, fields=(("a", ColumnType(kind=TypeKind.BASE, oid=23)),))
MOOD = ColumnType(kind=TypeKind.ENUM, oid=20001)


def relation(*columns: Column) -> Relation:
    return Relation(oid=1, schema="public", table="t", columns=columns, replica_identity=ReplicaIdentity.DEFAULT)


def test_a_described_type_goes_with_the_streams_column() -> None:
    asked: list[int] = []

    def describe(columns: Sequence[Column]) -> Mapping[tuple[int, int], ColumnType | None]:
        asked.extend(column.type_oid for column in columns)
        return {(20001, -1): MOOD}

    versions = RelationVersions([relation(Column(name="p", type_oid=20000, type_name="pair", type=PAIR))], describe)
    first = versions.announce(relation(Column(name="p", type_oid=20000)))
    assert (first.columns[0].type, first.columns[0].type_name, asked) == (PAIR, "pair", [])
    more = [Column(name="p", type_oid=20000), Column(name="m", type_oid=20001), Column(name="n", type_oid=23)]
    second = versions.announce(relation(*more))
    assert [column.type for column in second.columns] == [PAIR, MOOD, None]
    assert versions.announce(relation(*more, Column(name="o", type_oid=20001))).columns[-1].type == MOOD
    assert asked == [20001, 23]


def test_without_a_catalog_a_types_oid_must_do() -> None:
    (column,) = RelationVersions().announce(relation(Column(name="p", type_oid=20000))).columns
    assert column.type is None
