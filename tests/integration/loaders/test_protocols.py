"""The lane over JSON-2, and how its client behaves over either protocol. JSON-2 is tested against the stand-in only."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pydantic import SecretStr

from config.errors import CausewayError, ErrorKind
from config.settings import CallTimeouts, OdooSettings
from loaders.odoo.client import OdooClient
from loaders.odoo.odoo_errors import OdooError
from loaders.odoo.rpc.chosen import transport_for
from loaders.odoo.rpc.json2 import Json2
from loaders.odoo.rpc.transport import Transport
from loaders.odoo.rpc.web_session import WebSession
from sandbox.odoo import Fault, StandInOdoo
from tests.fixtures.delivery import OperationalEnd, customer, line, order, product, shipment, shipment_line

KEY = "a-key"


@pytest.fixture
def json2(lane: OperationalEnd) -> Iterator[OperationalEnd]:
    """The lane with an Odoo that has JSON-2; its web sessions are given a wrong password."""
    with StandInOdoo(lane.odoo_dsn, api_key=KEY, json2=True) as odoo:
        changed = {"url": odoo.url, "api_key": SecretStr(KEY), "password": SecretStr("wrong")}
        lane.odoo, lane.odoo_settings = odoo, lane.odoo_settings.model_copy(update=changed)
        lane.deliverer.close()
        lane.deliverer = lane.new_deliverer()
        yield lane
        lane.deliverer.close()


def an_order_that_ships(lane: OperationalEnd) -> None:
    lane.arrive(customer(), product(), order(), line(), shipment(is_final=True), shipment_line())


def with_settings(settings: OdooSettings, **changed: object) -> OdooSettings:
    return settings.model_copy(update=changed)


def test_an_order_goes_from_the_channel_to_its_delivery_over_json2(json2: OperationalEnd) -> None:
    an_order_that_ships(json2)
    json2.deliver()
    assert set(json2.statuses().values()) == {"delivered"}
    assert json2.odoo_rows("SELECT name, state, delivery_status FROM sale_order") == [("SO-o1", "sale", "full")]
    assert json2.odoo_rows("SELECT state FROM stock_picking") == [("done",)]


@pytest.mark.parametrize(
    "fault",
    [
        Fault(kind="drop_reply", model="sale.order", method="load"),
        Fault(kind="drop_reply", model="stock.picking", method="button_validate"),
        Fault(kind="serialization", model="res.partner", method="load", times=2),
        Fault(kind="status", status=429, retry_after_s=0),
        Fault(kind="status", status=503),
        Fault(kind="html"),
    ],
    ids=["lost order", "lost picking", "serialization", "throttled", "unavailable", "page"],
)
def test_a_failure_over_json2_repeats_and_loses_nothing(json2: OperationalEnd, fault: Fault) -> None:
    json2.change_patience(1.0)
    json2.odoo.faults.add(fault)
    an_order_that_ships(json2)
    json2.deliver_all()
    assert json2.odoo.faults.happened
    assert set(json2.statuses().values()) == {"delivered"}
    assert json2.odoo_rows("SELECT count(*) FROM sale_order") == [(1,)]
    assert json2.odoo_rows("SELECT state FROM stock_picking") == [("done",)]


def test_a_wrong_key_and_a_refusal_are_told_apart_over_json2(json2: OperationalEnd) -> None:
    wrong = OdooClient(with_settings(json2.odoo_settings, api_key=SecretStr("wrong"), protocol="json2"))
    with pytest.raises(CausewayError) as caught:
        wrong.login()
    assert caught.value.kind is ErrorKind.AUTHENTICATION
    right = OdooClient(json2.odoo_settings)
    with pytest.raises(OdooError) as refused:
        right.call("sale.order", "action_confirm", [[2**31 - 1]])
    assert refused.value.kind is ErrorKind.REFUSED
    assert "does not exist" in refused.value.message
    assert isinstance(right.call("res.partner", "create", [{"name": "One"}]), int)
    assert len(right.call("res.partner", "create", [[{"name": "Two"}, {"name": "Three"}]])) == 2
    assert right.version == "18.0"
    assert right.user_id == 2
    right.close()
    wrong.close()


def test_the_protocol_is_what_odoo_can_and_the_settings_have_a_key_for(lane: OperationalEnd) -> None:
    with_key = with_settings(lane.odoo_settings, api_key=SecretStr(KEY))
    assert protocol_of(with_key) is WebSession, "this Odoo has no JSON-2"
    assert protocol_of(with_settings(with_key, protocol="json2")) is Json2
    with StandInOdoo(lane.odoo_dsn, api_key=KEY, json2=True) as newer:
        assert protocol_of(with_settings(with_key, url=newer.url)) is Json2
        assert protocol_of(with_settings(lane.odoo_settings, url=newer.url)) is WebSession, "no key"
        assert protocol_of(with_settings(with_key, url=newer.url, protocol="jsonrpc")) is WebSession


def protocol_of(settings: OdooSettings) -> type[Transport]:
    transport = transport_for(settings)
    transport.close()
    return type(transport)


def test_each_kind_of_call_has_its_own_patience_and_what_was_only_read_is_not_in_doubt(lane: OperationalEnd) -> None:
    client = OdooClient(with_settings(lane.odoo_settings, timeouts=CallTimeouts(read_s=0.3, write_s=0.3)))
    client.login()
    for method, arguments, kind in (
        ("search_count", [[]], ErrorKind.TRANSIENT),
        ("create", [{"name": "Late"}], ErrorKind.UNKNOWN_OUTCOME),
    ):
        held = Fault(kind="delay", delay_s=30, model="res.partner", method=method)
        lane.odoo.faults.add(held)
        with pytest.raises(OdooError) as caught:
            client.call("res.partner", method, arguments)
        held.until.set()
        assert caught.value.kind is kind
    lane.odoo.faults.add(Fault(kind="delay", delay_s=1, model="res.partner", method="load"))
    assert client.call("res.partner", "load", [["id", "name"], [["cw.patient", "Patient"]]])["ids"], "its own patience"
    client.close()


def test_a_429_lowers_the_rate_of_calls(lane: OperationalEnd) -> None:
    client = OdooClient(with_settings(lane.odoo_settings, max_calls_s=500.0, burst_calls=5))
    lane.odoo.faults.add(Fault(kind="status", status=429, retry_after_s=0, method="search_count"))
    with pytest.raises(OdooError) as caught:
        client.call("res.partner", "search_count", [[]])
    assert caught.value.kind is ErrorKind.THROTTLED
    rate = client._bucket.calls_s
    assert rate is not None
    assert 200 <= rate < 300
    assert client.call("res.partner", "search_count", [[]]) >= 0
    client.close()


def test_a_call_for_another_company_has_it_first(lane: OperationalEnd) -> None:
    client = OdooClient(lane.odoo_settings)
    contexts: list[object] = []
    send = client._send

    def watched(model: str, method: str, args: object, named: dict[str, dict[str, object]]) -> object:
        contexts.append(named["context"].get("allowed_company_ids"))
        return send(model, method, args, named)  # type: ignore[arg-type]

    client._send = watched  # type: ignore[method-assign,assignment]
    client.search_read("res.company", [], ["name"], company_id=7)
    client.read_by_id("res.company", [1], ["name"], company_id=7)
    client.call("res.company", "search_count", [[]], context={"allowed_company_ids": [3, 7]}, company_id=7)
    client.call("res.company", "search_count", [[]])
    client.close()
    assert contexts == [[7], [7], [3, 7], None]
