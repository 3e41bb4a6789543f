"""Facts about captured tables, asked of the source's catalog when the log announces one of them (`cdc.table_facts`)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from operator import itemgetter

import psycopg

from cdc.connection import PlainConnection, Row
from cdc.driver_errors import translate
from cdc.lsn import Lsn
from cdc.table_facts import CatalogColumn, TableFacts

# A partitioned table stores nothing itself: its partitions have the files and the values. attmissingval is an array of one.
_STORED = """
WITH stored AS (
    SELECT c.oid AS root, c.oid AS part, c.relfilenode AS file
    FROM pg_class c WHERE c.oid = ANY (%(oids)s::oid[]) AND c.relkind = 'r'
    UNION ALL
    SELECT c.oid, p.oid, p.relfilenode
    FROM pg_class c, pg_partition_tree(c.oid) t JOIN pg_class p ON p.oid = t.relid
    WHERE c.oid = ANY (%(oids)s::oid[]) AND c.relkind = 'p' AND t.isleaf
)
"""
_COLUMNS = f"""
{_STORED}
SELECT c.oid::int8, a.attnum::int, a.attname::text, a.attisdropped, rows_before.texts
FROM pg_class c
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND (a.attisdropped OR a.attgenerated = '')
CROSS JOIN LATERAL (
    SELECT array_agg(DISTINCT (x.attmissingval::text::text[])[1]) AS texts
    FROM stored s JOIN pg_attribute x ON x.attrelid = s.part AND x.attname = a.attname AND x.atthasmissing
    WHERE s.root = c.oid
) rows_before
WHERE c.oid = ANY (%(oids)s::oid[])
ORDER BY c.oid, a.attnum
"""
# The catalog's own transaction is visible only once its commit is in the log, so all that the facts show lies before this.
_END = """
SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_insert_lsn() END::text
"""
# A leaf that is made as a partition comes into pg_class and pg_inherits in one transaction. The row of a system column is never
# written again, unlike pg_class's.
_LEAVES = """
SELECT c.oid::int8, p.oid::int8, p.relfilenode::int8, i.xmin <> a.xmin
FROM pg_class c, pg_partition_tree(c.oid) t
JOIN pg_class p ON p.oid = t.relid
JOIN pg_inherits i ON i.inhrelid = p.oid
JOIN pg_attribute a ON a.attrelid = p.oid AND a.attnum = -6
WHERE c.oid = ANY (%(oids)s::oid[]) AND c.relkind = 'p' AND t.isleaf
"""
# SET TABLE keeps the entries of tables that stay as they were. A promoted standby has the same OIDs; a restored dump is another cluster.
_PUBLISHED = """
SELECT r.prrelid::int8, r.oid::int8 FROM pg_publication_rel r JOIN pg_publication p ON p.oid = r.prpubid
WHERE p.pubname = %(publication)s AND r.prrelid = ANY (%(oids)s::oid[])
"""
_FILES = f"{_STORED} SELECT root::int8, part::int8, file::int8 FROM stored"


def table_facts(connection: PlainConnection, oids: Sequence[int], publication: str = "") -> dict[int, TableFacts]:
    """Return the facts of those of the tables that exist, by OID. `publication`: by whose name the lane reads them."""
    parameters = {"oids": list(oids), "publication": publication}
    try:
        columns = connection.execute(_COLUMNS.encode(), parameters).fetchall()
        stored = connection.execute(_FILES.encode(), parameters).fetchall()
        leaves = connection.execute(_LEAVES.encode(), parameters).fetchall()
        published: dict[int, int] = dict(connection.execute(_PUBLISHED.encode(), parameters).fetchall())
        ((end,),) = connection.execute(_END.encode()).fetchall()
    except psycopg.Error as error:
        raise translate(error, "asking the catalog about captured tables") from error
    files: dict[int, dict[int, int]] = {}
    for root, part, file in stored:
        files.setdefault(root, {})[part] = file
    return {
        oid: _facts(
            oid,
            Lsn.parse(end),
            [row[1:] for row in rows],
            files.get(oid, {}),
            [row[1:] for row in leaves if row[0] == oid],
            published.get(oid),
        )
        for oid, rows in groupby(columns, key=itemgetter(0))
    }


def _facts(
    oid: int, lsn: Lsn, rows: Sequence[Row], files: dict[int, int], leaves: Sequence[Row], published: int | None
) -> TableFacts:
    live = tuple(_column(attnum, name, texts) for attnum, name, dropped, texts in rows if not dropped)
    gone = tuple(attnum for attnum, _, dropped, _ in rows if dropped)
    return TableFacts(
        oid=oid,
        lsn=lsn,
        columns=live,
        dropped=gone,
        files=files,
        leaves={leaf: file for leaf, file, _ in leaves},
        attached=frozenset(leaf for leaf, _, attached in leaves if attached),
        published=published,
    )


def _column(attnum: int, name: str, missing: list[str] | None) -> CatalogColumn:
    texts: list[str | None] = list(missing) if missing else [None]
    return CatalogColumn(attnum=attnum, name=name, missing=texts[0], uniform=len(texts) == 1)
