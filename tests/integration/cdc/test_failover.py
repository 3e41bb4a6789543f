"""A promoted standby: gone on with where its copy of the slot has all that the lane has, refused where it has not."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from pydantic import SecretStr

from causeway.rebuild import rebuild_source
from cdc import slots
from cdc.batch import BatchKind, ChangeBatch, Position
from cdc.catalog import ServerFacts
from cdc.connection import connect
from cdc.lsn import Lsn
from cdc.preconditions import check_failover
from cdc.timelines import parse_history, switch_points
from config.errors import CausewayError, ErrorKind
from config.settings import Connection, Lane, OdooSettings, Settings, StateSettings, WarehouseSettings
from sandbox.postgres import EmbeddedPostgres
from tests.fixtures.capture import CapturedDatabase, captured
from tests.fixtures.postgres import FreshDatabase
from tests.fixtures.standby import PHYSICAL_SLOT, standby_of
from warehouse.mirror import Mirror
from warehouse.store import Warehouse

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


@dataclass
class Pair:
    primary: EmbeddedPostgres
    standby: EmbeddedPostgres
    source: CapturedDatabase

    def synced(self) -> bool:
        with self.standby.connect("shop") as connection:
            found = connection.execute("SELECT synced AND NOT temporary FROM pg_replication_slots").fetchone()
            return found == (True,)

    def wait_until_synced(self) -> None:
        """A copy is taken for good once the primary's slot has moved on to what the standby has."""

        def moved() -> bool:
            self.source.execute("SELECT pg_log_standby_snapshot()")
            self.source.catch_up()
            return self.synced()

        eventually(moved)

    def promote(self) -> None:
        """Stop the primary and let the standby take its place."""
        self.primary.stop("fast")
        with self.standby.connect(autocommit=True) as connection:
            connection.execute("SELECT pg_promote()")
        self.source.dsn = self.standby.dsn("shop")
        self.source.database = FreshDatabase(server=self.standby, name="shop", dsn=self.source.dsn)


def eventually(condition: Callable[[], object], timeout_s: float = 60) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)


@pytest.fixture
def pair() -> Iterator[Pair]:
    with EmbeddedPostgres(18) as primary:
        database = FreshDatabase(server=primary, name="shop", dsn=primary.create_database("shop"))
        source = captured(
            database, ["public.orders"], "CREATE TABLE orders (id int PRIMARY KEY)", "INSERT INTO orders VALUES (1)"
        )
        settings = source.settings.model_copy(update={"failover": True})
        with connect(settings.connection, application_name="test") as connection:
            slots.create(connection, settings, source.lane, source.slot)
        with standby_of(primary, "shop", {"sync_replication_slots": "on"}) as standby:
            with primary.connect(autocommit=True) as connection:
                connection.execute(f"ALTER SYSTEM SET synchronized_standby_slots = '{PHYSICAL_SLOT}'".encode())
                connection.execute("SELECT pg_reload_conf()")
            yield Pair(primary, standby, source)


@pytest.mark.case(
    "failover slots",
    "after a promotion the lane goes on with the copy of its slot, where the new primary has all that the lane has",
)
@pytest.mark.case("a promoted standby")
def test_a_lane_goes_on_with_the_new_primary_and_misses_nothing(pair: Pair, tmp_path: Path) -> None:
    source = pair.source
    source.catch_up()
    source.execute("INSERT INTO orders VALUES (2)")
    source.catch_up()
    pair.wait_until_synced()
    on_standby = replace(source, dsn=pair.standby.dsn("shop"))
    with pytest.raises(CausewayError, match="once the standby is promoted") as refused:
        on_standby.reader().open(source.replay.position)
    assert refused.value.kind is ErrorKind.CONNECTION  # it passes: the lane tries again until it is promoted
    source.execute("INSERT INTO orders VALUES (3)")  # the lane has not read it when the primary dies
    stored = source.replay.position
    assert stored is not None
    pair.promote()
    with pytest.raises(CausewayError, match="nothing is to be rebuilt"):
        rebuild(source, stored, tmp_path / "in time")
    source.execute("INSERT INTO orders VALUES (4)")
    source.catch_up()
    source.assert_equal("public.orders")
    assert source.replay.position is not None
    assert source.replay.position.timeline == 2
    ends = switch_points(Connection(dsn=source.dsn), 2, application_name="test")
    ahead = replace(stored, lsn=Lsn(ends[1] + 8))
    with pytest.raises(CausewayError, match="never had") as refused:
        source.reader().open(ahead)
    assert refused.value.kind is ErrorKind.IDENTITY
    with pytest.raises(CausewayError, match="never had") as refused:
        rebuild(source, ahead, tmp_path / "ahead")
    assert refused.value.kind is ErrorKind.IDENTITY
    assert "`causeway slots rebuild shop --other-cluster`" in refused.value.hint


def rebuild(source: CapturedDatabase, position: Position, folder: Path) -> None:
    """`causeway slots rebuild` of a lane that stands at `position`."""
    settings = Settings(
        sources={"shop": source.settings},
        state=StateSettings(connection=source.settings.connection),
        odoo=OdooSettings(url="http://localhost", database="odoo", user="admin", password=SecretStr("admin")),
        warehouse=WarehouseSettings(path=folder / "warehouse.duckdb", extracts=folder),
        mappings=(folder,),
        run_dir=folder,
    )
    with Warehouse.open(settings.warehouse) as warehouse, closing(Mirror(warehouse)) as mirror:
        mirror.begin_snapshot("shop", [])
        mirror.apply(ChangeBatch(kind=BatchKind.SNAPSHOT, position=position))
    rebuild_source(settings, "shop", Lane.ANALYTICAL, console=None)


@pytest.mark.case("a promoted standby")
def test_a_slot_that_was_made_after_the_promotion_is_refused(pair: Pair) -> None:
    source = pair.source
    source.catch_up()
    pair.wait_until_synced()
    pair.promote()
    source.execute(
        f"SELECT pg_drop_replication_slot('{source.slot}')",
        f"SELECT pg_create_logical_replication_slot('{source.slot}', 'pgoutput', failover => true)",
    )
    with pytest.raises(CausewayError, match="no copy that it kept as a standby") as refused:
        source.reader().open(source.replay.position)
    assert refused.value.kind is ErrorKind.IDENTITY


def test_a_timeline_that_the_server_did_not_come_from_is_refused() -> None:
    assert parse_history("1\t0/3000000\tno recovery target specified\n\n# a remark\n2\t0/5000000\tbefore\n") == {
        1: Lsn.parse("0/3000000"),
        2: Lsn.parse("0/5000000"),
    }
    position = Position(source="shop", lane="analytical", lsn=Lsn(1), slot="s", system_identifier="7", timeline=4)
    with pytest.raises(CausewayError, match="is none that the server's timeline"):
        check_failover(position, cast("ServerFacts", SimpleNamespace(timeline=5)), {1: Lsn(9)})
