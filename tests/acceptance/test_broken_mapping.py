"""A mapping that does not fit its table any more: the mirrors go on, its view has no rows until it is mended, the status says why."""

from __future__ import annotations

import time
from pathlib import Path

from tests.fixtures.bridge import Bridge

MAPPING = """-- mapping: places
-- entity: location
-- source: shop
-- table: public.places
-- version: 1
SELECT id AS source_key, label AS name, label AS code, 'warehouse' AS kind FROM public.places
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
                time.sleep(0.5)
    verified = bridge.causeway("verify", "shop")
    assert verified.code == 0, verified.out
    assert "Bay 2" in bridge.causeway("query", NAMES).out


def _mappings(bridge: Bridge) -> list[str] | None:
    """The mappings that do not fit their tables; None as long as a lane that has just started has not looked."""
    said = bridge.causeway("status", "--json").json["lanes"]["analytical"].get("mappings")
    return said if said is None else [one["mapping"] for one in said]


def _wait_until(bridge: Bridge, state: str) -> None:
    deadline = time.monotonic() + 60
    while bridge.causeway("status", "--json").json["lanes"]["analytical"]["state"] != state:
        assert time.monotonic() < deadline
        time.sleep(0.2)
