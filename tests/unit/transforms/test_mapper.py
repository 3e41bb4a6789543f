from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import Decimal

import pyarrow as pa
import pytest

from cdc.batch import TableChanges
from cdc.lsn import Lsn
from cdc.relation import Column, Relation
from cdc.visibility import Visibility
from config.errors import CausewayError, ErrorKind
from tests.unit.transforms.batches import COMMITTED, TRUNCATE, Row, batch, changes, key, line
from tests.unit.transforms.relations import LINES, LINES_SQL, column, compiled
from transforms.canonical import SalesOrderLine
from transforms.changes import Held, Invalid, Mapped, Origin, TruncateAll, Upsert
from transforms.lastchanges import Found
from transforms.mapper import BatchMapper


def no_fetch(relation: Relation, keys: pa.Table, xids: frozenset[int]) -> Found:
    raise AssertionError("nothing was to be fetched")


@pytest.fixture
def mapper() -> Iterator[BatchMapper]:
    made = BatchMapper([compiled()])
    yield made
    made.close()


@pytest.fixture
def filtered() -> Iterator[BatchMapper]:
    made = BatchMapper([compiled(LINES_SQL + " WHERE qty > 0")])
    yield made
    made.close()


def said(found: Sequence[Mapped]) -> list[tuple[str, str]]:
    return [(type(each).__name__, "" if isinstance(each, Held) else each.source_key) for each in found]


def test_an_insert_is_a_record_with_its_provenance(mapper: BatchMapper) -> None:
    (found,) = mapper.map(batch(changes(("i", line(5, 1)))), no_fetch)
    assert isinstance(found, Upsert)
    assert isinstance(found.record, SalesOrderLine)
    assert (found.position, found.committed_at, found.seq, found.mapping) == ("0/100", COMMITTED, 0, "shop_order_lines")
    assert (found.record.source_position, found.record.mapping_version) == ("0/100", 3)
    assert (found.record_id, found.record.aggregate_id) == ("sales_order_line:shop:5-1", "sales_order:shop:5")
    assert (found.record.quantity, found.record.kind) == (Decimal(2), "product")


def test_only_the_last_change_of_a_row_counts(mapper: BatchMapper) -> None:
    ops = [("i", line(5, 1, quantity="1")), ("i", line(5, 2)), ("u", line(5, 1, quantity="9")), ("d", key(5, 2))]
    found = mapper.map(batch(changes(*ops)), no_fetch)
    assert said(found) == [("Upsert", "5-1"), ("Delete", "5-2")]
    assert isinstance(found[0], Upsert)
    assert found[0].record.business_values()["quantity"] == 9


def test_a_changed_key_is_a_delete_and_an_insert(mapper: BatchMapper) -> None:
    found = mapper.map(batch(changes(("d", key(5, 1)), ("i", line(5, 9)))), no_fetch)
    assert said(found) == [("Delete", "5-1"), ("Upsert", "5-9")]


def test_a_row_that_comes_back_is_there(mapper: BatchMapper) -> None:
    found = mapper.map(batch(changes(("d", key(5, 1)), ("i", line(5, 1)))), no_fetch)
    assert said(found) == [("Upsert", "5-1")]


def test_a_where_that_no_longer_holds_deletes(filtered: BatchMapper) -> None:
    ops = [("u", line(5, 1, quantity="0")), ("u", line(5, 2, quantity=None)), ("u", line(5, 3)), ("d", key(5, 4))]
    found = filtered.map(batch(changes(*ops)), no_fetch)
    assert said(found) == [("Delete", "5-1"), ("Delete", "5-2"), ("Upsert", "5-3"), ("Delete", "5-4")]


def test_a_new_row_that_is_left_out_says_nothing_unless_its_key_was_used(filtered: BatchMapper) -> None:
    gone_and_new = [("d", key(5, 2)), ("i", line(5, 2, quantity="0"))]
    found = filtered.map(batch(changes(("i", line(5, 1, quantity="0")), *gone_and_new)), no_fetch)
    assert said(found) == [("Delete", "5-2")]


