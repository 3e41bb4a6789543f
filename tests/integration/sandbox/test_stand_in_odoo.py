"""The stand-in Odoo as a server: in threads, as a process, over a restart, with failures on demand, and its WAL."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.client import RemoteDisconnected

import odoorpc
import psycopg
import pytest

from sandbox.odoo import Fault, StandInOdoo, create_schema
from tests.contract.client import Address, Odoo, Web
from tests.fixtures.postgres import FreshDatabase


@pytest.fixture
def server(database: FreshDatabase) -> Iterator[StandInOdoo]:
    with StandInOdoo(database.dsn, api_key="the-key") as running:
        yield running


def logged_in(server: StandInOdoo, password: str = "admin") -> Odoo:
    address = Address(url=server.url, database=server.database, user=server.user, password=password)
    rpc = address.connect()
    rpc.login(server.database, server.user, password)
    return Odoo(address=address, rpc=rpc, prefix="t")


def test_the_schema_is_created_once(database: FreshDatabase) -> None:
    create_schema(database.dsn)
    create_schema(database.dsn)
    with database.connect() as connection:
        row = connection.execute("SELECT count(*), count(DISTINCT code) FROM res_country").fetchone()
    assert row == (250, 250)


def test_every_declared_column_is_one_of_the_type_that_values_are_cast_to(server: StandInOdoo) -> None:
    declared = logged_in(server)
    for model in ("sale.order", "sale.order.line", "stock.move", "product.template", "res.partner", "account.move"):
        fields = declared.call(model, "fields_get")
        assert declared.call(model, "search_read", [], list(fields), limit=1) is not None


def test_an_api_key_is_taken_in_place_of_the_password(server: StandInOdoo) -> None:
    odoo = logged_in(server, "the-key")
    assert odoo.rpc.env.user.name == "Administrator"
    assert "error" in Web(address=odoo.address).log_in(), "a web session asks for the password"


def test_what_was_committed_is_there_after_a_restart(server: StandInOdoo) -> None:
    odoo = logged_in(server)
    [one] = odoo.loaded("res.partner", "id name", [odoo.name("a"), "A"])
    url = server.url
    server.stop()
    with pytest.raises(urllib.error.URLError):
        odoo.read("res.partner", one, "name")
    server.start()
    assert server.url == url
    assert odoo.read("res.partner", one, "name")["name"] == "A"


def test_a_busy_server_answers_429_with_a_time(server: StandInOdoo) -> None:
    odoo = logged_in(server)
    server.faults.add(Fault(kind="status", status=429, retry_after_s=3, method="load"))
    with pytest.raises(urllib.error.HTTPError) as caught:
        odoo.load("res.partner", "id name", [odoo.name("a"), "A"])
    assert (caught.value.code, caught.value.headers["Retry-After"]) == (429, "3")
    caught.value.close()
    assert odoo.loaded("res.partner", "id name", [odoo.name("a"), "A"])


def test_a_lost_reply_is_committed(server: StandInOdoo) -> None:
    odoo = logged_in(server)
    server.faults.add(Fault(kind="drop_reply", method="load"))
    with pytest.raises(RemoteDisconnected):
        odoo.load("res.partner", "id name", [odoo.name("a"), "A"])
    assert odoo.find("ir.model.data", ["name", "=", "t_a"])


def test_a_refused_connection_does_nothing(server: StandInOdoo) -> None:
    odoo = logged_in(server)
    server.faults.add(Fault(kind="refuse_connection", method="load"))
    with pytest.raises(RemoteDisconnected):
        odoo.load("res.partner", "id name", [odoo.name("a"), "A"])
    assert not odoo.find("ir.model.data", ["name", "=", "t_a"])


def test_a_proxy_may_answer_a_page(server: StandInOdoo) -> None:
    server.faults.add(Fault(kind="html"))
    request = urllib.request.Request(server.url + "/jsonrpc", b"{}", {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as reply:
        assert reply.headers["Content-Type"].startswith("text/html")


def test_a_load_that_lost_a_race_says_so_and_loads_nothing(server: StandInOdoo) -> None:
    odoo = logged_in(server)
    server.faults.add(Fault(kind="serialization", method="load"))
    answer = odoo.load("res.partner", "id name", [odoo.name("a"), "A"])
    assert answer["ids"] is False
    assert answer["messages"][0]["message"].startswith("could not serialize access")
    assert not odoo.find("ir.model.data", ["name", "=", "t_a"])


def test_a_real_race_in_load_is_told_in_the_same_words(server: StandInOdoo, database: FreshDatabase) -> None:
    odoo = logged_in(server)
    [one] = odoo.loaded("res.partner", "id name", [odoo.name("a"), "A"])
    answers = []
    with database.connect() as other:
        other.execute("UPDATE res_partner SET city = 'elsewhere' WHERE id = %s", [one])
        load = threading.Thread(
            target=lambda: answers.append(odoo.load("res.partner", "id name", [odoo.name("a"), "B"]))
        )
        load.start()
        _wait_for_a_lock(database)
        other.commit()
    load.join()
    assert answers[0]["ids"] is False
    assert answers[0]["messages"][0]["message"] == "could not serialize access due to concurrent update\n"


def test_a_write_that_lost_a_race_is_tried_again(server: StandInOdoo, database: FreshDatabase) -> None:
    odoo = logged_in(server)
    [one] = odoo.loaded("res.partner", "id name", [odoo.name("a"), "A"])
    with database.connect() as other:
        other.execute("UPDATE res_partner SET city = 'elsewhere' WHERE id = %s", [one])
        write = threading.Thread(target=lambda: odoo.call("res.partner", "write", [one], {"street": "1 Road"}))
        write.start()
        _wait_for_a_lock(database)
        other.commit()
    write.join()
    found = odoo.read("res.partner", one, "city", "street")
    assert (found["city"], found["street"]) == ("elsewhere", "1 Road")


def _wait_for_a_lock(database: FreshDatabase) -> None:
    """Until some session waits for another's row."""
    deadline = time.monotonic() + 10
    with database.connect(autocommit=True) as watching:
        while time.monotonic() < deadline:
            waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = %s"
            row = watching.execute(waiting, [database.name]).fetchone()
            if row and row[0]:
                return
            time.sleep(0.01)
    raise AssertionError("nobody waits")


