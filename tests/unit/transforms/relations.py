"""Relations and mappings made by hand: the shop's order lines, and whatever columns a test names."""

from __future__ import annotations

from pathlib import Path

from cdc.relation import Column, Relation, ReplicaIdentity
from transforms.compiled import CompiledMapping
from transforms.compiler import compile_mappings
from transforms.mapping import Mapping, parse_mapping
from transforms.statusmaps import StatusMaps

_OIDS = {
    "int": 23,
    "bigint": 20,
    "text": 25,
    "bool": 16,
    "date": 1082,
    "timestamp": 1114,
    "timestamptz": 1184,
    "uuid": 2950,
    "numeric": 1700,
}


def numeric(precision: int, scale: int) -> int:
    """The typmod of numeric(precision, scale)."""
    return ((precision << 16) | scale) + 4


def column(text: str) -> Column:
    """A column written as ``name type`` or ``name numeric(12,2)``, with ``*`` in front where it is of the key."""
    is_key, text = text.startswith("*"), text.lstrip("*")
    name, kind = text.rsplit(" ", 1)
    if kind.startswith("numeric("):
        precision, scale = map(int, kind[8:-1].split(","))
        return Column(name=name, type_oid=1700, typmod=numeric(precision, scale), is_key=is_key, type_name=kind)
    return Column(name=name, type_oid=_OIDS[kind], is_key=is_key, type_name=kind)


def relation(*columns: str, table: str = "order_lines") -> Relation:
    return Relation(
        oid=1,
        schema="public",
        table=table,
        columns=tuple(column(each) for each in columns),
        replica_identity=ReplicaIdentity.DEFAULT,
    )


LINES = relation(
    "*order_id bigint",
    "*line_no int",
    "kind text",
    "product_id bigint",
    "description text",
    "qty numeric(12,3)",
    "unit_price numeric(12,4)",
    "discount_pct numeric(5,2)",
)
LINES_SQL = """SELECT order_id || '-' || line_no AS source_key, order_id AS order_key, line_no AS line_number,
    map_status('sales_order_line.kind', kind) AS kind, product_id AS product_key, description, qty AS quantity,
    unit_price, discount_pct AS discount_percent
FROM public.order_lines"""
MAPS = StatusMaps({"shop": {"sales_order_line.kind": {"item": "product", "freight": "freight"}}})
HEADER = """-- mapping: {name}
-- entity: {entity}
-- source: shop
-- table: public.{table}
-- version: 3
"""


def mapping(
    sql: str, *, entity: str = "sales_order_line", table: str = "order_lines", name: str = "shop_order_lines"
) -> Mapping:
    problems: list[str] = []
    text = HEADER.format(name=name, entity=entity, table=table) + sql
    found = parse_mapping(Path(f"{name}.sql"), text, MAPS, problems)
    assert found is not None, problems
    return found


def compiled(sql: str = LINES_SQL, over: Relation = LINES, *, entity: str = "sales_order_line") -> CompiledMapping:
    (found,) = compile_mappings([mapping(sql, entity=entity, table=over.table)], {"shop": [over]})
    return found
