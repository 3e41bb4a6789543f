"""Numbers with decimals: numeric as DECIMAL, floats, money.

Sources: cash.c (cash_out: under lc_monetary = C a dollar sign, commas, two decimals).
"""

from __future__ import annotations

from dataclasses import dataclass

from cdc.column_types import UNCONSTRAINED_SCALE, ColumnType, decimal_parts
from transforms.forms.form import Form
from transforms.text_views import TextViews

_NARROW = 18  # digits of a DECIMAL that DuckDB holds in 64 bits
_SHORT_DIGITS = (
    12  # numeric text of up to 12 characters has at most 10 decimals and far fewer than 28 digits before them
)
_MONEY_DIGITS, _MONEY_SCALE = 19, 2


@dataclass(frozen=True, kw_only=True)
class Numeric(Form):
    """numeric. `exact`: every finite value fits, so that only NaN does not."""

    precision: int
    scale: int
    exact: bool

    @property
    def unheld(self) -> str:
        return "NaN, infinity" if self.exact else f"NaN, infinity, more than {self.scale} decimals, more than 38 digits"

    def cast(self, text: str) -> str:
        """A cast to DECIMAL rounds in silence: where the column may hold more decimals, such a value is not held."""
        cast = self._cast(text)
        if self.exact:
            return cast
        digits = self.scale + 1
        rounds = rf"length({text}) > {digits} AND regexp_matches({text}, '\.\d{{{self.scale}}}\d*[1-9]')"
        return f"CASE WHEN {rounds} THEN NULL ELSE {cast} END"

    def _cast(self, text: str) -> str:
        """SQL from text to the DECIMAL, by way of 64 bits wherever the digits fit them.

        DuckDB 1.5 reads text into a DECIMAL of more than 18 digits a hundred times as slowly: 4 to 17 us a value, against 0.07 us
        through a narrow DECIMAL, and 0.3 us for the parts before and behind the point.
        """
        wide = f"TRY_CAST({text} AS {self.duckdb})"
        if self.precision <= _NARROW or self.scale > _NARROW:
            return wide
        scale = min(self.scale, _NARROW - 1 if self.exact else UNCONSTRAINED_SCALE)
        # Never more than `scale` decimals: numeric(p, s) always has s of them, other text of that length at most so many.
        longest = _NARROW + 1 if self.exact and scale == self.scale else scale + len("0.")
        narrow = f"CAST(TRY_CAST({text} AS DECIMAL({_NARROW},{scale})) AS {self.duckdb})"
        before = f"TRY_CAST(TRY_CAST(split_part({text}, '.', 1) AS BIGINT) AS {self.duckdb})"
        behind = (
            f"CAST(TRY_CAST('0.' || split_part({text}, '.', 2) AS DECIMAL({_NARROW},{self.scale})) AS {self.duckdb})"
        )
        parts = f"CASE WHEN starts_with({text}, '-') THEN {before} - {behind} ELSE {before} + {behind} END"
        return f"""coalesce(CASE
            WHEN length({text}) <= {longest} THEN {narrow}
            WHEN strpos({text}, '.') BETWEEN 2 AND {_NARROW + 1} THEN TRY_CAST({parts} AS {self.duckdb})
            END, {wide})"""

    def suspect(self, text: str) -> str:
        words = f"{text} >= 'A' OR starts_with({text}, '-I')"  # NaN, Infinity, -Infinity
        return words if self.exact else f"length({text}) > {_SHORT_DIGITS} OR {words}"

    def surely_fit(self, texts: TextViews) -> bool:
        """As `suspect` tells."""
        if not self.exact and (texts.lengths > _SHORT_DIGITS).any():
            return False
        first = texts.byte(0)
        return not ((first >= ord("A")) | ((first == ord("-")) & (texts.byte(1) == ord("I")))).any()

    def of_postgres(self, value: str) -> str:
        return f"trim_scale({value})::text"

    def of_duckdb(self, value: str) -> str:
        return self.of_text(f"CAST({value} AS VARCHAR)")

    def of_text(self, text: str) -> str:
        return f"CASE WHEN contains({text}, '.') THEN rtrim(rtrim({text}, '0'), '.') ELSE {text} END"


def numeric(kind: ColumnType) -> Numeric:
    """Return the form of a numeric with this modifier."""
    precision, scale, exact = decimal_parts(kind.typmod)
    return Numeric(duckdb=f"DECIMAL({precision},{scale})", precision=precision, scale=scale, exact=exact)


@dataclass(frozen=True, kw_only=True)
class Float(Form):
    """real and double precision. Both write the shortest text that reads back, but not the same one: so bits are compared."""

    bits: int

    def cast(self, text: str) -> str:
        return f"TRY_CAST({text} AS {self.duckdb})"

    def of_postgres(self, value: str) -> str:
        # There are many NaN, equal to each other, with one text.
        one = f"CASE WHEN {value} = 'NaN' THEN 'NaN' ELSE {value} END"
        return f"('x' || encode(float{self.bits // 8}send({one}), 'hex'))::bit({self.bits})::text"

    def of_duckdb(self, value: str) -> str:
        return f"CAST(CAST({value} AS BIT) AS VARCHAR)"


@dataclass(frozen=True, kw_only=True)
class Money(Form):
    """money: a whole number of the smallest unit. How many decimals that has is the database's lc_monetary, seldom other than 2."""

    scale: int

    def cast(self, text: str) -> str:
        """Text as under lc_monetary = C, which writes two decimals whatever the database's own has."""
        units = f"CAST(TRY_CAST(translate({text}, '$,.', '') AS BIGINT) AS DECIMAL({_MONEY_DIGITS},0))"
        smallest = f"0.{'1'.zfill(self.scale)}" if self.scale else "1"
        return f"TRY_CAST({units} * CAST('{smallest}' AS DECIMAL({self.scale + 1},{self.scale})) AS {self.duckdb})"

    def of_postgres(self, value: str) -> str:
        by = self.scale - _MONEY_SCALE
        moved = f" * {10**-by}" if by < 0 else f" * 0.{'1'.zfill(by)}" if by else ""
        return f"trim_scale({value}::numeric{moved})::text"

    def of_duckdb(self, value: str) -> str:
        text = f"CAST({value} AS VARCHAR)"
        return f"CASE WHEN contains({text}, '.') THEN rtrim(rtrim({text}, '0'), '.') ELSE {text} END"


def money(kind: ColumnType) -> Money:
    """Return the form of money; its modifier is the number of decimals, where the catalog was asked."""
    scale = kind.typmod if kind.typmod >= 0 else _MONEY_SCALE
    return Money(duckdb=f"DECIMAL({_MONEY_DIGITS},{scale})", scale=scale)
