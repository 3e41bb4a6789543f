"""Fields that a model takes over from the record it builds on (a product's from its template)."""

from __future__ import annotations

from dataclasses import replace

from sandbox.odoo.orm.fields import X2MANY, Field
from sandbox.odoo.orm.model import AUDIT


def delegated_fields(fields: dict[str, Field], through: str) -> dict[str, Field]:
    """`fields` of the other record as seen from the one whose `through` points to it. One2many fields stay there."""
    return {
        name: _through(field, through)
        for name, field in fields.items()
        if field.kind != "one2many" and name not in ("id", "display_name", *AUDIT)
    }


def _through(field: Field, through: str) -> Field:
    """The same field, read by way of `through`."""
    table = field.model.replace(".", "_")
    if field.kind in X2MANY:
        assert field.relation is not None
        link = field.relation
        members = f"ARRAY(SELECT r.{link.there} FROM {link.table} r WHERE r.{link.here} = {{t}}.{through})"
        return replace(field, relation=None, expression=members)
    value = f"SELECT {field.sql('p')} FROM {table} p WHERE p.id = {{t}}.{through}"
    return replace(field, expression=value, translate=False, by_company=False)
