"""What rows gain or lose without a word in the log: the mirror cannot follow it, verification finds it and mends it."""

from __future__ import annotations

import pytest

from tests.fixtures.bridge import Bridge

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

TABLES = (
    "CREATE SCHEMA parts",
    "CREATE TABLE sales (id int PRIMARY KEY, note text) PARTITION BY RANGE (id)",
    "CREATE TABLE parts.sales_1 PARTITION OF sales FOR VALUES FROM (0) TO (100)",
    "CREATE TABLE parts.sales_2 PARTITION OF sales FOR VALUES FROM (100) TO (200)",
    "CREATE TABLE parts.sales_3 (note text, id int PRIMARY KEY)",
    "CREATE TABLE left_out (id int PRIMARY KEY)",
    "INSERT INTO sales SELECT i, 'n' || i FROM generate_series(0, 199) AS i",
    "INSERT INTO parts.sales_3 SELECT 'n' || i, i FROM generate_series(200, 219) AS i",
    "INSERT INTO left_out VALUES (1)",
)


@pytest.mark.case(
    "TRUNCATE of one partition only",
    "Postgres writes no message of it for the root: `causeway verify` names the rows, `--repair` mends them",
)
@pytest.mark.case(
    "a partition attached", "its changes are followed; the rows it had before, as of a truncated partition"
)
@pytest.mark.case("a partition detached", "its rows stay in the mirror, as of a truncated partition")
@pytest.mark.case(
    "a table dropped from the publication and added again while nobody read",
    "not noticed by the lane: `causeway verify` names the rows that were missed, `--repair` mends them",
)
def test_what_the_log_does_not_say_is_found_by_verification_and_mended(bridge: Bridge) -> None:
    with bridge.server.connect("shop", autocommit=True) as connection:
        for statement in TABLES:
            connection.execute(statement.encode())
    bridge.change_settings({"sources": {"shop": {"tables": ["public.*"]}}})
    assert bridge.causeway("run", "--lane", "analytical", "--until-caught-up").code == 0
    publication = "ALTER PUBLICATION causeway_shop_analytical {} TABLE ONLY left_out"
    with bridge.server.connect("shop", autocommit=True) as connection:
        for statement in (
            "TRUNCATE parts.sales_1",
            "ALTER TABLE sales DETACH PARTITION parts.sales_2",
            "ALTER TABLE sales ATTACH PARTITION parts.sales_3 FOR VALUES FROM (200) TO (300)",
            "INSERT INTO sales VALUES (250, 'followed')",
            publication.format("DROP"),
            "INSERT INTO left_out VALUES (2)",
            publication.format("ADD"),
            "INSERT INTO left_out VALUES (3)",
        ):
            connection.execute(statement.encode())
    assert bridge.causeway("run", "--lane", "analytical", "--until-caught-up").code == 0
    shown = bridge.causeway("query", "SELECT note FROM shop.sales WHERE id = 250", "--json")
    assert "followed" in shown.out
    found = bridge.causeway("verify", "shop", "--json")
    assert found.code == 1, found.out + found.err
    assert {one["table"] for one in found.json["tables"] if not one["equal"]} == {"public.sales", "public.left_out"}
    bridge.causeway("verify", "shop", "--repair", "--json")
    again = bridge.causeway("verify", "shop", "--json")
    assert again.code == 0, again.out + again.err
