"""What only a source's catalog knows of a captured table: which column is which, and what its rows have without ever having sent it.

Data only; `cdc.table_catalog` asks for it. The log names columns and nothing more: a column that was renamed looks like one that
was dropped and another that was added, and a column that was added with a default has a value in every old row that no message
brings (pg_attribute.attmissingval; PostgreSQL documentation, "Modifying Tables").
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from cdc.lsn import Lsn


@dataclass(frozen=True, kw_only=True, slots=True)
class CatalogColumn:
    """A column as it is now. `attnum` is its identity: never given to another column of the table.

    `missing`: text of the value of the rows that were there before the column; None for NULL, and where all rows were written
    again. `uniform`: False where partitions differ in it.
    """

    attnum: int
    name: str
    missing: str | None = None
    uniform: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class TableFacts:
    """A table as it is now, at `lsn`. `dropped`: attnums of columns that are gone; what they were called is not kept.

    `files`: the storage of the table, or of each partition, by OID; another one after a rewrite. `leaves`: the same of a
    partitioned table only; `attached`: leaves that were made in an earlier transaction than they became partitions, so that they may
    have brought rows. `published`: the OID of its entry in the publication, another one after it was taken out and put back; None
    where it is not in there, or no publication was named.
    """

    oid: int
    lsn: Lsn
    columns: tuple[CatalogColumn, ...]
    dropped: tuple[int, ...]
    files: Mapping[int, int]
    leaves: Mapping[int, int] = field(default_factory=dict)
    attached: frozenset[int] = frozenset()
    published: int | None = None


# Facts by OID of the tables of a source that still exist; CausewayError where the source cannot be asked.
AskCatalog = Callable[[str, Sequence[int]], Mapping[int, TableFacts]]
