"""What a source's catalogs say: the captured tables as they are now, and facts about the server and the role.

Everything here only reads. Connections come from `cdc.connection`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from operator import itemgetter

import psycopg

from cdc.connection import PlainConnection, Row
from cdc.driver_errors import translate
from cdc.lsn import Lsn
from cdc.relation import Column, Relation, ReplicaIdentity
from cdc.type_catalog import described_types
from config.errors import CausewayError, ErrorKind

# One row a column, in the table's order: as pgoutput announces it, without generated and dropped columns, and where a publication is
# given without those that its column list leaves out. A domain has its
# base type's name, its own OID. The key is what logicalrep_write_attrs (src/backend/replication/logical/proto.c) flags: an index's
# INCLUDEd columns are not part of it.
_COLUMNS = """
WITH RECURSIVE base (oid, name_oid, typmod, depth) AS (
    SELECT t.oid, t.oid, -1, 0 FROM pg_type t WHERE t.typtype = 'd'
    UNION ALL
    SELECT b.oid, t.typbasetype, t.typtypmod, b.depth + 1
    FROM base b JOIN pg_type t ON t.oid = b.name_oid WHERE t.typtype = 'd'
), bottom AS (
    SELECT DISTINCT ON (oid) oid, name_oid, typmod FROM base ORDER BY oid, depth DESC
)
SELECT n.nspname, c.relname, c.oid::int8, c.relkind::text, c.relreplident::text, a.attname, a.atttypid::int8, a.atttypmod,
    format_type(coalesce(b.name_oid, a.atttypid), coalesce(b.typmod, a.atttypmod)),
    c.relreplident = 'f' OR coalesce(a.attnum = ANY (identity.indkey[0:identity.indnkeyatts - 1]), false),
    coalesce(a.attnum = ANY (primary_key.indkey[0:primary_key.indnkeyatts - 1]), false)
FROM unnest(%s::text[], %s::text[]) AS wanted (schema_name, table_name)
JOIN pg_namespace n ON n.nspname = wanted.schema_name
JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.table_name AND c.relkind IN ('r', 'p')
LEFT JOIN LATERAL (
    SELECT true AS listed, r.prattrs::int2[] AS columns FROM pg_publication p JOIN pg_publication_rel r ON r.prpubid = p.oid
    WHERE p.pubname = %s AND r.prrelid = c.oid
) AS published ON true
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
    AND (published.columns IS NULL OR a.attnum = ANY (published.columns))
LEFT JOIN bottom b ON b.oid = a.atttypid
LEFT JOIN pg_index identity ON identity.indrelid = c.oid AND identity.indisvalid
    AND CASE c.relreplident WHEN 'd' THEN identity.indisprimary WHEN 'i' THEN identity.indisreplident END
LEFT JOIN pg_index primary_key ON primary_key.indrelid = c.oid AND primary_key.indisprimary
WHERE %s::text IS NULL OR published.listed
ORDER BY c.oid, a.attnum
"""

_FACTS = """
SELECT current_setting('server_version_num')::int, current_setting('wal_level'), current_setting('server_encoding'),
    (SELECT system_identifier::text FROM pg_control_system()),
    CASE WHEN pg_is_in_recovery() THEN (SELECT timeline_id FROM pg_control_checkpoint())
        ELSE ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int END,
    pg_is_in_recovery(),
    CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_flush_lsn() END::text,
    current_database(), current_user::text,
    (SELECT rolsuper OR rolreplication FROM pg_roles WHERE rolname = current_user)
        OR EXISTS (SELECT FROM pg_roles WHERE rolname = 'rds_replication' AND pg_has_role(oid, 'MEMBER')),
    has_database_privilege(current_database(), 'CREATE'),
    current_setting('max_replication_slots')::int, (SELECT count(*) FROM pg_replication_slots)::int,
    (SELECT setting::int FROM pg_settings WHERE name = 'wal_sender_timeout'),
    (SELECT setting::int8 FROM pg_settings WHERE name = 'max_slot_wal_keep_size')