def test_a_truncate_ends_all_records_of_the_mapping_and_what_came_before_it(mapper: BatchMapper) -> None:
    ops = [("i", line(5, 1)), ("t", TRUNCATE), ("i", line(6, 1))]
    truncate, upsert = mapper.map(batch(changes(*ops)), no_fetch)
    assert isinstance(truncate, TruncateAll)
    assert (truncate.entity, truncate.source, truncate.position) == ("sales_order_line", "shop", "0/100")
    assert truncate.key_pattern == r"^-?[0-9]+\--?[0-9]+$"
    assert said([upsert]) == [("Upsert", "6-1")]


def test_a_truncate_in_a_later_version_of_the_table_counts_too(mapper: BatchMapper) -> None:
    wider = replace(LINES, columns=(*LINES.columns, column("colour text")))
    parts = changes(("i", line(5, 1))), changes(("t", (*TRUNCATE, None)), over=wider, first_seq=1)
    assert said(mapper.map(batch(*parts), no_fetch)) == [("TruncateAll", "")]


def test_a_later_version_of_the_table_has_the_last_word(mapper: BatchMapper) -> None:
    wider = replace(LINES, columns=(*LINES.columns, column("colour text")))
    newer: Row = (*line(5, 1, quantity="9"), "red")
    (found,) = mapper.map(batch(changes(("i", line(5, 1))), changes(("u", newer), over=wider, first_seq=1)), no_fetch)
    assert isinstance(found, Upsert)
    assert (found.seq, found.record.business_values()["quantity"]) == (1, 9)


def test_a_column_of_another_type_is_compiled_anew(mapper: BatchMapper) -> None:
    columns = [replace(each, type_oid=20) if each.name == "line_no" else each for each in LINES.columns]
    longer = replace(LINES, columns=tuple(columns))
    big: Row = ("5", str(2**40), *line(5, 1)[2:])
    assert said(mapper.map(batch(changes(("i", big), over=longer)), no_fetch)) == [("Upsert", f"5-{2**40}")]


def test_a_table_that_lost_a_column_of_the_mapping_holds_its_rows_and_the_truncate_before_them(
    mapper: BatchMapper,
) -> None:
    narrow = replace(LINES, columns=LINES.columns[:-1])
    ops = [("i", line(5, 1)[:-1]), ("t", TRUNCATE[:-1]), ("i", line(6, 1)[:-1]), ("d", key(6, 2)[:-1])]
    held = mapper.map(batch(changes(*ops, over=narrow)), no_fetch)
    assert all(isinstance(each, Held) for each in held)
    assert [each.key for each in held if isinstance(each, Held)] == [
        {},
        {"order_id": "6", "line_no": "1"},
        {"order_id": "6", "line_no": "2"},
    ]
    assert {(each.mapping, each.reason, each.table) for each in held if isinstance(each, Held)} == {
        ("shop_order_lines", Origin.MAPPING, "public.order_lines")
    }


def test_a_table_that_lost_its_key_is_refused_by_name(mapper: BatchMapper) -> None:
    keyless = replace(LINES, columns=tuple(replace(each, is_key=False) for each in LINES.columns))
    with pytest.raises(CausewayError, match=r"public\.order_lines has no replica identity") as caught:
        mapper.map(batch(changes(("i", line(5, 1)), over=keyless)), no_fetch)
    assert caught.value.kind is ErrorKind.SCHEMA


def test_a_mapping_that_does_not_fit_does_not_keep_another_over_the_table_from_working() -> None:
    narrow = replace(LINES, columns=LINES.columns[:-1])
    other = compiled(LINES_SQL.replace("discount_pct", "0 AS x", 1).replace("0 AS x AS", "0 AS"))
    other = replace(other, mapping=replace(other.mapping, name="other"))
    both = BatchMapper([compiled(), other])
    found = both.map(batch(changes(("i", line(5, 1)[:-1]), over=narrow)), no_fetch)
    assert sorted((type(each).__name__, each.mapping) for each in found) == [
        ("Held", "shop_order_lines"),
        ("Upsert", "other"),
    ]
    both.close()


