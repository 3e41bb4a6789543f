"""One reading statement of a user: its columns and rows; everything else is refused and changes nothing."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from config.errors import CausewayError, ErrorKind
from warehouse.query import run_query
from warehouse.store import Warehouse


def test_values_come_as_python_values(warehouse: Warehouse) -> None:
    found = run_query(
        warehouse,
        "SELECT 1 AS one, 1.50::DECIMAL(5, 2), TIMESTAMPTZ '2026-03-02 10:00:00+02', DATE '2026-03-02', NULL, 'x', [1, 2], sum(7)",
    )
    assert found.columns[0] == "one"
    assert len(found.columns) == 8
    instant = datetime(2026, 3, 2, 8, tzinfo=UTC)
    assert found.rows == [(1, Decimal("1.50"), instant, date(2026, 3, 2), None, "x", [1, 2], 7)]


def test_what_python_has_no_date_for_comes_as_text(warehouse: Warehouse) -> None:
    found = run_query(warehouse, "SELECT 'infinity'::TIMESTAMPTZ, DATE '12000-01-01', '-infinity'::TIMESTAMP, 1")
    assert found.rows == [("infinity", "12000-01-01", "-infinity", 1)]


def test_what_arrow_or_python_would_alter_comes_as_text(warehouse: Warehouse) -> None:
    found = run_query(
        warehouse,
        "SELECT '101'::BIT, '10:00:00+02:30'::TIMETZ, TIME '24:00:00', INTERVAL '1 month 30 days', [INTERVAL '1 month'], sum(7), uuid() IS NULL",
    )
    months = "1 month 30 days"
    assert found.rows == [("101", "10:00:00+02:30", "24:00:00", months, "[1 month]", 7, False)]


def test_no_rows_still_have_columns(warehouse: Warehouse) -> None:
    found = run_query(warehouse, "FROM meta.positions SELECT source, lsn")
    assert (found.columns, found.rows) == (("source", "lsn"), [])


def test_explain_and_with_are_reads(warehouse: Warehouse) -> None:
    assert run_query(warehouse, "WITH a AS (SELECT 1) SELECT * FROM a;").rows == [(1,)]
    assert run_query(warehouse, "EXPLAIN SELECT 1").rows


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("DELETE FROM meta.positions", "not DELETE"),
        ("CREATE TABLE t (i INT)", "not CREATE"),
        ("INSERT INTO meta.mappings VALUES ('a', 'b', 'c', 'd', 1)", "not INSERT"),
        ("COPY (SELECT 1) TO '/tmp/never-written.csv'", "not COPY"),
        ("ATTACH ':memory:' AS x", "not ATTACH"),
        ("SET memory_limit = '1GB'", "not (SET|VARIABLE_SET)"),
        ("SELECT 1; DROP SCHEMA meta CASCADE", "One statement is run at a time, not 2"),
        ("", "not 0"),
        ("SELECT * FROM nowhere", "nowhere does not exist"),
        ("SELEC 1", "syntax error"),
        ("SELECT 'a'::INT", "Could not convert"),
    ],
)
def test_anything_else_is_refused(warehouse: Warehouse, text: str, words: str) -> None:
    with pytest.raises(CausewayError, match=words) as raised:
        run_query(warehouse, text)
    assert raised.value.kind is ErrorKind.REFUSED
    assert "\n" not in str(raised.value)


def test_a_reader_keeps_its_view_while_the_mirror_writes(warehouse: Warehouse) -> None:
    with warehouse.cursor() as writer:
        writer.execute("BEGIN")
        writer.execute("INSERT INTO meta.mappings VALUES ('a', 'b', 'c', 'd', 1)")
        assert run_query(warehouse, "SELECT count(*) FROM meta.mappings").rows == [(0,)]
        writer.execute("COMMIT")
    assert run_query(warehouse, "SELECT count(*) FROM meta.mappings").rows == [(1,)]
