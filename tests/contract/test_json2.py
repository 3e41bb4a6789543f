"""JSON-2: what the stand-in follows of Odoo 19's documentation. No Odoo 19 is at hand: on a real one this is untested."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

import pytest

from sandbox.odoo import StandInOdoo
from tests.contract.json2 import Json2Rpc

KEY = "a-key"


@pytest.fixture
def rpc(stand_in: StandInOdoo) -> Json2Rpc:
    return Json2Rpc(stand_in.url, stand_in.database, KEY)


def failure(rpc: Json2Rpc, path: str, body: dict[str, Any], **headers: str) -> tuple[int, str, str]:
    """Status, exception and words."""
    with pytest.raises(urllib.error.HTTPError) as caught:
        rpc.post(path, body, **headers)
    told = json.load(caught.value)
    assert set(told) == {"name", "message", "arguments", "context", "debug"}
    return caught.value.code, told["name"], told["message"]


def test_the_version_needs_no_key(stand_in: StandInOdoo) -> None:
    with urllib.request.urlopen(f"{stand_in.url}/web/version", timeout=60) as reply:
        assert json.load(reply)["version"] == "18.0"


def test_a_result_comes_bare(rpc: Json2Rpc) -> None:
    assert rpc.post("/json/2/res.users/search", {"domain": [["id", "=", 2]]}) == [2]
    assert rpc.post("/json/2/res.users/context_get", {})["uid"] == 2


def test_a_wrong_key_is_unauthorized(rpc: Json2Rpc) -> None:
    told = failure(rpc, "/json/2/res.users/context_get", {}, Authorization="bearer wrong")
    assert told == (401, "werkzeug.exceptions.Unauthorized", "Invalid apikey")


def test_the_model_and_the_method_must_exist_and_be_public(rpc: Json2Rpc) -> None:
    assert failure(rpc, "/json/2/res.nothing/search", {"domain": []})[0] == 404
    assert failure(rpc, "/json/2/res.partner/serach", {"domain": []})[0] == 404
    assert failure(rpc, "/json/2/sale.order/_action_confirm", {"ids": [1]})[:2] == (403, "odoo.exceptions.AccessError")


def test_the_arguments_must_be_the_methods(rpc: Json2Rpc) -> None:
    status, name, words = failure(rpc, "/json/2/res.partner/write", {"ids": [1]})
    assert (status, name) == (422, "werkzeug.exceptions.UnprocessableEntity")
    assert "vals" in words
    assert failure(rpc, "/json/2/res.partner/write", {"ids": [1], "values": {}})[0] == 422
    assert failure(rpc, "/json/2/res.partner/search", {"ids": [1], "domain": []})[0] == 422


def test_odoos_errors_have_a_status_and_keep_their_names(rpc: Json2Rpc) -> None:
    gone = failure(rpc, "/json/2/res.partner/write", {"ids": [2**31 - 1], "vals": {"name": "x"}})
    assert gone[:2] == (404, "odoo.exceptions.MissingError")
    wrong = failure(rpc, "/json/2/res.partner/create", {"vals_list": [{"nmae": "x"}]})
    assert wrong == (500, "builtins.ValueError", "Invalid field 'nmae' on model 'res.partner'")