def found_as(*rows: Row, over: Relation = LINES, xmax: int = 10, running: Sequence[int] = ()) -> Found:
    columns = {name: [row[at] for row in rows] for at, name in enumerate(over.column_names)}
    visibility = Visibility(xmax=xmax, running=frozenset(running), as_of=Lsn(0x900))
    return Found(
        relation=over,
        rows=pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()}),
        visibility=visibility,
    )


LACKING: tuple[str, Row] = ("u", (*line(5, 1)[:4], None, *line(5, 1)[5:]))


def test_an_unchanged_large_value_is_fetched_with_its_row(mapper: BatchMapper) -> None:
    asked: list[object] = []

    def fetch(relation: Relation, keys: pa.Table, xids: frozenset[int]) -> Found:
        asked.extend([*keys.sort_by("line_no").to_pylist(), xids])
        return found_as(line(5, 1, quantity="3", text="long " * 999))

    vanished = ("u", (*line(5, 2)[:4], None, *line(5, 2)[5:]))
    part = changes(LACKING, vanished, ("u", line(5, 3)), unchanged={"description": [True, True, False]})
    found = mapper.map(batch(part), fetch)
    assert asked == [{"order_id": "5", "line_no": "1"}, {"order_id": "5", "line_no": "2"}, frozenset({1})]
    assert said(found) == [("Upsert", "5-1"), ("Upsert", "5-3")]
    assert isinstance(found[0], Upsert)
    assert isinstance(found[1], Upsert)
    assert str(found[0].record.business_values()["description"]).startswith("long long")
    assert (found[0].origin, found[1].origin) == (Origin.LOOKED_UP, Origin.STREAM)


@pytest.mark.parametrize("kind", [ErrorKind.CONNECTION, ErrorKind.SCHEMA, ErrorKind.PRIVILEGE, ErrorKind.TRANSIENT])
def test_a_row_that_can_not_be_looked_up_now_is_held_and_the_others_go_on(mapper: BatchMapper, kind: ErrorKind) -> None:
    def fetch(relation: Relation, keys: pa.Table, xids: frozenset[int]) -> Found:
        raise CausewayError(kind, "not now.")

    part = changes(LACKING, ("u", line(5, 3)), unchanged={"description": [True, False]})
    held, upsert = mapper.map(batch(part), fetch)
    assert isinstance(held, Held)
    assert (held.key, held.mapping, held.reason, held.xid) == (
        {"order_id": "5", "line_no": "1"},
        "",
        Origin.LOOKED_UP,
        1,
    )
    assert said([upsert]) == [("Upsert", "5-3")]


def test_a_row_whose_column_is_of_another_type_at_the_source_meanwhile_is_held(mapper: BatchMapper) -> None:
    columns = [replace(each, type_oid=20) if each.name == "description" else each for each in LINES.columns]
    altered = replace(LINES, columns=tuple(columns))
    part = changes(LACKING, unchanged={"description": [True]})
    (held,) = mapper.map(batch(part), lambda *_: found_as(line(5, 1, text="7"), over=altered))
    assert isinstance(held, Held)


def test_changes_that_a_looked_up_row_holds_already_do_not_bring_an_older_state_back(mapper: BatchMapper) -> None:
    part = changes(LACKING, unchanged={"description": [True]})
    mapper.map(batch(part), lambda *_: found_as(line(5, 1, quantity="9"), xmax=10, running=[7]))
    with_xid = {xid: in_transaction(changes(("u", line(5, 1, quantity="3"))), xid) for xid in (5, 7, 12)}
    assert said(mapper.map(batch(with_xid[5]), no_fetch)) == []  # the look-up saw it
    assert said(mapper.map(batch(with_xid[7]), no_fetch)) == [("Upsert", "5-1")]  # it was running then
    assert said(mapper.map(batch(with_xid[12]), no_fetch)) == [("Upsert", "5-1")]
    assert said(mapper.map(batch(in_transaction(changes(("u", line(5, 2))), 5)), no_fetch)) == [("Upsert", "5-2")]
    mapper.forget("shop")
    assert said(mapper.map(batch(with_xid[5]), no_fetch)) == [("Upsert", "5-1")]