def test_an_expired_session_is_told(server: StandInOdoo) -> None:
    web = Web(address=logged_in(server).address)
    web.log_in()
    server.sessions.expire_all()
    assert web.call("res.partner", "search", [[]])["error"]["code"] == 100


def test_products_arrive_in_the_wal_as_odoo_s(server: StandInOdoo, database: FreshDatabase) -> None:
    odoo = logged_in(server)
    with database.connect(autocommit=True) as connection:
        connection.execute("CREATE PUBLICATION watched FOR ALL TABLES")
        connection.execute("SELECT pg_create_logical_replication_slot('watch', 'pgoutput')")
        odoo.loaded("product.product", "id name list_price", [odoo.name("p"), "Mug", "4.5"])
        messages = _changes(connection)
    relations = [message for message in messages if message[:1] == b"R"]
    assert any(b"public\0product_template\0" in message for message in relations)
    assert any(b"public\0ir_model_data\0" in message for message in relations)
    inserts = [message for message in messages if message[:1] == b"I"]
    assert any(b'{"en_US": "Mug"}' in message and b"4.50" in message for message in inserts)


def _changes(connection: psycopg.Connection) -> list[bytes]:
    """The messages of the slot `watch`, as pgoutput writes them."""
    rows = connection.execute(
        "SELECT data FROM pg_logical_slot_get_binary_changes('watch', NULL, NULL,"
        " 'proto_version', '1', 'publication_names', 'watched')"
    ).fetchall()
    return [bytes(row[0]) for row in rows]


def test_two_thousand_orders_load_confirm_and_ship_in_large_calls(server: StandInOdoo) -> None:
    odoo = logged_in(server)
    name = odoo.name
    odoo.loaded("res.partner", "id name", *([name(f"c{i}"), f"C{i}"] for i in range(100)))
    odoo.loaded("product.product", "id name list_price", *([name(f"p{i}"), f"P{i}", "2"] for i in range(100)))
    ids = [one for first in range(0, 2000, 500) for one in _load_orders(odoo, range(first, first + 500))]
    for first in range(0, 2000, 500):
        assert odoo.call("sale.order", "action_confirm", ids[first : first + 500]) is True
    pickings = odoo.call("stock.picking", "search", [["sale_id", "in", ids]])
    for first in range(0, 2000, 200):
        assert odoo.call("stock.picking", "button_validate", pickings[first : first + 200]) is True
    assert odoo.call("sale.order", "search_count", [["delivery_status", "=", "full"]]) == 2000


def _load_orders(odoo: Odoo, numbers: range) -> list[int]:
    name = odoo.name
    orders = [[name(f"o{i}"), name(f"c{i % 100}")] for i in numbers]
    ids = odoo.loaded("sale.order", "id partner_id/id", *orders)
    columns = "id order_id/id product_id/id product_uom_qty price_unit"
    lines = [
        [name(f"o{i}_{k}"), name(f"o{i}"), name(f"p{(3 * i + k) % 100}"), str(1 + k), "2.25"]
        for i in numbers
        for k in range(3)
    ]
    odoo.loaded("sale.order.line", columns, *lines)
    return ids


def test_as_a_process_it_says_where_it_is_and_ends_on_sigterm(database: FreshDatabase) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "sandbox.odoo", "--dsn", database.dsn],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "STAND_IN_ODOO_PASSWORD": "other"},
    )
    with process:
        assert process.stdout is not None
        said = json.loads(process.stdout.readline())
        port = int(said["url"].rpartition(":")[2])
        rpc = odoorpc.ODOO("127.0.0.1", port=port)
        rpc.login(said["database"], said["user"], "other")
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
