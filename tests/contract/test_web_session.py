"""The web session: log in once, call many times, be told when it has ended."""

from __future__ import annotations

from tests.contract.client import Odoo, Web


def test_logging_in_tells_who_we_are(web: Web, odoo: Odoo) -> None:
    info = web.log_in()["result"]
    assert info["uid"] == 2
    assert info["username"] == odoo.address.user
    assert info["db"] == odoo.address.database
    assert "user_context" in info
    assert web.post("/web/session/get_session_info")["result"]["uid"] == 2


def test_a_session_calls_methods(web: Web, odoo: Odoo) -> None:
    web.log_in()
    one = web.call("res.partner", "create", {"name": odoo.prefix})["result"]
    assert web.call("res.partner", "read", [one], ["name"])["result"] == [{"id": one, "name": odoo.prefix}]
    plain = web.post("/web/dataset/call_kw", model="res.partner", method="search_count", args=[[]], kwargs={})
    assert plain["result"] > 0


def test_errors_have_the_same_shape_as_over_rpc(web: Web) -> None:
    web.log_in()
    error = web.call("sale.order", "read", [1], ["nmae"])["error"]
    assert (error["code"], error["message"]) == (200, "Odoo Server Error")
    assert error["data"]["name"] == "builtins.ValueError"


def test_an_unknown_model_is_not_found(web: Web) -> None:
    web.log_in()
    error = web.call("res.nothing", "search", [[]])["error"]
    assert (error["code"], error["message"]) == (404, "404: Not Found")


def test_an_unknown_database_is_refused(web: Web, odoo: Odoo) -> None:
    who = odoo.address
    answer = web.post("/web/session/authenticate", db="no_such_database", login=who.user, password=who.password)
    assert answer["error"]["data"]["name"] == "odoo.exceptions.AccessError"
    assert answer["error"]["data"]["message"] == "Database not found."


def test_without_a_session_the_call_has_expired(web: Web) -> None:
    answer = web.call("res.partner", "search", [[]])
    error = answer["error"]
    assert answer["id"] is None
    assert (error["code"], error["message"]) == (100, "Odoo Session Expired")
    assert error["data"]["name"] == "odoo.http.SessionExpiredException"
    assert error["data"]["message"] == "Session expired"


def test_a_destroyed_session_has_expired(web: Web) -> None:
    web.log_in()
    assert web.post("/web/session/destroy") == {"jsonrpc": "2.0", "id": 7}
    assert web.post("/web/session/get_session_info")["error"]["code"] == 100


def test_a_wrong_password_is_denied(web: Web, odoo: Odoo) -> None:
    answer = web.post("/web/session/authenticate", db=odoo.address.database, login=odoo.address.user, password="wrong")
    assert answer["error"]["data"]["name"] == "odoo.exceptions.AccessDenied"
    assert answer["error"]["data"]["message"] == "Access Denied"


def test_a_method_that_returns_nothing_has_no_result(web: Web, odoo: Odoo) -> None:
    web.log_in()
    customer = web.call("res.partner", "create", {"name": odoo.prefix})["result"]
    order = web.call("sale.order", "create", {"partner_id": customer})["result"]
    answer = web.call("sale.order", "action_lock", [order])
    assert answer == {"jsonrpc": "2.0", "id": 7}
