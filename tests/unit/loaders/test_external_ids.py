"""External ids that load() takes, one for each canonical id."""

from __future__ import annotations

from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.errors import ErrorKind
from loaders.odoo.client import OdooClient
from loaders.odoo.external_ids import Found, external_id, look_up
from loaders.odoo.odoo_errors import OdooError


def test_what_load_would_read_as_something_else_is_written_as_hex() -> None:
    assert external_id("cw", "customer:shop:12") == "cw.customer~3Ashop~3A12"
    assert external_id("cw", "a.b,c d~/ü") == "cw.a~2Eb~2Cc~20d~7E~2F~C3~BC"


@given(st.text(min_size=1), st.text(min_size=1))
def test_different_things_have_different_names(one: str, other: str) -> None:
    try:
        names = external_id("cw", one), external_id("cw", other)
    except UnicodeEncodeError:  # a lone surrogate is no text that a database keeps
        return
    assert (names[0] == names[1]) == (one == other)
    assert names[0].count(".") == 1
    assert "," not in names[0]


class Odoo:
    """An Odoo with one external id, whose user may read ir.model.data or not."""

    def __init__(self, *, open_to_all: bool) -> None:
        self.open_to_all = open_to_all
        self.asked: list[str] = []

    def search_read(self, model: str, domain: list[Any], fields: list[str]) -> list[dict[str, Any]]:
        if not self.open_to_all:
            raise OdooError(ErrorKind.REFUSED, "You are not allowed to access 'Model Data' (ir.model.data) records.")
        return [{"name": "a", "model": "res.partner", "res_id": 7}]

    def call(self, model: str, method: str, args: list[str], *, context: dict[str, Any]) -> list[Any]:
        assert (model, method, context) == ("ir.model.data", "check_object_reference", {"active_test": False})
        self.asked.append(args[1])
        if args == ["cw", "a"]:
            return ["res.partner", 7]
        if args == ["cw", "hidden"]:
            return ["res.partner", False]
        raise OdooError(ErrorKind.REFUSED, f"External ID not found in the system: cw.{args[1]}")


@pytest.mark.parametrize("open_to_all", [True, False])
def test_what_odoo_has_under_a_name_is_found_by_a_user_who_may_not_read_external_ids(open_to_all: bool) -> None:
    odoo = Odoo(open_to_all=open_to_all)
    found = look_up(cast("OdooClient", odoo), "cw", ["a", "b", "hidden"])
    assert found == {"a": Found("res.partner", 7)}
    assert odoo.asked == ([] if open_to_all else ["a", "b", "hidden"])


def test_what_is_not_a_refusal_is_not_taken_for_one() -> None:
    class Away(Odoo):
        def search_read(self, *_: Any) -> list[dict[str, Any]]:
            raise OdooError(ErrorKind.CONNECTION, "away")

    with pytest.raises(OdooError, match="away"):
        look_up(cast("OdooClient", Away(open_to_all=True)), "cw", ["a"])
