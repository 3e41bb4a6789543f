"""The batch mapper: canonical records out of a batch of changes, by the compiled mappings, in an in-memory DuckDB.

Contract: the operational lane calls `map` from one thread and stores what it gives in one transaction with the batch's position.
The SQL runs once a table and mapping, over all its changes; only validation works record by record. A mapping that does not fit
a version of its table maps none of its rows: their keys are given as `Held`, and all else goes on.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import duckdb
import pyarrow as pa
from loguru import logger

from cdc.batch import BatchKind, ChangeBatch, TableChanges
from cdc.lsn import Lsn
from cdc.relation import Relation
from config.errors import CausewayError, ErrorKind
from transforms.absent_modules import note_absent_modules
from transforms.canonical import ENTITIES
from transforms.changes import AnyChange, Delete, Held, Invalid, Mapped, Origin, TruncateAll, Upsert
from transforms.compiled import SOURCE_KEY, AnyMapping, BrokenMapping, CompiledMapping, KeyPattern
from transforms.compiler import compile_for
from transforms.lastchanges import (
    Fetch,
    Found,
    LastChanges,
    Truncate,
    born,
    completed,
    last_changes,
    without_lacking,
)
from transforms.lookedup import as_changes
from transforms.provenance import Provenance
from transforms.readahead import ReadAhead
from transforms.rowmapping import RowMapping
from transforms.validation import as_payload, validate

# One batch of 16 MiB needs about 60 MiB here. There is no spilling: it would go to the working directory.
_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "memory_limit": "192MiB",
    "threads": "1",
    "temp_directory": "",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
}
_CHUNK_ROWS = 4096  # Python objects of a chunk's columns live beside its records


class BatchMapper:
    """Maps batches of all sources. Not thread-safe; holds between batches compiled mappings, and what was looked up ahead."""

    def __init__(self, mappings: Sequence[AnyMapping]) -> None:
        note_absent_modules()
        self._connection = duckdb.connect(":memory:", config=_CONFIG)
        self._connection.execute("SET TimeZone = 'UTC'")
        self._ahead = ReadAhead()
        self.replace(mappings)

    def replace(self, mappings: Sequence[AnyMapping]) -> None:
        """Use these mappings from now on."""
        self._by_table: dict[tuple[str, str], list[AnyMapping]] = defaultdict(list)
        for one in mappings:
            self._by_table[one.mapping.source, one.mapping.table].append(one)
        self._versions: dict[tuple[str, Relation], AnyMapping] = {}
        policies = {(one.mapping.source, one.mapping.entity) for one in mappings if not one.mapping.backfill.is_all}
        # Parts of things that may have been left out: a line begins with its order only.
        self._partial = {
            (source, entity)
            for source, whole in policies
            for entity, kind in ENTITIES.items()
            if kind.part_of and kind.part_of[0] == whole
        }

    def map(self, batch: ChangeBatch, fetch: Fetch) -> list[Mapped]:
        """Return what the batch means for the records of its source, in the order of the changes.

        `fetch`: whole rows by key, as text, for updates that leave out an unchanged large value. Rows that it can't give now are
        `Held`, as are the rows of a mapping that does not fit its table's version.
        """
        source = batch.position.source
        origin = Origin.STREAM if batch.kind is BatchKind.STREAM else Origin.SNAPSHOT
        mapped: list[Mapped] = []
        pieces: dict[str, list[TableChanges]] = defaultdict(list)
        for changes in batch.changes:
            pieces[changes.relation.qualified_name].append(changes)
        for table, parts in pieces.items():
            mappings = self._by_table.get((source, table))
            if mappings:
                mapped += self._map_table(mappings, parts, fetch, origin)
        if batch.complete:
            self._ahead.reached(source, batch.position.lsn)
        return sorted(mapped, key=lambda change: change.seq)

    def map_looked_up(
        self, source: str, keys: pa.Table, found: Found, origin: Origin, only: str = ""
    ) -> tuple[list[AnyChange], list[BrokenMapping]]:
        """Return what rows that were read at the source mean, with the mappings that do not fit their table as it is there.

        keys: those that were asked for; what was not found of them is gone. `only`: one mapping's name, else all of the table.
        """
        table = found.relation.qualified_name
        current = [self._for_version(one, found.relation) for one in self.mappings_of(source, table)]
        current = [one for one in current if only in ("", one.name)]
        fitting = [one for one in current if isinstance(one, CompiledMapping)]
        used = sorted({name for mapping in fitting for name in mapping.columns})
        last = born(last_changes(as_changes(keys, found), used))
        changes: list[AnyChange] = [each for one in fitting for each in self._map_rows(one, last, origin)]
        self._ahead.note(fitting, _keys(last.rows, found.relation), found.visibility, source, table)
        return changes, [one for one in current if isinstance(one, BrokenMapping)]

    def mappings_of(self, source: str, table: str) -> tuple[AnyMapping, ...]:
        """Return the mappings over a table, as they fit it where the catalog was asked last."""
        return tuple(self._by_table.get((source, table), ()))

    def key_patterns(self, source: str) -> tuple[KeyPattern, ...]:
        """Return which records each mapping of a source makes."""
        return tuple(
            KeyPattern(
                table=table,
                entity=one.mapping.entity,
                pattern=one.key_pattern if isinstance(one, CompiledMapping) else None,
            )
            for (name, table), mappings in self._by_table.items()
            for one in mappings
            if name == source
        )

    def truncated(self, source: str, found: Found, only: str = "") -> list[AnyChange]:
        """Return the end of all records of a mapping (or of all over the table): they were held when it was truncated."""
        relation = found.relation
        current = (self._for_version(one, relation) for one in self.mappings_of(source, relation.qualified_name))
        truncate = Truncate(seq=-1, lsn=found.visibility.as_of, committed_us=time.time_ns() // 1000)
        fitting = (one for one in current if isinstance(one, CompiledMapping) and only in ("", one.name))
        return [_truncate(mapping, truncate) for mapping in fitting]

    def forget(self, source: str, table: str | None = None) -> None:
        """What was given since a source's last complete batch is not kept: rows, of a table or of all, are mapped as they come again."""
        self._ahead.forget(source, table)

    def parts_of_policies(self, source: str) -> tuple[str, ...]:
        """Return the entities that are parts of things which a backfill policy may leave out."""
        return tuple(entity for name, entity in self._partial if name == source)

    def close(self) -> None:
        """Release the memory."""
        self._connection.close()

    def _map_table(
        self, mappings: Sequence[AnyMapping], parts: Sequence[TableChanges], fetch: Fetch, origin: Origin
    ) -> Iterator[Mapped]:
        """Map all versions of one table in a batch; a later version's change of a record replaces an earlier one's."""
        newest: dict[tuple[str, str], AnyChange] = {}
        held: dict[tuple[str, tuple[str | None, ...]], Held] = {}
        truncates: list[TruncateAll] = []
        for changes in parts:
            current = [self._for_version(mapping, changes.relation) for mapping in mappings]
            fitting = [mapping for mapping in current if isinstance(mapping, CompiledMapping)]
            used = {name for mapping in fitting for name in mapping.columns}
            last = last_changes(changes, sorted(used))
            if last.truncate is not None:
                newest.clear()
                held.clear()
                truncates = [_truncate(mapping, last.truncate) for mapping in fitting]
                self._ahead.forget(mappings[0].mapping.source, changes.relation.qualified_name)
            for broken in (one for one in current if isinstance(one, BrokenMapping)):
                held |= _held(broken, last, origin)
            found: Found | None = None
            if fitting and last.lacking.num_rows:
                last, found, unread = self._completed(fitting[0], last, fetch)
                held |= unread
            for mapping in fitting:
                changed = replace(last, rows=self._ahead.newer(mapping, last.rows))
                newest |= {(each.mapping, each.source_key): each for each in self._map_rows(mapping, changed, origin)}
            if found is not None:
                keys = _keys(found.rows, changes.relation)
                table = changes.relation.qualified_name
                self._ahead.note(fitting, keys, found.visibility, fitting[0].source, table)
        yield from truncates
        yield from newest.values()
        yield from held.values()

    def _for_version(self, one: AnyMapping, relation: Relation) -> AnyMapping:
        """Return the mapping as it fits a relation version; a change of columns that it does not read changes nothing."""
        if isinstance(one, CompiledMapping) and _looks_alike(one, relation):
            return one
        key = (one.name, relation)
        if key not in self._versions:
            self._versions[key] = compile_for(one.mapping, relation)
        return self._versions[key]

    def _completed(
        self, mapping: CompiledMapping, last: LastChanges, fetch: Fetch
    ) -> tuple[LastChanges, Found | None, dict[tuple[str, tuple[str | None, ...]], Held]]:
        """Fetch the rows that lack a value; where they can't be had as the log's version has them, they are held."""
        lacking, relation = last.lacking, last.relation
        names = [name for name in last.rows.column_names if not name.startswith("_") or name in relation.column_names]
        try:
            found = fetch(
                relation, lacking.select(list(relation.key_columns)), frozenset(map(int, lacking["_xid"].to_numpy()))
            )
            if not _same_columns(found.relation, relation, names):
                raise CausewayError(ErrorKind.SCHEMA, f"{relation.qualified_name} has changed meanwhile.")
        except CausewayError as error:
            if error.kind is ErrorKind.INTERNAL:
                raise
            logger.warning(
                "{}: {} rows of {} are read later: {}", mapping.source, lacking.num_rows, relation.qualified_name, error
            )
            return without_lacking(last), None, _held_rows("", mapping.source, last, lacking, Origin.LOOKED_UP)
        return completed(self._connection, last, found.rows), found, {}

    def _map_rows(self, mapping: CompiledMapping, last: LastChanges, origin: Origin) -> Iterator[AnyChange]:
        if not last.rows.num_rows:
            return
        rows = RowMapping(self._connection, mapping, last.relation)
        leaves_out = mapping.mapping.backfill.none if origin is Origin.SNAPSHOT else self._is_partial(mapping)
        provenance = Provenance(mapping, origin, never_begins=leaves_out)
        wrong = _WrongRows(mapping, last.relation, last.rows)
        yield from _records(mapping, rows.kept(last.rows), provenance, wrong)
        for each in rows.others:
            common = provenance.of(
                each.source_key, each.lsn, each.committed_us, each.seq, looked_up=each.looked_up, begins=each.begins
            )
            if each.error is None:
                yield Delete(**common)
            else:
                yield Invalid(**common, **wrong.named(each.seq), error=each.error, payload=each.payload)

    def _is_partial(self, mapping: CompiledMapping) -> bool:
        return (mapping.source, mapping.entity) in self._partial


