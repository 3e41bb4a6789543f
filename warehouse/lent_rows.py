"""Arrow rows that DuckDB reads as a view, and gives back although its transaction goes on.

DuckDB keeps a view that was dropped, and with it the Python object it reads, until the transaction ends (1.5.5). A source
transaction of millions of rows is one DuckDB transaction, so that all its rows would stay in memory until its COMMIT: 270 MB a
million order lines. What DuckDB keeps is therefore this object, which lets its rows go.
"""

from __future__ import annotations

import pyarrow as pa


class Lent:
    """A table for `DuckDBPyConnection.register`, as often as it is read (Arrow PyCapsule interface), until it is taken back."""

    def __init__(self, rows: pa.Table) -> None:
        self._rows: pa.Table | None = rows

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        assert self._rows is not None, "the rows have been taken back"
        capsule: object = self._rows.__arrow_c_stream__(requested_schema)  # type: ignore[no-untyped-call]
        return capsule

    def take_back(self) -> None:
        """Let the rows go, whoever still holds this object."""
        self._rows = None
