"""Fields: their declaration (schema/fields.tsv), their Postgres type, and values on their way in and out.

In: what JSON-RPC brings (False for empty, text for dates) becomes the text form that Postgres casts.
Out: what Postgres gives becomes what Odoo's read() answers.
"""

from __future__ import annotations

import datetime as dt
import html
import json
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from importlib.resources import files
from typing import Any

DATETIME = "%Y-%m-%d %H:%M:%S"
RELATIONAL = frozenset({"many2one", "one2many", "many2many"})
X2MANY = frozenset({"one2many", "many2many"})

_PG_TYPES = {
    "char": "varchar",
    "selection": "varchar",
    "text": "text",
    "html": "text",
    "integer": "integer",
    "many2one": "integer",
    "boolean": "boolean",
    "date": "date",
    "datetime": "timestamp",
    "float": "numeric",
    "monetary": "numeric",
}


@dataclass(frozen=True, kw_only=True)
class Relation:
    """A many2many's table and its two columns: towards this model, towards the other."""

    table: str
    here: str
    there: str


@dataclass(frozen=True, kw_only=True)
class Field:
    """One field of one model. `expression` is SQL over the row alias `{t}` for a field that has no column."""

    model: str
    name: str
    kind: str
    label: str
    comodel: str = ""
    inverse: str = ""
    relation: Relation | None = None
    required: bool = False
    readonly: bool = False
    translate: bool = False
    by_company: bool = False
    double: bool = False
    digits: int | None = None
    expression: str = ""
    selection: tuple[tuple[str, str], ...] = field(default=())

    @property
    def stored(self) -> bool:
        """The field is a column of its model's table."""
        return not self.expression and self.kind not in X2MANY

    @property
    def pg_type(self) -> str:
        """The column's type, as text values are cast to it."""
        if self.translate or self.by_company:
            return "jsonb"
        return "double precision" if self.double else _PG_TYPES[self.kind]

    def sql(self, alias: str) -> str:
        """The field's value in a query where `alias` stands for a row of its model."""
        if self.expression:
            return f"({self.expression.format(t=alias)})"
        if self.translate:
            return f"({alias}.{self.name}->>'en_US')"
        if self.by_company:
            return f"({alias}.{self.name}->>'1'){'::numeric' if self.kind == 'float' else ''}"
        return f"{alias}.{self.name}"

    def to_column(self, value: Any) -> str | None:
        """`value` as text that casts to the column's type, or None for NULL. ValueError where it is of no use."""
        plain = self._plain(value)
        if plain is None or not (self.translate or self.by_company):
            return plain
        number = self.by_company and self.kind in {"float", "monetary"}
        return json.dumps({"1" if self.by_company else "en_US": float(plain) if number else plain})

    def _plain(self, value: Any) -> str | None:
        if self.kind == "boolean":
            return "true" if value else "false"
        if self.kind in {"float", "monetary"}:
            return self._number(value or 0)
        if self.kind == "integer":
            return str(int(value or 0))
        if value is None or value is False:
            return None
        if self.kind == "many2one":
            return str(int(value)) if value else None
        if self.kind == "selection":
            return self._choice(value)
        if self.kind in {"date", "datetime"}:
            return self._moment(value)
        return _paragraph(str(value)) if self.kind == "html" else str(value)

    def _number(self, value: Any) -> str:
        try:
            number = Decimal(str(value))
        except InvalidOperation as error:
            raise ValueError(f"could not convert string to float: {value!r}") from error
        if self.digits is None:
            return str(number)
        # Odoo rounds half away from zero and writes exactly that many places.
        return str(number.quantize(Decimal(1).scaleb(-self.digits), rounding=ROUND_HALF_UP))

    def _choice(self, value: Any) -> str | None:
        if value == "":
            return None
        if self.selection and value not in {key for key, _ in self.selection}:
            raise ValueError(f"Wrong value for {self.model}.{self.name}: {value!r}")
        return str(value)

    def _moment(self, value: Any) -> str | None:
        if isinstance(value, dt.date):
            return str(value)
        text = str(value)
        if not text:
            return None
        if self.kind == "date":
            return dt.datetime.strptime(text[:10], "%Y-%m-%d").date().isoformat()
        return parse_datetime(text).strftime(DATETIME)

    def from_column(self, value: Any) -> Any:
        """What read() answers for a value that came from Postgres (relations are paired with names elsewhere)."""
        if self.kind in {"float", "monetary"}:
            return float(value or 0)
        if self.kind == "integer":
            return value or 0
        if self.kind in X2MANY:
            return list(value or ())
        if value is None:
            return False
        if isinstance(value, dt.datetime):
            return value.strftime(DATETIME)
        return value.isoformat() if isinstance(value, dt.date) else value


def _paragraph(text: str) -> str:
    """Plain text in an HTML field becomes a paragraph, as Odoo's sanitizer makes it."""
    return text if not text or text.lstrip().startswith("<") else f"<p>{html.escape(text, quote=False)}</p>"


def parse_datetime(text: str) -> dt.datetime:
    """A moment as Odoo's clients write it: with seconds, or a bare date. ValueError otherwise."""
    return dt.datetime.strptime(text, DATETIME if len(text) > 10 else "%Y-%m-%d")


def declared_fields() -> dict[str, dict[str, Field]]:
    """By model, then by name: the fields in schema/fields.tsv."""
    declared: dict[str, dict[str, Field]] = {}
    text = files("sandbox.odoo").joinpath("schema", "fields.tsv").read_text(encoding="utf-8")
    for line in text.splitlines():
        if line and not line.startswith("#"):
            parsed = _parsed(line)
            declared.setdefault(parsed.model, {})[parsed.name] = parsed
    return declared


def _parsed(line: str) -> Field:
    model, name, kind, label, target, flags, selection = (line.split("\t") + [""] * 6)[:7]
    given = set(flags.split(","))
    digits = next((int(flag[7:]) for flag in given if flag.startswith("digits=")), None)
    comodel, inverse, relation = _target(kind, target)
    return Field(
        model=model, name=name, kind=kind, label=label, comodel=comodel, inverse=inverse, relation=relation,
        required="required" in given, readonly="readonly" in given, translate="translate" in given,
        by_company="company" in given, double="double" in given, digits=digits,
        selection=tuple((key, text) for key, _, text in (item.partition("=") for item in selection.split("|")) if key),
    )  # fmt: skip


def _target(kind: str, target: str) -> tuple[str, str, Relation | None]:
    if kind == "one2many":
        comodel, _, inverse = target.rpartition(".")
        return comodel, inverse, None
    if kind == "many2many":
        comodel, table, here, there = target.split(":")
        return comodel, "", Relation(table=table, here=here, there=there)
    return target, "", None
