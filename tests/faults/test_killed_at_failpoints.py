"""SIGKILL at every named failpoint, in the process of the command that passes it: the source and its mirror end equal, the outbox
and Odoo hold exactly what the source says.

By default a sample of FEW cases is run, drawn by a seed that is printed. CAUSEWAY_FAULT_SEED repeats a sample,
CAUSEWAY_FAULT_ROUNDS=all runs every case, and a number runs so many.
"""

from __future__ import annotations

import os
import random
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest
import yaml

from config.failpoints import NAMES, VARIABLE
from tests.fixtures.bridge import Bridge

FEW = 4
ROUNDS = os.environ.get("CAUSEWAY_FAULT_ROUNDS", str(FEW))
# Drawn anew each time, so that in the end every case had its turn.
SEED = int(os.environ.get("CAUSEWAY_FAULT_SEED", str(random.SystemRandom().randrange(10**6))))

ARTICLES = """-- mapping: articles
-- entity: product
-- source: shop
-- table: public.articles
-- version: 1
SELECT id AS source_key, title AS name, notes AS description, 'goods' AS kind, 'unit' AS unit, true AS active
FROM public.articles
"""
PLACES = """-- mapping: places
-- entity: location
-- source: shop
-- table: public.places
-- version: {version}
SELECT id AS source_key, {column} AS code, {column} AS name, 'warehouse' AS kind FROM public.places
"""
# Notes are stored out of line and not compressed: an update of something else leaves them out of the log.
DDL = (
    "CREATE TABLE articles (id int PRIMARY KEY, title text NOT NULL, notes text)",
    "ALTER TABLE articles ALTER notes SET STORAGE EXTERNAL",
    "CREATE TABLE places (id int PRIMARY KEY, label text)",
    "INSERT INTO articles SELECT i, 'Article ' || i, repeat('first', 800) FROM generate_series(1, 150) AS i",
    "INSERT INTO places SELECT i, 'Bay ' || i FROM generate_series(1, 20) AS i",
)
# Less than a round writes at once: its large transaction comes in pieces, a copied table in chunks.
BATCH_BYTES = 2**16
BATCH_ROWS = 60
COPIED_ROWS_S = 100
# What a killed lane had told Odoo is looked at again after so long.
PATIENCE_S = 2.0

ANALYTICAL_SLOT = "causeway_shop_analytical"


