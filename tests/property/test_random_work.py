"""Random transactions on a real Postgres, read in random portions: the replay always equals what Postgres renders."""

from __future__ import annotations

import random

import pytest

from tests.fixtures.capture import CapturedDatabase, captured
from tests.fixtures.postgres import FreshDatabase

ALPHABET = "ab é€𝄞\\'\"\t\n,{}NULL0"


def value(source: random.Random) -> str | None:
    if source.random() < 0.15:
        return None
    length = source.choice([0, 1, 5, 11, 12, 13, 14, 40, 300, 9000])
    return "".join(source.choice(ALPHABET) for _ in range(length))


def play(source: CapturedDatabase, seed: random.Random, operations: int) -> None:
    """Random inserts, updates of values and keys, deletes, truncates and savepoints; some transactions are rolled back."""
    with source.database.connect() as connection:
        for _ in range(operations):
            table, key, other = seed.choice("pf"), seed.randrange(40), seed.randrange(40)
            match seed.randrange(12):
                case 0 | 1 | 2 | 3:
                    connection.execute(
                        f"INSERT INTO {table} VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING",
                        [value(seed), key, f"k{key % 3}", value(seed)],
                    )
                case 4 | 5:
                    connection.execute(f"UPDATE {table} SET a = %s WHERE id = %s", [value(seed), key])
                case 6:
                    connection.execute(f"UPDATE {table} SET n = n || 'x' WHERE id > %s", [key])
                case 7:
                    connection.execute(
                        f"UPDATE {table} SET id = %s WHERE id = %s AND NOT EXISTS (SELECT FROM {table} WHERE id = %s)",
                        [other, key, other],
                    )
                case 8:
                    connection.execute(f"DELETE FROM {table} WHERE id = %s", [key])
                case 9 if seed.random() < 0.1:
                    connection.execute(f"TRUNCATE {table}")
                case 10:
                    connection.commit()
                case 11 if seed.random() < 0.3:
                    connection.rollback()
        connection.commit()


@pytest.mark.parametrize("seed", [random.randrange(10**6) for _ in range(3)], ids=str)
def test_random_work_adds_up(database: FreshDatabase, seed: int) -> None:
    numbers = random.Random(seed)
    source = captured(
        database,
        ["public.p", "public.f"],
        "CREATE TABLE p (a text, id int, k text, n text, PRIMARY KEY (k, id))",
        "CREATE TABLE f (a text, id int, k text, n text, PRIMARY KEY (k, id))",
        "ALTER TABLE f REPLICA IDENTITY FULL, ALTER a SET STORAGE EXTERNAL",
        "ALTER TABLE p ALTER a SET STORAGE EXTERNAL",
        batch_rows=numbers.choice([1, 7, 100, 50_000]),
    )
    for _ in range(4):
        play(source, numbers, 150)
        source.catch_up()
        source.assert_equal()
