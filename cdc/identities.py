"""Replica identities that a row filter needs: Postgres filters UPDATE and DELETE by the columns of the identity only.

A unique index takes the primary key's place in the log, at the same cost. As long as the table is published the index must stay:
without it, UPDATE and DELETE fail at the source. Source: PostgreSQL documentation, "Logical Replication", Row Filters.
"""

from __future__ import annotations

import psycopg
from psycopg import sql

from cdc.catalog import find_described
from cdc.connection import PlainConnection
from cdc.driver_errors import translate
from cdc.relation import Relation
from cdc.wanted import Wanted
from config.errors import CausewayError, ErrorKind

# RelationGetReplicaIndex takes an index that is unique, whole, immediate, and of columns that are never NULL.
_INDEX = """
SELECT x.relname, pg_get_userbyid(c.relowner) FROM pg_index i
JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_class c ON c.oid = i.indrelid
WHERE i.indrelid = %s::oid AND i.indisunique AND i.indisvalid AND i.indimmediate AND i.indpred IS NULL AND i.indexprs IS NULL
    AND (SELECT array_agg(a.attname::text ORDER BY a.attname) FROM pg_attribute a
         WHERE a.attrelid = i.indrelid AND a.attnotnull AND a.attnum = ANY (i.indkey[0:i.indnkeyatts - 1])) = %s::text[]
    AND i.indnkeyatts = cardinality(%s::text[])
ORDER BY 1 LIMIT 1
"""


def identity_steps(connection: PlainConnection, wanted: Wanted) -> list[tuple[sql.Composed, str, str]]:
    """Return what gives the wanted tables the identities that their row filters need: statement, reason, the table's owner.

    CausewayError SCHEMA where no index can stand for one.
    """
    needed = {table.name: table.identity for table in wanted.tables if table.identity}
    if not needed:
        return []
    found, _ = find_described(connection, list(needed))
    return [
        _step(connection, relation, needed[relation.qualified_name])
        for relation in found
        if not {column.name for column in relation.columns if column.is_key}.issuperset(needed[relation.qualified_name])
    ]


def _step(connection: PlainConnection, relation: Relation, columns: tuple[str, ...]) -> tuple[sql.Composed, str, str]:
    name = relation.qualified_name
    try:
        row = connection.execute(_INDEX, [relation.oid, sorted(columns), list(columns)]).fetchone()
    except psycopg.Error as error:
        raise translate(error, f"looking for an index of {name}", table=name) from error
    listed = ", ".join(columns)
    if row is None:
        raise CausewayError(
            ErrorKind.SCHEMA,
            f"{name} has no unique index of ({listed}), columns that are never NULL: its rows can't be filtered by them.",
            hint=f"CREATE UNIQUE INDEX ON {name} ({listed}).",
            table=name,
        )
    statement = sql.SQL("ALTER TABLE {} REPLICA IDENTITY USING INDEX {}").format(
        sql.Identifier(relation.schema, relation.table), sql.Identifier(row[0])
    )
    reason = (
        f"only some rows of {name} are published, and Postgres filters UPDATE and DELETE by the replica identity's columns: ({listed})"
        " takes the primary key's place in the log"
    )
    return statement, reason, str(row[1])
