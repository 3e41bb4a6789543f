"""Text, booleans, whole numbers, bits, bytes, UUIDs and JSON: one DuckDB type each."""

from __future__ import annotations

from dataclasses import dataclass

from transforms.forms.form import Form


@dataclass(frozen=True, kw_only=True)
class Text(Form):
    """text, varchar and what a cast to text leaves as it is."""

    def of_postgres(self, value: str) -> str:
        return f"{value}::text"


@dataclass(frozen=True, kw_only=True)
class Padded(Text):
    """char(n): its blanks at the end mean nothing, and `::text` at the source drops them."""

    def cast(self, text: str) -> str:
        return f"rtrim(CAST({text} AS VARCHAR), ' ')"


@dataclass(frozen=True, kw_only=True)
class Cast(Text):
    """A type that DuckDB reads and writes as Postgres does; `but`: what it does not hold."""

    but: str = ""

    @property
    def unheld(self) -> str:
        return self.but

    def cast(self, text: str) -> str:
        return f"TRY_CAST({text} AS {self.duckdb})"


@dataclass(frozen=True, kw_only=True)
class Bits(Cast):
    """bit(n) and bit varying: DuckDB has no empty bit string."""

    duckdb: str = "BIT"
    but: str = "an empty bit string"

    def suspect(self, text: str) -> str:
        return f"{text} = ''"


@dataclass(frozen=True, kw_only=True)
class Blob(Text):
    """bytea."""

    duckdb: str = "BLOB"

    def cast(self, text: str) -> str:
        return f"TRY(unhex(substr({text}, 3)))"

    def of_postgres(self, value: str) -> str:
        return f"encode({value}, 'hex')"

    def of_duckdb(self, value: str) -> str:
        return f"lower(hex({value}))"

    def literal(self, value: str) -> str:
        return f"'\\x' || lower(hex({value}))"