def test_of_two_look_ups_of_a_row_the_later_one_counts(mapper: BatchMapper) -> None:
    """It holds what the changes say that follow: they would be left out, so it must not be."""
    part = changes(LACKING, unchanged={"description": [True]})
    mapper.map(batch(in_transaction(part, 4)), lambda *_: found_as(line(5, 1, quantity="5"), xmax=6))
    (later,) = mapper.map(batch(in_transaction(part, 5)), lambda *_: found_as(line(5, 1, quantity="6"), xmax=7))
    assert isinstance(later, Upsert)
    assert later.record.business_values()["quantity"] == 6
    found = found_as(line(5, 1, quantity="7"), xmax=8)
    (read,), _ = mapper.map_looked_up("shop", found.rows.select(["order_id", "line_no"]), found, Origin.REPAIRED)
    assert isinstance(read, Upsert)
    assert read.record.business_values()["quantity"] == 7
    assert said(mapper.map(batch(in_transaction(changes(("u", line(5, 1))), 7)), no_fetch)) == []


def test_once_the_stream_has_passed_a_look_up_it_is_forgotten(mapper: BatchMapper) -> None:
    part = changes(LACKING, unchanged={"description": [True]})
    mapper.map(batch(part), lambda *_: found_as(line(5, 1)))
    empty = batch()
    mapper.map(replace(empty, position=replace(empty.position, lsn=Lsn(0x900))), no_fetch)
    assert said(mapper.map(batch(in_transaction(changes(("u", line(5, 1))), 5)), no_fetch)) == [("Upsert", "5-1")]


def in_transaction(part: TableChanges, xid: int) -> TableChanges:
    rows = part.rows
    at = rows.column_names.index("_xid")
    return replace(part, rows=rows.set_column(at, "_xid", pa.array([xid] * rows.num_rows, pa.uint32())))


def test_an_unchanged_value_that_no_mapping_reads_is_not_fetched() -> None:
    without = BatchMapper([compiled(LINES_SQL.replace(" description,", ""))])
    part = changes(("u", line(5, 1)), unchanged={"description": [True]})
    assert said(without.map(batch(part), no_fetch)) == [("Upsert", "5-1")]
    without.close()


def test_a_word_that_no_map_knows_is_an_invalid_record(mapper: BatchMapper) -> None:
    good, bad = mapper.map(batch(changes(("i", line(5, 1)), ("i", line(5, 2, "voucher")))), no_fetch)
    assert isinstance(good, Upsert)
    assert isinstance(bad, Invalid)
    assert bad.error.startswith("kind: maps.yaml has no entry for the source's word; it takes 'product', 'freight'")
    assert "voucher" not in bad.error
    assert bad.payload["kind"] == "unknown: voucher"


def test_a_null_in_a_required_field_is_an_invalid_record(mapper: BatchMapper) -> None:
    (bad,) = mapper.map(batch(changes(("i", line(5, 2, quantity=None)))), no_fetch)
    assert isinstance(bad, Invalid)
    assert bad.error == "quantity: is missing: the source gives null"


def test_a_value_that_its_type_can_not_hold_is_an_invalid_record(mapper: BatchMapper) -> None:
    bad, good = mapper.map(batch(changes(("i", line(5, 1, quantity="NaN")), ("i", line(5, 2)))), no_fetch)
    assert isinstance(bad, Invalid)
    assert bad.error == "qty: the value is beyond what its type can hold here"
    assert isinstance(good, Upsert)


MOMENTS = replace(
    LINES,
    table="orders",
    columns=(
        column("*id int"),
        Column(name="day", type_oid=1082),
        Column(name="at", type_oid=1184),
        Column(name="ats", type_oid=1185),
    ),
)
ORDER_SQL = "SELECT id AS source_key, id AS order_number, id AS customer_key, 'draft' AS status, 'GBP' AS currency, {} AS ordered_at FROM public.orders"


