"""Every kind of row change arrives as it was made: keys, replica identities, TOAST, truncates, names and DDL."""

from __future__ import annotations

import pytest

from tests.fixtures.capture import captured, rows_of
from tests.fixtures.postgres import EVERY_POSTGRES, FreshDatabase

pytestmark = EVERY_POSTGRES

ORDERS = "CREATE TABLE public.orders (id int PRIMARY KEY, note text, total numeric(12,2))"
LONG = "repeat(md5(random()::text), 400)"  # long enough for TOAST, and not compressible


@pytest.mark.case("replica identity default", "rows are told apart by the primary key")
def test_inserts_updates_and_deletes_after_a_snapshot_add_up_to_the_table(database: FreshDatabase) -> None:
    source = captured(
        database, ["public.orders"], ORDERS, "INSERT INTO orders SELECT g, 'n' || g, g FROM generate_series(1, 500) g"
    )
    source.catch_up()
    source.assert_equal()
    source.execute(
        "INSERT INTO orders VALUES (501, NULL, NULL), (502, '', 0)",
        "UPDATE orders SET note = repeat('long ', id) WHERE id % 7 = 0",
        "DELETE FROM orders WHERE id % 5 = 0",
    )
    batches = source.catch_up()
    assert sum(batch.transactions for batch in batches) == 3
    source.assert_equal()


def test_several_updates_of_one_row_in_one_transaction_keep_their_order(database: FreshDatabase) -> None:
    source = captured(database, ["public.orders"], ORDERS)
    source.catch_up()
    source.transaction(
        *["INSERT INTO orders VALUES (1, 'v0')", *[f"UPDATE orders SET note = 'v{n}'" for n in range(1, 9)]]
    )
    rows = rows_of(source.catch_up())
    assert [row["note"] for row in rows] == [f"v{n}" for n in range(9)]
    assert len({row["_lsn"] for row in rows}) == len({row["_xid"] for row in rows}) == 1
    assert source.replay.position is not None
    assert rows[0]["_lsn"] <= source.replay.position.lsn


@pytest.mark.case(
    "a changed primary key",
    "the old key's delete and the new key's insert, in their order; what was not sent moves along",
)
def test_a_changed_key_comes_as_the_old_ones_delete_and_the_new_ones_insert(database: FreshDatabase) -> None:
    source = captured(database, ["public.orders"], ORDERS, "INSERT INTO orders VALUES (1, 'a'), (2, 'b')")
    source.catch_up()
    source.transaction("UPDATE orders SET id = 3 WHERE id = 1", "UPDATE orders SET id = 1 WHERE id = 2")
    batches = source.catch_up()
    rows = rows_of(batches)
    assert [(row["_op"], row["id"], row["note"]) for row in rows] == [
        ("d", "1", None), ("i", "3", "a"), ("d", "2", None), ("i", "1", "b"),
    ]  # fmt: skip
    (part,) = batches[0].changes
    assert part.moved is not None
    assert part.moved.tolist() == [False, True, False, True]
    source.assert_equal()


@pytest.mark.case(
    "unchanged TOAST in an insert and a partial update of one batch",
    "the value of the insert stays; a mask says which values were not sent",
)
@pytest.mark.case("TOAST changed, then unchanged", "the changed value stays")
@pytest.mark.case("an explicit NULL in a TOAST column", "NULL, told apart from a value that was not sent")
@pytest.mark.case("unchanged TOAST in arrays and jsonb", "as of text: the old value stays")
def test_unchanged_toast_is_told_apart_from_null(database: FreshDatabase) -> None:
    source = captured(
        database,
        ["public.docs"],
        "CREATE TABLE public.docs (id int PRIMARY KEY, body text, tags text[], more jsonb, n int)",
        "ALTER TABLE docs ALTER body SET STORAGE EXTERNAL",
        f"INSERT INTO docs SELECT g, {LONG}, ARRAY[{LONG}], jsonb_build_object('k', {LONG}), 0 FROM generate_series(1, 20) g",
    )
    source.catch_up()
    source.transaction(
        "UPDATE docs SET n = 1 WHERE id = 1",
        "UPDATE docs SET body = NULL WHERE id = 2",
        f"UPDATE docs SET body = {LONG} WHERE id = 3",
        "UPDATE docs SET n = 2 WHERE id = 3",
        f"INSERT INTO docs VALUES (30, {LONG}, NULL, NULL, 0)",
        "UPDATE docs SET n = 5 WHERE id = 30",
        "UPDATE docs SET id = 40, n = 6 WHERE id = 4",
    )
    batches = source.catch_up()
    (part,) = batches[0].changes
    assert part.unchanged["body"].tolist() == [True, False, False, True, False, True, False, True]
    source.assert_equal()


