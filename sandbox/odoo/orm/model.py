"""A model: its table, fields and the hooks by which a business model takes part in creating and writing.

Subclasses declare names and override hooks; they hold no state, one instance serves every call. Methods marked with
`api_model` or `api_records` are the ones that a caller may reach.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from sandbox.odoo.errors import MissingError
from sandbox.odoo.orm.fields import Field

if TYPE_CHECKING:
    from sandbox.odoo.orm.domain import Leaf
    from sandbox.odoo.orm.environment import Env

Values = dict[str, Any]
Changes = dict[int, Values]
Method = TypeVar("Method", bound=Callable[..., Any])

AUDIT = ("create_uid", "create_date", "write_uid", "write_date")


def api_model(method: Method) -> Method:
    """Open to callers; called without records."""
    method.__dict__["api"] = "model"
    return method


def api_records(method: Method) -> Method:
    """Open to callers; the first argument is a record's id or a list of them."""
    method.__dict__["api"] = "records"
    return method


class Registry(dict[str, "Model"]):
    """Every model of the stand-in, by name."""


class Model:
    """One model. `shown_as` is the SQL of display_name over `{t}`; `delegate` the field whose record it builds on."""

    name: ClassVar[str]
    label: ClassVar[str]
    order: ClassVar[str] = "id"
    shown_as: ClassVar[str] = "{t}.name"
    parent: ClassVar[str] = "parent_id"
    delegate: ClassVar[str] = ""
    computed: ClassVar[tuple[Field, ...]] = ()
    defaults: ClassVar[Mapping[str, Any]] = {}
    searched: ClassVar[tuple[str, ...]] = ("display_name",)

    def __init__(self, declared: Mapping[str, Field], delegated: Mapping[str, Field]) -> None:
        self.table = self.name.replace(".", "_")
        self.fields: dict[str, Field] = {**self._own_fields(), **declared}
        self.fields.update({field.name: field for field in self.computed})
        self.delegated = frozenset(delegated) - frozenset(self.fields)
        for name in self.delegated:
            self.fields[name] = delegated[name]
        self.table_columns = [field.name for field in self.fields.values() if field.stored and field.name != "id"]

    def _own_fields(self) -> dict[str, Field]:
        return {
            "id": Field(model=self.name, name="id", kind="integer", label="ID", readonly=True),
            "display_name": Field(
                model=self.name, name="display_name", kind="char", label="Display Name",
                expression=self.shown_as, readonly=True,
            ),
            "create_date": Field(model=self.name, name="create_date", kind="datetime", label="Created on"),
            "write_date": Field(model=self.name, name="write_date", kind="datetime", label="Last Updated on"),
            "create_uid": Field(
                model=self.name, name="create_uid", kind="many2one", label="Created by", comodel="res.users"
            ),
            "write_uid": Field(
                model=self.name, name="write_uid", kind="many2one", label="Last Updated by", comodel="res.users"
            ),
        }  # fmt: skip

    def field(self, name: str) -> Field:
        """The field called `name`; ValueError with Odoo's words where there is none."""
        if name not in self.fields:
            raise ValueError(f"Invalid field {name!r} on model {self.name!r}")
        return self.fields[name]

    def field_of_leaf(self, name: str, leaf: Leaf) -> Field:
        """The field that a domain's leaf names."""
        if name not in self.fields:
            term = (leaf.path, leaf.operator, leaf.value)
            raise ValueError(f"Invalid field {self.name}.{name} in leaf {term!r}")
        return self.fields[name]

    def default_values(self, env: Env) -> Values:
        """What a new record has where its creator says nothing."""
        return dict(self.defaults)

    def complete(self, env: Env, rows: list[Values]) -> None:
        """Fill in, for all new rows at once, what follows from what is given."""

    def created(self, env: Env, ids: list[int], rows: list[Values]) -> None:
        """After new rows (and their one2many rows) are there: what is derived from them."""

    def before_write(self, env: Env, changes: Changes) -> None:
        """Refuse, or add to, what is about to be written."""

    def after_write(self, env: Env, changes: Changes) -> None:
        """Bring what is derived up to date."""

    def parents(self, env: Env, ids: list[int]) -> list[int]:
        """The records of another model whose stored figures are made of these; asked before these are deleted."""
        return []

    def after_unlink(self, env: Env, parents: list[int]) -> None:
        """Bring those records' figures up to date."""

    def before_unlink(self, env: Env, ids: list[int]) -> None:
        """Refuse what may not be deleted."""

    def missing(self, env: Env, ids: Iterable[int]) -> list[int]:
        """Those of `ids` that do not exist."""
        wanted = list(dict.fromkeys(ids))
        found = set(env.ids(f"SELECT id FROM {self.table} WHERE id = ANY(%s::int[])", [wanted]))
        return [one for one in wanted if one not in found]

    def require(self, env: Env, ids: Iterable[int]) -> None:
        """MissingError, with Odoo's words, unless all of `ids` exist."""
        absent = self.missing(env, ids)
        if absent:
            raise MissingError(
                "Record does not exist or has been deleted.\n"
                f"(Record: {self.name}({', '.join(map(str, absent))},), User: {env.uid})"
            )
