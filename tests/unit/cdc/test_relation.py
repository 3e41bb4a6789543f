"""Relations as destinations keep them."""

from __future__ import annotations

from cdc.column_types import ColumnType, TypeKind, builtin_type
from cdc.relation import Column, Relation, ReplicaIdentity, relation_from_json, relation_to_json

PAIR = ColumnType(
    kind=TypeKind.COMPOSITE, oid=20001, fields=(("a", builtin_type(1184, -1)), ("b", builtin_type(1007, -1)))
)


def test_a_relation_that_was_stored_without_types_is_read() -> None:
    old = """{"oid": 1, "schema": "public", "table": "t", "replica_identity": "d", "primary_key": [],
        "columns": [{"name": "a", "type_oid": 23, "typmod": -1, "is_key": true, "type_name": "integer"}]}"""
    assert relation_from_json(old).columns == (Column(name="a", type_oid=23, is_key=True, type_name="integer"),)


def test_a_relation_comes_back_as_it_went_in() -> None:
    relation = Relation(
        oid=16400,
        schema="public",
        table='Odd "name"',
        columns=(
            Column(name="é", type_oid=1700, typmod=786438, is_key=True, type_name="numeric(12,2)"),
            Column(name="b", type_oid=25),
            Column(name="c", type_oid=20000, type=ColumnType(kind=TypeKind.ARRAY, oid=20000, element=PAIR)),
        ),
        replica_identity=ReplicaIdentity.FULL,
        primary_key=("é",),
    )
    assert relation_from_json(relation_to_json(relation)) == relation