@pytest.mark.case("replica identity full", "told apart by the primary key where there is one, else by the whole row")
@pytest.mark.case("unchanged TOAST under REPLICA IDENTITY FULL", "taken from the old row, which has it")
@pytest.mark.parametrize("key", ["PRIMARY KEY", ""])
def test_replica_identity_full_gives_whole_old_rows(database: FreshDatabase, key: str) -> None:
    source = captured(
        database,
        ["public.docs"],
        f"CREATE TABLE public.docs (id int {key}, body text, n int)",
        "ALTER TABLE docs REPLICA IDENTITY FULL",
        "ALTER TABLE docs ALTER body SET STORAGE EXTERNAL",
        f"INSERT INTO docs SELECT g, {LONG}, 0 FROM generate_series(1, 5) g",
    )
    source.catch_up()
    source.transaction(
        "UPDATE docs SET n = 1 WHERE id < 3", "DELETE FROM docs WHERE id = 4", "UPDATE docs SET body = 'b' WHERE id = 5"
    )
    batches = source.catch_up()
    (part,) = batches[0].changes
    assert not part.unchanged, "the old row has the value that the new one leaves out"
    deleted = [row for row in rows_of(batches) if row["_op"] == "d" and row["id"] == "4"]
    assert deleted[0]["body"]
    assert [row["_op"] for row in rows_of(batches)] == (
        ["u", "u", "d", "u"] if key else ["d", "i", "d", "i", "d", "d", "i"]
    )
    source.assert_equal()


@pytest.mark.case(
    "replica identity index, where the key is not the primary key", "rows are told apart by the index's columns"
)
def test_replica_identity_index_names_the_key(database: FreshDatabase) -> None:
    source = captured(
        database,
        ["public.lines"],
        "CREATE TABLE public.lines (id int PRIMARY KEY, code text NOT NULL, n int)",
        "CREATE UNIQUE INDEX by_code ON lines (code)",
        "ALTER TABLE lines REPLICA IDENTITY USING INDEX by_code",
        "INSERT INTO lines VALUES (1, 'a', 0), (2, 'b', 0)",
    )
    source.catch_up()
    source.transaction(
        "UPDATE lines SET id = 10 WHERE code = 'a'",
        "UPDATE lines SET code = 'c' WHERE id = 2",
        "DELETE FROM lines WHERE id = 10",
    )
    rows = rows_of(source.catch_up())
    assert [(row["_op"], row["code"]) for row in rows] == [("u", "a"), ("d", "b"), ("i", "c"), ("d", "a")]
    source.assert_equal()


@pytest.mark.case("composite keys declared in another order", "taken by name; the order does not matter")
def test_composite_keys_may_be_declared_in_another_order(database: FreshDatabase) -> None:
    source = captured(
        database,
        ["public.lines"],
        "CREATE TABLE public.lines (note text, line_no int, order_id int, PRIMARY KEY (order_id, line_no))",
        "INSERT INTO lines SELECT 'x', l, o FROM generate_series(1, 3) l, generate_series(1, 3) o",
    )
    source.catch_up()
    source.transaction(
        "UPDATE lines SET order_id = 9 WHERE order_id = 1 AND line_no = 2", "DELETE FROM lines WHERE line_no = 3"
    )
    source.catch_up()
    source.assert_equal()


def test_an_external_key_value_that_did_not_change_is_no_move(database: FreshDatabase) -> None:
    source = captured(
        database,
        ["public.docs"],
        "CREATE TABLE public.docs (k text PRIMARY KEY, n int)",
        "ALTER TABLE docs ALTER k SET STORAGE EXTERNAL",
        "INSERT INTO docs VALUES (repeat('k', 2500), 1), (repeat('k', 2499) || 'z', 1)",
    )
    source.catch_up()
    source.transaction(
        "UPDATE docs SET n = 2", "UPDATE docs SET k = repeat('k', 2400) || repeat('y', 100) WHERE k LIKE '%z'"
    )
    assert [row["_op"] for row in rows_of(source.catch_up())] == ["u", "u", "d", "i"]
    source.assert_equal()


