"""load() itself: extract, convert, write in one batch; one bad row undoes all; messages say which row and why.

When the batch fails it is written row by row, so that each bad row gets its own message; after ten errors it stops.
The batch's own UserError then comes first, as if it were record 0's (Odoo does that too: do not blame that row).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg

from sandbox.odoo.errors import UserError, ValidationError
from sandbox.odoo.importing.cells import convert
from sandbox.odoo.importing.columns import Extracted, Path, extract, parse_path
from sandbox.odoo.importing.constraints import constraint_message
from sandbox.odoo.importing.references import CellError, CellWarning, References, lookup
from sandbox.odoo.orm import writing
from sandbox.odoo.orm.environment import Env
from sandbox.odoo.orm.external_ids import register

if TYPE_CHECKING:
    from sandbox.odoo.orm.model import Model, Values

MAX_ERRORS = 10
_TOO_MANY = (
    "Found more than 10 errors and more than one error per 10 records, interrupted to avoid showing too many errors."
)


@dataclass(frozen=True, kw_only=True)
class _Row:
    """One converted record: its external id (with module) or database id, its values, and where it came from."""

    xid: str | None
    values: Values
    info: dict[str, Any]


class _Undo(Exception):
    """Ends the load's savepoint when a message is an error."""


def load(model: Model, env: Env, fields: Sequence[str], data: Sequence[Sequence[Any]]) -> Values:
    """`{ids, messages, nextrow}`; `ids` is False, and nothing is kept, when any message is an error."""
    module = env.context.get("module", "__import__")
    importing = env.with_context(_import_current_module=module)
    job = _Load(model=model, env=importing, module=module)
    paths = [parse_path(column) for column in fields]
    try:
        with env.savepoint():
            job.run(paths, data)
            if any(message["type"] == "error" for message in job.messages):
                raise _Undo
    except _Undo:
        return {"ids": False, "messages": job.messages, "nextrow": 0}
    return {"ids": job.ids, "messages": job.messages, "nextrow": 0}


