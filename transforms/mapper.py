"""The batch mapper: canonical records out of a batch of changes, by the compiled mappings, in an in-memory DuckDB.

Contract: the operational lane calls `map` from one thread and stores what it gives in one transaction with the batch's position.
The SQL runs once a table and mapping, over all its changes; only validation works record by record.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

import duckdb
import pyarrow as pa

from cdc.batch import ChangeBatch, TableChanges
from cdc.relation import Relation
from config.errors import CausewayError, ErrorKind
from transforms.changes import AnyChange, Delete, Invalid, TruncateAll, Upsert
from transforms.compiled import SOURCE_KEY, CompiledMapping
from transforms.compiler import compile_mapping
from transforms.lastchanges import Fetch, LastChanges, Truncate, last_changes
from transforms.provenance import Provenance
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
    """Maps batches of all sources. Not thread-safe; holds no state between batches but compiled mappings."""

    def __init__(self, compiled: Sequence[CompiledMapping]) -> None:
        self._connection = duckdb.connect(":memory:", config=_CONFIG)
        self._connection.execute("SET TimeZone = 'UTC'")
        self._by_table: dict[tuple[str, str], list[CompiledMapping]] = defaultdict(list)
        for mapping in compiled:
            self._by_table[mapping.source, mapping.table].append(mapping)
        self._versions: dict[tuple[str, Relation], CompiledMapping] = {}

    def map(self, batch: ChangeBatch, fetch: Fetch) -> list[AnyChange]:
        """Return what the batch means for the records of its source, in the order of the changes.

        `fetch`: whole rows by key, as text, for updates that leave out an unchanged large value. CausewayError (SCHEMA) where
        a table has changed so that a mapping no longer compiles.
        """
        mapped: list[AnyChange] = []
        pieces: dict[str, list[TableChanges]] = defaultdict(list)
        for changes in batch.changes:
            pieces[changes.relation.qualified_name].append(changes)
        for table, parts in pieces.items():
            mappings = self._by_table.get((batch.position.source, table))
            if mappings:
                mapped += self._map_table(mappings, parts, fetch)
        return sorted(mapped, key=lambda change: change.seq)

    def close(self) -> None:
        """Release the memory."""
        self._connection.close()

    def _map_table(
        self, mappings: Sequence[CompiledMapping], parts: Sequence[TableChanges], fetch: Fetch
    ) -> Iterator[AnyChange]:
        """Map all versions of one table in a batch; a later version's change of a record replaces an earlier one's."""
        newest: dict[tuple[str, str], AnyChange] = {}
        truncates: list[TruncateAll] = []
        for changes in parts:
            current = [self._for_version(mapping, changes.relation) for mapping in mappings]
            used = {name for mapping in current for name in mapping.columns}
            last = last_changes(self._connection, changes, sorted(used), fetch)
            if last.truncate is not None:
                newest.clear()
                truncates = [_truncate(mapping, last.truncate) for mapping in current]
            for mapping in current:
                newest |= {(each.mapping, each.source_key): each for each in self._map_rows(mapping, last)}
        yield from truncates
        yield from newest.values()

    def _for_version(self, mapping: CompiledMapping, relation: Relation) -> CompiledMapping:
        """Return the mapping as compiled for a relation version; a change of columns that it does not read changes nothing."""
        if _looks_alike(mapping, relation):
            return mapping
        key = (mapping.name, relation)
        if key not in self._versions:
            compiled, problems = compile_mapping(mapping.mapping, relation)
            if compiled is None:
                raise CausewayError(
                    ErrorKind.SCHEMA,
                    f"{mapping.source}: {mapping.table} has changed and a mapping no longer fits: {problems[0]}",
                    hint="Adapt the mapping, raise its version, and start the lane again.",
                    source=mapping.source,
                    table=mapping.table,
                )
            self._versions[key] = compiled
        return self._versions[key]

    def _map_rows(self, mapping: CompiledMapping, last: LastChanges) -> Iterator[AnyChange]:
        if not last.rows.num_rows:
            return
        rows = RowMapping(self._connection, mapping, last.relation)
        provenance = Provenance(mapping)
        yield from _records(mapping, rows.kept(last.rows), provenance)
        for each in rows.others:
            if each.error is None:
                yield Delete(**provenance.of(each.source_key, each.lsn, each.committed_us, each.seq))
            else:
                common = provenance.of(each.source_key, each.lsn, each.committed_us, each.seq)
                yield Invalid(**common, error=each.error, payload=each.payload)


def _looks_alike(mapping: CompiledMapping, relation: Relation) -> bool:
    if mapping.relation.key_columns != relation.key_columns:
        return False
    used = {*mapping.columns, *relation.key_columns}
    known = {column.name: (column.type_oid, column.typmod) for column in mapping.relation.columns}
    now = {column.name: (column.type_oid, column.typmod) for column in relation.columns}
    return all(known.get(name) == now.get(name) for name in used)


def _truncate(mapping: CompiledMapping, truncate: Truncate) -> TruncateAll:
    common = Provenance(mapping).of("", truncate.lsn, truncate.committed_us, truncate.seq)
    return TruncateAll(**common, key_pattern=mapping.key_pattern)


def _records(mapping: CompiledMapping, kept: pa.Table, provenance: Provenance) -> Iterator[AnyChange]:
    """Validate the mapped rows, one record each."""
    for chunk in kept.to_batches(max_chunksize=_CHUNK_ROWS):
        lsns, committed, seqs, keys, *columns = (column.to_pylist() for column in chunk.columns)
        for lsn, committed_us, seq, key, *row in zip(lsns, committed, seqs, keys, *columns, strict=True):
            common = provenance.of(key or "", lsn, committed_us, seq)
            values = dict(zip(mapping.fields, row, strict=True))
            record = validate(mapping.entity, {**values, **provenance.fields(key, common["position"])})
            if isinstance(record, str):
                yield Invalid(**common, error=record, payload=as_payload({SOURCE_KEY: key, **values}))
            else:
                yield Upsert(**common, record=record)