@pytest.mark.case(
    "TRUNCATE then INSERT in one transaction", "the truncate empties the table where it stands among the changes"
)
@pytest.mark.case("TRUNCATE of several tables", "each is emptied")
@pytest.mark.case("TRUNCATE CASCADE", "the tables that it reaches are emptied too")
def test_truncates_stand_where_they_were_made(database: FreshDatabase) -> None:
    source = captured(
        database,
        ["public.a", "public.b", "public.c"],
        "CREATE TABLE public.a (id int PRIMARY KEY)",
        "CREATE TABLE public.b (id int PRIMARY KEY, a int REFERENCES a)",
        "CREATE TABLE public.c (id int PRIMARY KEY)",
        "INSERT INTO a VALUES (1), (2)",
        "INSERT INTO b VALUES (1, 1)",
        "INSERT INTO c VALUES (7)",
    )
    source.catch_up()
    source.transaction(
        "INSERT INTO a VALUES (3)",
        "TRUNCATE a CASCADE",
        "INSERT INTO a VALUES (1), (4)",
        "UPDATE a SET id = 5 WHERE id = 4",
    )
    source.execute("TRUNCATE b, c", "INSERT INTO c VALUES (8)")
    source.catch_up()
    source.assert_equal()
    assert set(source.replay.tables["public.a"]) == {("1",), ("5",)}


@pytest.mark.case("names that are quoted, mixed-case or keywords", "taken as they are, of schemas, tables and columns")
def test_quoted_mixed_case_and_keyword_names_are_taken_as_they_are(database: FreshDatabase) -> None:
    source = captured(
        database,
        ["Sales Dept.Order Lines", 'odd"one.select'],
        'CREATE SCHEMA "Sales Dept"',
        """CREATE TABLE "Sales Dept"."Order Lines" ("ID" int PRIMARY KEY, "from" text, "a ""b"" c" int, "100%s" text)""",
        """CREATE SCHEMA "odd""one" """,
        """CREATE TABLE "odd""one"."select" ("order" int PRIMARY KEY, "é" text)""",
        """INSERT INTO "Sales Dept"."Order Lines" VALUES (1, 'x', 2, 'p')""",
    )
    source.catch_up()
    source.execute(
        """INSERT INTO "odd""one"."select" VALUES (1, 'ü')""",
        'UPDATE "Sales Dept"."Order Lines" SET "from" = upper("from")',
    )
    source.catch_up()
    source.assert_equal()


@pytest.mark.case(
    "DDL between changes of one transaction", "each row comes with the version of its table that it was written under"
)
@pytest.mark.case("a column dropped and added again under the same name", "another version, with the new type")
def test_ddl_between_changes_of_one_transaction_gives_each_row_its_version(database: FreshDatabase) -> None:
    source = captured(database, ["public.orders"], ORDERS, "INSERT INTO orders VALUES (1, 'a', 1)")
    source.catch_up()
    source.transaction(
        "INSERT INTO orders VALUES (2, 'b', 2)",
        "ALTER TABLE orders ADD COLUMN channel varchar(10) DEFAULT 'web', DROP COLUMN note",
        "INSERT INTO orders (id, channel) VALUES (3, 'shop')",
        "ALTER TABLE orders DROP COLUMN channel",
        "ALTER TABLE orders ADD COLUMN channel numeric(10,3)",
        "INSERT INTO orders (id, channel) VALUES (4, 1.5)",
        "UPDATE orders SET total = 9 WHERE id = 2",
    )
    batches = source.catch_up()
    parts = batches[0].changes
    assert len(batches) == 1
    assert [part.relation.column_names for part in parts] == [
        ("id", "note", "total"),
        ("id", "total", "channel"),
        ("id", "total", "channel"),
    ]
    assert [part.relation.columns[-1].type_name for part in parts] == [
        "numeric(12,2)",
        "character varying(10)",
        "numeric(10,3)",
    ]
    assert [[row["id"] for row in part.rows.to_pylist()] for part in parts] == [["2"], ["3"], ["4", "2"]]


@pytest.mark.case("a column renamed")
@pytest.mark.case("a changed type or modifier")
def test_a_renamed_column_and_a_changed_type_make_new_versions(database: FreshDatabase) -> None:
    source = captured(database, ["public.orders"], ORDERS)
    source.catch_up()
    source.execute(
        "INSERT INTO orders VALUES (1, 'a', 1)",
        "ALTER TABLE orders RENAME note TO remark",
        "INSERT INTO orders VALUES (2, 'b', 2)",
        "ALTER TABLE orders ALTER total TYPE numeric(20,4)",
        "INSERT INTO orders VALUES (3, 'c', 3)",
    )
    parts = [part for batch in source.catch_up() for part in batch.changes if part.rows.num_rows]
    types = [(part.relation.column_names[1], part.relation.columns[2].type_name) for part in parts]
    assert types[0] == ("note", "numeric(12,2)")
    assert types[-1] == ("remark", "numeric(20,4)")