def _looks_alike(mapping: CompiledMapping, relation: Relation) -> bool:
    if mapping.relation.key_columns != relation.key_columns:
        return False
    return _same_columns(mapping.relation, relation, {*mapping.columns, *relation.key_columns})


def _same_columns(one: Relation, other: Relation, names: set[str] | list[str]) -> bool:
    first = {column.name: (column.type_oid, column.typmod) for column in one.columns}
    second = {column.name: (column.type_oid, column.typmod) for column in other.columns}
    return all(name in second and first.get(name) == second[name] for name in names)


def _truncate(mapping: CompiledMapping, truncate: Truncate) -> TruncateAll:
    common = Provenance(mapping).of("", truncate.lsn, truncate.committed_us, truncate.seq)
    return TruncateAll(**common, key_pattern=mapping.key_pattern)


def _keys(rows: pa.Table, relation: Relation) -> list[tuple[str | None, ...]]:
    return list(zip(*(rows[name].to_pylist() for name in relation.key_columns), strict=True))


def _held(broken: BrokenMapping, last: LastChanges, origin: Origin) -> dict[tuple[str, tuple[str | None, ...]], Held]:
    """Return the keys of all changed rows, and before them that the table was truncated."""
    source, table, truncate = broken.mapping.source, last.relation.qualified_name, last.truncate
    reason = Origin.MAPPING if origin is Origin.STREAM else Origin.SNAPSHOT
    held = _held_rows(broken.name, source, last, last.rows, reason)
    if truncate is None:
        return held
    marker = Held(
        source=source,
        table=table,
        key={},
        mapping=broken.name,
        reason=reason,
        position=str(Lsn(truncate.lsn)),
        xid=0,
        seq=truncate.seq,
    )
    return {(broken.name, ()): marker} | held


