"""Things that people keep in Odoo (companies, taxes, journals, units ...), found by the names that the policies use.

Contract: asks Odoo once a thing and remembers it, and what it was like, for the life of the deliverer; what was not found is
asked again after `forget_missing`. Nothing is ever made here. A record that needs what is not there waits for it (`lookups.in_odoo`).
"""

from __future__ import annotations

from typing import Any

from loaders.odoo.client import OdooClient, Record

# What a thing is named by. Where Odoo lets several have one name, the company decides, and then the lowest id.
_NAMED_BY = {
    "account.account": "code",
    "account.journal": "code",
    "account.tax": "name",
    "crm.team": "name",
    "delivery.carrier": "name",
    "product.pricelist": "name",
    "res.company": "name",
    "res.currency": "name",
    "stock.warehouse": "code",
    "uom.uom": "name",
}
# Chart accounts may be of several companies (account/models/account_account.py, company_ids, from 18 on).
_COMPANY_FIELD = {"account.account": "company_ids"}
_OF_NO_COMPANY = frozenset({"res.company", "res.currency", "uom.uom"})


class OdooNames:
    """See the module. One a deliverer, not thread-safe."""

    def __init__(self, client: OdooClient) -> None:
        self._client = client
        self._found: dict[tuple[str, str, int | None, tuple[Any, ...]], int | None] = {}
        self._values: dict[tuple[str, int, tuple[str, ...]], Record] = {}
        self._fields: dict[tuple[str, str], bool] = {}

    def find(self, model: str, name: str, *, company_id: int | None = None, where: tuple[Any, ...] = ()) -> int | None:
        """Return the id of the thing of this name (or code), None where Odoo has none.

        company_id: of this company, or of none where the model allows that. where: one more condition of the domain, such as
        ``("type_tax_use", "=", "sale")``. Raises OdooError.
        """
        key = (model, name, company_id, where)
        if key not in self._found:
            # An account's code is its company's (account/models/account_account.py, _search_code).
            domain = self._domain(model, name, company_id, where)
            # Without fields Odoo reads all, and some of a sales team's can't be computed.
            rows = self._client.search_read(model, domain, ["id"], company_id=company_id)
            self._found[key] = rows[0]["id"] if rows else None
        return self._found[key]

    def values(self, model: str, odoo_id: int, fields: tuple[str, ...]) -> Record:
        """Return these fields of something that was found, as they were when they were first asked for. Raises OdooError."""
        key = (model, odoo_id, fields)
        if key not in self._values:
            self._values[key] = self._client.read_by_id(model, [odoo_id], fields)[odoo_id]
        return self._values[key]

    def home_company_id(self) -> int:
        """Return the integration user's own company."""
        company: list[Any] = self.values("res.users", self._client.user_id, ("company_id",))["company_id"]
        return int(company[0])

    def has_field(self, model: str, field: str) -> bool:
        """Whether Odoo's model has this field, which an app brings that may not be installed."""
        if (model, field) not in self._fields:
            self._fields[model, field] = bool(self._client.call(model, "fields_get", [[field], ["type"]]))
        return self._fields[model, field]

    def forget_missing(self) -> None:
        """Ask again for what was not there."""
        self._found = {key: found for key, found in self._found.items() if found is not None}

    def _domain(self, model: str, name: str, company_id: int | None, where: tuple[Any, ...]) -> list[Any]:
        domain: list[Any] = [[_NAMED_BY[model], "=", name]]
        if company_id is not None and model not in _OF_NO_COMPANY:
            domain.append([_COMPANY_FIELD.get(model, "company_id"), "in", [company_id, False]])
        return domain + ([list(where)] if where else [])
