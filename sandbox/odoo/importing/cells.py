"""Text cells to values, by the kind of their field. All conversion errors of a matrix are reported at once.

Cells are text: "1" and "" for booleans. An empty cell empties its field. Datetimes are read in the caller's time zone
(context `tz`) and written in UTC, as Odoo does.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sandbox.odoo.importing.columns import Record
from sandbox.odoo.importing.references import REFERENCE, CellError, CellWarning, References
from sandbox.odoo.orm.commands import CREATE, LINK, SET, UPDATE
from sandbox.odoo.orm.fields import DATETIME, Field, parse_datetime
from sandbox.odoo.orm.model import Model, Values

_YES = frozenset({"1", "true", "yes"})
_NO = frozenset({"", "0", "false", "no"})

Log = Callable[[str, CellError], None]


def convert(model: Model, cells: Record, references: References, log: Log) -> Values:
    """The values of one record; what does not convert goes to `log` by its field's name."""
    values: Values = {}
    for name, cell in cells.items():
        if name in REFERENCE or name is None or name not in model.fields:
            continue
        if not cell:
            values[name] = False
            continue
        try:
            values[name], warnings = _value(model.fields[name], cell, references)
        except CellError as error:
            log(name, error)
        else:
            for warning in warnings:
                log(name, warning)
    return values


def _value(field: Field, cell: Any, references: References) -> tuple[Any, list[CellError]]:
    if field.kind == "many2one":
        subfield = _referencing(cell[0])
        return references.find(field, subfield, cell[0][subfield])
    if field.kind == "many2many":
        return _links(field, cell[0], references)
    if field.kind == "one2many":
        return _children(field, cell, references)
    if field.kind == "boolean":
        return _boolean(cell)
    return _scalar(field, cell, references), []


def _referencing(record: Record) -> str | None:
    if set(record) - REFERENCE:
        raise CellError("Can not create Many-To-One records indirectly, import the field separately")
    if len(record) > 1:
        raise CellError(
            "Ambiguous specification for field '{field}', only provide one of name, external id or database id"
        )
    return next(iter(record))


def _links(field: Field, record: Record, references: References) -> tuple[Any, list[CellError]]:
    subfield = _referencing(record)
    found = [references.find(field, subfield, one) for one in record[subfield].split(",")]
    return [[SET, 0, [one for one, _ in found]]], [warning for _, warnings in found for warning in warnings]


def _children(field: Field, records: list[Record], references: References) -> tuple[Any, list[CellError]]:
    commands: list[list[Any]] = []
    warnings: list[CellError] = []
    for record in _spread(records):
        commands.extend(_child(field, record, references, warnings))
    return commands, warnings


def _spread(records: list[Record]) -> list[Record]:
    """One cell of comma-separated references stands for as many records."""
    if len(records) == 1 and not set(records[0]) - REFERENCE:
        subfield = _referencing(records[0])
        return [{subfield: one} for one in records[0][subfield].split(",")]
    return records


def _child(field: Field, record: Record, references: References, warnings: list[CellError]) -> Iterator[list[Any]]:
    other = references.env.model(field.comodel)

    def log(name: str, error: CellError) -> None:
        if not isinstance(error, CellWarning):
            label = other.fields[name].label
            raise CellError(error.text.replace("{field}", "{field}/" + label), **error.more)
        warnings.append(error)

    values = convert(other, {k: v for k, v in record.items() if k not in REFERENCE}, references, log)
    named = {key: value for key, value in record.items() if key in REFERENCE}
    one = _child_id(field, named, values, references) if named else None
    if one:
        yield [LINK, one, 0]
        yield [UPDATE, one, values]
    else:
        yield [CREATE, 0, values]


def _child_id(field: Field, named: Record, values: Values, references: References) -> int | None:
    """The child's id; an external id that nobody has yet stays in `values` for the new record."""
    subfield = _referencing(named)
    try:
        return references.find(field, subfield, named[subfield])[0]
    except CellError:
        if subfield != "id":
            raise
        values["id"] = named["id"]
        return None


def _boolean(cell: str) -> tuple[bool, list[CellError]]:
    if cell.lower() in _YES or cell.lower() in _NO:
        return cell.lower() in _YES, []
    unknown = CellWarning(
        f"Unknown value '{cell}' for boolean field '{{field}}'", moreinfo="Use '1' for yes and '0' for no"
    )
    return True, [unknown]


def _scalar(field: Field, cell: str, references: References) -> Any:
    if field.kind == "integer":
        return _number(cell, int, "an integer")
    if field.kind in ("float", "monetary"):
        return _number(cell, float, "a number")
    if field.kind == "date":
        return _date(cell)
    if field.kind == "datetime":
        return _datetime(cell, references.env.context.get("tz"))
    return _choice(field, cell) if field.kind == "selection" else cell


def _number(cell: str | float, kind: type[int] | type[float], called: str) -> Any:
    try:
        return str(kind(cell)) if isinstance(cell, str) and kind is int else _finite(cell)
    except ValueError:
        raise CellError(f"'{cell}' does not seem to be {called} for field '{{field}}'") from None


def _finite(cell: str | float) -> str:
    """The text of a number, its digits as they were written. ValueError for what is none."""
    float(cell)
    return str(cell).strip()


def _date(cell: str) -> str:
    try:
        return dt.datetime.strptime(cell[:10], "%Y-%m-%d").date().isoformat()
    except ValueError:
        more = "Use the format '2012-12-31'"
        raise CellError(f"'{cell}' does not seem to be a valid date for field '{{field}}'", moreinfo=more) from None


def _datetime(cell: str, zone: Any) -> str:
    try:
        naive = parse_datetime(cell)
    except ValueError:
        more = "Use the format '2012-12-31 23:59:59'"
        text = f"'{cell}' does not seem to be a valid datetime for field '{{field}}'"
        raise CellError(text, moreinfo=more) from None
    return naive.replace(tzinfo=_zone(zone)).astimezone(dt.UTC).strftime(DATETIME)


def _zone(name: Any) -> dt.tzinfo:
    try:
        return ZoneInfo(str(name)) if name else dt.UTC
    except (ZoneInfoNotFoundError, ValueError):
        return dt.UTC


def _choice(field: Field, cell: str) -> str:
    for key, label in field.selection:
        if cell.lower() in (key.lower(), label.lower()):
            return key
    if not field.selection:
        return cell
    labels = [label or key for key, label in field.selection]
    raise CellError(f"Value '{cell}' not found in selection field '{{field}}'", moreinfo=labels)
