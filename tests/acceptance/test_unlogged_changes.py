"""Rows that come or go without a word in the log: the mirror cannot follow that, and what the catalog shows of it stops the table."""

from __future__ import annotations

import pytest

from tests.fixtures.bridge import Bridge

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

PARTITIONED = (
    "CREATE TABLE {0} (id int PRIMARY KEY, note text, number int) PARTITION BY RANGE (id)",
    "CREATE TABLE parts.{0}_1 PARTITION OF {0} FOR VALUES FROM (0) TO (100)",
    "CREATE TABLE parts.{0}_2 PARTITION OF {0} FOR VALUES FROM (100) TO (200)",
    "CREATE TABLE parts.{0}_3 (note text, id int PRIMARY KEY, number int)",
    "INSERT INTO {0} SELECT i, 'n' || i FROM generate_series(0, 199) AS i",
    "INSERT INTO parts.{0}_3 SELECT 'n' || i, i FROM generate_series(200, 219) AS i",
)
CHANGES = {
    "cut": ("TRUNCATE parts.cut_1", "truncated or written anew"),
    "detached": ("ALTER TABLE detached DETACH PARTITION parts.detached_2", "lost a partition"),
    "gone": ("DROP TABLE parts.gone_2", "lost a partition"),
    "came": ("ALTER TABLE came ATTACH PARTITION parts.came_3 FOR VALUES FROM (200) TO (300)", "got a partition"),
    "daily": ("CREATE TABLE parts.daily_4 PARTITION OF daily FOR VALUES FROM (200) TO (300)", ""),
    "emptied": ("TRUNCATE emptied", ""),
    "widened": ("ALTER TABLE widened ALTER number TYPE bigint", ""),
}


@pytest.mark.case(
    "TRUNCATE of one partition only",
    "Postgres writes no message of it for the root: the table stops alone when the lane next opens the source, or the log next names the table",
)
@pytest.mark.case("a partition attached", "as TRUNCATE of one partition; one made with PARTITION OF is followed")
@pytest.mark.case("a partition detached", "as TRUNCATE of one partition")
def test_rows_that_come_or_go_with_a_partition_stop_their_table_alone(bridge: Bridge) -> None:
    with bridge.server.connect("shop", autocommit=True) as connection:
        connection.execute("CREATE SCHEMA parts")
        for name in CHANGES:
            for statement in PARTITIONED:
                connection.execute(statement.format(name).encode())
    bridge.change_settings({"sources": {"shop": {"tables": ["public.*"]}}})
    assert bridge.causeway("run", "--lane", "analytical", "--until-caught-up").code == 0
    with bridge.server.connect("shop", autocommit=True) as connection:
        for statement, _ in CHANGES.values():
            connection.execute(statement.encode())
    ran = bridge.causeway("run", "--lane", "analytical", "--until-caught-up")
    assert ran.code == 0, ran.err
    stopped = bridge.causeway("status", "--json").json["lanes"]["analytical"]["stopped_tables"]["shop"]
    assert stopped.keys() == {f"public.{name}" for name, (_, said) in CHANGES.items() if said}
    assert all(CHANGES[table.removeprefix("public.")][1] in problem for table, problem in stopped.items())


@pytest.mark.case(
    "a table dropped from the publication and added again while nobody read",
    "the publication has another entry of it than before: the table stops alone, with the command that copies it anew",
)
def test_a_table_that_left_the_publication_for_a_while_stops_alone_and_is_copied(bridge: Bridge) -> None:
    lane = ("run", "--lane", "analytical", "--until-caught-up")
    with bridge.server.connect("shop", autocommit=True) as connection:
        for name in ("left_out", "stayed"):
            connection.execute(f"CREATE TABLE {name} (id int PRIMARY KEY)".encode())
            connection.execute(f"INSERT INTO {name} VALUES (1)".encode())
    bridge.change_settings({"sources": {"shop": {"tables": ["public.left_out", "public.stayed"]}}})
    assert bridge.causeway(*lane).code == 0
    publication = "ALTER PUBLICATION causeway_shop_analytical {} TABLE ONLY left_out"
    with bridge.server.connect("shop", autocommit=True) as connection:
        for statement in (
            publication.format("DROP"),
            "INSERT INTO left_out VALUES (2)",
            publication.format("ADD"),
            "INSERT INTO left_out VALUES (3)",
            # What `causeway slots plan` prints where a table is added leaves the entries of the others as they are.
            publication.format("SET") + ", ONLY stayed",
            "INSERT INTO stayed VALUES (2)",
        ):
            connection.execute(statement.encode())
    assert bridge.causeway(*lane).code == 0
    stopped = bridge.causeway("status", "--json").json["lanes"]["analytical"]["stopped_tables"]["shop"]
    assert stopped.keys() == {"public.left_out"}
    assert "taken out of the publication and put back" in stopped["public.left_out"]
    assert "`causeway copy shop public.left_out`" in stopped["public.left_out"]
    copied = bridge.causeway("copy", "shop", "public.left_out")
    assert copied.code == 0, copied.err
    assert bridge.causeway(*lane).code == 0
    found = bridge.causeway("verify", "shop", "--json")
    assert found.code == 0, found.out + found.err
