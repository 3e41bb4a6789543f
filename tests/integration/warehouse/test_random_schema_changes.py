"""Random DDL between random work: each table of the mirror is what the source has, or has stopped and says why. Never a third thing."""

from __future__ import annotations

import random

import psycopg
import pytest

from tests.fixtures.postgres import FreshDatabase
from tests.integration.warehouse.test_schema_changes import Shop
from warehouse.store import Warehouse

pytestmark = pytest.mark.slow

NAMES = ("a", "b", "c", "d", "note", "qty", "price")
TYPES = (
    "int",
    "bigint",
    "smallint",
    "text",
    "varchar(30)",
    "numeric(10,2)",
    "numeric(14,4)",
    "numeric",
    "float8",
    "text[]",
)
DEFAULTS = (
    "",
    "",
    "DEFAULT NULL",
    "DEFAULT 7",
    "DEFAULT '7'",
    "DEFAULT '{x}'",
    "DEFAULT random()",
    "NOT NULL DEFAULT 3",
)


class Mischief:
    """Statements picked at random; those that Postgres refuses leave nothing."""

    def __init__(self, seed: int) -> None:
        self.picks = random.Random(seed)

    def change(self) -> str:
        name, other, kind = (self.picks.choice(each) for each in (NAMES, NAMES, TYPES))
        return self.picks.choice(
            (
                f"ALTER TABLE items ADD {name} {kind} {self.picks.choice(DEFAULTS)}",
                f"ALTER TABLE items ADD {name} {kind} {self.picks.choice(DEFAULTS)}",
                f"ALTER TABLE items DROP {name}",
                f"ALTER TABLE items RENAME {name} TO {other}",
                f"ALTER TABLE items ALTER {name} TYPE {kind}",
                f"ALTER TABLE items DROP {name}, ADD {name} {kind} {self.picks.choice(DEFAULTS)}",
                f"ALTER TABLE items ALTER {name} DROP DEFAULT",
                f"ALTER TABLE items REPLICA IDENTITY {self.picks.choice(('FULL', 'DEFAULT'))}",
                "TRUNCATE items",
                "VACUUM FULL items",
            )
        )

    def work(self) -> str:
        key = self.picks.randrange(60)
        return self.picks.choice(
            (
                f"UPDATE items SET sku = 'u{key}' WHERE id % 7 = {key} % 7",
                f"DELETE FROM items WHERE id % 11 = {key} % 11",
                f"INSERT INTO items (id, sku) SELECT 1000 + i, 'n' FROM generate_series({key}, {key} + 5) AS i ON CONFLICT DO NOTHING",
                f"UPDATE items SET id = id + 5000 WHERE id = {key}",
            )
        )


@pytest.mark.parametrize("seed", [*range(7), 106])
def test_the_mirror_is_right_or_says_that_it_is_not(database: FreshDatabase, warehouse: Warehouse, seed: int) -> None:
    mischief = Mischief(seed)
    shop = Shop(database, warehouse, **({"batch_rows": 3, "batch_bytes": 2**16} if seed % 3 == 0 else {}))
    for _ in range(6):
        for _ in range(mischief.picks.randrange(1, 4)):
            run(database, mischief)
        with database.connect(autocommit=True) as connection:
            connection.execute("INSERT INTO others VALUES (%s, 'x')", [1000 + mischief.picks.randrange(10**6)])
            connection.execute("UPDATE items SET sku = sku || '.'")
        shop.source.catch_up()
        shop.assert_equal("public.others")
        if "public.items" in shop.mirror.stopped("shop"):
            break
        shop.assert_equal("public.items")


def run(database: FreshDatabase, mischief: Mischief) -> None:
    """One transaction of work and changes; what Postgres refuses is left out of it."""
    with database.connect() as connection:
        for _ in range(mischief.picks.randrange(1, 6)):
            statement = mischief.change() if mischief.picks.random() < 0.4 else mischief.work()
            if statement.startswith("VACUUM"):
                connection.commit()
                connection.autocommit = True
                connection.execute(statement.encode())
                connection.autocommit = False
                continue
            try:
                with connection.transaction():
                    connection.execute(statement.encode())
            except psycopg.Error:
                continue
