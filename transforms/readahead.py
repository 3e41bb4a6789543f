"""Rows that were looked up ahead of the stream: changes of theirs that they hold already are not mapped again.

A row that was looked up is newer than the stream's place. The changes that lie between would bring an older state back for a
moment: whoever's transaction the look-up saw is left out, exactly, until the stream has passed it. In memory only: after a restart
the changes are mapped once more, the newest last.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from cdc.lsn import Lsn
from cdc.visibility import Visibility
from transforms.compiled import CompiledMapping
from transforms.lastchanges import LOOKED_UP

Key = tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class _Seen:
    visibility: Visibility
    mappings: frozenset[str]


class ReadAhead:
    """What was looked up, by source, table and key."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], dict[Key, list[_Seen]]] = {}

    def note(
        self, mappings: Iterable[CompiledMapping], keys: Iterable[Key], visibility: Visibility, source: str, table: str
    ) -> None:
        """Take note of rows that these mappings have mapped as `visibility` saw them."""
        seen = _Seen(visibility, frozenset(mapping.name for mapping in mappings))
        rows = self._seen.setdefault((source, table), {})
        for key in keys:
            rows.setdefault(key, []).append(seen)

    def newer(self, mapping: CompiledMapping, rows: pa.Table) -> pa.Table:
        """Return the changes without those that the mapping's looked-up rows hold already; rows of a later look-up are newer."""
        known = self._seen.get((mapping.source, mapping.table))
        if not known or not rows.num_rows:
            return rows
        keys = zip(*(rows[name].to_pylist() for name in mapping.relation.key_columns), strict=True)
        xids = [int(xid) for xid in rows["_xid"].to_numpy()]
        looked_up = rows[LOOKED_UP].to_pylist()
        kept = np.fromiter(
            (
                later or not _holds(known.get(key, ()), mapping.name, xid)
                for key, xid, later in zip(keys, xids, looked_up, strict=True)
            ),
            dtype=np.bool_,
            count=rows.num_rows,
        )
        return rows if kept.all() else rows.filter(pa.array(kept))

    def reached(self, source: str, lsn: Lsn) -> None:
        """Forget what the stream has caught up with."""
        for (name, table), rows in list(self._seen.items()):
            if name == source:
                left = {key: [one for one in seen if one.visibility.as_of > lsn] for key, seen in rows.items()}
                self._seen[name, table] = {key: seen for key, seen in left.items() if seen}
                if not self._seen[name, table]:
                    del self._seen[name, table]

    def forget(self, source: str, table: str | None = None) -> None:
        """Forget a source's rows, or a table's: what was made of them is not kept, or no longer what counts."""
        for known in list(self._seen):
            if known[0] == source and table in (None, known[1]):
                del self._seen[known]


def _holds(seen: Iterable[_Seen], mapping: str, xid: int) -> bool:
    return any(mapping in one.mappings and one.visibility.sees(xid) for one in seen)
