"""Odoo's load(), made safe: many rows a call, and one bad row never holds back the others.

Source: Odoo 18 odoo/models.py, BaseModel.load. It is atomic: any error message rolls all rows back and `ids` is False. Each
message names a row, but not always the guilty one: an error raised while creating comes twice, first blamed on row 0. So a
blamed row is only suspect: it is loaded alone, which settles the matter and gives Odoo's words for it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from config.errors import ErrorKind
from loaders.odoo.client import OdooClient
from loaders.odoo.companies import company_context
from loaders.odoo.odoo_errors import OdooError, is_race

_RACE_ATTEMPTS = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class LoadRow:
    """One record to load: `cells` by column; the column `id` is its external id with its prefix.

    `first`: cells that a record is made with, and that are never sent again. `parts`: the cells of its one2many rows, each with
    an external id of its own. `company_id`: the company that it is made in.
    """

    cells: Mapping[str, str]
    first: Mapping[str, str] = field(default_factory=dict)
    parts: Sequence[Mapping[str, str]] = ()
    company_id: int | None = None

    @property
    def external_id(self) -> str:
        return self.cells["id"]

    @property
    def digest(self) -> str:
        """Digest of the cells, without the first ones and the parts: what has not changed is not sent again."""
        text = "\x1f".join(f"{name}\x1e{value}" for name, value in sorted(self.cells.items()))
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


@dataclass(kw_only=True, slots=True)
class Loaded:
    """What became of each row, by external id: its id in Odoo, or Odoo's words of refusal."""

    ids: dict[str, int] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)


def load(
    client: OdooClient,
    model: str,
    rows: Sequence[LoadRow],
    *,
    batch_records: int,
) -> Loaded:
    """Load rows, those with the same columns and company together. Raises OdooError for what is not one row's fault (lost, ...)."""
    loaded = Loaded()
    for company_id, alike in _alike(rows):
        context = company_context(company_id)
        for some in _calls(alike, batch_records):
            _Loading(client, model, context, loaded).load(some)
    return loaded


def _calls(rows: Sequence[LoadRow], batch_records: int) -> Iterator[list[LoadRow]]:
    """Yield the rows of each call: as many as make `batch_records` rows with their parts, and one at least."""
    some: list[LoadRow] = []
    taken = 0
    for row in rows:
        takes = max(1, len(row.parts))
        if some and taken + takes > batch_records:
            yield some
            some, taken = [], 0
        some.append(row)
        taken += takes
    if some:
        yield some


def _alike(rows: Sequence[LoadRow]) -> Iterator[tuple[int | None, list[LoadRow]]]:
    groups: dict[tuple[Any, ...], list[LoadRow]] = {}
    for row in rows:
        groups.setdefault((row.company_id, *_columns(row)), []).append(row)
    for (company_id, *_), alike in groups.items():
        yield company_id, alike


class _Loading:
    """One call's rows, split until every row is in or refused."""

    def __init__(self, client: OdooClient, model: str, context: Mapping[str, Any] | None, loaded: Loaded) -> None:
        self._client = client
        self._model = model
        self._context = context
        self._loaded = loaded

    def load(self, rows: Sequence[LoadRow]) -> None:
        if not rows:
            return
        messages = self._call(rows)
        if not messages:
            return
        if len(rows) == 1:
            self._loaded.refused[rows[0].external_id] = _words(messages)
            return
        suspects = _suspects(messages, len(rows))
        if suspects:
            for position in suspects:
                self.load([rows[position]])
            self.load([row for position, row in enumerate(rows) if position not in suspects])
        else:
            middle = len(rows) // 2
            self.load(rows[:middle])
            self.load(rows[middle:])

    def _call(self, rows: Sequence[LoadRow]) -> list[dict[str, Any]]:
        """Load these rows; return the messages that kept them out, none when all are in."""
        columns = _columns(rows[0])
        matrix = [cells for row in rows for cells in _matrix(row)]
        for _ in range(_RACE_ATTEMPTS):
            try:
                reply = self._client.call(self._model, "load", [columns, matrix], context=self._context)
            except OdooError as error:
                if error.kind is not ErrorKind.REFUSED:
                    raise
                return [{"type": "error", "message": error.message}]
            if reply["ids"]:
                self._loaded.ids.update(zip((row.external_id for row in rows), reply["ids"], strict=True))
                return []
            messages = [message for message in reply["messages"] if message.get("type", "error") == "error"]
            if not any(is_race(str(message.get("message", ""))) for message in messages):
                return messages or [{"message": "Odoo loaded nothing and said nothing."}]
        raise OdooError(ErrorKind.TRANSIENT, f"Odoo could not load {self._model}: others write the same records.")


def _columns(row: LoadRow) -> list[str]:
    return [*row.cells, *row.first, *(row.parts[0] if row.parts else ())]


def _matrix(row: LoadRow) -> Iterator[list[str]]:
    """Yield the record's row, with its first part, and a row for each other part (Odoo: _extract_records)."""
    own = [*row.cells.values(), *row.first.values()]
    for number, part in enumerate(row.parts or ({},)):
        yield [*([""] * len(own) if number else own), *part.values()]


def _suspects(messages: Sequence[Mapping[str, Any]], count: int) -> set[int]:
    """Return the positions that the messages blame; row 0 only where no other row has the same words."""
    blamed = [(message.get("record"), str(message.get("message"))) for message in messages]
    elsewhere = {words for position, words in blamed if position}
    suspects = {
        position
        for position, words in blamed
        if isinstance(position, int) and 0 <= position < count and (position > 0 or words not in elsewhere)
    }
    return suspects if len(suspects) < count else set()


def _words(messages: Sequence[Mapping[str, Any]]) -> str:
    """Return Odoo's words, each once."""
    return " / ".join(dict.fromkeys(str(message.get("message", "")).strip() for message in messages))
