"""Creating, writing and deleting, in bulk: one statement a table, whatever the number of records.

Values are those of RPC: x2many fields take Odoo's command lists. Records that build on another (`delegate`) are
created and written together with it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sandbox.odoo.errors import MissingError
from sandbox.odoo.orm.commands import apply_links, child_rows
from sandbox.odoo.orm.environment import Env
from sandbox.odoo.orm.external_ids import register
from sandbox.odoo.orm.fields import X2MANY
from sandbox.odoo.orm.model import AUDIT, Changes, Model, Values


def create(model: Model, env: Env, rows: Sequence[Mapping[str, Any]]) -> list[int]:
    """New records, in the order of `rows`; their ids. ValueError for an unknown field."""
    if not rows:
        return []
    complete = [dict(row) for row in rows]
    for row in complete:
        row.pop("id", None)
        _check_names(model, row)
    _create_delegates(model, env, complete)
    for row in complete:
        for name, value in model.default_values(env).items():
            row.setdefault(name, value)
    model.complete(env, complete)
    ids = _insert(model, env, complete)
    _apply_relations(model, env, dict(zip(ids, complete, strict=True)), new=True)
    model.created(env, ids, complete)
    return ids


def _check_names(model: Model, row: Iterable[str]) -> None:
    for name in row:
        model.field(name)


def _create_delegates(model: Model, env: Env, rows: list[Values]) -> None:
    if not model.delegate:
        return
    other = env.model(model.fields[model.delegate].comodel)
    own = [row for row in rows if not row.get(model.delegate)]
    inherited = [{name: row.pop(name) for name in list(row) if name in model.delegated} for row in own]
    for row, one in zip(own, create(other, env.with_context(building_variant=True), inherited), strict=True):
        row[model.delegate] = one


def _insert(model: Model, env: Env, rows: list[Values]) -> list[int]:
    given = {name for row in rows for name in row}
    names = [name for name in model.table_columns if name in given and name not in AUDIT]
    ids = env.ids("SELECT nextval(%s::regclass) FROM generate_series(1, %s)", [f"{model.table}_id_seq", len(rows)])
    columns: list[list[str | None]] = [[str(one) for one in ids]]
    columns += [[model.fields[name].to_column(row.get(name)) for row in rows] for name in names]
    types = ["integer", *(model.fields[name].pg_type for name in names)]
    arrays = ", ".join(f"%s::text[]::{pg_type}[]" for pg_type in types)
    env.rows(
        f"INSERT INTO {model.table} ({', '.join(['id', *names, *AUDIT])})"
        f" SELECT given.*, %s, %s, %s, %s FROM unnest({arrays}) AS given",
        [env.uid, env.now, env.uid, env.now, *columns],
    )
    return [int(one) for one in ids]


def write(model: Model, env: Env, changes: Changes) -> None:
    """Write each record's own values. MissingError where a record is not there, ValueError for an unknown field."""
    changes = {one: {k: v for k, v in values.items() if k != "id"} for one, values in changes.items()}
    for values in changes.values():
        _check_names(model, values)
    if not changes:
        return
    model.before_write(env, changes)
    _write_delegates(model, env, changes)
    _update(model, env, changes)
    _apply_relations(model, env, changes, new=False)
    model.after_write(env, changes)


def _write_delegates(model: Model, env: Env, changes: Changes) -> None:
    touched = {one: values for one, values in changes.items() if model.delegated.intersection(values)}
    if not touched:
        return
    rows = env.rows(f"SELECT id, {model.delegate} FROM {model.table} WHERE id = ANY(%s::int[])", [list(touched)])
    other = env.model(model.fields[model.delegate].comodel)
    write(other, env, {to: {k: v for k, v in touched[one].items() if k in model.delegated} for one, to in rows})


def _update(model: Model, env: Env, changes: Changes) -> None:
    """One UPDATE for each set of columns: rows of a load share theirs."""
    by_columns: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for one, values in changes.items():
        by_columns[tuple(name for name in model.table_columns if name in values)].append(one)
    for names, ids in by_columns.items():
        _update_columns(model, env, names, {one: changes[one] for one in ids})


def _update_columns(model: Model, env: Env, names: tuple[str, ...], changes: Changes) -> None:
    columns: list[list[str | None]] = [[str(one) for one in changes]]
    columns += [[model.fields[name].to_column(values[name]) for values in changes.values()] for name in names]
    types = ["integer", *(model.fields[name].pg_type for name in names)]
    arrays = ", ".join(f"%s::text[]::{pg_type}[]" for pg_type in types)
    settings = "".join(f"{name} = given.c{place}, " for place, name in enumerate(names, 1))
    aliases = ", ".join(f"c{place}" for place in range(len(types)))
    done = env.ids(
        f"UPDATE {model.table} t SET {settings}write_uid = %s, write_date = %s"
        f" FROM unnest({arrays}) AS given ({aliases}) WHERE t.id = given.c0 RETURNING t.id",
        [env.uid, env.now, *columns],
    )
    if len(done) != len(changes):
        raise MissingError(
            f"One of the records you are trying to modify has already been deleted (Document type: {model.label})."
        )


def _apply_relations(model: Model, env: Env, changes: Changes, *, new: bool) -> None:
    used = {name for values in changes.values() for name in values if model.fields[name].kind in X2MANY}
    for field in (model.fields[name] for name in sorted(used) if name not in model.delegated):
        commands = {one: values[field.name] for one, values in changes.items() if field.name in values}
        if field.relation:
            apply_links(env, field.relation, commands, new=new)
            continue
        other = env.model(field.comodel)
        planned = child_rows(env, other, field.inverse, commands)
        unlink(other, env, planned.removed)
        write(other, env, planned.changed)
        create_children(other, env, planned.added)


def create_children(model: Model, env: Env, rows: list[Values]) -> None:
    """New one2many rows. In a load their `id` is an external id, which is registered for them."""
    names = [row.get("id") for row in rows]
    ids = create(model, env, rows)
    module = env.context.get("_import_current_module")
    named = [(name, one) for name, one in zip(names, ids, strict=True) if isinstance(name, str) and name]
    if module and named:
        register(env, model.name, [(n if "." in n else f"{module}.{n}", one) for n, one in named])


def unlink(model: Model, env: Env, ids: Sequence[int]) -> None:
    """Delete records, and what registers them under external ids. Foreign keys speak for what refers to them."""
    if not ids:
        return
    model.before_unlink(env, list(ids))
    parents = model.parents(env, list(ids))
    env.rows(f"DELETE FROM {model.table} WHERE id = ANY(%s::int[])", [list(ids)])
    env.rows("DELETE FROM ir_model_data WHERE model = %s AND res_id = ANY(%s::int[])", [model.name, list(ids)])
    model.after_unlink(env, parents)
