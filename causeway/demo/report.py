"""What a demo has found: the figures for programs, and the page for people."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from causeway.console import out, print_table

QUERIES = (
    "SELECT channel, day, orders, gross, discount, freight, fees, net FROM mart.orders_by_channel_day ORDER BY ALL",
    "SELECT status, reason, count(*) AS orders FROM recon.latest_orders GROUP BY ALL ORDER BY orders DESC",
    "SELECT kind, source, source_key, detail FROM recon.latest_exceptions ORDER BY ALL LIMIT 20",
)


@dataclass(kw_only=True)
class DemoReport:
    """The result of one demo. `mirror_equal` is False where a source and its mirror differ in a single row."""

    folder: Path
    seconds: float = 0.0
    rows_captured: int = 0
    rows_per_second: int = 0
    mirror_equal: bool = False
    tables_verified: int = 0
    records_delivered: int = 0
    deliveries_confirmed: int = 0
    deliveries_unconfirmed: int = 0
    outbox: Mapping[str, int] = field(default_factory=dict)
    dead_letters: int = 0
    reconciliation: Mapping[str, int] = field(default_factory=dict)
    exceptions: Mapping[str, int] = field(default_factory=dict)
    expected_exceptions: Mapping[str, int] | None = None
    lanes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    extracts: Sequence[str] = ()
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def exceptions_as_seeded(self) -> bool:
        """Whether exactly the seeded exceptions were found; True where none were seeded."""
        return self.expected_exceptions is None or dict(self.expected_exceptions) == dict(self.exceptions)

    @property
    def ok(self) -> bool:
        """Whether the demo did what it promises."""
        return self.mirror_equal and self.exceptions_as_seeded

    def as_dict(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        return {
            "ok": self.ok,
            "seconds": round(self.seconds, 1),
            "rows_captured": self.rows_captured,
            "rows_per_second": self.rows_per_second,
            "mirror_equal": self.mirror_equal,
            "tables_verified": self.tables_verified,
            "records_delivered": self.records_delivered,
            "deliveries_confirmed": self.deliveries_confirmed,
            "deliveries_unconfirmed": self.deliveries_unconfirmed,
            "dead_letters": self.dead_letters,
            "outbox": dict(self.outbox),
            "reconciliation": dict(self.reconciliation),
            "exceptions": dict(self.exceptions),
            "exceptions_as_seeded": self.exceptions_as_seeded,
            "lanes": {name: dict(lane) for name, lane in self.lanes.items()},
            "extracts": list(self.extracts),
            "folder": str(self.folder),
            **self.details,
        }


def print_report(report: DemoReport) -> None:
    """Print the page that ends the demo."""
    equal = "equal to its source, row by row" if report.mirror_equal else "NOT equal to its source"
    out.print(f"\n[bold]What happened, in {report.seconds:.0f} s[/bold]")
    print_table("", ("", ""), _figures(report, equal))
    _print_exceptions(report)
    print_table("orders, channel against Odoo", ("status", "orders"), sorted(report.reconciliation.items()))
    out.print("[bold]Extracts[/bold]")
    for file in report.extracts:
        out.print(f"  {_short(Path(file))}", markup=False)
    out.print("[bold]Three queries to try[/bold]")
    config = _short(report.folder / "causeway.yaml")
    for query in QUERIES:
        out.print(f'  {_program()} query --config {config} "{query}"', markup=False)
    out.print(
        f"The warehouse, the settings and the extracts stay in {report.folder}; nothing is left running.", markup=False
    )


def _program() -> str:
    """The command as it was called, so that a line can be copied."""
    return sys.argv[0] if Path(sys.argv[0]).name == "causeway" else "causeway"


def _short(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _figures(report: DemoReport, equal: str) -> list[tuple[str, str]]:
    lags = [f"{name} {lane['lag_bytes']:,} bytes" for name, lane in report.lanes.items()]
    peaks = [f"{name} {lane['highest_rss_bytes'] / 2**20:.0f} MB" for name, lane in report.lanes.items()]
    return [
        ("rows captured", f"{report.rows_captured:,} ({report.rows_per_second:,} a second)"),
        ("mirror", f"{report.tables_verified} tables, {equal}"),
        ("records delivered to Odoo", f"{report.records_delivered:,}"),
        ("confirmed by Odoo's own log", _confirmed(report)),
        ("outbox", ", ".join(f"{status} {count:,}" for status, count in sorted(report.outbox.items()))),
        ("dead letters", f"{report.dead_letters:,}"),
        ("lag at the end", ", ".join(lags)),
        ("memory at the most", ", ".join(peaks)),
    ]


def _confirmed(report: DemoReport) -> str:
    left = report.deliveries_unconfirmed
    return f"{report.deliveries_confirmed:,} deliveries" + (f"; {left:,} are not yet" if left else "")


def _print_exceptions(report: DemoReport) -> None:
    expected = report.expected_exceptions
    kinds = sorted(set(report.exceptions) | set(expected or {}))
    rows = [(kind, report.exceptions.get(kind, 0), "" if expected is None else expected.get(kind, 0)) for kind in kinds]
    print_table("exceptions found", ("kind", "found", "seeded"), rows)


def count_kinds(kinds: Sequence[str]) -> dict[str, int]:
    """Return how often each kind occurs."""
    return dict(Counter(kinds))
