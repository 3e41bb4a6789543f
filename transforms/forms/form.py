"""The form in which DuckDB holds one Postgres type: its DuckDB type, and SQL from and to texts. The base of all families.

Contract: a value comes as the text that Postgres's output function writes (`cdc.connection.TEXT_FORMAT`). `cast` never raises; what
the type cannot hold exactly becomes NULL. Both databases must name a value alike: `of_postgres` at the source, `of_duckdb` over
the typed value, and `of_text` over the text of a value that did not fit. Equal texts mean equal values.
Expressions are SQL that may be evaluated more than once; values never go into them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from transforms.text_views import TextViews


@dataclass(frozen=True, kw_only=True)
class Form:
    """A type held as its text: what every type is held as that has no family of its own."""

    duckdb: str = "VARCHAR"

    @property
    def unheld(self) -> str:
        """What values of the Postgres type DuckDB's cannot hold exactly, in words; empty where it holds all."""
        return ""

    @property
    def always_fits(self) -> bool:
        """Whether DuckDB's type holds every value of the Postgres type exactly."""
        return not self.unheld

    def cast(self, text: str) -> str:
        """SQL from Postgres's text to the typed value; NULL where it does not fit."""
        return f"CAST({text} AS VARCHAR)"

    def suspect(self, text: str) -> str:
        """SQL that is true for every text that does not fit, cheap to compute, and false or NULL for nearly every other."""
        return "false" if self.always_fits else f"{text} IS NOT NULL AND {self.cast(text)} IS NULL"

    def read(self, texts: pa.ChunkedArray[Any]) -> pa.ChunkedArray[Any] | None:
        """Return a whole column's typed values where that is quicker than `cast`; None where it is not, or not all can be read."""
        del texts
        return None

    def surely_fit(self, texts: TextViews) -> bool:
        """Whether a look at how the texts lie shows that all of them fit; False where it takes `suspect` to tell."""
        del texts
        return self.always_fits

    def of_postgres(self, value: str) -> str:
        """Postgres SQL for the canonical text of a value; NULL for NULL. Needs the session settings of capture."""
        # concat() uses the type's output function, as the log does: inet::text would add a netmask. A composite of NULLs is not
        # NULL, though IS NULL says so of it.
        return f"CASE WHEN {value} IS NOT DISTINCT FROM NULL THEN NULL ELSE concat({value}) END"

    def of_duckdb(self, value: str) -> str:
        """DuckDB SQL (TimeZone UTC) for the same canonical text, over the typed value."""
        return f"CAST({value} AS VARCHAR)"

    def literal(self, value: str) -> str:
        """DuckDB SQL for a text that Postgres reads as the typed value; NULL for NULL."""
        return f"CAST({value} AS VARCHAR)"

    def of_text(self, text: str) -> str:
        """DuckDB SQL for the same canonical text, over the text of a value that does not fit."""
        return text

    def of_any_text(self, text: str) -> str:
        """DuckDB SQL for the same canonical text, over the text of any value."""
        held = let("v", self.cast(text), self.of_duckdb("v"))
        return held if self.always_fits else f"coalesce({held}, {self.of_text(text)})"


def enclosed(text: str) -> str:
    """SQL for an element's canonical text in quotes, so that no two sequences look alike; both dialects.

    It names the text once: naming it twice would double the SQL with every level of types within types.
    """
    return f"""coalesce('"' || replace({text}, '"', '""') || '"', 'N')"""


def let(name: str, value: str, body: str) -> str:
    """DuckDB SQL that computes `value` once and `body` over it under a name; NULL where `value` is."""
    return f"list_transform([{value}], lambda {name}: CASE WHEN {name} IS NULL THEN NULL ELSE {body} END)[1]"


def identifier(name: str) -> str:
    """Quote a composite's field; the same in both databases."""
    doubled = name.replace('"', '""')
    return f'"{doubled}"'


def in_quotes(text: str) -> str:
    """DuckDB SQL for a part of a row's, range's or array's text in quotes, as Postgres reads it in all of them."""
    return rf"""'"' || regexp_replace({text}, '(["\\])', '\\\1', 'g') || '"'"""


# In a row, a range and hstore: quotes and backslashes inside quotes are doubled, or come after a backslash.
QUOTED = r'"(?:[^"\\]|\\.|"")*"'


def unquoted(text: str) -> str:
    """DuckDB SQL for a part of a row's or range's text without its quotes; the part itself where it has none."""
    inner = rf"""regexp_replace({text}[2:-2], '(?s)["\\](.)', '\1', 'g')"""
    return f"""CASE WHEN starts_with({text}, '"') THEN {inner} ELSE {text} END"""
