from __future__ import annotations

from dataclasses import replace

import pytest

from cdc.relation import Relation, ReplicaIdentity
from config.errors import ErrorKind
from tests.unit.transforms.relations import LINES, LINES_SQL, compiled, mapping, relation
from transforms.compiled import view_sql
from transforms.compiler import compile_mappings
from transforms.mapping import MappingError

CUSTOMER = "'Bob' AS name, true AS is_company, 'contact' AS kind, true AS active"
PLAIN = relation("*id bigint", "name text", "cents int", "local timestamp", "price numeric(12,2)", table="t")


def problems_of(sql: str, over: Relation = LINES, *, entity: str = "sales_order_line") -> list[str]:
    """The mistakes, without the file's name; the first line of the SQL is line 6 of the file."""
    with pytest.raises(MappingError) as raised:
        compile_mappings([mapping(sql, entity=entity, table=over.table)], {"shop": [over]})
    assert raised.value.kind is ErrorKind.MAPPING
    return [problem.removeprefix("shop_order_lines.sql:") for problem in raised.value.problems]


def customer_problems(outputs: str, over: Relation = PLAIN) -> list[str]:
    return problems_of(f"SELECT {outputs} FROM t", over, entity="customer")


def test_a_column_that_does_not_exist_is_named_with_its_line_and_the_nearest() -> None:
    assert problems_of(LINES_SQL.replace("qty", "qtty")) == ["7: there is no column 'qtty'; did you mean 'qty'?"]
    wrong = LINES_SQL + "\nWHERE\n  knd = 'item'"
    assert problems_of(wrong) == ["11: there is no column 'knd'; did you mean 'kind'?"]


def test_all_mistakes_come_at_once_sorted_by_line() -> None:
    sql = "SELECT order_id AS source_key,\n  now() AS order_key,\n  'gift' AS kind,\n  qty AS quantty,\n  line_no,\n  qty AS unit_price,\n  qty AS unit_price\nFROM order_lines"
    assert problems_of(sql) == [
        "6: sales_order_line needs line_number, quantity, discount_percent",
        "6: source_key must be made of order_id, line_no, all that deletes carry of a row",
        "7: now() is not on the list of what mappings may use",
        "8: kind takes product, freight, discount, promotion, gift_card, fee, manual; not 'gift'",
        "9: sales_order_line has no field 'quantty'; did you mean 'quantity'?",
        "10: sales_order_line has no field 'line_no'; did you mean 'line_number'?",
        "12: unit_price is given twice",
    ]


def test_mistakes_of_several_mappings_come_together() -> None:
    bad = [mapping("SELECT 1", name="one"), mapping("nonsense here and", name="two")]
    with pytest.raises(MappingError) as raised:
        compile_mappings(bad, {"shop": [LINES]})
    assert [problem.partition(":")[0] for problem in raised.value.problems] == ["one.sql", "two.sql"]


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("SELECT a b c", "6: is not valid SQL: Invalid expression / Unexpected token near 'c'"),
        ("SELECT 1; SELECT 2", "6: a mapping is one SELECT, this is 2 statements"),
        ("DELETE FROM order_lines", "6: a mapping is one SELECT, this is DELETE"),
        ("SELECT 1 UNION SELECT 2", "6: a mapping is one SELECT, this is UNION"),
        ("", "1: a mapping is one SELECT, this is 0 statements"),
        ("SELECT * FROM order_lines", "6: name the fields one by one: * would change with the table"),
        ("SELECT 1 FROM orders", "6: the SELECT is over public.orders, the header says public.order_lines"),
        ("SELECT 1 FROM b.order_lines", "6: the SELECT is over b.order_lines, the header says public.order_lines"),
        ("SELECT 1 FROM x.public.order_lines", "6: the SELECT is over public.order_lines, the header says"),
        ("SELECT 1", "6: the SELECT must be over public.order_lines, the header's table"),
        ("SELECT 1 FROM (SELECT 1) x", "6: a mapping computes one record from one row"),
        ("SELECT 1 FROM order_lines, t", "6: a mapping is one SELECT over one table: it has no join clause"),
        ("SELECT 1 FROM order_lines\nLIMIT 1", "7: a mapping is one SELECT over one table: it has no limit clause"),
        ("SELECT 1 FROM order_lines\nORDER BY 1", "7: a mapping is one SELECT over one table: it has no order clause"),
        ("SELECT DISTINCT kind FROM order_lines", "6: a mapping is one SELECT over one table: it has no distinct"),
        ("WITH x AS (SELECT 1)\nSELECT 1 FROM order_lines", "6: a mapping is one SELECT over one table: it has no"),
        ("SELECT\n count(*) AS kind FROM order_lines", "7: a mapping computes one record from one row"),
        ("SELECT\n sum(qty) OVER () AS kind FROM order_lines", "7: a mapping computes one record from one row"),
        ("SELECT (SELECT 1) AS kind FROM order_lines", "6: a mapping computes one record from one row"),
        ("SELECT x.kind FROM order_lines o", "6: there is no table 'x' here"),
    ],
)
def test_only_a_plain_select_over_the_table_is_a_mapping(sql: str, said: str) -> None:
    (problem,) = problems_of(sql)
    assert problem.startswith(said)