class _Load:
    """One run of load()."""

    def __init__(self, *, model: Model, env: Env, module: str) -> None:
        self.model = model
        self.env = env
        self.ids: list[int] = []
        self.messages: list[dict[str, Any]] = []
        self.batch: list[_Row] = []
        self.pending: set[str] = set()
        self.references = References(env=env, module=module, flush=self.flush, pending=self.pending)

    def run(self, paths: Sequence[Path], data: Sequence[Sequence[Any]]) -> None:
        """Convert every record, then write what is in the batch."""
        self.references.prefetch(_external_ids(paths, data))
        self.references.creatable |= {self.model.name, *_children(self.model, paths)}
        for place, record in enumerate(extract(self.env.registry, self.model, paths, data)):
            self._add(place, record)
        self.flush()

    def _add(self, place: int, record: Extracted) -> None:
        info = {"rows": record.rows, "record": place}

        def log(name: str, error: CellError) -> None:
            self.messages.append(_cell_message(info, name, self.model.fields[name].label, error))

        xid = record.cells.get("id") or None
        own = self._database_id(record, info) if record.cells.get(".id") else None
        values = convert(self.model, record.cells, self.references, log)
        if xid:
            xid = self.references.full(str(xid))
            self.pending.add(xid)
        elif own:
            values["id"] = own
        self.batch.append(_Row(xid=xid, values=values, info=info))

    def _database_id(self, record: Extracted, info: dict[str, Any]) -> int | None:
        given = record.cells[".id"]
        if str(given).isdigit() and not self.model.missing(self.env, [int(given)]):
            return int(given)
        text = f"Unknown database identifier '{given}'"
        self.messages.append({**info, "type": "error", "field": ".id", "message": text})
        return None

    def flush(self) -> None:
        """Write the batch: at once, or row by row where that fails."""
        rows = list(self.batch)
        self.batch.clear()
        self.pending.clear()
        if not rows:
            return
        whole: dict[str, Any] | None = None
        try:
            with self.env.savepoint():
                self.ids += self._write(rows)
            return
        except UserError as error:
            whole = {**rows[0].info, "type": "error", "message": str(error)}
        except (psycopg.Error, ValueError):
            pass
        if self._one_by_one(rows) and whole and whole not in self.messages:
            self.messages.insert(0, whole)

    def _one_by_one(self, rows: Sequence[_Row]) -> int:
        errors = 0
        for done, row in enumerate(rows, 1):
            message = self._try(row)
            if message:
                self.messages.append({**row.info, "type": "error", **message})
                errors += 1
            if errors >= MAX_ERRORS and errors >= done / 10:
                self.messages.append({"type": "warning", "message": _TOO_MANY})
                break
        return errors

    def _try(self, row: _Row) -> dict[str, Any] | None:
        try:
            with self.env.savepoint():
                self.ids += self._write([row])
        except psycopg.Error as error:
            return constraint_message(self.env, self.model, error)
        except UserError as error:
            return {"message": str(error)}
        except ValueError as error:
            text = f"Unknown error during import: {type(error)}: {error}"
            return {"message": text, "moreinfo": "Resolve other errors first"}
        return None

    def _write(self, rows: Sequence[_Row]) -> list[int]:
        """Update the records whose external ids are known, create the others and register them."""
        known = lookup(self.env, {row.xid for row in rows if row.xid})
        changes: dict[int, Values] = {}
        targets: list[int | None] = []
        for row in rows:
            targets.append(self._target(row, known))
            if targets[-1]:
                changes.setdefault(targets[-1], {}).update(row.values)
        writing.write(self.model, self.env, changes)
        new = [row for row, target in zip(rows, targets, strict=True) if not target]
        created = iter(self._create(new))
        return [target or next(created) for target in targets]

    def _target(self, row: _Row, known: dict[str, tuple[str, int]]) -> int | None:
        if row.xid is None:
            return row.values.get("id")
        model, record = known.get(row.xid, (self.model.name, None))
        if model != self.model.name:
            raise ValidationError(
                f"For external id {row.xid} when trying to create/update a record of model {self.model.name} "
                f"found record of different model {model} ({record})"
            )
        return record

    def _create(self, rows: Sequence[_Row]) -> list[int]:
        ids = writing.create(self.model, self.env, [row.values for row in rows])
        named = [(row.xid, one) for row, one in zip(rows, ids, strict=True) if row.xid]
        if self.model.delegate and named:
            self._register_delegates(named)
        register(self.env, self.model.name, named)
        self.references.known.update({name: (self.model.name, one) for name, one in named})
        return ids

    def _register_delegates(self, named: Sequence[tuple[str, int]]) -> None:
        """A product's template gets the product's external id with `_product_template` behind it."""
        other = self.model.fields[self.model.delegate].comodel
        statement = f"SELECT id, {self.model.delegate} FROM {self.model.table} WHERE id = ANY(%s::int[])"
        parents = {row[0]: row[1] for row in self.env.rows(statement, [[one for _, one in named]])}
        suffix = "_" + other.replace(".", "_")
        register(self.env, other, [(name + suffix, parents[one]) for name, one in named])


def _external_ids(paths: Sequence[Path], data: Sequence[Sequence[Any]]) -> set[str]:
    places = [place for place, path in enumerate(paths) if len(path) > 1 and path[-1] == "id"]
    cells = {str(row[place]) for row in data for place in places if row[place]}
    return {name for cell in cells for name in cell.split(",")}


def _children(model: Model, paths: Sequence[Path]) -> set[str]:
    """The models of the one2many columns."""
    fields = [model.fields[path[0]] for path in paths if path[0] in model.fields]
    return {field.comodel for field in fields if field.kind == "one2many"}


def _cell_message(info: dict[str, Any], name: str, label: str, error: CellError) -> dict[str, Any]:
    return {
        **info,
        "type": "warning" if isinstance(error, CellWarning) else "error",
        "field": name,
        "message": error.text.format(field=label),
        **error.more,
        "field_name": label,
    }
