"""Companies, users, countries, currencies, units, and the register of external ids."""

from __future__ import annotations

from typing import Any

from sandbox.odoo.orm.environment import Env
from sandbox.odoo.orm.fields import Field
from sandbox.odoo.orm.model import Model, Values, api_model
from sandbox.odoo.orm.public import PublicModel


class Company(PublicModel):
    name = "res.company"
    label = "Companies"
    order = "sequence, name"
    defaults = {"sequence": 10, "active": True}


class User(PublicModel):
    name = "res.users"
    label = "User"
    order = "display_name, login"
    shown_as = "(SELECT p.complete_name FROM res_partner p WHERE p.id = {t}.partner_id)"
    computed = (
        Field(
            model="res.users", name="name", kind="char", label="Name",
            expression="(SELECT p.name FROM res_partner p WHERE p.id = {t}.partner_id)",
        ),
    )  # fmt: skip

    @api_model
    def context_get(self, env: Env) -> Values:
        """The user's own context: what a client starts from."""
        return {"lang": "en_US", "tz": False, "uid": env.uid}


class Country(PublicModel):
    name = "res.country"
    label = "Country"
    order = "name"
    shown_as = "({t}.name->>'en_US')"


class Currency(PublicModel):
    name = "res.currency"
    label = "Currency"
    order = "active desc, name"


class UomCategory(PublicModel):
    name = "uom.category"
    label = "Product UoM Categories"
    shown_as = "({t}.name->>'en_US')"


class Uom(PublicModel):
    name = "uom.uom"
    label = "Product Unit of Measure"
    order = "factor desc, id"
    shown_as = "({t}.name->>'en_US')"
    defaults = {"active": True, "rounding": 0.01, "uom_type": "bigger"}


class ExternalIds(PublicModel):
    """ir.model.data. (module, name) is unique; a record may have several names."""

    name = "ir.model.data"
    label = "Model Data"
    order = "module, model, name"
    defaults = {"module": "", "noupdate": False}
    shown_as = "({t}.module || '.' || {t}.name)"
    computed = (
        Field(
            model="ir.model.data", name="complete_name", kind="char", label="Complete ID",
            expression="{t}.module || '.' || {t}.name",
        ),
    )  # fmt: skip

    @api_model
    def check_object_reference(
        self, env: Env, module: str, xml_id: str, raise_on_access_error: bool = False
    ) -> list[Any]:
        """[model, id] of an external id. ValueError where nobody has it."""
        rows = env.rows("SELECT model, res_id FROM ir_model_data WHERE module = %s AND name = %s", [module, xml_id])
        if not rows:
            raise ValueError(f"External ID not found in the system: {module}.{xml_id}")
        return list(rows[0])


MODELS: tuple[type[Model], ...] = (Company, User, Country, Currency, UomCategory, Uom, ExternalIds)
