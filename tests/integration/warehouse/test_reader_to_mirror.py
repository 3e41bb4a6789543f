"""From a real log into the mirror: after any traffic, source and mirror have equal checksums, exact values included."""

from __future__ import annotations

import random

import pytest

from cdc.batch import ChangeBatch, Position
from cdc.catalog import describe
from cdc.checksum import bucket_checksums as source_checksums
from cdc.relation import Relation
from tests.fixtures.capture import CapturedDatabase, Replay, captured
from tests.fixtures.postgres import FreshDatabase
from tests.integration.transforms.oracle import prepare
from warehouse.checksum import bucket_checksums, postgres_expressions
from warehouse.mirror import Mirror
from warehouse.store import Warehouse

LONG = "(SELECT string_agg(md5(random()::text), '') FROM generate_series(1, 120))"
TABLES = (
    """CREATE TABLE public.docs (id int, part text, body text, doc jsonb, huge numeric, n numeric(12,2), at timestamptz,
        tags text[], PRIMARY KEY (part, id))""",
    "ALTER TABLE docs ALTER body SET STORAGE EXTERNAL",
    "ALTER TABLE docs ALTER huge SET STORAGE EXTERNAL",
    'CREATE TABLE public."Full Rows" (id int PRIMARY KEY, body text, amount numeric)',
    'ALTER TABLE "Full Rows" REPLICA IDENTITY FULL',
    'ALTER TABLE "Full Rows" ALTER body SET STORAGE EXTERNAL',
    f"""INSERT INTO docs SELECT i, 'p' || i % 3, {LONG}, jsonb_build_object('i', i), i / 7.0, i, now(), ARRAY['a', NULL]
        FROM generate_series(1, 200) AS i""",
    f'INSERT INTO "Full Rows" SELECT i, {LONG}, i FROM generate_series(1, 100) AS i',
)
# What each round picks from; a huge numeric is TOASTed, and held by no DuckDB type.
STATEMENTS = (
    "UPDATE docs SET n = n + 1 WHERE id % 5 = {k} % 5",
    f"UPDATE docs SET body = {LONG} WHERE id % 9 = {{k}} % 9",
    "UPDATE docs SET body = NULL WHERE id % 31 = {k} % 31",
    "UPDATE docs SET huge = (repeat('7', 6000) || '.5')::numeric WHERE id % 17 = {k} % 17",
    """UPDATE docs SET id = id + 10000, n = 'NaN' WHERE id % 13 = {k} % 13
        AND NOT EXISTS (SELECT FROM docs AS d WHERE d.id = docs.id + 10000 AND d.part = docs.part)""",
    "DELETE FROM docs WHERE id % 23 = {k} % 23",
    f"""INSERT INTO docs SELECT 3000 + {{k}} * 50 + i, 'p', {LONG}, jsonb_build_object(), 'NaN', 1, 'infinity',
        ARRAY[ARRAY['a'], ARRAY['b']] FROM generate_series(1, 20) AS i ON CONFLICT DO NOTHING""",
    'UPDATE "Full Rows" SET amount = amount * 1.0000000000001 WHERE id % 4 = {k} % 4',
    'UPDATE "Full Rows" SET id = -id WHERE id % 6 = {k} % 6',
    'DELETE FROM "Full Rows" WHERE id % 19 = {k} % 19',
    f'INSERT INTO "Full Rows" SELECT 500 + {{k}}, {LONG}, 1 ON CONFLICT DO NOTHING',
)


class MirrorReplay(Replay):
    """A replay whose tables are the mirror's."""

    typed_copies = True

    def __init__(self, mirror: Mirror) -> None:
        super().__init__()
        self.mirror = mirror

    def apply(self, batch: ChangeBatch) -> None:
        self.mirror.apply(batch)
        self.position: Position | None = self.mirror.position("shop")


class Pipeline:
    def __init__(
        self, database: FreshDatabase, mirror: Mirror, warehouse: Warehouse, *tables: str, **capture: int
    ) -> None:
        self.source: CapturedDatabase = captured(database, tables, *TABLES, **capture)
        self.source.replay = MirrorReplay(mirror)
        self.warehouse = warehouse
        mirror.begin_snapshot("shop", self.relations())

    def relations(self) -> tuple[Relation, ...]:
        with self.source.database.connect() as connection:
            return describe(connection, [table.name for table in self.source.tables])

    def assert_equal(self) -> None:
        with self.source.database.connect() as connection:
            prepare(connection)
            for relation in self.relations():
                expected = source_checksums(connection, relation, postgres_expressions(relation), digits=1)
                found = bucket_checksums(self.warehouse, "shop", relation, digits=1)
                assert {name: (one.rows, one.hash_sum) for name, one in found.items()} == {
                    name: (one.rows, one.hash_sum) for name, one in expected.items()
                }, relation.qualified_name


@pytest.mark.parametrize(("seed", "batch_bytes"), [(1, 2**24), (2, 2**16)])
def test_random_transactions_leave_an_exact_mirror(
    database: FreshDatabase, mirror: Mirror, warehouse: Warehouse, seed: int, batch_bytes: int
) -> None:
    pipeline = Pipeline(database, mirror, warehouse, "public.docs", "public.Full Rows", batch_bytes=batch_bytes)
    pipeline.source.catch_up()
    pipeline.assert_equal()
    picks = random.Random(seed)
    for _ in range(5):
        for _ in range(4):
            chosen = [picks.choice(STATEMENTS).format(k=picks.randrange(100)) for _ in range(picks.randrange(1, 6))]
            pipeline.source.transaction(*chosen)
        pipeline.source.catch_up()
        pipeline.assert_equal()


def test_a_column_added_between_changes_is_followed(
    database: FreshDatabase, mirror: Mirror, warehouse: Warehouse
) -> None:
    pipeline = Pipeline(database, mirror, warehouse, "public.docs")
    pipeline.source.catch_up()
    pipeline.source.transaction(
        "UPDATE docs SET n = 5 WHERE id = 7",
        "ALTER TABLE docs ADD extra text",
        "UPDATE docs SET extra = 'x' WHERE id < 9",
    )
    pipeline.source.catch_up()
    pipeline.assert_equal()


def test_a_column_added_in_the_middle_of_a_transaction_of_many_pieces_is_followed(
    database: FreshDatabase, mirror: Mirror, warehouse: Warehouse
) -> None:
    pipeline = Pipeline(database, mirror, warehouse, "public.docs", batch_bytes=2**16)
    pipeline.source.catch_up()
    pipeline.source.transaction(
        f"UPDATE docs SET body = {LONG} WHERE id < 150",
        "ALTER TABLE docs ADD extra text",
        f"UPDATE docs SET body = {LONG}, extra = 'x' WHERE id > 100",
    )
    batches = pipeline.source.catch_up()
    assert any(not batch.complete and batch.row_count for batch in batches)
    pipeline.assert_equal()
