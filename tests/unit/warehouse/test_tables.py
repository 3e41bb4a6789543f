"""Table versions as meta.tables keeps them."""

from __future__ import annotations

from cdc.relation import Column, Relation, ReplicaIdentity
from warehouse.tables import relation_from_json, relation_to_json


def test_a_relation_comes_back_as_it_went_in() -> None:
    relation = Relation(
        oid=16400,
        schema="public",
        table='Odd "name"',
        columns=(
            Column(name="é", type_oid=1700, typmod=786438, is_key=True, type_name="numeric(12,2)"),
            Column(name="b", type_oid=25),
        ),
        replica_identity=ReplicaIdentity.FULL,
        primary_key=("é",),
    )
    assert relation_from_json(relation_to_json(relation)) == relation
