"""A mapping that does not fit its table any more: the mirrors go on, its view has no rows until it is mended, the status says why."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import yaml

from tests.fixtures.bridge import Bridge

MAPPING = """-- mapping: places
-- entity: location
-- source: shop
-- table: public.places
-- version: 1
SELECT id AS source_key, label AS name, label AS code, 'warehouse' AS kind FROM public.places
"""
UNREAD = """-- mapping: unread
-- entity: location
-- source: shop
-- table: public.unread
-- version: 1
SELECT id AS source_key, 'U' || id AS name, 'U' || id AS code, 'warehouse' AS kind FROM public.unread
"""
NAMES = "SELECT name FROM canonical.location ORDER BY name"


def test_views_come_back_by_themselves_when_the_mapping_is_mended(bridge: Bridge, tmp_path: Path) -> None:
    file = tmp_path / "maps" / "places.sql"
    file.parent.mkdir()
    file.write_text(MAPPING)
    bridge.change_settings({"mappings": [str(file.parent)], "sources": {"shop": {"tables": ["public.places"]}}})
    with bridge.server.connect("shop", autocommit=True) as connection:
        connection.execute("CREATE TABLE places (id int PRIMARY KEY, label text)")
        connection.execute("INSERT INTO places VALUES (1, 'Bay 1')")
        caught_up = ("run", "--lane", "analytical", "--until-caught-up")
        assert bridge.causeway(*caught_up).code == 0
        assert "Bay 1" in bridge.causeway("query", NAMES).out
        connection.execute("ALTER TABLE places RENAME label TO title")
        connection.execute("INSERT INTO places VALUES (2, 'Bay 2')")
        ran = bridge.causeway(*caught_up)
        assert ran.code == 0, ran.err
        assert "places.sql" in ran.err
        assert "label" in ran.err
        status = bridge.causeway("status", "--json")
        assert status.code == 1
        assert [one["mapping"] for one in status.json["lanes"]["analytical"]["mappings"]] == ["places"]
        assert "Bay" not in bridge.causeway("query", NAMES).out
        with bridge.lane("analytical"):
            _wait_until(bridge, "running")
            file.write_text(MAPPING.replace("label AS", "title AS").replace("version: 1", "version: 2"))
            deadline = time.monotonic() + 60
            while _mappings(bridge) != []:
                assert time.monotonic() < deadline, "the mended mapping was not taken up"
                time.sleep(0.1)
    verified = bridge.causeway("verify", "shop")
    assert verified.code == 0, verified.out
    assert "Bay 2" in bridge.causeway("query", NAMES).out


def _mappings(bridge: Bridge) -> list[str] | None:
    """The mappings that do not fit their tables; None as long as a lane that has just started has not looked."""
    said: list[dict[str, str]] | None = bridge.said("analytical").get("mappings")
    return said if said is None else [one["mapping"] for one in said]


def _wait_until(bridge: Bridge, state: str, lane: str = "analytical") -> None:
    _wait_for(lambda: bridge.said(lane)["state"] == state)


def _wait_for(met: Callable[[], object]) -> None:
    deadline = time.monotonic() + 90
    while not met():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_mapping_that_needs_an_unpublished_column_names_it_and_the_command_that_publishes_it(
    bridge: Bridge, tmp_path: Path
) -> None:
    file = tmp_path / "maps" / "places.sql"
    file.parent.mkdir()
    file.write_text(MAPPING)
    shop = {"tables": ["public.places", "public.unread"]}
    bridge.change_settings({"mappings": [str(file.parent)], "sources": {"shop": shop}})
    caught_up = ("run", "--lane", "operational", "--until-caught-up")
    publication = "causeway_shop_operational"
    with bridge.server.connect("shop", autocommit=True) as connection:
        connection.execute("CREATE TABLE places (id int PRIMARY KEY, label text, code text, secret text)")
        connection.execute("CREATE TABLE unread (id int PRIMARY KEY)")
        planned = bridge.causeway("slots", "plan", "shop")
        assert f'"{publication}" FOR TABLE ONLY "public"."places" ("id", "label") WITH' in planned.out
        assert "that is why the operational publication is narrow" in planned.out
        assert bridge.causeway(*caught_up).code == 0
        assert bridge.causeway("slots", "create", "shop", "--lane", "operational", "--json").json["create"] == []
        file.write_text(MAPPING.replace("label AS code", "code AS code"))
        checked = bridge.causeway("check", "--json")
        assert checked.code == 1
        (finding,) = [each for each in checked.json["findings"] if not each["ok"]]
        needs = f"places.sql:6: needs column code of public.places, which publication {publication} does not publish"
        assert needs in finding["message"]
        assert "`causeway slots create shop`" in finding["message"]
        connection.execute("INSERT INTO places VALUES (1, 'Bay 1', 'B1', 'x')")
        ran = bridge.causeway(*caught_up)
        assert ran.code == 0, ran.err
        assert needs in ran.err
        lane = bridge.causeway("status", "--json").json["lanes"]["operational"]
        assert needs in lane["mappings"][0]["problem"]
        assert [(row["mapping"], row["rows"]) for row in lane["rows_to_read"]] == [("places", 1)]
        alter = f'ALTER PUBLICATION "{publication}" SET TABLE ONLY "public"."places" ("id", "label", "code")'
        assert f"{alter};" in bridge.causeway("slots", "plan", "shop").out
        created = bridge.causeway("slots", "create", "shop", "--json")
        assert [step["statement"] for step in created.json["create"] if step["lane"] == "operational"] == [alter]
        assert bridge.causeway("check").code == 0
        assert bridge.causeway(*caught_up).code == 0
        lane = bridge.causeway("status", "--json").json["lanes"]["operational"]
        assert (lane["mappings"], lane["rows_to_read"]) == ([], [])
        connection.execute("INSERT INTO unread VALUES (7)")
        with bridge.lane("operational"):
            _wait_until(bridge, "running", "operational")
            file.with_name("unread.sql").write_text(UNREAD)
            _wait_for(lambda: bridge.said("operational").get("mappings"))
            assert bridge.causeway("slots", "create", "shop", "--lane", "operational").code == 0
            _wait_for(lambda: ("U7", "snapshot") in outbox(bridge))
    assert outbox(bridge) == [("B1", "mapping"), ("U7", "snapshot")]


def outbox(bridge: Bridge) -> list[tuple[object, ...]]:
    state = yaml.safe_load(bridge.config.read_text())["state"]["connection"]["dsn"]
    with psycopg.connect(state) as connection:
        return connection.execute("SELECT payload ->> 'code', origin FROM causeway.outbox ORDER BY 1").fetchall()
