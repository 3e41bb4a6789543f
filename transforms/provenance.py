"""Where a change comes from, in the forms that records and changes carry: positions and commit times of a batch, each made once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from cdc.lsn import Lsn
from transforms.changes import Origin
from transforms.compiled import SOURCE_KEY, CompiledMapping

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Provenance:
    """Gives the common arguments of one mapping's changes and records. A batch has few transactions for many rows."""

    def __init__(self, mapping: CompiledMapping, origin: Origin = Origin.STREAM, *, never_begins: bool = False) -> None:
        self._origin = origin
        self._may_begin = not never_begins
        self._of_mapping = {
            "entity": mapping.entity,
            "source": mapping.source,
            "mapping": mapping.name,
            "table": mapping.table,
        }
        self._of_record = {"source": mapping.source, "mapping_version": mapping.version}
        self._positions: dict[int, str] = {}
        self._times: dict[int, datetime] = {}

    def of(
        self, source_key: str, lsn: int, committed_us: int, seq: int, *, looked_up: bool = False, begins: bool = True
    ) -> dict[str, Any]:
        """Return the arguments that every change has."""
        position = self._positions.get(lsn)
        if position is None:
            position = self._positions[lsn] = str(Lsn(lsn))
        committed_at = self._times.get(committed_us)
        if committed_at is None:
            committed_at = self._times[committed_us] = _EPOCH + timedelta(microseconds=committed_us)
        return {
            **self._of_mapping,
            SOURCE_KEY: source_key,
            "position": position,
            "committed_at": committed_at,
            "seq": seq,
            "origin": Origin.LOOKED_UP if looked_up else self._origin,
            "begins": begins and self._may_begin,
        }

    def fields(self, source_key: str | None, position: str) -> dict[str, Any]:
        """Return the provenance fields of a record."""
        return {**self._of_record, SOURCE_KEY: source_key, "source_position": position}
