"""The shape of errors over /jsonrpc."""

from __future__ import annotations

import odoorpc
import pytest

from tests.contract.client import Odoo, Web


def test_a_wrong_password_does_not_log_in(odoo: Odoo) -> None:
    rpc = odoo.address.connect()
    with pytest.raises(odoorpc.error.RPCError, match="Wrong login ID or password"):
        rpc.login(odoo.address.database, odoo.address.user, "wrong")


def test_a_call_with_a_wrong_password_is_denied(odoo: Odoo) -> None:
    args = [odoo.address.database, 2, "wrong", "res.partner", "search", [[]]]
    with pytest.raises(odoorpc.error.RPCError) as caught:
        odoo.rpc.json("/jsonrpc", {"service": "object", "method": "execute_kw", "args": args})
    assert caught.value.info["code"] == 200
    assert caught.value.info["message"] == "Odoo Server Error"
    assert caught.value.info["data"]["name"] == "odoo.exceptions.AccessDenied"
    assert caught.value.info["data"]["message"] == "Access Denied"


def test_an_error_carries_name_message_arguments_debug_and_context(odoo: Odoo) -> None:
    fault = odoo.fault_of("res.partner", "write", [2**31 - 1], {"name": "x"})
    assert set(fault) == {"name", "message", "arguments", "debug", "context"}
    assert fault["name"] == "odoo.exceptions.MissingError"
    assert fault["arguments"] == [fault["message"]]


def test_an_unknown_model_is_named(odoo: Odoo) -> None:
    fault = odoo.fault_of("res.nothing", "search", [])
    assert fault["name"] == "odoo.exceptions.UserError"
    assert fault["message"] == "Object res.nothing doesn't exist"


def test_an_unknown_method_is_named(odoo: Odoo) -> None:
    fault = odoo.fault_of("res.partner", "serach", [])
    assert fault["name"] == "builtins.AttributeError"
    assert fault["message"] == "The method 'res.partner.serach' does not exist"


def test_private_methods_are_closed(odoo: Odoo) -> None:
    fault = odoo.fault_of("sale.order", "_action_confirm", [])
    assert fault["name"] == "odoo.exceptions.AccessError"
    assert fault["message"] == "Private methods (such as 'sale.order._action_confirm') cannot be called remotely."


def test_an_unknown_field_is_named(odoo: Odoo) -> None:
    created = odoo.fault_of("res.partner", "create", {"nmae": "x"})
    assert (created["name"], created["message"]) == (
        "builtins.ValueError",
        "Invalid field 'nmae' on model 'res.partner'",
    )
    one = odoo.call("res.partner", "create", {"name": odoo.prefix})
    assert odoo.fault_of("res.partner", "write", [one], {"nmae": "x"})["message"] == created["message"]
    assert odoo.fault_of("res.partner", "read", [one], ["nmae"])["message"] == created["message"]
    searched = odoo.fault_of("res.partner", "search", [["nmae", "=", "x"]])
    assert searched["message"] == "Invalid field res.partner.nmae in leaf ('nmae', '=', 'x')"


def test_a_wrong_selection_value_is_refused(odoo: Odoo) -> None:
    fault = odoo.fault_of("res.partner", "create", {"name": odoo.prefix, "type": "elsewhere"})
    assert (fault["name"], fault["message"]) == (
        "builtins.ValueError",
        "Wrong value for res.partner.type: 'elsewhere'",
    )


def test_a_missing_required_value_is_a_validation_error(odoo: Odoo) -> None:
    fault = odoo.fault_of("uom.category", "create", {})
    assert fault["name"] == "odoo.exceptions.ValidationError"
    assert "a mandatory field is not set" in fault["message"]
    assert "Field: " in fault["message"]


def test_a_failed_call_leaves_nothing(odoo: Odoo) -> None:
    odoo.fault_of("res.partner", "create", [{"name": odoo.prefix}, {"nmae": "x"}])
    assert odoo.find("res.partner", ["name", "=", odoo.prefix]) == []


def test_a_record_that_is_gone_is_named(odoo: Odoo) -> None:
    fault = odoo.fault_of("sale.order", "action_confirm", [2**31 - 1])
    assert fault["name"] == "odoo.exceptions.MissingError"
    assert fault["message"] == (
        "Record does not exist or has been deleted.\n(Record: sale.order(2147483647,), User: 2)"
    )


def test_an_unknown_database_is_named(odoo: Odoo) -> None:
    args = ["no_such_database", 2, "x", "res.partner", "search", [[]]]
    with pytest.raises(odoorpc.error.RPCError) as caught:
        odoo.rpc.json("/jsonrpc", {"service": "object", "method": "execute_kw", "args": args})
    assert caught.value.info["data"]["name"] == "psycopg2.OperationalError"
    assert 'FATAL:  database "no_such_database" does not exist' in caught.value.info["data"]["message"]


def test_the_version_needs_no_login(web: Web) -> None:
    version = web.post("/jsonrpc", service="common", method="version", args=[])["result"]
    assert version["server_serie"] == "18.0"
    assert version["server_version_info"][:2] == [18, 0]
    assert web.post("/web/webclient/version_info")["result"]["protocol_version"] == 1
