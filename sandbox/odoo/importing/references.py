"""What external ids, names and database ids in cells stand for.

External ids of a whole matrix are looked up in one statement; one that is not there yet may belong to a row above in
the same matrix, and is asked for again after those rows are written (`flush`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from sandbox.odoo.orm.environment import Env
from sandbox.odoo.orm.fields import Field
from sandbox.odoo.orm.model import Model
from sandbox.odoo.orm.reading import name_search

REFERENCE = frozenset({None, "id", ".id"})
_NO = frozenset({"", "0", "false", "no"})

Found = tuple[str, int]


class CellError(ValueError):
    """A cell that cannot be converted. `text` has `{field}` where the field's label goes; `more` goes into the message."""

    def __init__(self, text: str, **more: Any) -> None:
        super().__init__(text)
        self.text = text
        self.more = more


class CellWarning(CellError):
    """A cell that was converted by an assumption."""


@dataclass(kw_only=True)
class References:
    """Finds records for cells during one load."""

    env: Env
    module: str
    flush: Callable[[], None]
    pending: set[str]
    # The models that this load writes: only their records may be missing until the rows above are written.
    creatable: set[str] = field(default_factory=set)
    known: dict[str, Found] = field(default_factory=dict)
    # Names that nobody had when they were looked up; writing rows may change that.
    absent: set[str] = field(default_factory=set)
    named: dict[tuple[str, str], list[list[Any]]] = field(default_factory=dict)

    def full(self, name: str) -> str:
        """An external id with its module."""
        return name if "." in name else f"{self.module}.{name}"

    def prefetch(self, names: Iterable[str]) -> None:
        """Look up external ids, all at once."""
        wanted = {self.full(name) for name in names if name}
        self.known.update(lookup(self.env, wanted))
        self.absent |= wanted - set(self.known)

    def find(self, target: Field, subfield: str | None, value: str) -> tuple[int | None, list[CellError]]:
        """The id that `value` stands for in the field `target` (None: leave empty), with warnings."""
        if subfield == "id":
            return self._by_external_id(target, value), []
        if subfield == ".id":
            return self._by_database_id(target, value), []
        if subfield is None:
            return self._by_name(target, value)
        raise CellError(f"Unknown sub-field “{subfield}”")

    def _by_external_id(self, target: Field, value: str) -> int | None:
        if value.lower() in _NO:
            return None
        name = self.full(value)
        if name not in self.known:
            if name in self.pending:
                self._write_pending()
            if name not in self.absent:
                self.prefetch([name])
        model, record = self.known.get(name, ("", 0))
        other = self.env.model(target.comodel)
        if not model or (model != target.comodel and not _exists(self.env, other, record)):
            raise _no_match("external id", value, target)
        if model != target.comodel:
            raise CellError(f"Invalid external ID {name}: expected model {target.comodel!r}, found {model!r}")
        return record

    def _write_pending(self) -> None:
        self.flush()
        self.absent.clear()
        self.named.clear()

    def _by_database_id(self, target: Field, value: str) -> int | None:
        if value.lower() in _NO:
            return None
        try:
            record = int(value)
        except ValueError:
            raise CellError(f"Invalid database id '{value}' for the field '{{field}}'") from None
        if not _exists(self.env, self.env.model(target.comodel), record):
            raise _no_match("database id", value, target)
        return record

    def _by_name(self, target: Field, value: str) -> tuple[int | None, list[CellError]]:
        if value == "":
            return None, []
        if self.pending and target.comodel in self.creatable:
            self._write_pending()
        key = (target.comodel, value)
        if key not in self.named:
            self.named[key] = name_search(self.env.model(target.comodel), self.env, value, operator="=")
        found = self.named[key]
        if not found:
            raise _no_match("name", value, target)
        many = f'Found multiple matches for value "{value}" in field "{{field}}" ({len(found)} matches)'
        return found[0][0], [CellWarning(many)] if len(found) > 1 else []


def lookup(env: Env, names: Iterable[str]) -> dict[str, Found]:
    """External id -> (model, record id), for those of `names` whose record exists."""
    pairs = [name.split(".", 1) for name in names]
    rows = env.rows(
        "SELECT d.module || '.' || d.name, d.model, d.res_id FROM ir_model_data d"
        " JOIN unnest(%s::text[], %s::text[]) AS wanted (module, name) ON d.module = wanted.module AND d.name = wanted.name",
        [[module for module, _ in pairs], [name for _, name in pairs]],
    )
    found: dict[str, Found] = {}
    for model in {row[1] for row in rows}:
        ids = {row[0]: row[2] for row in rows if row[1] == model}
        gone = set(env.model(model).missing(env, ids.values())) if model in env.registry else set()
        found.update({name: (model, one) for name, one in ids.items() if one not in gone})
    return found


def _exists(env: Env, model: Model, record: int) -> bool:
    return not model.missing(env, [record])


def _no_match(kind: str, value: str, target: Field) -> CellError:
    action: dict[str, Any] = {
        "name": "Possible Values",
        "type": "ir.actions.act_window",
        "target": "new",
        "view_mode": "list,form",
        "views": [[False, "list"], [False, "form"]],
        "context": {"create": False},
        "help": "See all possible values",
        "res_model": target.comodel if kind == "name" else "ir.model.data",
    }
    if kind != "name":
        action["domain"] = [["model", "=", target.comodel]]
    return CellError(f"No matching record found for {kind} '{_braced(value)}' in field '{{field}}'", moreinfo=action)


def _braced(value: str) -> str:
    return value.replace("{", "{{").replace("}", "}}")
