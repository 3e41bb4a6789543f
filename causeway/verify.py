"""`causeway verify`: a source against its mirror, row-exact, at one LSN.

A consistent view of the source is opened at a point C of its log; the mirror is brought to exactly C (the reader hands out no
transaction that the view does not see); then both sides hash every row, over one canonical text a value, and compare counts and
sums by range of the keys' hash. Ranges that differ are read whole, to name rows.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import pyarrow as pa
from rich.console import Console
from rich.progress import track

from causeway.lane import LaneLoop
from causeway.runfiles import RunFolder
from causeway.sources import find_source, naming, reader_for, with_tables
from cdc import checksum as source_side
from cdc.catalog import describe
from cdc.connection import PlainConnection
from cdc.exported_snapshot import consistent_view
from cdc.lsn import Lsn
from cdc.relation import Relation
from config.errors import CausewayError, ErrorKind
from config.settings import Lane, Settings
from warehouse import checksum as mirror_side
from warehouse.checksum import postgres_expressions
from warehouse.mirror import Mirror
from warehouse.store import Warehouse

# 256 ranges: of ten million rows one range holds 40,000, which can be read whole.
DIGITS = 2
NAMED_RANGES = 3
NAMED_ROWS = 5


class _Bucket(Protocol):
    """A checksum of either side."""

    @property
    def rows(self) -> int: ...
    @property
    def hash_sum(self) -> int: ...


@dataclass(frozen=True, kw_only=True)
class TableVerdict:
    """One table's comparison. `detail` names some of the rows that differ by their keys, and the columns, never values."""

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
    find_source(settings, name)
    settings = with_tables(settings, name)
    source = settings.sources[name]
    folder = RunFolder(settings.run_dir)
    with folder.lock(Lane.ANALYTICAL), Warehouse.open(settings.warehouse) as warehouse, naming(name):
        with consistent_view(source.connection, application_name=f"causeway {name} verify") as view:
            _bring_to(settings, name, warehouse, view.lsn)
            relations = describe(view.connection, source.table_names)
            quiet = console is None or not console.is_terminal
            each = track(relations, f"verifying {name}", console=console, disable=quiet, transient=True)
            with warehouse.querying():
                tables = [_compare(view.connection, warehouse, name, relation) for relation in each]
            return SourceVerdict(source=name, lsn=view.lsn, tables=tables)


def _bring_to(settings: Settings, name: str, warehouse: Warehouse, lsn: Lsn) -> None:
    """Apply exactly the transactions that a view at `lsn` sees."""
    wake = threading.Event()
    mirror = Mirror(warehouse)
    try:
        _check_mirrored(mirror, name)
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


def _check_mirrored(mirror: Mirror, name: str) -> None:
    """A first snapshot would be newer than the view that it is compared with, and would make a slot."""
    if mirror.position(name) is None:
        raise CausewayError(
            ErrorKind.WAREHOUSE,
            f"{name} has no mirror yet, or not a whole one.",
            hint="Run the analytical lane first: causeway run --lane analytical --until-caught-up.",
            source=name,
        )


def _compare(connection: PlainConnection, warehouse: Warehouse, name: str, relation: Relation) -> TableVerdict:
    expressions = postgres_expressions(relation)
    theirs = _sums(source_side.bucket_checksums(connection, relation, expressions, digits=DIGITS))
    ours = _sums(mirror_side.bucket_checksums(warehouse, name, relation, digits=DIGITS))
    differing = sorted(key for key in theirs.keys() | ours.keys() if theirs.get(key) != ours.get(key))
    details = []
    for bucket in differing[:NAMED_RANGES]:
        there = source_side.bucket_rows(connection, relation, expressions, digits=DIGITS, bucket=bucket)
        here = mirror_side.bucket_rows(warehouse, name, relation, digits=DIGITS, bucket=bucket)
        details += _differences(relation, there, here)
    return TableVerdict(
        table=relation.qualified_name,
        source_rows=sum(rows for rows, _ in theirs.values()),
        mirror_rows=sum(rows for rows, _ in ours.values()),
        ranges=len(theirs.keys() | ours.keys()),
        differing_ranges=len(differing),
        detail="; ".join(details[:NAMED_ROWS]),
    )


def _sums(buckets: Mapping[str, _Bucket]) -> dict[str, tuple[int, int]]:
    return {key: (bucket.rows, bucket.hash_sum) for key, bucket in buckets.items()}


def _differences(relation: Relation, there: pa.Table, here: pa.Table) -> list[str]:
    """Name rows by their keys: missing in the mirror, only in the mirror, or different, with the columns that differ."""
    theirs, ours = _by_key(relation, there), _by_key(relation, here)
    found = []
    for key in sorted(theirs.keys() | ours.keys(), key=str):
        row, mirrored = theirs.get(key), ours.get(key)
        if row is None or mirrored is None:
            found.append(f"{_key_text(key)} is {'only in the mirror' if row is None else 'missing in the mirror'}")
        elif row != mirrored:
            columns = [column for column in relation.column_names if row[column] != mirrored[column]]
            found.append(f"{_key_text(key)} differs in {', '.join(columns)}")
    return found


def _by_key(relation: Relation, rows: pa.Table) -> dict[tuple[Any, ...], dict[str, Any]]:
    return {tuple(row[name] for name in relation.key_columns): row for row in rows.to_pylist()}


def _key_text(key: tuple[Any, ...]) -> str:
    return f"({', '.join(map(str, key))})"