@pytest.mark.parametrize(
    ("outputs", "said"),
    [
        (f"id AS source_key, {CUSTOMER}, price AS email", "email takes text, not numeric(12,2)"),
        (f"id AS source_key, {CUSTOMER.replace('true AS active', 'cents AS active')}", "active takes true or false"),
        (f"id AS source_key, {CUSTOMER.replace(chr(39) + 'Bob' + chr(39), 'NULL')}", "name must not be null"),
        (f"name AS source_key, {CUSTOMER}", "source_key must be made of id, all that deletes carry of a row"),
        (f"id || name AS source_key, {CUSTOMER}", "source_key must be made of id"),
        (f"id AS source_key, {CUSTOMER}, upper(name)", "the expression needs a name: `... AS field`"),
        (f"id AS source_key, {CUSTOMER}, cents AS email, to_char(id, '9') AS vat", "to_char() is not on the list"),
    ],
)
def test_an_output_must_fit_its_field(outputs: str, said: str) -> None:
    (problem,) = customer_problems(outputs)
    assert problem.startswith(f"6: {said}")


def test_a_local_time_needs_its_zone() -> None:
    sql = "SELECT id AS source_key, name, 'goods' AS kind, 'unit' AS unit, true AS active, local AS created_at FROM t"
    (problem,) = problems_of(sql, PLAIN, entity="product")
    assert problem.endswith("not timestamp without time zone: say which time zone it is in with AT TIME ZONE")


def test_a_table_without_replica_identity_is_refused() -> None:
    bare = replace(PLAIN, columns=relation("id bigint").columns, replica_identity=ReplicaIdentity.NOTHING)
    (problem,) = customer_problems(f"id AS source_key, {CUSTOMER}", bare)
    assert problem == "6: public.t has no replica identity: its updates and deletes can't be told apart"


def test_under_replica_identity_full_the_primary_key_makes_the_source_key() -> None:
    columns = tuple(replace(each, is_key=True) for each in PLAIN.columns)
    full = replace(PLAIN, columns=columns, replica_identity=ReplicaIdentity.FULL, primary_key=("id",))
    assert compiled(f"SELECT id AS source_key, {CUSTOMER} FROM t", full, entity="customer").key_sql


def test_an_unknown_source_or_table_is_named_with_the_nearest() -> None:
    with pytest.raises(MappingError, match=r"1: there is no source 'shop'; did you mean 'shops'\?"):
        compile_mappings([mapping(LINES_SQL)], {"shops": [LINES]})
    with pytest.raises(
        MappingError, match=r"order_lines is not among the captured tables of shop; there are public\.t"
    ):
        compile_mappings([mapping(LINES_SQL)], {"shop": [PLAIN]})


def test_quoted_names_and_aliases_are_followed() -> None:
    odd = relation("*Id bigint", "Full Name text", table="t")
    sql = f'SELECT x."Id" AS source_key, {CUSTOMER}, x."Full Name" AS email FROM t AS x WHERE X."Id" > 0'
    assert compiled(sql.replace("X.", "x."), odd, entity="customer").lineage["email"] == ("Full Name",)


def test_what_was_compiled_says_where_each_field_comes_from() -> None:
    found = compiled(LINES_SQL + " WHERE qty <> 0")
    assert found.lineage["source_key"] == ("order_id", "line_no")
    assert found.lineage["kind"] == ("kind",)
    assert found.keep_columns == ("qty",)
    assert found.columns == tuple(column.name for column in LINES.columns)
    assert found.outputs[0] == "source_key"
    assert (found.name, found.version, found.table) == ("shop_order_lines", 3, "public.order_lines")


def test_the_source_sql_has_its_status_words_written_out() -> None:
    sql = compiled().source_sql
    assert "map_status" not in sql
    assert "WHEN 'item' THEN 'product'" in sql


@pytest.mark.parametrize(
    ("key", "pattern"),
    [
        ("id", "^-?[0-9]+$"),
        ("'a.' || id", r"^a\.-?[0-9]+$"),
        ("concat('x', id::text)", "^x-?[0-9]+$"),
        ("upper('k' || id)", "^.*$"),
    ],
)
def test_the_key_pattern_tells_the_keys_of_one_mapping(key: str, pattern: str) -> None:
    assert compiled(f"SELECT {key} AS source_key, {CUSTOMER} FROM t", PLAIN, entity="customer").key_pattern == pattern


def test_a_view_gives_nulls_where_a_value_can_not_be_computed() -> None:
    sql = "SELECT id AS source_key, name, 'goods' AS kind, 'unit' AS unit, true AS active, name::numeric(12,2) AS cost FROM t"
    view = view_sql(compiled(sql, PLAIN, entity="product"), "shop.t")
    assert "TRY(CAST(" in view
    assert 'CAST(NULL AS TIMESTAMPTZ) AS "created_at"' in view