@pytest.mark.parametrize(
    ("expression", "name"), [("at", "at"), ("ats[1]", "ats"), ("day::timestamp AT TIME ZONE 'UTC'", "day")]
)
@pytest.mark.parametrize("moment", ["infinity", "-infinity", "0044-03-15 BC", "12000-01-01"])
def test_a_moment_that_no_record_can_hold_is_an_invalid_record(expression: str, name: str, moment: str) -> None:
    mapper = BatchMapper([compiled(ORDER_SQL.format(expression), MOMENTS, entity="sales_order")])
    rows = [("i", (key, value, value, f'{{"{value}"}}')) for key, value in (("1", moment), ("2", "2026-03-02"))]
    bad, good = mapper.map(batch(changes(*rows, over=MOMENTS)), no_fetch)
    assert isinstance(bad, Invalid)
    assert bad.error == f"{name}: the value is beyond what its type can hold here"
    assert isinstance(good, Upsert)
    mapper.close()


def test_a_condition_may_ask_of_any_moment() -> None:
    sql = ORDER_SQL.format("ats[1]") + " WHERE day > '2026-01-01' AND at > '2026-01-01T00:00:00Z'"
    mapper = BatchMapper([compiled(sql, MOMENTS, entity="sales_order")])
    rows = [("i", (key, value, value, "{2026-03-02}")) for key, value in (("1", "infinity"), ("2", "-infinity"))]
    assert said(mapper.map(batch(changes(*rows, over=MOMENTS)), no_fetch)) == [("Upsert", "1")]
    mapper.close()


def test_rows_that_can_not_be_computed_are_found_among_many() -> None:
    sql = LINES_SQL.replace("qty AS quantity", "description::numeric(12, 3) AS quantity")
    mapper = BatchMapper([compiled(sql.replace(" description,", ""))])
    ops = [("i", line(5, number, text="secret" if number in (3, 70) else "1.5")) for number in range(100)]
    found = mapper.map(batch(changes(*ops)), no_fetch)
    wrong = [each for each in found if isinstance(each, Invalid)]
    assert [each.source_key for each in wrong] == ["5-3", "5-70"]
    assert len(found) == 100
    assert wrong[0].error.startswith('quantity: can\'t be computed from "description"')
    assert "secret" not in wrong[0].error
    assert wrong[0].payload["description"] == "secret"
    mapper.close()


def test_a_batch_in_which_every_row_fails_takes_no_longer_than_others() -> None:
    sql = (
        LINES_SQL.replace("qty AS quantity", "description::numeric(12, 3) AS quantity") + " WHERE description::int > 0"
    )
    mapper = BatchMapper([compiled(sql.replace(" description,", ""))])
    ops = [("i", line(5, number, text="x")) for number in range(5000)]
    found = mapper.map(batch(changes(*ops)), no_fetch)
    assert [each.seq for each in found if isinstance(each, Invalid)] == list(range(5000))
    assert isinstance(found[0], Invalid)
    assert found[0].error.startswith('WHERE: can\'t be computed from "description"')
    mapper.close()


def test_fields_of_rows_that_are_left_out_and_of_deletes_are_not_computed() -> None:
    sql = LINES_SQL.replace("qty AS quantity", "description::numeric(12, 3) AS quantity") + " WHERE qty > 0"
    mapper = BatchMapper([compiled(sql.replace(" description,", ""))])
    ops = [("u", line(5, 1, text="x", quantity="0")), ("d", key(5, 2)), ("i", line(5, 3, text="x"))]
    found = mapper.map(batch(changes(*ops)), no_fetch)
    assert said(found) == [("Delete", "5-1"), ("Delete", "5-2"), ("Invalid", "5-3")]
    mapper.close()


def test_tables_and_sources_without_mappings_say_nothing(mapper: BatchMapper) -> None:
    other = replace(LINES, table="other")
    assert mapper.map(batch(changes(("i", line(5, 1)), over=other)), no_fetch) == []
    assert mapper.map(batch(), no_fetch) == []


def test_nothing_is_kept_from_one_batch_to_the_next(mapper: BatchMapper) -> None:
    first = mapper.map(batch(changes(("i", line(5, 1)))), no_fetch)
    assert mapper.map(batch(changes(("i", line(5, 1)))), no_fetch) == first
