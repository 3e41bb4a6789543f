"""A table that changes in a way that cannot be followed: its mirror stops, everything else goes on, and the status says so."""

from __future__ import annotations

import pytest

from tests.fixtures.bridge import Bridge

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


def test_a_stopped_table_is_named_and_stops_nothing_else(bridge: Bridge) -> None:
    with bridge.server.connect("shop", autocommit=True) as connection:
        connection.execute("CREATE TABLE ledger (id int PRIMARY KEY, amount int)")
        connection.execute("INSERT INTO ledger VALUES (1, 1)")
    bridge.change_settings({"sources": {"shop": {"tables": ["public.*"]}}, "warehouse": {"history": "30 days"}})
    assert bridge.causeway("run", "--lane", "analytical", "--until-caught-up").code == 0
    with bridge.server.connect("shop", autocommit=True) as connection:
        connection.execute("ALTER TABLE ledger ALTER amount TYPE text, ADD note text DEFAULT 'n'")
        connection.execute("UPDATE ledger SET amount = 'many'")
        connection.execute("INSERT INTO customers (id, company_name, created_at) VALUES (1, 'Goes on', now())")
    ran = bridge.causeway("run", "--lane", "analytical", "--until-caught-up")
    assert ran.code == 0, ran.err
    assert "`causeway copy shop public.ledger` copies it anew" in ran.err
    status = bridge.causeway("status", "--json")
    assert status.code == 1
    said = status.json["lanes"]["analytical"]
    assert "another type for amount" in said["stopped_tables"]["shop"]["public.ledger"]
    assert said["skipped_rows"] == 1
    assert (said["sources"]["shop"]["stopped_tables"], said["sources"]["shop"]["skipped_rows"]) == (1, 1)
    assert "stopped tables" in bridge.causeway("status").out
    shown = bridge.causeway("query", "SELECT company_name FROM shop.customers", "--json")
    assert "Goes on" in shown.out
    assert "another type" in bridge.causeway("query", "SELECT problem FROM meta.tables WHERE state = 'stopped'").out


def test_a_stopped_table_is_repaired_by_a_copy_and_its_history_begins_anew(bridge: Bridge) -> None:
    with bridge.server.connect("shop", autocommit=True) as connection:
        connection.execute("CREATE TABLE ledger (id int PRIMARY KEY, amount int)")
        connection.execute("INSERT INTO ledger VALUES (1, 1), (2, 2)")
    bridge.change_settings({"sources": {"shop": {"tables": ["public.*"]}}, "warehouse": {"history": True}})
    assert bridge.causeway("run", "--lane", "analytical", "--until-caught-up").code == 0
    with bridge.server.connect("shop", autocommit=True) as connection:
        connection.execute("ALTER TABLE ledger ALTER amount TYPE text")
        connection.execute("UPDATE ledger SET amount = 'many' WHERE id = 1")
        connection.execute("DELETE FROM ledger WHERE id = 2")
    assert bridge.causeway("run", "--lane", "analytical", "--until-caught-up").code == 0
    copied = bridge.causeway("copy", "shop", "public.ledger")
    assert copied.code == 0, copied.err
    with bridge.server.connect("shop", autocommit=True) as connection:
        connection.execute("INSERT INTO ledger VALUES (3, 'more')")
    assert bridge.causeway("run", "--lane", "analytical", "--until-caught-up").code == 0
    assert not bridge.causeway("status", "--json").json["lanes"]["analytical"]["stopped_tables"]["shop"]
    assert bridge.causeway("verify", "shop").code == 0
    now = "SELECT id, amount FROM history.shop.ledger_as_of(now() + INTERVAL 1 HOUR) ORDER BY id"
    shown = bridge.causeway("query", now, "--json")
    assert [(row["id"], row["amount"]) for row in shown.json] == [(1, "many"), (3, "more")], shown.out
    early = bridge.causeway("query", "FROM history.shop.ledger_as_of('2020-01-01')")
    assert early.code != 0
    assert "the history of shop.ledger begins at" in early.err


@pytest.mark.case(
    "a table dropped from the publication while running",
    "stops alone when the lane next opens the source, with the command that copies it anew",
)
@pytest.mark.case("one poison table neither stalls the others nor pins the slot")
def test_a_dropped_table_or_one_without_its_key_stops_nothing_else(bridge: Bridge) -> None:
    tables = ["public.customers", "public.ledger", "public.notes", "public.left_out", "public.goes_on"]
    with bridge.server.connect("shop", autocommit=True) as connection:
        for table in tables[1:]:
            connection.execute(f"CREATE TABLE {table} (id int PRIMARY KEY)".encode())
            connection.execute(f"INSERT INTO {table} VALUES (1)".encode())
        (captured,) = connection.execute(
            "SELECT array_agg(schemaname || '.' || tablename) FROM pg_tables WHERE schemaname = 'public'"
        ).fetchone() or ([],)
    bridge.change_settings({"sources": {"shop": {"tables": captured}}})
    assert bridge.causeway("run", "--lane", "analytical", "--until-caught-up").code == 0
    with bridge.server.connect("shop", autocommit=True) as connection:
        connection.execute("DROP TABLE ledger")
        connection.execute("ALTER TABLE notes DROP CONSTRAINT notes_pkey")
        connection.execute("ALTER PUBLICATION causeway_shop_analytical DROP TABLE ONLY left_out")
        connection.execute("INSERT INTO goes_on VALUES (2)")
    for _ in range(2):
        ran = bridge.causeway("run", "--lane", "analytical", "--until-caught-up")
        assert ran.code == 0, ran.err
        stopped = bridge.causeway("status", "--json").json["lanes"]["analytical"]["stopped_tables"]["shop"]
        assert stopped.keys() == {"public.ledger", "public.notes", "public.left_out"}
        assert "does not exist at the source" in stopped["public.ledger"]
        assert "has no key" in stopped["public.notes"]
        assert "is not in the publication" in stopped["public.left_out"]
    verified = bridge.causeway("verify", "shop", "--json")
    assert verified.code == 1, verified.err
    verdicts = {table["table"]: table["equal"] for table in verified.json["tables"]}
    assert {table for table, equal in verdicts.items() if not equal} == stopped.keys()
