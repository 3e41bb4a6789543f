"""Who delays a consistent view: it waits for every transaction of the server that has written something and still runs."""

from __future__ import annotations

import psycopg

from cdc.connection import PlainConnection
from cdc.driver_errors import translate

_MOST = 3
# Never what they run: a statement holds values. Of other roles' sessions only a member of pg_read_all_stats sees the ages.
_WRITING = """
SELECT 'pid ' || pid, extract(epoch FROM clock_timestamp() - xact_start)::int8 FROM pg_stat_activity
WHERE backend_xid IS NOT NULL AND pid <> pg_backend_pid()
UNION ALL
SELECT 'a prepared transaction', extract(epoch FROM clock_timestamp() - prepared)::int8 FROM pg_prepared_xacts
ORDER BY 2 DESC LIMIT %s
"""


def old_transactions(connection: PlainConnection) -> str:
    """Name the oldest writing transactions of the server by process and age; empty where none is seen."""
    try:
        rows = connection.execute(_WRITING, [_MOST]).fetchall()
    except psycopg.Error as error:
        raise translate(error, "looking for old transactions") from error
    return ", ".join(f"{who} (for {age_s:,} s)" for who, age_s in rows)