def _held_rows(
    mapping: str, source: str, last: LastChanges, rows: pa.Table, reason: Origin
) -> dict[tuple[str, tuple[str | None, ...]], Held]:
    names = last.relation.key_columns
    meta = (rows[name].to_pylist() for name in ("_lsn", "_xid", "_seq"))
    return {
        (mapping, key): Held(
            source=source,
            table=last.relation.qualified_name,
            key={name: text or "" for name, text in zip(names, key, strict=True)},
            mapping=mapping,
            reason=reason,
            position=str(Lsn(lsn)),
            xid=xid,
            seq=seq,
        )
        for key, lsn, xid, seq in zip(_keys(rows, last.relation), *meta, strict=True)
    }


class _WrongRows:
    """Rows that gave an invalid record, by `_seq`: what is needed to read one again."""

    def __init__(self, mapping: CompiledMapping, relation: Relation, rows: pa.Table) -> None:
        self._digest = mapping.mapping.digest
        self._rows, self._names = rows, relation.key_columns
        self._keys: dict[int, dict[str, str]] = {}

    def named(self, seq: int) -> dict[str, Any]:
        """Return the arguments of Invalid that name the row."""
        if not self._keys:  # of most batches never
            columns = (self._rows[name].to_pylist() for name in self._names)
            keys = (
                {n: text or "" for n, text in zip(self._names, key, strict=True)} for key in zip(*columns, strict=True)
            )
            self._keys = dict(zip(map(int, self._rows["_seq"].to_numpy()), keys, strict=True))
        return {"row_key": self._keys[seq], "mapping_digest": self._digest}


def _records(
    mapping: CompiledMapping, kept: pa.Table, provenance: Provenance, wrong: _WrongRows
) -> Iterator[AnyChange]:
    """Validate the mapped rows, one record each."""
    for chunk in kept.to_batches(max_chunksize=_CHUNK_ROWS):
        lsns, committed, seqs, looked_up, begins, keys, *columns = (column.to_pylist() for column in chunk.columns)
        meta = zip(lsns, committed, seqs, looked_up, begins, keys, strict=True)
        for (lsn, committed_us, seq, looked, begin, key), row in zip(meta, zip(*columns, strict=True), strict=True):
            common = provenance.of(key or "", lsn, committed_us, seq, looked_up=looked, begins=begin)
            values: Mapping[str, object] = dict(zip(mapping.fields, row, strict=True))
            record = validate(mapping.entity, {**values, **provenance.fields(key, common["position"])})
            if isinstance(record, str):
                payload = as_payload({SOURCE_KEY: key, **values})
                yield Invalid(**common, **wrong.named(seq), error=record, payload=payload)
            else:
                yield Upsert(**common, record=record)
