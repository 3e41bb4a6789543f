"""Transactions, snapshots, positions and table versions: nothing lost, nothing twice, and a clear stop where it cannot follow."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import duckdb
import pytest

from cdc.batch import ChangeBatch
from cdc.lsn import Lsn
from cdc.relation import Relation, ReplicaIdentity
from config.errors import CausewayError, ErrorKind
from config.settings import WarehouseSettings
from tests.integration.warehouse.source_table import (
    TRUNCATE,
    batch,
    delete,
    insert,
    move,
    relation,
    snapshot,
    stream,
    table_changes,
    update,
)
from tests.integration.warehouse.test_mirror_merge import rows
from warehouse.mirror import Mirror
from warehouse.store import Warehouse
from warehouse.tables import TableRecord, TableState, write_record

ORDERS = relation()
LINES = relation("public.lines", oid=2000)
PRICED = relation(columns=[("id", "int8"), ("price", "numeric"), ("name", "text")])


def begin(mirror: Mirror, *relations: Relation, source: str = "shop", lsn: int = 10) -> None:
    mirror.begin_snapshot(source, relations)
    mirror.apply(snapshot(lsn, source=source))


def one(key: str, name: str = "a") -> Any:
    return insert(id=key, name=name, big=None)


def keys(warehouse: Warehouse, table: str = "shop.orders") -> list[int]:
    return [row[0] for row in rows(warehouse, table)]


class TestTransactions:
    def test_all_tables_of_a_batch_and_its_position_commit_together(self, mirror: Mirror, warehouse: Warehouse) -> None:
        begin(mirror, ORDERS, LINES)
        mirror.apply(batch(20, table_changes(ORDERS, [one("1")]), table_changes(LINES, [one("7")], first_seq=1)))
        assert (keys(warehouse), keys(warehouse, "shop.lines")) == ([1], [7])
        found = mirror.position("shop")
        assert found is not None
        assert found.lsn == Lsn(20)

    def test_a_failure_in_the_middle_leaves_none_of_the_batch(
        self, mirror: Mirror, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        begin(mirror, ORDERS, LINES)

        def fails(*_: Any, **__: Any) -> bool:
            raise duckdb.IOException("the disk is full")

        both = batch(20, table_changes(ORDERS, [one("1")]), table_changes(LINES, [one("7")], first_seq=1))
        with monkeypatch.context() as patched:
            patched.setattr("warehouse.session.write_position", fails)
            with pytest.raises(CausewayError, match="applying a batch"):
                mirror.apply(both)
        assert (keys(warehouse), keys(warehouse, "shop.lines")) == ([], [])
        found = mirror.position("shop")
        assert found is not None
        assert found.lsn == Lsn(10)
        mirror.apply(stream(20, ORDERS, [one("1")]))
        assert keys(warehouse) == [1]

    def test_pieces_are_seen_by_nobody_until_the_last_one(self, mirror: Mirror, warehouse: Warehouse) -> None:
        begin(mirror, ORDERS)
        mirror.apply(batch(30, table_changes(ORDERS, [one("1"), one("2")]), complete=False))
        mirror.apply(
            batch(30, table_changes(ORDERS, [delete(id="2"), update("big", id="1", name="z")]), complete=False)
        )
        assert keys(warehouse) == []
        mirror.apply(batch(30, table_changes(ORDERS, [one("3")])))
        assert rows(warehouse) == [(1, "z", None), (3, "a", None)]

    def test_pieces_of_one_source_stay_open_while_another_source_commits(
        self, mirror: Mirror, warehouse: Warehouse
    ) -> None:
        begin(mirror, ORDERS)
        begin(mirror, ORDERS, source="market")
        mirror.apply(batch(30, table_changes(ORDERS, [one("1")]), complete=False))
        mirror.apply(stream(99, ORDERS, [one("9")], source="market"))
        assert (keys(warehouse), keys(warehouse, "market.orders")) == ([], [9])
        mirror.rollback("shop")
        mirror.apply(stream(100, ORDERS, [one("10")], source="market"))
        assert (keys(warehouse), keys(warehouse, "market.orders")) == ([], [9, 10])

    def test_after_a_rollback_of_pieces_the_rest_of_them_is_refused(self, mirror: Mirror, warehouse: Warehouse) -> None:
        begin(mirror, ORDERS)
        mirror.apply(batch(30, table_changes(ORDERS, [one("1")]), complete=False))
        mirror.rollback()
        with pytest.raises(CausewayError, match="pieces that were rolled back"):
            mirror.apply(batch(30, table_changes(ORDERS, [one("2")])))
        mirror.position("shop")
        mirror.apply(batch(30, table_changes(ORDERS, [one("1"), one("2")])))
        assert keys(warehouse) == [1, 2]

    @pytest.mark.parametrize("lsn", [5, 10])
    def test_a_batch_at_or_below_the_stored_position_is_refused(
        self, mirror: Mirror, warehouse: Warehouse, lsn: int
    ) -> None:
        begin(mirror, ORDERS)
        with pytest.raises(CausewayError, match="is not above the stored position 0/A") as raised:
            mirror.apply(stream(lsn, ORDERS, [one("1")]))
        assert raised.value.kind is ErrorKind.INTERNAL
        assert keys(warehouse) == []

    def test_an_empty_batch_only_moves_the_position(self, mirror: Mirror, warehouse: Warehouse) -> None:
        begin(mirror, ORDERS)
        mirror.apply(batch(50))
        mirror.apply(batch(50))
        found = mirror.position("shop")
        assert found is not None
        assert found.lsn == Lsn(50)

    def test_a_new_process_goes_on_where_the_old_one_committed(self, warehouse_settings: WarehouseSettings) -> None:
        with Warehouse.open(warehouse_settings) as first:
            mirror = Mirror(first)
            begin(mirror, ORDERS)
            mirror.apply(stream(20, ORDERS, [insert(id="1", name="a", big="B")]))
            mirror.apply(batch(30, table_changes(ORDERS, [one("2")]), complete=False))
            mirror.close()
        with Warehouse.open(warehouse_settings) as second:
            mirror = Mirror(second)
            found = mirror.position("shop")
            assert found is not None
            assert found.lsn == Lsn(20)
            mirror.apply(stream(30, ORDERS, [update("big", id="1", name="z"), one("2")]))
            assert rows(second) == [(1, "z", "B"), (2, "a", None)]
            mirror.close()


class TestSnapshots:
    def test_an_interrupted_snapshot_leaves_no_position_and_is_dropped_by_the_next(
        self, mirror: Mirror, warehouse: Warehouse
    ) -> None:
        mirror.begin_snapshot("shop", [ORDERS])
        mirror.apply(snapshot(10, table_changes(ORDERS, [one("1"), one("2")]), complete=False))
        assert mirror.position("shop") is None
        mirror.begin_snapshot("shop", [ORDERS])
        assert keys(warehouse) == []
        mirror.apply(snapshot(20, table_changes(ORDERS, [one("3")])))
        assert keys(warehouse) == [3]

    def test_a_stream_batch_before_the_snapshot_is_whole_is_refused(self, mirror: Mirror) -> None:
        mirror.begin_snapshot("shop", [ORDERS])
        with pytest.raises(CausewayError, match="before the source's snapshot was whole"):
            mirror.apply(stream(20, ORDERS, [one("1")]))

    def test_a_snapshot_batch_over_a_durable_source_is_refused(self, mirror: Mirror) -> None:
        begin(mirror, ORDERS)
        with pytest.raises(CausewayError, match="begin_snapshot comes first"):
            mirror.apply(snapshot(20, table_changes(ORDERS, [one("1")])))

    def test_a_new_snapshot_forgets_position_rows_and_kept_texts(self, mirror: Mirror, warehouse: Warehouse) -> None:
        begin(mirror, PRICED)
        mirror.apply(stream(20, PRICED, [insert(id="1", price="NaN", name="a")]))
        mirror.begin_snapshot("shop", [PRICED])
        assert (keys(warehouse), rows(warehouse, "meta.value_exceptions")) == ([], [])
        assert mirror.position("shop") is None

    @pytest.mark.parametrize(
        ("refused", "words"),
        [
            (relation(key=[]), "has no key"),
            (relation(identity=ReplicaIdentity.NOTHING), "has no key"),
            (relation(key=[], identity=ReplicaIdentity.FULL), "no primary key"),
            (relation(columns=[("id", "int8"), ("Name", "text"), ("name", "text")]), "cannot tell apart.*: name"),
            (relation(columns=[("id", "int8"), ("_seq", "text")]), "the bridge needs itself: _seq"),
        ],
    )
    def test_a_table_that_cannot_be_mirrored_is_refused(self, mirror: Mirror, refused: Relation, words: str) -> None:
        with pytest.raises(CausewayError, match=words) as raised:
            mirror.begin_snapshot("shop", [refused])
        assert raised.value.kind is ErrorKind.SCHEMA

    def test_two_tables_with_one_mirror_are_refused(self, mirror: Mirror) -> None:
        with pytest.raises(CausewayError, match=r"public\.orders and shop\.Orders would have one mirror"):
            mirror.begin_snapshot("shop", [ORDERS, relation("shop.Orders", oid=3)])

    def test_schemas_are_named_after_the_source(self, mirror: Mirror, warehouse: Warehouse) -> None:
        tables = [ORDERS, relation("sales.orders", oid=2), relation("shop.notes", oid=3)]
        begin(mirror, *tables)
        assert [keys(warehouse, name) for name in ("shop.orders", "shop_sales.orders", "shop.notes")] == [[], [], []]


def with_columns(*columns: tuple[str, str], **changes: Any) -> Relation:
    return replace(relation(columns=[("id", "int8"), *columns]), **changes)


class TestTableVersions:
    def test_ddl_between_changes_of_one_batch_is_followed(self, mirror: Mirror, warehouse: Warehouse) -> None:
        begin(mirror, ORDERS)
        wider = with_columns(("name", "text"), ("big", "text"), ("qty", "int4"))
        first = table_changes(ORDERS, [one("1"), one("2")])
        second = table_changes(
            wider, [insert(id="3", name="c", big=None, qty="5"), update("big", id="1", name="z", qty="7")], first_seq=2
        )
        mirror.apply(batch(20, second, first))
        assert rows(warehouse) == [(1, "z", None, 7), (2, "a", None, None), (3, "c", None, 5)]

    def test_ddl_behind_changes_of_old_rows_is_followed(self, mirror: Mirror, warehouse: Warehouse) -> None:
        begin(mirror, ORDERS)
        mirror.apply(stream(15, ORDERS, [one("1"), one("2"), one("3")]))
        wider = with_columns(("name", "text"), ("big", "text"), ("qty", "int4"))
        first = table_changes(ORDERS, [update("big", id="1", name="b"), delete(id="2")])
        mirror.apply(batch(20, first, table_changes(wider, [update("big", id="3", name="c", qty="5")], first_seq=2)))
        assert rows(warehouse) == [(1, "b", None, None), (3, "c", None, 5)]
        widest = with_columns(("name", "text"), ("big", "text"), ("qty", "int4"), ("more", "text"))
        mirror.apply(batch(30, table_changes(wider, [delete(id="1")]), complete=False))
        mirror.apply(batch(30, table_changes(widest, [insert(id="4", name="d", more="m")])))
        assert rows(warehouse) == [(3, "c", None, 5, None), (4, "d", None, None, "m")]

    def test_an_added_column_is_gone_again_with_its_rolled_back_batch(
        self, mirror: Mirror, warehouse: Warehouse
    ) -> None:
        begin(mirror, ORDERS)
        wider = with_columns(("name", "text"), ("big", "text"), ("qty", "int4"))
        mirror.apply(batch(20, table_changes(wider, [insert(id="3", qty="5")]), complete=False))
        mirror.rollback()
        mirror.position("shop")
        mirror.apply(stream(20, ORDERS, [one("1")]))
        assert rows(warehouse) == [(1, "a", None)]
        mirror.apply(stream(21, wider, [insert(id="3", qty="5")]))
        assert rows(warehouse) == [(1, "a", None, None), (3, None, None, 5)]

    def test_a_dropped_column_stays_and_is_null_in_new_rows(self, mirror: Mirror, warehouse: Warehouse) -> None:
        begin(mirror, ORDERS)
        mirror.apply(stream(20, ORDERS, [insert(id="1", name="a", big="B")]))
        mirror.apply(stream(21, with_columns(("big", "text")), [insert(id="2", big="C")]))
        assert rows(warehouse) == [(1, "a", "B"), (2, None, "C")]

    def test_a_table_that_changed_after_its_snapshot_is_still_streaming(
        self, mirror: Mirror, warehouse: Warehouse
    ) -> None:
        begin(mirror, ORDERS)
        mirror.apply(stream(20, with_columns(("big", "text")), [insert(id="2", big="C")]))
        with warehouse.cursor() as cursor:
            assert cursor.execute("SELECT state FROM meta.tables").fetchall() == [("streaming",)]

    def test_a_wider_varchar_is_no_change(self, mirror: Mirror, warehouse: Warehouse) -> None:
        begin(mirror, relation(columns=[("id", "int8"), ("name", "1043")], typmods={"name": 14}))
        mirror.apply(stream(20, relation(columns=[("id", "int8"), ("name", "1043")]), [insert(id="1", name="x" * 30)]))
        assert rows(warehouse) == [(1, "x" * 30)]

    @pytest.mark.parametrize(
        ("version", "words"),
        [
            (with_columns(("name", "int4"), ("big", "text")), "another type for name: type 25 before, type 23 now"),
            (with_columns(("title", "text"), ("big", "text")), "lost name and got title at once"),
            (relation(oid=1001), "was dropped and created again"),
            (relation("public.papers"), r"is called public\.papers now"),
            (relation(identity=ReplicaIdentity.NOTHING), "has no key in the log"),
        ],
    )
    def test_what_cannot_be_followed_stops_its_table_alone(
        self, mirror: Mirror, warehouse: Warehouse, version: Relation, words: str
    ) -> None:
        begin(mirror, ORDERS, LINES)
        mirror.apply(stream(15, ORDERS, [one("1")]))
        first = table_changes(ORDERS, [one("2")], lsn=19)
        second = table_changes(version, [insert(id="3"), TRUNCATE], first_seq=1, lsn=20)
        mirror.apply(batch(20, first, second, table_changes(LINES, [one("7")], first_seq=3)))
        mirror.apply(batch(30, table_changes(version, [delete(id="1")]), table_changes(LINES, [one("8")], first_seq=1)))
        assert (keys(warehouse), keys(warehouse, "shop.lines")) == ([1, 2], [7, 8])
        (record,) = mirror.stopped("shop").values()
        assert re.search(words, record.problem)
        assert "`causeway copy shop public.orders` copies it anew" in record.problem
        assert (record.stopped_at, record.skipped_rows) == (Lsn(20), 3)

    def test_a_stopped_table_stays_stopped_after_a_restart(self, mirror: Mirror, warehouse: Warehouse) -> None:
        begin(mirror, ORDERS)
        mirror.apply(stream(20, relation(oid=1001), [one("3")]))
        mirror.close()
        mirror.apply(stream(30, ORDERS, [one("4")]))
        mirror.apply(stream(40, relation(oid=1001), [one("5")]))
        assert keys(warehouse) == []
        assert [(one.stopped_at, one.skipped_rows) for one in mirror.stopped("shop").values()] == [(Lsn(20), 3)]

    def test_a_stop_is_forgotten_with_its_rolled_back_batch(self, mirror: Mirror, warehouse: Warehouse) -> None:
        begin(mirror, ORDERS)
        mirror.apply(batch(20, table_changes(relation(oid=1001), [one("3")]), complete=False))
        mirror.rollback()
        mirror.position("shop")
        assert not mirror.stopped("shop")
        mirror.apply(stream(20, ORDERS, [one("1")]))
        assert keys(warehouse) == [1]

    def test_a_table_that_came_later_is_named_and_holds_up_nothing(self, mirror: Mirror, warehouse: Warehouse) -> None:
        begin(mirror, ORDERS)
        mirror.apply(batch(20, table_changes(ORDERS, [one("1")]), table_changes(LINES, [one("7")], first_seq=1)))
        assert keys(warehouse) == [1]
        assert "has no mirror yet" in mirror.stopped("shop")["public.lines"].problem

    def test_a_column_dropped_and_added_again_under_its_name_is_another(
        self, mirror: Mirror, warehouse: Warehouse
    ) -> None:
        begin(mirror, ORDERS)
        mirror.apply(stream(20, ORDERS, [insert(id="1", name="a", big="A")]))
        mirror.apply(stream(21, with_columns(("big", "text")), [insert(id="2", big="B")]))
        mirror.apply(stream(22, with_columns(("big", "text"), ("name", "int4")), [insert(id="3", big="C", name="3")]))
        assert rows(warehouse) == [(1, "a", "A", None), (2, None, "B", None), (3, None, "C", 3)]
        with warehouse.cursor() as cursor:
            assert cursor.execute('SELECT "column", dropped_at FROM meta.dropped_columns').fetchall() == [
                ("name_dropped_1", "0/15")
            ]

    def test_another_key_is_followed_and_kept_texts_with_it(self, mirror: Mirror, warehouse: Warehouse) -> None:
        begin(mirror, PRICED)
        mirror.apply(stream(20, PRICED, [insert(id="1", price="NaN", name="a"), insert(id="2", price="NaN", name="b")]))
        rekeyed = relation(columns=[("id", "int8"), ("price", "numeric"), ("name", "text")], key=["name"])
        mirror.apply(stream(21, rekeyed, [update(id="9", price="5", name="a"), delete(name="b")]))
        assert rows(warehouse) == [(9, 5, "a")]
        assert rows(warehouse, "meta.value_exceptions") == []

    @pytest.mark.parametrize(
        ("before", "now", "values", "held"),
        [
            ("21", "20", ["1", "5000000000"], [1, 5000000000]),
            ("700", "701", ["0.1", "1e300"], [0.10000000149011612, 1e300]),
            ("1005", "1016", ["{1,NULL}", "{5000000000}"], [[1, None], [5000000000]]),
        ],
    )
    def test_a_wider_type_is_taken_over(
        self, mirror: Mirror, warehouse: Warehouse, before: str, now: str, values: list[str], held: list[Any]
    ) -> None:
        begin(mirror, with_columns(("v", before)))
        mirror.apply(stream(20, with_columns(("v", before)), [insert(id="1", v=values[0])]))
        mirror.apply(stream(21, with_columns(("v", now)), [insert(id="2", v=values[1])]))
        assert [row[1] for row in rows(warehouse)] == held


class TestValueExceptions:
    @pytest.fixture
    def kept(self, mirror: Mirror, warehouse: Warehouse) -> Callable[[], list[tuple[str, ...]]]:
        begin(mirror, PRICED)

        def read() -> list[tuple[str, ...]]:
            with warehouse.cursor() as cursor:
                return cursor.execute(
                    'SELECT key, "column", lsn, text FROM meta.value_exceptions ORDER BY ALL'
                ).fetchall()

        return read

    def apply(self, mirror: Mirror, lsn: int, *changes: Any) -> None:
        mirror.apply(stream(lsn, PRICED, list(changes)))

    def test_what_a_type_cannot_hold_is_null_and_kept_as_text(
        self, mirror: Mirror, warehouse: Warehouse, kept: Callable[[], list[tuple[str, ...]]]
    ) -> None:
        self.apply(
            mirror, 0x20, insert(id="1", price="NaN"), insert(id="2", price="1.00000000000"), insert(id="3", price=None)
        )
        self.apply(mirror, 0x21, insert(id="4", price="0.12345678901"))
        assert [row[1] for row in rows(warehouse)] == [None, 1, None, None]
        assert kept() == [("1", "price", "0/20", "NaN"), ("4", "price", "0/21", "0.12345678901")]

    def test_texts_go_with_their_rows(self, mirror: Mirror, kept: Callable[[], list[tuple[str, ...]]]) -> None:
        self.apply(mirror, 20, *(insert(id=str(key), price="NaN") for key in range(1, 5)))
        self.apply(mirror, 21, update(id="1", price="5"), delete(id="2"), update(id="3", price="Infinity"))
        assert [(row[0], row[3]) for row in kept()] == [("3", "Infinity"), ("4", "NaN")]

    def test_what_is_kept_is_counted(
        self, mirror: Mirror, warehouse: Warehouse, kept: Callable[[], list[tuple[str, ...]]]
    ) -> None:
        assert mirror.value_exceptions("shop") == 0
        self.apply(mirror, 20, insert(id="1", price="NaN"), insert(id="2", price="NaN"), insert(id="3", price="1"))
        assert mirror.value_exceptions("shop") == 2
        self.apply(mirror, 21, delete(id="1"), update(id="3", price="Infinity"))
        assert mirror.value_exceptions("shop") == 2
        mirror.apply(batch(22, table_changes(PRICED, [insert(id="9", price="NaN")]), complete=False))
        mirror.rollback()
        assert mirror.position("shop") is not None
        assert mirror.value_exceptions("shop") == 2
        self.apply(mirror, 23, TRUNCATE)
        assert mirror.value_exceptions("shop") == 0
        self.apply(mirror, 24, insert(id="1", price="NaN"))
        mirror.close()
        with warehouse.cursor() as cursor:  # a history keeps the texts of its own rows, old ones too
            cursor.execute(
                "INSERT INTO meta.value_exceptions SELECT * REPLACE ('history_shop' AS \"schema\") FROM meta.value_exceptions"
            )
        again = Mirror(warehouse)
        assert again.position("shop") is not None
        assert again.value_exceptions("shop") == 1
        again.close()

    def test_the_text_of_an_unchanged_value_stays_and_moves_with_its_row(
        self, mirror: Mirror, warehouse: Warehouse, kept: Callable[[], list[tuple[str, ...]]]
    ) -> None:
        self.apply(mirror, 20, insert(id="1", price="NaN", name="a"), insert(id="2", price="NaN", name="b"))
        self.apply(mirror, 21, update("price", id="1", name="z"), move({"id": "2"}, "price", id="9", name="b"))
        assert rows(warehouse) == [(1, None, "z"), (9, None, "b")]
        assert [(row[0], row[2], row[3]) for row in kept()] == [("1", "0/14", "NaN"), ("9", "0/14", "NaN")]

    def apply_composite(self, mirror: Mirror) -> None:
        of = relation("public.rates", [("a", "int8"), ("b", "text"), ("v", "numeric")], ["a", "b"], oid=77)
        begin(mirror, of, source="market")
        mirror.apply(stream(20, of, [insert(a="1", b='x"', v="NaN")], source="market"))
        mirror.apply(stream(21, of, [update(a="1", b='x"', v="-Infinity")], source="market"))

    def test_a_key_of_several_columns_is_a_list(
        self, mirror: Mirror, kept: Callable[[], list[tuple[str, ...]]]
    ) -> None:
        self.apply_composite(mirror)
        assert [(row[0], row[3]) for row in kept()] == [('["1","x\\""]', "-Infinity")]

    @pytest.mark.parametrize("change", [insert(v="NaN", n="x"), update(v="NaN", n="x"), delete(v="NaN")])
    def test_a_key_that_does_not_fit_stops_its_table_with_nothing_of_the_batch_in_it(
        self, mirror: Mirror, warehouse: Warehouse, change: Any
    ) -> None:
        of = relation("public.odd", [("v", "numeric"), ("n", "text")], ["v"], oid=78)
        begin(mirror, of, ORDERS, source="market")
        mirror.apply(stream(20, of, [insert(v="1")], source="market"))
        poison = table_changes(of, [TRUNCATE, insert(v="2"), change], lsn=30)
        mirror.apply(batch(30, poison, table_changes(ORDERS, [one("7")], first_seq=3), source="market"))
        assert (rows(warehouse, "market.odd"), keys(warehouse, "market.orders")) == ([(1, None)], [7])
        (record,) = mirror.stopped("market").values()
        assert "has a value in its key" in record.problem
        assert (record.stopped_at, record.skipped_rows) == (Lsn(30), 3)


def test_a_relation_is_stored_as_it_was_announced(mirror: Mirror, warehouse: Warehouse) -> None:
    begin(mirror, ORDERS)
    with warehouse.cursor() as cursor:
        stored = cursor.execute("SELECT mirror_schema, table_name, state FROM meta.tables").fetchall()
    assert stored == [("shop", "orders", "streaming")]


def test_until_a_copied_table_is_exact_an_insert_of_a_row_that_is_there_replaces_it(
    mirror: Mirror, warehouse: Warehouse
) -> None:
    begin(mirror, ORDERS)
    mirror.apply(stream(20, ORDERS, [one("1", "copied"), one("2")]))
    with warehouse.cursor() as cursor:
        write_record(cursor, "shop", TableRecord(relation=ORDERS, state=TableState.COPYING, exact_from=Lsn(30)))
    mirror.close()
    mirror.apply(stream(25, ORDERS, [one("1", "before")]))
    mirror.apply(stream(30, ORDERS, [one("1", "again"), one("3")]))
    mirror.apply(stream(40, ORDERS, [one("4")]))
    assert [row[:2] for row in rows(warehouse)] == [(1, "again"), (2, "a"), (3, "a"), (4, "a")]


def test_totals_are_counted_over_pieces(mirror: Mirror, warehouse: Warehouse) -> None:
    begin(mirror, ORDERS)
    pieces: list[ChangeBatch] = [
        batch(30, table_changes(ORDERS, [one("1"), one("2")]), complete=False),
        batch(30, table_changes(ORDERS, [one("3")])),
    ]
    for piece in pieces:
        mirror.apply(piece)
    with warehouse.cursor() as cursor:
        assert cursor.execute("SELECT applied_rows, applied_transactions FROM meta.positions").fetchall() == [(3, 2)]
