"""What one batch has written to Odoo: every call that changes something, told apart into records and fields.

Contract: the client notes each such call with its answer; the deliverer takes the list with the outcomes of the batch, and writes both
in one transaction (audit). A call whose answer was lost is noted, too: Odoo may have carried it out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Write:
    """One record of Odoo that a call has changed. `odoo_id` None: not known. `fields`: names with the values that were written.

    `part`: the external id of a record that was loaded with the one that `odoo_id` names; its fields are the part's.
    `is_certain`: Odoo has said that it is done.
    """

    model: str
    odoo_id: int | None
    method: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    part: str | None = None
    is_certain: bool = True


class Journal:
    """The writes since `take` was called last."""

    def __init__(self) -> None:
        self._writes: list[Write] = []

    def note(self, model: str, method: str, args: Sequence[Any], answer: Any) -> None:
        """A call was carried out."""
        self._writes += _writes(model, method, args, answer, is_certain=True)

    def note_lost(self, model: str, method: str, args: Sequence[Any]) -> None:
        """A call was sent, and its answer lost."""
        self._writes += _writes(model, method, args, None, is_certain=False)

    def take(self) -> list[Write]:
        """Return what was noted, and forget it."""
        taken, self._writes = self._writes, []
        return taken


def _writes(model: str, method: str, args: Sequence[Any], answer: Any, *, is_certain: bool) -> Iterator[Write]:
    match method, args:
        case "load", [columns, rows]:
            made = answer.get("ids") if isinstance(answer, Mapping) else None
            if is_certain and not made:
                return  # Odoo has rolled it back
            yield from _loaded(model, columns, rows, made or (), is_certain=is_certain)
            return
        case "create", [values, *_]:
            written = list(values) if isinstance(values, list | tuple) else [values]
            ids = list(answer) if isinstance(answer, list) else [answer] * len(written)
        case "write", [some, values, *_]:
            ids, written = list(some), [values] * len(some)
        case _:
            ids = _ids(args) or [None]
            written = [{}] * len(ids)
    for odoo_id, fields in zip(ids, written, strict=True):
        yield Write(model=model, odoo_id=odoo_id, method=method, fields=fields, is_certain=is_certain)


def _loaded(
    model: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], made: Sequence[int], *, is_certain: bool
) -> Iterator[Write]:
    """Yield the loaded records, each followed by its one2many rows (columns `field/...`; a row without an own id is another one)."""
    prefix = _parts_prefix(columns)
    ids, odoo_id = iter(made), None
    for row in rows:
        cells = dict(zip(columns, row, strict=True))
        own = {column: cell for column, cell in cells.items() if not (prefix and column.startswith(prefix))}
        if not prefix or own.get("id"):
            odoo_id = next(ids, None)
            yield Write(model=model, odoo_id=odoo_id, method="load", fields=own, is_certain=is_certain)
        if prefix:
            fields = {column.removeprefix(prefix): cell for column, cell in cells.items() if column not in own}
            part = fields["id"]
            yield Write(model=model, odoo_id=odoo_id, method="load", fields=fields, part=part, is_certain=is_certain)


def _parts_prefix(columns: Sequence[str]) -> str | None:
    """Return `field/` of the one2many rows in a load's columns: the field with several columns, one of them an id."""
    fields = Counter(column.partition("/")[0] for column in columns if "/" in column)
    return next((f"{name}/" for name, count in fields.items() if count > 1 and f"{name}/id" in columns), None)


def _ids(args: Sequence[Any]) -> list[int]:
    first = args[0] if args else None
    return list(first) if isinstance(first, list | tuple) and all(isinstance(one, int) for one in first) else []
