"""What `causeway check` says of the policies without asking Odoo."""

from __future__ import annotations

from typing import Any

import pytest

from causeway.policy_checks import explain
from config.policies import Policies


def _said(tree: dict[str, Any]) -> dict[str, tuple[bool, str]]:
    return {one.subject: (one.ok, one.message) for one in explain(Policies.model_validate(tree))}


def test_each_domain_is_told_in_words() -> None:
    said = _said({"domains": {"settlements": {"deliver": "every 15 minutes", "service_level_s": 900, "priority": 5}}})
    assert said["domain settlements"] == (True, "written to Odoo, every 15 minutes, in time up to 900 s, priority 5")


@pytest.mark.parametrize("mode", ["held", "shadow"])
def test_a_live_domain_over_one_that_is_not_is_wrong(mode: str) -> None:
    ok, message = _said({"domains": {"customers": {"mode": mode}}})["domain orders"]
    assert not ok
    assert message == "is live, but customers not: what refers to them waits"


def test_an_unknown_entity_or_field_is_wrong() -> None:
    said = _said({"owners": {"customers": {"owner": "shop"}, "product": {"fields": {"colour": "odoo"}}}})
    assert said["policies.owners.customers"][0] is False
    assert said["policies.owners.product"] == (False, "has no field colour")


def test_owners_and_channels_are_told_in_words() -> None:
    said = _said(
        {
            "owners": {"product": {"owner": "shop", "fields": {"list_price": "odoo"}}},
            "channels": {"shop": {"company": "Acme", "money": {"invoicing": "on_delivery"}}},
        }
    )
    assert said["policies.owners.product"] == (True, "owned by shop; list_price is odoo's")
    assert "company Acme" in said["policy of shop"][1]
    assert "invoiced when delivered" in said["policy of shop"][1]
