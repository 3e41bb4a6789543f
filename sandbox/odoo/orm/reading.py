"""Reading: search, read and what builds on them. One statement finds the ids, one reads all their fields."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from sandbox.odoo.orm.domain import Compiler, parse, paths
from sandbox.odoo.orm.environment import Env
from sandbox.odoo.orm.fields import X2MANY, Field
from sandbox.odoo.orm.model import Model, Values

_ORDER_TERM = re.compile(r"^\s*(\w+)(?:\s+(asc|desc))?\s*$", re.IGNORECASE)


def search(
    model: Model,
    env: Env,
    domain: Sequence[Any],
    *,
    offset: int = 0,
    limit: int | None = None,
    order: str | None = None,
) -> list[int]:
    """The ids that fulfil `domain`, archived records left out unless it names `active`."""
    where, params = _where(model, env, domain)
    statement = f"SELECT t.id FROM {model.table} t WHERE {where} ORDER BY {order_by(model, order or model.order, 't')}"
    return env.ids(f"{statement} LIMIT %s OFFSET %s", [*params, limit or None, offset or 0])


def search_count(model: Model, env: Env, domain: Sequence[Any], *, limit: int | None = None) -> int:
    """How many records fulfil `domain`, counting no further than `limit`."""
    where, params = _where(model, env, domain)
    return env.count(
        f"SELECT count(*) FROM (SELECT 1 FROM {model.table} t WHERE {where} LIMIT %s) AS found",
        [*params, limit or None],
    )


def _where(model: Model, env: Env, domain: Sequence[Any]) -> tuple[str, list[Any]]:
    tree = parse(domain)
    compiler = Compiler(env.registry)
    where = compiler.clause(tree, model, "t")
    if "active" in model.fields and env.context.get("active_test", True) and "active" not in paths(tree):
        where += f" AND {model.fields['active'].sql('t')} IS TRUE"
    return where, compiler.params


def order_by(model: Model, order: str, alias: str) -> str:
    """An ORDER BY list from Odoo's notation; ValueError for anything but fields and directions."""
    terms = []
    for term in order.split(","):
        match = _ORDER_TERM.match(term)
        if not match:
            raise ValueError(f"Invalid order term {term.strip()!r}")
        terms.append(f"{model.field(match[1]).sql(alias)} {(match[2] or 'asc').upper()}")
    return ", ".join(terms)


def read(model: Model, env: Env, ids: Sequence[int], names: Sequence[str] | None = None) -> list[Values]:
    """What is asked of the records of `ids` that exist, in that order, in the shape of Odoo's own answer."""
    fields = [model.field(name) for name in (names or sorted(model.fields))]
    fields = [field for field in fields if field.name != "id"]
    columns = ", ".join(["t.id", *(column for field in fields for column in _columns(env, field))])
    rows = env.rows(f"SELECT {columns} FROM {model.table} t WHERE t.id = ANY(%s::int[])", [list(ids)])
    records = {row[0]: _record(fields, row) for row in rows}
    return [records[one] for one in dict.fromkeys(ids) if one in records]


def _columns(env: Env, field: Field) -> list[str]:
    if field.kind in X2MANY and not field.expression:
        return [_members(env, field)]
    value = field.sql("t")
    if field.kind != "many2one":
        return [value]
    other = env.model(field.comodel)
    # An alias that no model's own expressions use.
    shown = other.fields["display_name"].sql("referred")
    return [value, f"(SELECT {shown} FROM {other.table} referred WHERE referred.id = {value})"]


def _members(env: Env, field: Field) -> str:
    other = env.model(field.comodel)
    order = order_by(other, other.order, "o")
    if field.relation:
        link = field.relation
        return (
            f"ARRAY(SELECT o.id FROM {link.table} r JOIN {other.table} o ON o.id = r.{link.there}"
            f" WHERE r.{link.here} = t.id ORDER BY {order})"
        )
    active = " AND o.active IS TRUE" if "active" in other.fields and other.fields["active"].stored else ""
    return f"ARRAY(SELECT o.id FROM {other.table} o WHERE o.{field.inverse} = t.id{active} ORDER BY {order})"


def _record(fields: Sequence[Field], row: Sequence[Any]) -> Values:
    record: Values = {"id": row[0]}
    place = 1
    for field in fields:
        if field.kind == "many2one":
            record[field.name] = [row[place], row[place + 1] or ""] if row[place] else False
            place += 2
        else:
            record[field.name] = field.from_column(row[place])
            place += 1
    return record


def name_search(
    model: Model, env: Env, name: str = "", domain: Sequence[Any] = (), operator: str = "ilike", limit: int | None = 100
) -> list[list[Any]]:
    """[id, display name] of the records whose name matches."""
    found = list(domain)
    if name or operator not in ("ilike", "like"):
        found += ["|"] * (len(model.searched) - 1) + [[field, operator, name] for field in model.searched]
    ids = search(model, env, found, limit=limit)
    return [[record["id"], record["display_name"]] for record in read(model, env, ids, ["display_name"])]


def fields_get(model: Model, names: Sequence[str] | None, attributes: Sequence[str] | None) -> dict[str, Values]:
    """What a client may know of the fields."""
    described = {field.name: _described(field) for field in model.fields.values() if not names or field.name in names}
    if attributes:
        keep = set(attributes)
        return {name: {k: v for k, v in one.items() if k in keep} for name, one in described.items()}
    return described


def _described(field: Field) -> Values:
    described: Values = {
        "name": field.name,
        "type": field.kind,
        "string": field.label,
        "required": field.required,
        "readonly": field.readonly,
        "store": field.stored or (field.kind in X2MANY and not field.expression),
        "searchable": True,
        "sortable": field.kind not in X2MANY,
        "translate": field.translate,
        "company_dependent": field.by_company,
    }
    if field.comodel:
        described |= {"relation": field.comodel, "domain": [], "context": {}}
    if field.kind == "one2many":
        described["relation_field"] = field.inverse
    if field.kind == "selection":
        described["selection"] = [list(choice) for choice in field.selection]
    return described
