"""history.SOURCE.TABLE: the histories under the names that people use, as a catalog in memory beside the warehouse's file.

A three-part name is catalog, schema and table to DuckDB, and one transaction writes one catalog: so the histories' tables are in the
file, in schemas named history_SOURCE, where every DuckDB finds them; what the bridge opens has these views on them as well.
"""

from __future__ import annotations

import duckdb

from warehouse.names import quoted

CATALOG = "history"
PREFIX = "history_"
_TABLES = """
    SELECT t.schema_name, t.table_name FROM duckdb_tables() AS t JOIN meta.history AS h
        ON h."schema" = t.schema_name AND h."table" = t.table_name
    WHERE t.database_name = current_database()
"""
_META_HISTORY = """
    SELECT count(*) FROM duckdb_tables()
    WHERE database_name = current_database() AND schema_name = 'meta' AND table_name = 'history'
"""


def show(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the catalog where it is missing, and its views and macros of all histories that there are."""
    if connection.execute(_META_HISTORY).fetchone() == (0,):  # a file that no version with histories has written yet
        return
    ((file,),) = connection.execute("SELECT current_database()").fetchall()
    if file == CATALOG:  # the file has the name itself
        return
    connection.execute(f"ATTACH IF NOT EXISTS ':memory:' AS {CATALOG}")
    for schema, table in connection.execute(_TABLES).fetchall():
        shown = f"{CATALOG}.{quoted(schema.removeprefix(PREFIX))}"
        stored = f"{quoted(file)}.{quoted(schema)}"
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {shown}")
        connection.execute(f"CREATE OR REPLACE VIEW {shown}.{quoted(table)} AS SELECT * FROM {stored}.{quoted(table)}")
        as_of = quoted(f"{table}_as_of")
        connection.execute(
            f"CREATE OR REPLACE MACRO {shown}.{as_of}(moment) AS TABLE SELECT * FROM {stored}.{as_of}(moment)"
        )
