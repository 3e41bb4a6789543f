"""A source that can't be reached when a lane starts: the others stream, and it is taken up by itself when it answers."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from sandbox.postgres import EmbeddedPostgres
from tests.fixtures.bridge import Bridge
from tests.fixtures.postgres import own_server

LANES = ("analytical", "operational")
MAPPING = """-- mapping: {source}_{table}
-- entity: location
-- source: {source}
-- table: public.{table}
-- version: 1
SELECT id AS source_key, label AS name, label AS code, 'warehouse' AS kind FROM public.{table}
"""
MIRRORED = "SELECT name FROM canonical.location ORDER BY name"
RECORDS = "SELECT payload ->> 'name' FROM causeway.outbox ORDER BY 1"

pytestmark = pytest.mark.timeout(240)


@pytest.fixture
def depot() -> Iterator[EmbeddedPostgres]:
    """A server of the source `depot`, which is stopped."""
    with own_server() as server:
        server.create_database("depot")
        with server.connect("depot", autocommit=True) as connection:
            connection.execute("CREATE TABLE bays (id int PRIMARY KEY, label text)")
            connection.execute("INSERT INTO bays VALUES (1, 'Depot 1')")
        server.stop()
        yield server


@pytest.fixture
def both(bridge: Bridge, depot: EmbeddedPostgres, tmp_path: Path) -> Bridge:
    """A bridge with the sources `shop` and `depot`, whose tables are named by a pattern."""
    maps = tmp_path / "maps"
    maps.mkdir()
    for source, table in (("shop", "places"), ("depot", "bays")):
        (maps / f"{source}.sql").write_text(MAPPING.format(source=source, table=table))
    tree = yaml.safe_load(bridge.config.read_text())
    shop = tree["sources"]["shop"] | {"tables": ["public.places"]}
    away = {"role": "channel", "connection": {"dsn": depot.dsn("depot")}, "tables": ["public.*"]}
    tree |= {"sources": {"depot": away, "shop": shop}, "mappings": [str(maps)]}
    tree["capture"] |= {"reconnect_first_s": 0.2, "reconnect_longest_s": 1.0}
    bridge.config.write_text(yaml.safe_dump(tree))
    with bridge.server.connect("shop", autocommit=True) as connection:
        connection.execute("CREATE TABLE places (id int PRIMARY KEY, label text)")
        connection.execute("INSERT INTO places VALUES (1, 'Shop 1')")
    return bridge


def states(bridge: Bridge, lane: str) -> dict[str, Any]:
    said = bridge.said(lane)["sources"]
    return {name: source["state"] for name, source in said.items()}


def records(bridge: Bridge) -> list[str]:
    with bridge.server.connect("causeway") as connection:
        return [name for (name,) in connection.execute(RECORDS).fetchall()]


def wait_until(done: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 90
    while not done():
        assert time.monotonic() < deadline, what
        time.sleep(0.1)


def test_the_others_stream_and_it_is_taken_up_when_it_answers(both: Bridge, depot: EmbeddedPostgres) -> None:
    ended = both.causeway("run", "--until-caught-up")  # does what it can, and says what it could not
    assert ended.code == 3, ended.err
    assert "causeway: depot: " in ended.err
    for lane in LANES:
        assert states(both, lane) == {"depot": "waiting", "shop": "caught_up"}
    assert records(both) == ["Shop 1"]
    assert "Shop 1" in both.causeway("query", MIRRORED).out
    with both.lane("analytical"), both.lane("operational"), both.server.connect("shop", autocommit=True) as shop:
        for lane in LANES:
            wait_until(lambda: states(both, lane) == {"depot": "waiting", "shop": "streaming"}, lane)  # noqa: B023
        shop.execute("INSERT INTO places VALUES (2, 'Shop 2')")
        wait_until(lambda: records(both) == ["Shop 1", "Shop 2"], "the source that answers does not stream")
        status = both.causeway("status")
        assert status.code == 0  # a source that waits is tried again: nobody has to do anything here
        assert "waiting" in status.out
        depot.start()
        for lane in LANES:
            wait_until(lambda: states(both, lane) == dict.fromkeys(("depot", "shop"), "streaming"), lane)  # noqa: B023
        with depot.connect("depot", autocommit=True) as connection:
            connection.execute("INSERT INTO bays VALUES (2, 'Depot 2')")
        wait_until(lambda: records(both) == ["Depot 1", "Depot 2", "Shop 1", "Shop 2"], "depot's records do not come")
    caught_up = both.causeway("run", "--lane", "analytical", "--until-caught-up")
    assert caught_up.code == 0, caught_up.err
    assert [row["name"] for row in both.causeway("query", MIRRORED, "--json").json] == records(both)
    depot.stop()  # its mirrors are here: its rows stay to be seen
    assert both.causeway("run", "--lane", "analytical", "--until-caught-up").code == 3
    assert [row["name"] for row in both.causeway("query", MIRRORED, "--json").json] == records(both)