class Round:
    """One bridge over two tables of the shop, and the load of one kill after the other."""

    def __init__(self, bridge: Bridge, folder: Path) -> None:
        self.bridge = bridge
        self._places = folder / "maps" / "places.sql"
        self._places.parent.mkdir()
        (folder / "maps" / "articles.sql").write_text(ARTICLES)
        self._version, self._column = 1, "label"
        self._write_mapping()
        self._first_id = 1000
        tree = yaml.safe_load(bridge.config.read_text())
        tree["sources"] = {"shop": tree["sources"]["shop"] | {"tables": ["public.articles", "public.places"]}}
        tree["mappings"] = [str(self._places.parent)]
        tree["capture"] = {"status_interval_s": 0.2, "batch_bytes": BATCH_BYTES, "batch_rows": BATCH_ROWS}
        tree["odoo"]["timeout_s"] = PATIENCE_S
        bridge.config.write_text(yaml.safe_dump(tree))
        self.write(*DDL)

    def write(self, *statements: str) -> None:
        """Run each statement as a transaction of its own."""
        with self.bridge.server.connect("shop", autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def load(self) -> None:
        """Every kind of change: inserts in a transaction that comes in pieces, values left out of the log, keys, deletes."""
        first = self._first_id
        self._first_id += 100
        self.write(
            f"INSERT INTO articles SELECT i, 'Article ' || i, repeat('long', 1000) FROM generate_series({first}, {first + 44}) i",
            f"UPDATE articles SET title = title || '.' WHERE id % 7 = {first // 100 % 7}",
            f"UPDATE articles SET notes = repeat('other', 900) WHERE id = {first + 1}",
            f"UPDATE articles SET id = id + 90 WHERE id BETWEEN {first} AND {first + 3}",
            f"DELETE FROM articles WHERE id BETWEEN {first + 5} AND {first + 9} OR id BETWEEN 1000 AND {first - 150}",
            f"INSERT INTO places VALUES ({first}, 'Bay {first}')",
            f"UPDATE places SET {self._column} = {self._column} || '.' WHERE id % 5 = {first // 100 % 5}",
            f"DELETE FROM places WHERE id = {first // 100 - 9}",
        )

    def begin_anew(self) -> None:
        """Drop the source's slots: both lanes begin with a snapshot."""
        self.ran("slots", "drop", "shop")

    def lose_slot(self) -> None:
        """Drop the analytical lane's slot, and make one that has moved on; what comes between them is in no log."""
        with self.bridge.server.connect("shop", autocommit=True) as connection:
            connection.execute("SELECT pg_drop_replication_slot(%s)", [ANALYTICAL_SLOT])
            self.load()
            connection.execute("SELECT pg_create_logical_replication_slot(%s, 'pgoutput')", [ANALYTICAL_SLOT])

    def spoil(self) -> None:
        """Change the mirror behind the bridge's back, as nothing should."""
        with duckdb.connect(self.bridge.folder / "warehouse.duckdb") as warehouse:
            warehouse.execute("DELETE FROM shop.articles WHERE id % 3 = 0")
            warehouse.execute("UPDATE shop.articles SET title = 'Spoiled' WHERE id % 3 = 1")
            warehouse.execute("INSERT INTO shop.articles (id, title) VALUES (70000, 'Invented')")

    def spoil_for_copy(self) -> None:
        """Let `causeway copy` have something to mend, in more than one chunk: a chunk has no more rows than are let through a second."""
        self.bridge.change_settings({"capture": {"max_rows_s": COPIED_ROWS_S}})
        self.spoil()

    def hold_rows(self) -> None:
        """Let rows change while their mapping doesn't fit, and mend it: they wait for being read at the source."""
        renamed = "title" if self._column == "label" else "label"
        self.write(f"ALTER TABLE places RENAME {self._column} TO {renamed}")
        self._column = renamed
        self.load()
        self.bridge.causeway("run", "--lane", "operational", "--until-caught-up")
        assert self.state("SELECT count(*) > 0 FROM causeway.rows_to_read WHERE reason = 'mapping'") == [(True,)]
        self._version += 1
        self._write_mapping()

    def ran(self, *arguments: str) -> None:
        """Run a command, which must end well."""
        done = self.bridge.causeway(*arguments, timeout_s=120)
        assert done.code == 0, (arguments, done.out, done.err)

    def state(self, query: str) -> list[tuple[object, ...]]:
        """Ask the state database."""
        return self._ask("causeway", query)

    def catch_up(self, lane: str) -> None:
        """Run one lane until all that is committed has arrived, and compare what it has made with the source."""
        self.ran(*_lane(lane))
        if lane == "analytical":
            self.ran("verify", "shop")
        else:
            self._assert_delivered()

    def _assert_delivered(self) -> None:
        self._assert_outbox("product", "articles", "title", "notes", "description")
        self._assert_outbox("location", "places", self._column, self._column, "code")
        assert self.state("SELECT count(*) FROM causeway.rows_to_read") == [(0,)]
        assert self.state("SELECT DISTINCT status FROM causeway.outbox WHERE entity = 'product'") == [("delivered",)]
        titles = sorted(self._ask("shop", "SELECT title FROM articles"))
        assert sorted(self._ask("odoo", PRODUCTS_IN_ODOO)) == titles

    def _assert_outbox(self, entity: str, table: str, name: str, other: str, field: str) -> None:
        found = self.state(
            f"SELECT source_key, payload ->> 'name', payload ->> '{field}' FROM causeway.outbox"
            f" WHERE entity = '{entity}' AND operation = 'upsert'"
        )
        expected = self._ask("shop", f"SELECT id::text, {name}, {other} FROM {table}")
        assert sorted(map(str, found)) == sorted(map(str, expected)), entity

    def _ask(self, database: str, query: str) -> list[tuple[object, ...]]:
        with self.bridge.server.connect(database) as connection:
            rows: list[tuple[object, ...]] = connection.execute(query.encode()).fetchall()
        return rows

    def _write_mapping(self) -> None:
        self._places.write_text(PLACES.format(version=self._version, column=self._column))


PRODUCTS_IN_ODOO = "SELECT name ->> 'en_US' FROM product_template WHERE active AND name ->> 'en_US' LIKE 'Article %'"


@dataclass(frozen=True, kw_only=True)
class Case:
    """A failpoint, the command that passes it, and what has to be so before. `again`: it is run anew behind the kill."""

    point: str
    command: tuple[str, ...]
    before: Callable[[Round], None] | None = None
    again: bool = False

    @property
    def lane(self) -> str:
        """Whose work is killed."""
        return "operational" if "operational" in self.command else "analytical"

    def __str__(self) -> str:
        return f"{self.point} of causeway {' '.join(self.command)}"


def _lane(name: str) -> tuple[str, ...]:
    return ("run", "--lane", name, "--until-caught-up")


def _cases() -> Iterator[Case]:
    operational, analytical = _lane("operational"), _lane("analytical")
    for command in (operational, analytical):
        for point in ("reader.slot_created", "reader.snapshot_table_copied"):
            yield Case(point=point, command=command, before=Round.begin_anew)
        for point in ("batch_handed_out", "piece_handed_out", "before_confirm", "after_confirm"):
            yield Case(point=f"reader.{point}", command=command)
    yield Case(point="mirror.snapshot_table_whole", command=analytical, before=Round.begin_anew)
    for point in ("mirror.before_commit", "mirror.after_commit"):
        yield Case(point=point, command=analytical)
    for point in ("watermark_written:2", "chunk_read:2", "chunk_applied", "before_swap", "after_swap"):
        yield Case(point=f"copy.{point}", command=("copy", "shop", "articles"), before=Round.spoil_for_copy)
    for point in ("before_commit", "after_commit"):
        yield Case(point=f"outbox.{point}", command=operational)
    for point in ("before_rows_read", "after_rows_read"):
        yield Case(point=f"outbox.{point}", command=operational, before=Round.hold_rows)
    for point in ("slot_dropped", "slot_created"):
        yield Case(point=f"rebuild.{point}", command=("slots", "rebuild", "shop"), before=Round.lose_slot, again=True)
    yield Case(point="repair.piece_written", command=("slots", "rebuild", "shop"), before=Round.lose_slot, again=True)
    yield Case(point="repair.piece_written", command=("verify", "shop", "--repair"), before=Round.spoil, again=True)
    for point in ("before_call", "after_call:2", "after_recorded"):
        yield Case(point=f"delivery.{point}", command=operational)


CASES = tuple(_cases())


def test_every_failpoint_has_a_case() -> None:
    assert {case.point.partition(":")[0] for case in CASES} == set(NAMES)


@pytest.mark.slow
@pytest.mark.timeout(1500 if ROUNDS == "all" else 300)
def test_a_kill_at_a_failpoint_loses_nothing_and_repeats_nothing(bridge: Bridge, tmp_path: Path) -> None:
    cases = random.Random(SEED).sample(CASES, len(CASES) if ROUNDS == "all" else int(ROUNDS))
    sys.stderr.write(f"CAUSEWAY_FAULT_SEED={SEED}\n")
    play = Round(bridge, tmp_path)
    bridge.catch_up()
    for case in cases:
        sys.stderr.write(f"{case}\n")
        kill_and_compare(play, case)
    for lane in ("operational", "analytical"):
        play.catch_up(lane)


def kill_and_compare(play: Round, case: Case) -> None:
    if case.before is not None:
        case.before(play)
    play.load()
    killed = play.bridge.causeway(*case.command, environment={VARIABLE: case.point}, timeout_s=120)
    assert killed.code == -signal.SIGKILL, f"{case}: never reached\n{killed.out}{killed.err}"
    play.load()
    if case.again:
        play.ran(*case.command)
    play.catch_up(case.lane)
