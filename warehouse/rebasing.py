"""A source's tables before their mirrors are compared with a log that does not go on where the mirrors' did.

What cannot be brought up to the new point row by row is marked as stopped: a table that is another now under the old name, and one
whose copy was under way. A table that was made anew in a shape that its mirror can follow (another OID, as after a dump that was
restored) is followed from now on under its new OID; whatever its rows are, they are all compared. So of all that stays to be followed
the catalog's partitions and entries in the publication count as they are now.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import duckdb

from cdc.lsn import Lsn
from cdc.relation import Relation
from cdc.table_facts import TableFacts
from warehouse import copying, tables
from warehouse.evolution import Known, Unfollowable, changed
from warehouse.names import MirrorTable
from warehouse.store import Warehouse, translate
from warehouse.tables import TableRecord, TableState


def prepare_tables(
    warehouse: Warehouse,
    source: str,
    relations: Sequence[Relation],
    facts: Mapping[int, TableFacts],
    stopped_at: Lsn,
) -> None:
    """Stop what cannot be compared, and adopt what was made anew, in one transaction.

    `facts`: the catalog's, by OID. `stopped_at`: where the mirrors stand.
    """
    cursor = warehouse.cursor()
    try:
        cursor.execute("BEGIN")
        known = {record.relation.qualified_name: record for record in tables.read_records(cursor, source).values()}
        for relation in relations:
            record = known.get(relation.qualified_name)
            if record is not None and not record.stopped:
                found = facts[relation.oid]
                seen = replace(record, leaves=dict(found.leaves), published=found.published)
                _prepare(cursor, source, seen, relation, stopped_at)
        cursor.execute("COMMIT")
    except duckdb.Error as error:
        raise translate(error, "preparing tables to be compared", source=source) from error
    finally:
        cursor.close()


def _prepare(
    cursor: duckdb.DuckDBPyConnection, source: str, record: TableRecord, relation: Relation, stopped_at: Lsn
) -> None:
    if record.state is TableState.COPYING or record.exact_from is not None:
        copying.forget(cursor, source, record.relation)
        _stop(cursor, source, record, "was being copied when its source's slot was given up", stopped_at)
    elif record.relation.oid != relation.oid:
        adopted = replace(record, relation=replace(record.relation, oid=relation.oid), attnums={}, files={})
        mirrored = tables.mirrored_columns(cursor, MirrorTable(source, relation))
        try:
            changed(Known(relation=adopted.relation), relation, None, mirrored)
        except Unfollowable as reason:
            _stop(cursor, source, record, str(reason), stopped_at)
        else:
            tables.write_record(cursor, source, adopted)
    else:
        tables.write_record(cursor, source, record)


def _stop(cursor: duckdb.DuckDBPyConnection, source: str, record: TableRecord, problem: str, stopped_at: Lsn) -> None:
    name = record.relation.qualified_name
    words = f"The table {name} {problem}. `causeway copy {source} {name}` copies it anew."
    stopped = replace(record, state=TableState.STOPPED, problem=words, stopped_at=stopped_at, exact_from=None)
    tables.write_record(cursor, source, stopped)
