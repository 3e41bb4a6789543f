"""Log sequence numbers: a position in a Postgres write-ahead log.

Source: PostgreSQL documentation, "pg_lsn Type": two hexadecimal numbers of up to 8 digits, separated by a slash.
"""

from __future__ import annotations


class Lsn(int):
    """A byte position in the write-ahead log; an int that prints and parses as ``X/Y``."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Lsn:
        """Return the position that `text` (``X/Y``, hexadecimal) names; ValueError where it names none."""
        high, slash, low = text.partition("/")
        if not slash:
            raise ValueError(f"not an LSN: {text!r}")
        return cls((int(high, 16) << 32) | int(low, 16))

    def __str__(self) -> str:
        return f"{int(self) >> 32:X}/{int(self) & 0xFFFFFFFF:X}"

    def __repr__(self) -> str:
        return f"Lsn({self})"


ZERO = Lsn(0)
