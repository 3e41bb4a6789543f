"""Random traffic on one table with a key of two columns: small keys, so that everything happens to every row, often."""

from __future__ import annotations

import random
from typing import Any

from tests.integration.warehouse.source_table import TRUNCATE, Change, delete, insert, move, update


class TrafficSource:
    """A table with random traffic that remembers its rows and writes its log."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.rows: dict[tuple[str, str], tuple[str, str | None]] = {}

    def step(self) -> list[Change]:
        choice = self.random.random()
        if choice < 0.01:
            self.rows.clear()
            return [TRUNCATE]
        key = (str(self.random.randrange(6)), self.random.choice(["x", "it's", ""]))
        if key not in self.rows:
            self.rows[key] = self._values()
            return [insert(**self._row(key))]
        if choice < 0.25:
            del self.rows[key]
            return [delete(id=key[0], part=key[1])]
        return self._update(key, moves=choice < 0.5)

    def _update(self, key: tuple[str, str], *, moves: bool) -> list[Change]:
        name, big = self._values()
        kept = self.random.random() < 0.6
        old = self.rows.pop(key)
        values = (name, old[1] if kept else big)
        unchanged = ("big",) if kept and values[1] is not None else ()
        target = (str(self.random.randrange(6, 9)), key[1]) if moves else key
        if target in self.rows:
            target = key
        self.rows[target] = values
        row = self._row(target) | ({"big": None} if unchanged else {})
        if target == key:
            return [update(*unchanged, **row)]
        return move({"id": key[0], "part": key[1]}, *unchanged, **row)

    def _values(self) -> tuple[str, str | None]:
        return str(self.random.randrange(1000)), self.random.choice([None, "v" * self.random.randrange(1, 30)])

    def _row(self, key: tuple[str, str]) -> dict[str, str | None]:
        name, big = self.rows[key]
        return {"id": key[0], "part": key[1], "name": name, "big": big}

    def expected(self) -> list[tuple[Any, ...]]:
        found = [(int(key[0]), key[1], *values) for key, values in self.rows.items()]
        return sorted(found, key=lambda row: row[:2])