"""

_LOG_END = (
    "SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_insert_lsn() END::text"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class ServerFacts:
    """What a reader must know of a server before it starts.

    `current_lsn`: up to where the log is flushed (replayed, on a standby): every commit acknowledged to a client that waits
    for its flush (synchronous_commit not off) lies before it. `max_slot_wal_keep_size_mib`: -1 for no limit.
    """

    version_num: int
    wal_level: str
    encoding: str
    system_identifier: str
    timeline: int
    in_recovery: bool
    current_lsn: Lsn
    database: str
    role: str
    may_replicate: bool
    may_create: bool
    max_replication_slots: int
    used_replication_slots: int
    wal_sender_timeout_ms: int
    max_slot_wal_keep_size_mib: int


def server_facts(connection: PlainConnection) -> ServerFacts:
    """Ask the server about itself and our role; CausewayError as `cdc.driver_errors` maps it."""
    row = _query(connection, _FACTS, (), "asking the server for its settings")[0]
    names = tuple(ServerFacts.__dataclass_fields__)
    values = dict(zip(names, row, strict=True))
    return ServerFacts(**{**values, "current_lsn": Lsn.parse(values["current_lsn"])})


def log_end(connection: PlainConnection) -> Lsn:
    """Return where the log ends, flushed or not: whatever a query has seen lies before it."""
    (row,) = _query(connection, _LOG_END, (), "asking where the log ends")
    return Lsn.parse(row[0])


def describe(
    connection: PlainConnection, tables: Sequence[str], publication: str | None = None
) -> tuple[Relation, ...]:
    """Describe the tables (each schema.table) in the order given, as a publication has them where one is given.

    CausewayError SCHEMA names every table that does not exist, is no table, or is not published.
    """
    relations, missing = find_described(connection, tables, publication)
    if missing and publication is not None:
        raise CausewayError(
            ErrorKind.SCHEMA,
            f"no such table in publication {publication}: {', '.join(missing)}.",
            hint="`causeway slots plan SOURCE` prints what publishes it, if the table is there.",
            table=missing[0],
        )
    if missing:
        raise CausewayError(
            ErrorKind.SCHEMA,
            f"no such table in this database: {', '.join(missing)}.",
            hint="Correct `tables`, or create the table; names are written as Postgres stores them, without quotes.",
            table=missing[0],
        )
    return relations


def find_described(
    connection: PlainConnection, tables: Sequence[str], publication: str | None = None
) -> tuple[tuple[Relation, ...], tuple[str, ...]]:
    """Describe those of the tables that exist, and are in the publication where one is given; return the names of the others, too."""
    names = [table.split(".", 1) for table in tables]
    parameters = ([schema for schema, _ in names], [table for _, table in names], publication, publication)
    rows = _query(connection, _COLUMNS, parameters, "describing the captured tables")
    found = {f"{key[0]}.{key[1]}": _relation(list(group)) for key, group in groupby(rows, key=itemgetter(0, 1))}
    missing = tuple(table for table in tables if table not in found)
    return _with_types(connection, [found[table] for table in tables if table in found]), missing


def check_identities(relations: Iterable[Relation]) -> None:
    """Refuse tables whose changes cannot be told apart: CausewayError SCHEMA.

    A published table without replica identity also makes UPDATE and DELETE fail at the source
    (CheckCmdReplicaIdentity, src/backend/executor/execReplication.c), so this comes before any publication.
    """
    for relation in relations:
        if not relation.key_columns:
            raise CausewayError(
                ErrorKind.SCHEMA,
                f"table {relation.qualified_name} has no key: its replica identity is"
                f" {relation.replica_identity.name}, and no index stands for it.",
                hint=f"ALTER TABLE {relation.qualified_name} ADD PRIMARY KEY (...), or"
                f" ALTER TABLE {relation.qualified_name} REPLICA IDENTITY USING INDEX ... or FULL.",
                table=relation.qualified_name,
            )


def _with_types(connection: PlainConnection, relations: Sequence[Relation]) -> tuple[Relation, ...]:
    """Say what the columns' types are made of, where their OIDs do not."""
    types = described_types(connection, (column for relation in relations for column in relation.columns))
    if not types:
        return tuple(relations)
    return tuple(
        replace(
            relation,
            columns=tuple(
                replace(column, type=types.get((column.type_oid, column.typmod))) for column in relation.columns
            ),
        )
        for relation in relations
    )


def _relation(rows: list[Row]) -> Relation:
    schema, table, oid, _, identity = rows[0][:5]
    columns = tuple(
        Column(name=name, type_oid=type_oid, typmod=typmod, is_key=is_key, type_name=type_name)
        for *_, name, type_oid, typmod, type_name, is_key, _ in rows
    )
    key = tuple(row[5] for row in rows if row[10])
    return Relation(
        oid=oid,
        schema=schema,
        table=table,
        columns=columns,
        replica_identity=ReplicaIdentity(identity),
        primary_key=key,
    )


def _query(connection: PlainConnection, query: str, parameters: Sequence[object], doing: str) -> list[Row]:
    try:
        return connection.execute(query.encode(), parameters or None).fetchall()
    except psycopg.Error as error:
        raise translate(error, doing) from error
