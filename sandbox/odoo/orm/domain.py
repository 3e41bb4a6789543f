"""Search domains: Odoo's prefix notation parsed to a tree, and the tree compiled to a WHERE clause.

`parse` is pure. `compile_domain` looks every field name up in the declarations (a ValueError with Odoo's words where
there is none), so that a statement never holds a caller's name; values travel as parameters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sandbox.odoo.orm.fields import X2MANY, Field

if TYPE_CHECKING:
    from sandbox.odoo.orm.model import Model, Registry

_LIKE = {"like": "LIKE", "ilike": "ILIKE", "not like": "NOT LIKE", "not ilike": "NOT ILIKE"}
_EXACT_LIKE = {"=like": "LIKE", "=ilike": "ILIKE"}
_ORDERING = frozenset({"<", ">", "<=", ">="})
_EQUALITY = {"=": "=", "==": "=", "!=": "!=", "<>": "!="}
OPERATORS = frozenset(
    {*_LIKE, *_EXACT_LIKE, *_ORDERING, *_EQUALITY, "in", "not in", "=?", "child_of", "any", "not any"}
)


@dataclass(frozen=True, kw_only=True)
class Leaf:
    """One condition: dotted path, operator, value."""

    path: str
    operator: str
    value: Any


@dataclass(frozen=True, kw_only=True)
class Node:
    """`&` or `|` over two or more, `!` over one; `&` over nothing is true."""

    operator: str
    operands: tuple[Node | Leaf, ...]


def parse(domain: Sequence[Any]) -> Node | Leaf:
    """The tree of `domain`; terms that nothing joins are all required. ValueError for what is no domain."""
    stack: list[Node | Leaf] = []
    for term in reversed(list(domain)):
        if term == "!":
            stack.append(Node(operator="!", operands=(_popped(stack),)))
        elif term in ("&", "|"):
            stack.append(Node(operator=str(term), operands=(_popped(stack), _popped(stack))))
        else:
            stack.append(_leaf(term))
    return stack[0] if len(stack) == 1 else Node(operator="&", operands=tuple(reversed(stack)))


def _popped(stack: list[Node | Leaf]) -> Node | Leaf:
    if not stack:
        raise ValueError("Domain operator without its terms")
    return stack.pop()


def _leaf(term: Any) -> Leaf:
    if not isinstance(term, list | tuple) or len(term) != 3:
        raise ValueError(f"Invalid leaf {term!r}")
    path, operator, value = term
    if str(operator).lower() not in OPERATORS:
        raise ValueError(f"Invalid leaf {term!r}")
    return Leaf(path=str(path), operator=str(operator).lower(), value=value)


def paths(tree: Node | Leaf) -> set[str]:
    """The paths that occur in `tree`: who names `active` sees archived records too."""
    if isinstance(tree, Leaf):
        return {tree.path}
    return {path for operand in tree.operands for path in paths(operand)}


class Compiler:
    """Compiles one domain; collects the parameters in the order of their places in the clause."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self.params: list[Any] = []
        self._depth = 0

    def clause(self, tree: Node | Leaf, model: Model, alias: str) -> str:
        """The condition that `tree` puts on the row `alias` of `model`'s table."""
        if isinstance(tree, Leaf):
            return self._condition(tree, model, alias)
        if tree.operator == "!":
            return f"(NOT coalesce({self.clause(tree.operands[0], model, alias)}, false))"
        joint = " OR " if tree.operator == "|" else " AND "
        return "(" + (joint.join(self.clause(one, model, alias) for one in tree.operands) or "TRUE") + ")"

    def _condition(self, leaf: Leaf, model: Model, alias: str) -> str:
        if leaf.path in ("1", "0"):
            return "TRUE" if str(leaf.path) == str(leaf.value) else "FALSE"
        name, _, rest = leaf.path.partition(".")
        field = model.field_of_leaf(name, leaf)
        if rest and field.comodel:
            return self._through(field, Leaf(path=rest, operator=leaf.operator, value=leaf.value), alias)
        if leaf.operator in ("any", "not any"):
            inner = self._through(field, parse(leaf.value), alias)
            return inner if leaf.operator == "any" else f"(NOT {inner})"
        if field.kind in X2MANY:
            return self._members(field, leaf, alias)
        if leaf.operator == "child_of":
            return self._descendants(field, leaf.value, model, alias)
        return self._compared(field, leaf, field.sql(alias))

    def _through(self, field: Field, tree: Node | Leaf, alias: str) -> str:
        """Some record that `field` refers to fulfils `tree`."""
        self._depth += 1
        other = self.registry[field.comodel]
        inner = f"{alias}{self._depth}"
        condition = self.clause(tree, other, inner)
        link = other.fields[field.inverse].sql(inner) if field.kind == "one2many" else f"{inner}.id"
        if field.relation:
            table = field.relation
            return (
                f"EXISTS (SELECT 1 FROM {table.table} r JOIN {other.table} {inner} ON {inner}.id = r.{table.there}"
                f" WHERE r.{table.here} = {alias}.id AND {condition})"
            )
        if field.kind == "many2many":
            link = f"{inner}.id = ANY({field.sql(alias)})"
            return f"EXISTS (SELECT 1 FROM {other.table} {inner} WHERE {link} AND {condition})"
        here = f"{alias}.id" if field.kind == "one2many" else field.sql(alias)
        return f"{here} IN (SELECT {link} FROM {other.table} {inner} WHERE {condition})"

    def _members(self, field: Field, leaf: Leaf, alias: str) -> str:
        negative = leaf.operator in ("!=", "<>", "not in")
        if leaf.value is False:
            inner = self._through(field, Leaf(path="id", operator="!=", value=False), alias)
            return inner if negative else f"(NOT {inner})"
        operator = {"!=": "=", "<>": "=", "not in": "in"}.get(leaf.operator, leaf.operator)
        by_name = isinstance(leaf.value, str)
        path = "display_name" if by_name else "id"
        if isinstance(leaf.value, list | tuple):
            operator = "in"
        inner = self._through(field, Leaf(path=path, operator=operator, value=leaf.value), alias)
        return f"(NOT {inner})" if negative else inner

    def _descendants(self, field: Field, value: Any, model: Model, alias: str) -> str:
        other = self.registry[field.comodel] if field.comodel else model
        self.params.append([int(one) for one in (value if isinstance(value, list | tuple) else [value])])
        return (
            f"{field.sql(alias)} IN (WITH RECURSIVE below AS (SELECT id FROM {other.table} WHERE id = ANY(%s::int[])"
            f" UNION SELECT c.id FROM {other.table} c JOIN below b ON c.{other.parent} = b.id) SELECT id FROM below)"
        )

    def _compared(self, field: Field, leaf: Leaf, value: str) -> str:
        operator = leaf.operator
        if field.kind == "many2one" and isinstance(leaf.value, str):
            return self._through_name(field, leaf, value)
        if operator in ("in", "not in"):
            return self._listed(field, leaf, value)
        if operator == "=?" and leaf.value in (False, None):
            return "TRUE"
        if operator in _LIKE or operator in _EXACT_LIKE:
            return self._matched(operator, leaf.value, value)
        if operator in _ORDERING:
            return f"{value} {operator} {self._param(field, leaf.value)}"
        equal = operator in ("=", "==", "=?")
        if leaf.value is False or leaf.value is None:
            return self._unset(field, value, equal)
        placed = self._param(field, leaf.value)
        return f"{value} = {placed}" if equal else f"({value} IS DISTINCT FROM {placed})"

    def _through_name(self, field: Field, leaf: Leaf, value: str) -> str:
        self._depth += 1
        other, inner = self.registry[field.comodel], f"n{self._depth}"
        name = other.field("display_name")
        condition = self._compared(name, leaf, name.sql(inner))
        return f"{value} IN (SELECT {inner}.id FROM {other.table} {inner} WHERE {condition})"

    def _listed(self, field: Field, leaf: Leaf, value: str) -> str:
        items = leaf.value if isinstance(leaf.value, list | tuple) else [leaf.value]
        given = [plain_text(field, item) for item in items if item not in (False, None) or field.kind == "boolean"]
        self.params.append(given)
        found = f"{value} = ANY(%s::text[]::{_compared_type(field)}[])"
        if any(item in (False, None) for item in items) and field.kind != "boolean":
            found = f"({found} OR {value} IS NULL)"
        return found if leaf.operator == "in" else f"(NOT coalesce({found}, false))"

    def _matched(self, operator: str, wanted: Any, value: str) -> str:
        if operator in _EXACT_LIKE:
            self.params.append(str(wanted))
            return f"{value}::text {_EXACT_LIKE[operator]} %s"
        self.params.append(f"%{wanted}%")
        found = f"{value}::text {_LIKE[operator]} %s"
        return f"({found} OR {value} IS NULL)" if operator.startswith("not") else found

    def _unset(self, field: Field, value: str, equal: bool) -> str:
        if field.kind == "boolean":
            return f"(NOT coalesce({value}, false))" if equal else f"coalesce({value}, false)"
        if field.kind in ("integer", "float", "monetary"):
            return f"(coalesce({value}, 0) {'=' if equal else '!='} 0)"
        return f"{value} IS {'' if equal else 'NOT '}NULL"

    def _param(self, field: Field, value: Any) -> str:
        self.params.append(plain_text(field, value))
        return f"%s::text::{_compared_type(field)}"


def _compared_type(field: Field) -> str:
    if field.translate or field.by_company:
        return "numeric" if field.kind == "float" else "text"
    return field.pg_type


def plain_text(field: Field, value: Any) -> str:
    """`value` as text that compares with the field's own values."""
    if field.kind == "boolean":
        return "true" if value else "false"
    return str(value)
