"""The command lists that x2many fields take: `[0, 0, values]`, `[1, id, values]`, `[2, id]` .. `[6, 0, ids]`.

One2many commands of all records become one plan (rows to add, change and remove); many2many commands become rows of
the relation's table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sandbox.odoo.orm.environment import Env
from sandbox.odoo.orm.fields import Relation
from sandbox.odoo.orm.model import Changes, Model, Values

CREATE, UPDATE, DELETE, UNLINK, LINK, CLEAR, SET = range(7)


@dataclass(kw_only=True)
class Plan:
    """What the one2many commands of all records come to."""

    added: list[Values] = field(default_factory=list)
    changed: Changes = field(default_factory=dict)
    removed: list[int] = field(default_factory=list)


def normalized(commands: Any) -> list[Sequence[Any]]:
    """Commands in their long form; a bare list of ids sets them, as does False to nothing."""
    if not commands:
        return [(SET, 0, [])] if commands is False else []
    if all(isinstance(one, int) for one in commands):
        return [(SET, 0, list(commands))]
    return [list(one) + [0] * (3 - len(one)) if isinstance(one, list | tuple) else (LINK, one, 0) for one in commands]


def child_rows(env: Env, model: Model, inverse: str, commands: Mapping[int, Any]) -> Plan:
    """The plan of one2many `commands` (parent id -> commands) over the child `model`."""
    plan = Plan()
    for parent, given in commands.items():
        for code, one, values in normalized(given):
            if code == CREATE:
                plan.added.append({**values, inverse: parent})
            elif code == UPDATE:
                plan.changed.setdefault(one, {}).update(values)
            elif code in (DELETE, UNLINK):
                plan.removed.append(one)
            elif code == LINK:
                plan.changed.setdefault(one, {})[inverse] = parent
            else:
                _replace(env, model, inverse, parent, values if code == SET else [], plan)
    return plan


def _replace(env: Env, model: Model, inverse: str, parent: int, keep: Sequence[int], plan: Plan) -> None:
    have = env.ids(f"SELECT id FROM {model.table} WHERE {inverse} = %s", [parent])
    plan.removed += [one for one in have if one not in keep]
    for one in keep:
        plan.changed.setdefault(one, {})[inverse] = parent


def apply_links(env: Env, relation: Relation, commands: Mapping[int, Any], *, new: bool) -> None:
    """Carry many2many `commands` (record id -> commands) out on the relation's table."""
    linked: list[tuple[int, int]] = []
    for record, given in commands.items():
        for code, one, values in normalized(given):
            if code in (SET, CLEAR) and not new:
                env.rows(f"DELETE FROM {relation.table} WHERE {relation.here} = %s", [record])
            if code in (DELETE, UNLINK):
                env.rows(
                    f"DELETE FROM {relation.table} WHERE {relation.here} = %s AND {relation.there} = %s", [record, one]
                )
            linked += [(record, other) for other in (values if code == SET else [one] if code == LINK else [])]
    if linked:
        env.rows(
            f"INSERT INTO {relation.table} ({relation.here}, {relation.there})"
            " SELECT * FROM unnest(%s::int[], %s::int[]) ON CONFLICT DO NOTHING",
            [[here for here, _ in linked], [there for _, there in linked]],
        )
