"""From Postgres's text form to DuckDB's types: what a column becomes, how its text is cast, how both sides are compared.

Contract: `cdc` hands every value on as text in Postgres's output form (`cdc.connection.TEXT_FORMAT`). The batch mapper and the
mirror cast with `cast_sql`, so that a value has one path into DuckDB. No cast raises: what a type cannot hold exactly becomes NULL,
and the mirror keeps its text in meta.value_exceptions. Expressions are SQL over a column reference that the caller has quoted;
values never go into them. The types themselves are in `transforms.forms`.

Sources: DuckDB 1.5 tried case by case in tests/integration/warehouse/test_columns.py, where Postgres renders the values.
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from cdc.column_types import ColumnType, TypeKind, builtin_type
from cdc.relation import Column
from transforms.forms.form import Form
from transforms.forms.table import form_of
from transforms.text_views import text_views


def type_of(column: Column) -> ColumnType:
    """Return what the column's type is made of, domains resolved: as the catalog described it, or as its OID says."""
    return column.type or builtin_type(column.type_oid, column.typmod)


def form_of_column(column: Column) -> Form:
    """Return the form in which DuckDB holds the column."""
    return form_of(type_of(column))


def duckdb_type(column: Column) -> str:
    """Return the DuckDB type of a column's mirror, e.g. ``DECIMAL(12,2)``, ``TIMESTAMPTZ``, ``VARCHAR[]``."""
    return form_of_column(column).duckdb


def element_of(column: Column) -> Column | None:
    """Return a column of the array's element type; None where the column is no array."""
    kind = type_of(column)
    if kind.kind is not TypeKind.ARRAY or kind.element is None:
        return None
    return Column(name=column.name, type_oid=kind.element.oid, typmod=kind.element.typmod, type=kind.element)


def may_not_fit(column: Column) -> bool:
    """Return whether the column can hold a value that its DuckDB type cannot: NaN in a numeric, a year past 294247."""
    return not form_of_column(column).always_fits


def cast_sql(column: Column, expression: str) -> str:
    """Return SQL that casts Postgres's text to `duckdb_type(column)`; NULL where the value does not fit exactly."""
    return form_of_column(column).cast(expression)


def surely_fit(column: Column, texts: pa.ChunkedArray[Any]) -> bool:
    """Return whether a quick look shows that all texts of a column fit; False where `suspect_sql` has to tell."""
    form = form_of_column(column)
    if form.always_fits:
        return True
    views = text_views(texts)
    return views is not None and all(map(form.surely_fit, views))


def read_quickly(column: Column, texts: pa.ChunkedArray[Any]) -> pa.ChunkedArray[Any] | None:
    """Return the typed values of a column of texts where that is quicker than `cast_sql`; None where DuckDB is to read them."""
    return form_of_column(column).read(texts)


def suspect_sql(column: Column, expression: str) -> str:
    """Return SQL that is true for every text that does not fit, and false or NULL for nearly every other; cheap."""
    return form_of_column(column).suspect(expression)


def checksum_sql_postgres(column: Column, expression: str) -> str:
    """Return Postgres SQL for the canonical text of a value; NULL for NULL. Needs the session settings of capture."""
    return form_of_column(column).of_postgres(expression)


def checksum_sql_duckdb(column: Column, expression: str) -> str:
    """Return DuckDB SQL (TimeZone UTC) for the same canonical text, over the mirror's typed column; NULL for NULL."""
    return form_of_column(column).of_duckdb(expression)


def checksum_sql_text(column: Column, expression: str) -> str:
    """Return DuckDB SQL for the same canonical text, over Postgres's text of a value that did not fit its column."""
    return form_of_column(column).of_text(expression)


def literal_sql(column: Column, expression: str) -> str:
    """Return DuckDB SQL for a text that Postgres reads as the typed value; NULL for NULL."""
    return form_of_column(column).literal(expression)


def checksum_sql_any_text(column: Column, expression: str) -> str:
    """Return DuckDB SQL for the same canonical text, over Postgres's text of any value of the column."""
    return form_of_column(column).of_any_text(expression)