@pytest.mark.case(
    "DROP and CREATE of the same table",
    "stops alone until it is published and copied again: the new table is not part of the publication",
)
def test_a_table_dropped_and_created_again_is_in_trouble_until_it_is_published(database: FreshDatabase) -> None:
    source = captured(database, ["public.orders", "public.kept"], ORDERS, "CREATE TABLE kept (id int PRIMARY KEY)")
    source.catch_up()
    source.execute("INSERT INTO orders VALUES (1)", "DROP TABLE orders", ORDERS, "INSERT INTO orders VALUES (2)")
    source.execute("INSERT INTO kept VALUES (1)")
    reader = source.reader()
    relations = reader.open(source.replay.position, source.end())
    assert [relation.qualified_name for relation in relations] == ["public.kept"]
    assert "is not in the publication" in reader.troubles["public.orders"]
    source.drain(reader)
    reader.close()
    source.assert_equal("public.kept")


@pytest.mark.case("DROP and CREATE of the same table")
def test_a_dropped_and_published_table_comes_with_its_new_oid(database: FreshDatabase) -> None:
    source = captured(database, ["public.orders"], ORDERS)
    source.catch_up()
    source.execute(
        "INSERT INTO orders VALUES (1)",
        "DROP TABLE orders",
        "CREATE TABLE orders (id bigint PRIMARY KEY)",
        f"ALTER PUBLICATION {source.slot} ADD TABLE ONLY orders",
        "INSERT INTO orders VALUES (2)",
    )
    parts = [part for batch in source.catch_up() for part in batch.changes]
    assert len({part.relation.oid for part in parts}) == 2
    assert sorted(row["id"] for part in parts for row in part.rows.to_pylist()) == ["1", "2"]


@pytest.mark.case("partitions with another column order", "columns are matched by name")
def test_partitions_come_under_their_roots_name_and_columns(database: FreshDatabase) -> None:
    source = captured(
        database,
        ["public.sales"],
        "CREATE TABLE sales (day date, id int, note text, PRIMARY KEY (day, id)) PARTITION BY RANGE (day)",
        "CREATE TABLE sales_1 PARTITION OF sales FOR VALUES FROM ('2024-01-01') TO ('2025-01-01')",
        "CREATE TABLE sales_2 (note text, junk int, id int NOT NULL, day date NOT NULL)",
        "ALTER TABLE sales_2 DROP COLUMN junk",
        "ALTER TABLE sales ATTACH PARTITION sales_2 FOR VALUES FROM ('2025-01-01') TO ('2026-01-01')",
        "INSERT INTO sales VALUES ('2024-05-05', 1, 'a'), ('2025-05-05', 2, 'b')",
    )
    source.catch_up()
    source.assert_equal()
    source.execute(
        "INSERT INTO sales VALUES ('2025-06-06', 3, 'c')",
        "UPDATE sales SET note = 'moved', day = '2024-06-06' WHERE id = 2",
        "DELETE FROM sales WHERE id = 1",
    )
    source.catch_up()
    source.assert_equal()


def test_tables_that_inherit_are_left_out(database: FreshDatabase) -> None:
    source = captured(
        database,
        ["public.base"],
        "CREATE TABLE base (id int PRIMARY KEY)",
        "CREATE TABLE derived (more int) INHERITS (base)",
        "INSERT INTO base VALUES (1)",
        "INSERT INTO derived VALUES (2, 2)",
    )
    source.catch_up()
    source.execute("INSERT INTO derived VALUES (3, 3)", "INSERT INTO base VALUES (4)")
    source.catch_up()
    assert set(source.replay.tables["public.base"]) == {("1",), ("4",)}


@pytest.mark.case("stored generated columns", "left out: Postgres publishes none, and the snapshot takes none")
def test_generated_columns_are_not_there_in_the_snapshot_nor_in_the_stream(
    database: FreshDatabase, postgres_version: int
) -> None:
    virtual = ", virtual int GENERATED ALWAYS AS (id * 3)" if postgres_version >= 18 else ""
    source = captured(
        database,
        ["public.g"],
        f"CREATE TABLE g (id int PRIMARY KEY, twice int GENERATED ALWAYS AS (id * 2) STORED{virtual}, n int)",
        "INSERT INTO g VALUES (1)",
    )
    source.catch_up()
    source.execute("INSERT INTO g (id, n) VALUES (2, 5)")
    assert list(rows_of(source.catch_up())[0])[5:] == ["id", "n", "_table"]
    source.assert_equal()


