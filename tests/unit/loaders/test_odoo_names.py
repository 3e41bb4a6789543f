"""Things that people keep in Odoo, found by name."""

from __future__ import annotations

from typing import Any, cast

from loaders.odoo.client import OdooClient
from loaders.odoo.odoo_names import OdooNames


class FakeOdoo:
    """Has a sales team, and refuses to read all of its fields, as Odoo does: its graph can't be computed outside of CRM."""

    user_id = 2

    def __init__(self) -> None:
        self.has = {"crm.team": 7}
        self.asked = 0

    def search_read(self, model: str, domain: list[Any], fields: list[str], **named: Any) -> list[dict[str, Any]]:
        assert fields, "Undefined graph model for Sales Team"
        self.asked += 1
        return [{"id": self.has[model]}] if model in self.has else []


def test_what_is_found_is_asked_for_once_and_what_is_not_again_after_a_while() -> None:
    odoo = FakeOdoo()
    names = OdooNames(cast("OdooClient", odoo))
    assert [names.find("crm.team", "Sales"), names.find("crm.team", "Sales")] == [7, 7]
    assert [names.find("account.tax", "VAT"), names.find("account.tax", "VAT")] == [None, None]
    assert odoo.asked == 2
    names.forget_missing()
    odoo.has["account.tax"] = 9
    assert [names.find("crm.team", "Sales"), names.find("account.tax", "VAT")] == [7, 9]
    assert odoo.asked == 3
