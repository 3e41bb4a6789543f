"""A table that changes in a way that cannot be followed: its mirror stops, everything else goes on, and the status says so."""

from __future__ import annotations

import pytest

from tests.fixtures.bridge import Bridge

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


def test_a_stopped_table_is_named_and_stops_nothing_else(bridge: Bridge) -> None:
    with bridge.server.connect("shop", autocommit=True) as connection:
        connection.execute("CREATE TABLE ledger (id int PRIMARY KEY, amount int)")
        connection.execute("INSERT INTO ledger VALUES (1, 1)")
    bridge.change_settings({"sources": {"shop": {"tables": ["public.*"]}}})
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
    assert "stopped tables" in bridge.causeway("status").out
    shown = bridge.causeway("query", "SELECT company_name FROM shop.customers", "--json")
    assert "Goes on" in shown.out
    assert "another type" in bridge.causeway("query", "SELECT problem FROM meta.tables WHERE state = 'stopped'").out
