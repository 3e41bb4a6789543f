"""What a verification found: by source, by table, by row. Rows are named by their keys, never by their values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from cdc.lsn import Lsn
from config.errors import CausewayError, ErrorKind
from config.settings import SourceSettings
from warehouse.differences import Kind


@dataclass(frozen=True, kw_only=True)
class RowDifference:
    """One row that differs, by its key, with the columns that do; never its values."""

    kind: Kind
    key: tuple[str | None, ...]
    columns: tuple[str, ...] = ()

    def __str__(self) -> str:
        key = f"({', '.join('NULL' if part is None else part for part in self.key)})"
        return f"{key} differs in {', '.join(self.columns)}" if self.columns else f"{key} is {self.kind}"


@dataclass(frozen=True, kw_only=True)
class TableVerdict:
    """One table's comparison. `problem`: why it was not compared. `rows` names LISTED_ROWS of the rows that differ."""

    table: str
    source_rows: int = 0
    mirror_rows: int = 0
    ranges: int = 0
    differing_ranges: int = 0
    counts: Mapping[Kind, int] = field(default_factory=dict)
    rows: Sequence[RowDifference] = ()
    problem: str = ""
    repaired_rows: int = 0

    @property
    def equal(self) -> bool:
        """Whether every bucket has the same count and sum of hashes on both sides."""
        return not self.problem and self.differing_ranges == 0

    @property
    def differing_rows(self) -> int:
        """How many rows differ, listed or not."""
        return sum(self.counts.values())

    @property
    def result(self) -> str:
        """The verdict in a word or two."""
        if self.problem:
            return "NOT COMPARED"
        if self.repaired_rows:
            return f"{self.repaired_rows:,} rows repaired{'' if self.equal else ', DIFFERS STILL'}"
        return "equal" if self.equal else f"{self.differing_rows:,} rows DIFFER"

    def as_dict(self) -> dict[str, Any]:
        """Return the verdict as JSON values."""
        rows = [{"kind": row.kind.name.lower(), "key": row.key, "columns": row.columns} for row in self.rows]
        return {
            "table": self.table,
            "equal": self.equal,
            "problem": self.problem,
            "source_rows": self.source_rows,
            "mirror_rows": self.mirror_rows,
            "ranges": self.ranges,
            "differing_ranges": self.differing_ranges,
            "differing_rows": {kind.name.lower(): self.counts.get(kind, 0) for kind in Kind},
            "rows": rows,
            "repaired_rows": self.repaired_rows,
        }

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> Self:
        """Return the verdict whose `as_dict` this is."""
        rows = [
            RowDifference(kind=Kind[row["kind"].upper()], key=tuple(row["key"]), columns=tuple(row["columns"]))
            for row in told["rows"]
        ]
        counts = {Kind[name.upper()]: count for name, count in told["differing_rows"].items() if count}
        plain = ("table", "problem", "source_rows", "mirror_rows", "ranges", "differing_ranges", "repaired_rows")
        return cls(**{name: told[name] for name in plain}, counts=counts, rows=rows)


@dataclass(frozen=True, kw_only=True)
class SourceVerdict:
    """A source's tables, compared at `lsn`; after a repair, as they are then."""

    source: str
    lsn: Lsn
    tables: Sequence[TableVerdict]

    @property
    def equal(self) -> bool:
        """Whether every table is equal."""
        return all(table.equal for table in self.tables)

    @property
    def repaired_rows(self) -> int:
        """How many rows were mended."""
        return sum(table.repaired_rows for table in self.tables)

    def as_dict(self) -> dict[str, Any]:
        """Return the verdict as JSON values."""
        tables = [table.as_dict() for table in self.tables]
        return {"source": self.source, "lsn": str(self.lsn), "equal": self.equal, "tables": tables}

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> Self:
        """Return the verdict whose `as_dict` a running lane has sent."""
        tables = [TableVerdict.from_dict(table) for table in told["tables"]]
        return cls(source=told["source"], lsn=Lsn.parse(told["lsn"]), tables=tables)


def wanted_tables(name: str, source: SourceSettings, only: Sequence[str]) -> tuple[str, ...]:
    """Return the tables to compare; CausewayError SETTINGS where one is asked for that is not captured."""
    unknown = [table for table in only if table not in source.table_names]
    if unknown:
        raise CausewayError(
            ErrorKind.SETTINGS,
            f"{name} does not capture {', '.join(unknown)}.",
            hint="Write it as schema.table.",
            source=name,
        )
    return tuple(only) or tuple(source.table_names)


def not_there(table: str) -> TableVerdict:
    """A captured table that the source does not have."""
    return TableVerdict(table=table, problem="does not exist at the source")
