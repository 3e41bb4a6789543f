"""The register of external ids (ir_model_data): giving names to records."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import uuid4

from sandbox.odoo.orm.environment import Env


def register(env: Env, model: str, named: Sequence[tuple[str, int]]) -> None:
    """Give records of `model` their external ids (`module.name`); a name that exists moves to the record given.

    The same name twice is an error of the database, as it is in Odoo: load() then writes row by row.
    """
    if not named:
        return
    parts = [name.split(".", 1) for name, _ in named]
    env.rows(
        "INSERT INTO ir_model_data AS d (module, name, model, res_id, noupdate)"
        " SELECT module, name, %(model)s, res_id, %(noupdate)s"
        " FROM unnest(%(modules)s::text[], %(names)s::text[], %(ids)s::int[]) AS given (module, name, res_id)"
        " ON CONFLICT (module, name) DO UPDATE SET model = EXCLUDED.model, res_id = EXCLUDED.res_id,"
        " write_date = now() AT TIME ZONE 'UTC'"
        " WHERE d.res_id != EXCLUDED.res_id OR d.model != EXCLUDED.model",
        {
            "model": model,
            "noupdate": bool(env.context.get("noupdate")),
            "modules": [module for module, _ in parts],
            "names": [name for _, name in parts],
            "ids": [one for _, one in named],
        },
    )


def ensure_names(env: Env, model: str, ids: Sequence[int]) -> list[str]:
    """The external ids of records, in order; one of the module __export__ is made for each that has none."""
    found = (
        "SELECT res_id, module || '.' || name FROM ir_model_data WHERE model = %s AND res_id = ANY(%s) ORDER BY id DESC"
    )
    names = env.pairs(found, (model, list(ids)))
    missing = [
        (f"__export__.{model.replace('.', '_')}_{one}_{uuid4().hex[:8]}", one) for one in ids if one not in names
    ]
    register(env, model, missing)
    names |= {one: name for name, one in missing}
    return [names[one] for one in ids]
