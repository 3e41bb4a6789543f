"""A source whose slots were dropped is rebuilt from a new snapshot; what happened in between is neither missed nor kept."""

from __future__ import annotations

import pytest

from tests.fixtures.bridge import Bridge

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

CUSTOMER = "INSERT INTO customers (id, company_name, created_at) VALUES (%s, %s, now())"


def test_dropping_slots_lets_the_lanes_begin_again(bridge: Bridge) -> None:
    shop = bridge.sources.shop
    shop.execute(CUSTOMER, [1, "Goes"])
    shop.execute(CUSTOMER, [2, "Stays"])
    bridge.catch_up()
    dropped = bridge.causeway("slots", "drop", "shop", "--json")
    assert dropped.code == 0, dropped.err
    assert len(dropped.json["drop"]) == 4  # a slot and a publication a lane
    shop.execute("DELETE FROM customers WHERE id = 1")
    shop.execute(CUSTOMER, [3, "Comes"])
    bridge.catch_up()
    verified = bridge.causeway("verify", "shop", "--json")
    assert verified.code == 0, verified.out + verified.err
    with bridge.server.connect("odoo") as connection:
        partners = connection.execute("SELECT name, active FROM res_partner WHERE name IN ('Goes', 'Stays', 'Comes')")
        assert set(partners) == {("Goes", False), ("Stays", True), ("Comes", True)}


def test_a_slot_that_somebody_dropped_is_refused_until_it_is_rebuilt(bridge: Bridge) -> None:
    bridge.sources.shop.execute(CUSTOMER, [1, "Somebody"])
    bridge.catch_up()
    with bridge.server.connect("shop", autocommit=True) as connection:
        connection.execute("SELECT pg_drop_replication_slot('causeway_shop_analytical')")
    bridge.sources.shop.execute(CUSTOMER, [2, "Missed"])
    refused = bridge.causeway("run", "--lane", "analytical", "--until-caught-up")
    assert refused.code == 4, refused.err
    assert "causeway_shop_analytical" in refused.err
    assert "causeway slots drop" in refused.err
    assert bridge.causeway("slots", "drop", "shop", "--lane", "analytical").code == 0
    bridge.catch_up()
    assert bridge.causeway("verify", "shop").code == 0