@pytest.mark.case("an enum value added while streaming", "arrives as its label")
def test_an_enum_value_added_while_streaming_arrives(database: FreshDatabase) -> None:
    source = captured(
        database, ["public.e"], "CREATE TYPE mood AS ENUM ('ok')", "CREATE TABLE e (id int PRIMARY KEY, m mood)"
    )
    source.catch_up()
    source.execute(
        "INSERT INTO e VALUES (1, 'ok')", "ALTER TYPE mood ADD VALUE 'bad'", "INSERT INTO e VALUES (2, 'bad')"
    )
    source.catch_up()
    source.assert_equal()


@pytest.mark.case("a DELETE of every row", "each row is deleted")
@pytest.mark.parametrize("identity", ["DEFAULT", "FULL"])
def test_a_delete_of_every_row_leaves_an_empty_table(database: FreshDatabase, identity: str) -> None:
    source = captured(
        database,
        ["public.orders"],
        ORDERS,
        f"ALTER TABLE orders REPLICA IDENTITY {identity}",
        "INSERT INTO orders SELECT g, 'n' || g, g FROM generate_series(1, 3000) g",
    )
    source.catch_up()
    source.execute("DELETE FROM orders")
    assert len(rows_of(source.catch_up())) == 3000
    assert source.replay.tables["public.orders"] == {}
    source.execute("INSERT INTO orders VALUES (1, 'again')")
    source.catch_up()
    source.assert_equal()


@pytest.mark.case(
    "nested partitions with publish_via_partition_root on", "rows come under the root's name, at any depth"
)
def test_partitions_of_partitions_come_under_their_roots_name(database: FreshDatabase) -> None:
    source = captured(
        database,
        ["public.sales"],
        "CREATE TABLE sales (day date, shop int, id int, PRIMARY KEY (day, shop, id)) PARTITION BY RANGE (day)",
        "CREATE TABLE y24 PARTITION OF sales FOR VALUES FROM ('2024-01-01') TO ('2025-01-01') PARTITION BY LIST (shop)",
        "CREATE TABLE y24_1 PARTITION OF y24 FOR VALUES IN (1)",
        "CREATE TABLE y24_2 PARTITION OF y24 DEFAULT",
        "INSERT INTO sales VALUES ('2024-05-05', 1, 1), ('2024-05-05', 7, 2)",
    )
    source.catch_up()
    source.assert_equal()
    source.execute(
        "INSERT INTO y24_1 VALUES ('2024-06-06', 1, 3)",
        "UPDATE sales SET shop = 9 WHERE id = 1",
        "DELETE FROM y24 WHERE id = 2",
    )
    source.catch_up()
    source.assert_equal()
    source.execute("TRUNCATE sales")
    source.catch_up()
    assert source.replay.tables["public.sales"] == {}


def test_rolled_back_savepoints_leave_nothing(database: FreshDatabase) -> None:
    source = captured(database, ["public.orders"], ORDERS)
    source.catch_up()
    source.transaction(
        "INSERT INTO orders VALUES (1, 'kept')",
        "SAVEPOINT s",
        "INSERT INTO orders SELECT g, repeat('x', 500) FROM generate_series(10, 3000) g",
        "ROLLBACK TO s",
        "INSERT INTO orders VALUES (2, 'kept too')",
    )
    assert len(rows_of(source.catch_up())) == 2
    source.assert_equal()


@pytest.mark.case(
    "changes after a logical decoding message, then a restart",
    "messages are no rows; what came behind one is neither lost nor repeated",
)
def test_logical_messages_are_no_rows(database: FreshDatabase) -> None:
    source = captured(database, ["public.orders"], ORDERS)
    source.catch_up()
    source.transaction(
        "SELECT pg_logical_emit_message(true, 'app', 'in a transaction')", "INSERT INTO orders VALUES (1)"
    )
    source.execute("SELECT pg_logical_emit_message(false, 'app', 'outside')", "INSERT INTO orders VALUES (2)")
    source.catch_up()
    source.assert_equal()
    source.execute("SELECT pg_logical_emit_message(false, 'app', 'the last one')")
    source.catch_up()
    source.execute("INSERT INTO orders VALUES (3)")
    assert [row["id"] for row in rows_of(source.catch_up())] == ["3"]
    source.assert_equal()
