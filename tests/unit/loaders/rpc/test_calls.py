"""Each kind of call has its own patience."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from config.settings import CallTimeouts, OdooSettings
from loaders.odoo.rpc.calls import CallKind, kind_of_call, timeout_of


def settings(timeout_s: float = 120.0, **timeouts: float) -> OdooSettings:
    return OdooSettings(
        url="http://odoo.example",
        database="odoo",
        user="bot",
        password=SecretStr("x"),
        timeout_s=timeout_s,
        timeouts=CallTimeouts(**timeouts),
    )


@pytest.mark.parametrize(
    ("method", "kind"),
    [
        ("read", CallKind.READ),
        ("search_read", CallKind.READ),
        ("write", CallKind.WRITE),
        ("create", CallKind.WRITE),
        ("load", CallKind.LOAD),
        ("button_validate", CallKind.ACTION),
        ("whatever_a_module_has", CallKind.ACTION),
    ],
)
def test_a_method_has_a_kind_and_an_unknown_one_is_taken_to_change_something(method: str, kind: CallKind) -> None:
    assert kind_of_call(method) is kind


def test_a_kind_waits_for_its_own_time_and_else_for_the_longest() -> None:
    its = settings(load_s=300.0, action_s=45.0)
    assert timeout_of(CallKind.ACTION, its) == 45.0
    assert timeout_of(CallKind.WRITE, its) == 120.0
    assert timeout_of(CallKind.LOAD, its) == 120.0, "never more than timeout_s"


@pytest.mark.parametrize("kind", list(CallKind))
def test_every_kind_has_a_timeout_that_the_longest_bounds(kind: CallKind) -> None:
    assert timeout_of(kind, settings(timeout_s=2.0)) == 2.0
