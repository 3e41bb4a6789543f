"""`tables: [public.*]` captures what the source's catalog holds, through every command that names tables."""

from __future__ import annotations

from tests.fixtures.bridge import Bridge


def test_a_pattern_is_planned_checked_mirrored_and_verified(bridge: Bridge) -> None:
    with bridge.server.connect("shop", autocommit=True) as connection:
        connection.execute("CREATE TABLE ledger (id int PRIMARY KEY, amount numeric)")
        connection.execute("INSERT INTO ledger VALUES (1, 1.5), (2, 'NaN')")
        connection.execute("CREATE TABLE scratch (id int)")
    bridge.change_settings({"sources": {"shop": {"tables": ["public.*"], "exclude": ["public.customers_old*"]}}})
    planned = bridge.causeway("slots", "plan", "shop", "--json").json["plan"]
    assert any("ledger" in step["statement"] for step in planned)
    assert not any("scratch" in step["statement"] for step in planned)
    said = {"CAUSEWAY__LOG__LEVEL": "INFO"}
    done = bridge.causeway("run", "--lane", "analytical", "--until-caught-up", environment=said)
    assert done.code == 0, done.err
    assert "public.scratch is left out: it has no key" in done.err
    status = bridge.causeway("status", "--json").json
    assert status["lanes"]["analytical"]["sources"]["shop"]["value_exceptions"] == 1  # NaN, which no DECIMAL holds
    assert "values kept as text" in bridge.causeway("status").out
    verified = bridge.causeway("verify", "shop", "--json")
    assert verified.code == 0, verified.err
    assert "public.ledger" in {table["table"] for table in verified.json["tables"]}
    assert bridge.causeway("check", "--json").code == 0
