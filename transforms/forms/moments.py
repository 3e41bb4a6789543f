"""Dates, times, timestamps and intervals.

Sources: DuckDB 1.5.5, tried value by value; interval.c (interval_out writes '+' only behind a negative part; interval_send writes
microseconds, days and months as they are held, which is how DuckDB holds them too).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from transforms.forms.form import Form
from transforms.text_views import TextViews

_BEHIND_LONG_YEAR = 6
_ARROW: Mapping[str, pa.DataType] = {"TIMESTAMP": pa.timestamp("us"), "TIMESTAMPTZ": pa.timestamp("us", tz="UTC")}
_LAST_WRITTEN = "TIMESTAMPTZ '287000-01-01 00:00:00+00'"


@dataclass(frozen=True, kw_only=True)
class Calendar(Form):
    """date, timestamp and timestamptz. A timestamp of DuckDB's ends in the year 294247, Postgres's in 294276."""

    fits: bool

    @property
    def unheld(self) -> str:
        return "" if self.fits else "moments after 294247-01-10"

    def cast(self, text: str) -> str:
        """DuckDB writes BC behind the date, in brackets; it reads '0044-03-15 BC' as the year 44 of our era."""
        before_christ = rf"regexp_replace({text}, '^(\S+)(.*) BC$', '\1 (BC)\2')"
        return f"TRY_CAST(CASE WHEN suffix({text}, 'BC') THEN {before_christ} ELSE {text} END AS {self.duckdb})"

    def read(self, texts: pa.ChunkedArray[Any]) -> pa.ChunkedArray[Any] | None:
        """Let Arrow read timestamps: 25 ns each, DuckDB takes 400. It refuses infinity, BC and years of more than four digits."""
        kind = _ARROW.get(self.duckdb)
        if kind is None:
            return None
        try:
            return texts.cast(pa.string()).cast(kind)
        except pa.ArrowInvalid:
            return None

    def suspect(self, text: str) -> str:
        return "false" if self.fits else f"substr({text}, {_BEHIND_LONG_YEAR + 1}, 1) = '-'"  # a year of six digits

    def surely_fit(self, texts: TextViews) -> bool:
        """As `suspect` tells."""
        return self.fits or not (texts.byte(_BEHIND_LONG_YEAR) == ord("-")).any()

    def of_postgres(self, value: str) -> str:
        return f"{value}::text"

    def of_duckdb(self, value: str) -> str:
        text = self._written(value)
        moved = rf"regexp_replace({text}, '^(\S+) \(BC\)(.*)$', '\1\2 BC')"
        return f"CASE WHEN contains({text}, '(BC)') THEN {moved} ELSE {text} END"

    def literal(self, value: str) -> str:
        return self.of_duckdb(value)

    def _written(self, value: str) -> str:
        """SQL for DuckDB's own text. That of a TIMESTAMPTZ is a millisecond off past 2**53 ms (year 287396); what it holds is not."""
        text = f"CAST({value} AS VARCHAR)"
        if self.duckdb != "TIMESTAMPTZ":
            return text
        exact = f"CAST(make_timestamp(epoch_us({value})) AS VARCHAR) || '+00'"
        return f"CASE WHEN {value} > {_LAST_WRITTEN} AND isfinite({value}) THEN {exact} ELSE {text} END"


@dataclass(frozen=True, kw_only=True)
class ZonedTime(Form):
    """timetz. Not held: an offset with seconds, such as before there were time zones; DuckDB writes +06:00:59 as +06:59."""

    duckdb: str = "TIMETZ"

    @property
    def unheld(self) -> str:
        return "an offset with seconds"

    def cast(self, text: str) -> str:
        return f"CASE WHEN {self.suspect(text)} THEN NULL ELSE TRY_CAST({text} AS TIMETZ) END"

    def suspect(self, text: str) -> str:
        return f"substr({text}, -9, 1) IN ('+', '-')"

    def of_postgres(self, value: str) -> str:
        return f"{value}::text"


@dataclass(frozen=True, kw_only=True)
class Interval(Form):
    """interval: months, days and microseconds apart, as in Postgres. Not held: infinity (from PostgreSQL 17 on)."""

    duckdb: str = "INTERVAL"

    @property
    def unheld(self) -> str:
        return "infinity"

    def cast(self, text: str) -> str:
        """A sign stands before every part that needs one, and DuckDB takes it for that part alone, but knows no plus.

        Hours of ten digits it reads only by their name.
        """
        signed = f"replace({text}, '+', '')"
        clock, named = r"(-?)(\d{10}):(\d\d):(\S+)$", r"\1\2 hours \1\3 minutes \1\4 seconds"
        return (
            f"coalesce(TRY_CAST({signed} AS INTERVAL), "
            f"TRY_CAST(regexp_replace({signed}, '{clock}', '{named}') AS INTERVAL))"
        )

    def of_postgres(self, value: str) -> str:
        parts = f"encode(interval_send({value}), 'hex')"
        return f"CASE WHEN isfinite({value}) THEN {parts} ELSE {value}::text END"

    def of_duckdb(self, value: str) -> str:
        seconds = f"datepart('hour', {value}) * 3600000000 + datepart('minute', {value}) * 60000000"
        months = f"datepart('year', {value}) * 12 + datepart('month', {value})"
        parts = (
            f"CAST({seconds} + datepart('microsecond', {value}) AS BIGINT)",
            f"CAST(datepart('day', {value}) AS INTEGER)",
            f"CAST({months} AS INTEGER)",
        )
        return " || ".join(f"lower(hex(CAST(CAST({part} AS BIT) AS BLOB)))" for part in parts)
