"""Where mirrors stand, and how names go into SQL."""

from __future__ import annotations

import pytest

from cdc.relation import Column, Relation, ReplicaIdentity
from warehouse.names import MirrorTable, literal, mirror_schema, quoted


@pytest.mark.parametrize(
    ("source", "schema", "expected"),
    [("shop", "public", "shop"), ("causeway", "causeway", "causeway"), ("shop", "sales", "shop_sales")],
)
def test_the_schema_of_a_mirror(source: str, schema: str, expected: str) -> None:
    assert mirror_schema(source, schema) == expected


def test_quotes_inside_names_are_doubled() -> None:
    assert quoted('a"b') == '"a""b"'
    assert literal("it's") == "'it''s'"


def table(*keys: str) -> MirrorTable:
    columns = tuple(Column(name=name, type_oid=20, is_key=name in keys) for name in ("b", 'a"', "c"))
    relation = Relation(oid=1, schema="public", table="T", columns=columns, replica_identity=ReplicaIdentity.DEFAULT)
    return MirrorTable("shop", relation)


def test_a_mirror_has_the_tables_columns_with_their_types() -> None:
    assert table("b").name == '"shop"."T"'
    assert table("b").definition == '"b" BIGINT, "a""" BIGINT, "c" BIGINT'


def test_a_key_of_one_column_is_its_text_and_of_several_a_list() -> None:
    assert table("b").key_text("k") == 'CAST(k."b" AS VARCHAR)'
    assert table("c", "b").key_text("k", "old_") == (
        'CAST(to_json([CAST(k."old_b" AS VARCHAR), CAST(k."old_c" AS VARCHAR)]) AS VARCHAR)'
    )
