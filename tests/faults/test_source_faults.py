"""The source's connection cut, stalled and truncated anywhere, its server stopped and killed: the tables end row-exact.

The seed is CAUSEWAY_FAULT_SEED, which pytest's output of a failure shows; CAUSEWAY_FAULT_ROUNDS asks for so many rounds, or for all.
"""

from __future__ import annotations

import os
import random
import time

import pytest

from cdc.reader import PostgresReader
from config.errors import CausewayError, Disposition
from tests.fixtures.capture import CapturedDatabase, captured
from tests.fixtures.faulty_wire import FaultyWire
from tests.fixtures.postgres import EVERY_POSTGRES, FreshDatabase, own_server

SEED = int(os.environ.get("CAUSEWAY_FAULT_SEED", "20260601"))
FEW, MANY = 25, 250
ASKED = os.environ.get("CAUSEWAY_FAULT_ROUNDS", str(FEW))
ROUNDS = MANY if ASKED == "all" else int(ASKED)
TABLES = (
    "CREATE TABLE public.orders (id int PRIMARY KEY, note text, n int DEFAULT 0)",
    "INSERT INTO orders SELECT g, repeat('x', g % 300) FROM generate_series(1, 2000) g",
)

pytestmark = pytest.mark.timeout(1500 if ASKED == "all" else 240)


def change(source: CapturedDatabase, rng: random.Random) -> None:
    first = rng.randrange(10_000, 10**9)
    source.transaction(
        f"INSERT INTO orders SELECT g, 'new' FROM generate_series({first}, {first + rng.randrange(400)}) g ON CONFLICT DO NOTHING",
        f"UPDATE orders SET n = n + 1 WHERE id % 7 = {rng.randrange(7)}",
        f"DELETE FROM orders WHERE id % 97 = {rng.randrange(97)}",
    )


def attempt(source: CapturedDatabase) -> bool:
    """Catch up once from what is durable; False where a fault ended it, which must be one that the lane tries again."""
    copying = source.replay.position is None
    try:
        source.catch_up()
    except CausewayError as error:
        if error.disposition is not Disposition.RETRY:
            raise
        if copying:
            source.replay.tables.clear()  # as a destination does, whose snapshot begins anew
        return False
    return True


def read_on(reader: PostgresReader) -> None:
    """Take what comes until the reader fails; nothing of it becomes durable."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        reader.poll()
        time.sleep(0.01)


@EVERY_POSTGRES
def test_a_wire_that_is_cut_anywhere_loses_nothing_and_repeats_nothing(
    database: FreshDatabase, postgres_version: int
) -> None:
    print(f"CAUSEWAY_FAULT_SEED={SEED}")  # noqa: T201
    rng = random.Random(SEED + postgres_version)
    source = captured(database, ["public.orders"], *TABLES, batch_rows=200, batch_bytes=2**16)
    ended = 0
    with FaultyWire(database.server) as wire:
        source.dsn = f"{wire.address} dbname={database.name} user=postgres"
        for _ in range(ROUNDS):
            wire.cut_after = rng.choice((rng.randrange(1, 3000), rng.randrange(1, 300_000)))
            wire.stall_s = rng.choice((0.0, 0.0, 0.3))
            change(source, rng)
            ended += not attempt(source)
        wire.cut_after = None
        assert attempt(source)
        assert wire.cuts >= ended > 0
        source.assert_equal()


@pytest.mark.slow
def test_a_server_stopped_and_killed_under_load_loses_nothing_and_repeats_nothing() -> None:
    print(f"CAUSEWAY_FAULT_SEED={SEED}")  # noqa: T201
    rng = random.Random(SEED)
    with own_server() as server:
        database = FreshDatabase(server=server, name="shop", dsn=server.create_database("shop"))
        source = captured(database, ["public.orders"], *TABLES, batch_rows=200, batch_bytes=2**16)
        source.catch_up()
        for end in ("fast", "immediate", "kill", *(rng.choice(("fast", "immediate", "kill")) for _ in range(3))):
            for _ in range(3):
                change(source, rng)
            reader = source.reader()
            reader.open(source.replay.position)
            if (batch := reader.poll()) is not None and batch.complete:
                source.replay.apply(batch)
            if end == "kill":
                server.crash()
            else:
                server.stop("fast" if end == "fast" else "immediate")
            with pytest.raises(CausewayError) as ended:
                read_on(reader)
            assert ended.value.disposition is Disposition.RETRY, ended.value
            reader.close()
            server.start()
            source.catch_up()
            source.assert_equal()
