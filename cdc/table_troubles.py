"""Captured tables that a source can't give any more, told apart from the others before a stream is opened.

What is wrong with one table (it was dropped, lost its key, was taken out of the publication) stops that table's mirror; what is wrong
with the publication as a whole is refused (`cdc.publications`).
"""

from __future__ import annotations

from collections.abc import Sequence

from cdc.catalog import find_described
from cdc.connection import PlainConnection
from cdc.publications import find_publication
from cdc.relation import Relation


def find_capturable(
    connection: PlainConnection, source: str, publication: str, tables: Sequence[str]
) -> tuple[tuple[Relation, ...], dict[str, str]]:
    """Return the tables that can be read on, and what is wrong with each of the others, to follow "the table public.orders"."""
    relations, missing = find_described(connection, tables)
    troubles = dict.fromkeys(missing, "does not exist at the source")
    troubles |= {one.qualified_name: "has no key at the source" for one in relations if not one.key_columns}
    found = find_publication(connection, publication)
    for table in tables if found is not None else ():
        if found is not None and table not in found.tables and table not in troubles:
            troubles[table] = (
                f"is not in the publication {publication}; `causeway slots plan {source}` says how it gets there"
            )
    return tuple(one for one in relations if one.qualified_name not in troubles), troubles


def to_compare(
    connection: PlainConnection, publication: str, tables: Sequence[str], troubled: Sequence[str]
) -> list[str]:
    """Return the tables that the publication must have: those in trouble only where it has them."""
    found = find_publication(connection, publication)
    published = found.tables if found is not None else {}
    return [table for table in tables if table not in troubled or table in published]
