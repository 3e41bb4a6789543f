"""The edges of every type that a snapshot takes in its binary form, one row each, so that no run leaves one out."""

from __future__ import annotations

from itertools import cycle

from tests.property.values import Make, Sample


def _each(*values: str) -> Make:
    """Make these values one after the other."""
    turns = cycle(values)
    return lambda _: next(turns)


def _texts(*values: str) -> Make:
    return _each(*(f"'{value}'" for value in values))


_BYTES = ("''::bytea", "'\\x00'::bytea", *(f"decode(repeat('00ff', {n}), 'hex')" for n in (6, 7, 3000)))
# As long as fits into Arrow's view, one byte more, two bytes a letter, and out of line.
_TEXTS = (
    "''",
    "'x'",
    *(f"repeat('{part}', {n})" for part, n in (("x", 12), ("x", 13), ("é", 6), ("é", 7), ("xyz", 3000))),
)
_NUMBERS = (
    "0",
    "0.00",
    "-0.01",
    "1",
    "10000",
    "9999",
    "100000000",
    "-1e8",
    "1e12",
    "1e16",
    "1.5",
    "12345678.9",
    "-0.5",
)
_MOMENTS = (
    "4714-11-24 00:00:00 BC", "0001-12-31 23:59:59.999999 BC", "0001-01-01 00:00:00", "1969-12-31 23:59:59.999999",
    "1970-01-01 00:00:00", "1999-12-31 23:59:59.999999", "2000-01-01 00:00:00", "2000-01-01 00:00:00.000001",
    "294247-01-10 04:00:54.775806", "294247-01-10 04:00:54.775807", "294247-01-10 04:00:54.775808",
    "294276-12-31 23:59:59.999999", "294250-06-01 12:00:00.5", "infinity", "-infinity",
)  # fmt: skip

EDGES: tuple[Sample, ...] = (
    Sample("boolean", _each("true", "false")),
    Sample("smallint", _texts("-32768", "32767", "0", "-1")),
    Sample("integer", _texts("-2147483648", "2147483647", "0", "-1")),
    Sample("bigint", _texts("-9223372036854775808", "9223372036854775807", "0", "-1")),
    Sample("oid", _texts("0", "2147483648", "4294967295")),
    Sample("xid", _texts("0", "4294967295")),
    Sample("xid8", _texts("0", "9223372036854775808", "18446744073709551615")),
    Sample("real", _texts("NaN", "Infinity", "-Infinity", "-0", "0", "1e-45", "3.4028235e38", "0.1")),
    Sample("double precision", _each(
        "'NaN'", "'Infinity'::float8 - 'Infinity'", "'-Infinity'", "'-0'", "'0'", "'5e-324'", "'1.7976931348623157e308'", "'0.1'"
    )),
    Sample("date", _texts("4714-11-24 BC", "0001-12-31 BC", "0001-01-01", "1970-01-01", "2000-01-01", "5874897-12-31",
                          "infinity", "-infinity")),
    Sample("time", _texts("00:00:00", "24:00:00", "23:59:59.999999", "12:00:00.5")),
    Sample("timestamp", _texts(*_MOMENTS)),
    Sample("timestamptz", _texts(*(moment if "infinity" in moment else f"{moment}+00" if "BC" not in moment
                                   else moment.replace(" BC", "+00 BC") for moment in _MOMENTS))),
    Sample("uuid", _texts("00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff",
                          "80000000-0000-0000-7fff-ffffffffffff")),
    Sample("text", _each(*_TEXTS)),
    Sample("varchar", _each(*_TEXTS)),
    Sample("char(6)", _texts("", "a", "a  b", "éééééé")),
    Sample("name", _texts("", "x", "é" * 20)),
    Sample("bytea", _each(*_BYTES)),
    Sample("json", _each("'{\"a\" : 1}'", "' []'", "'\"\"'", "('[' || repeat('1,', 3000) || '2]')::json")),
    Sample("jsonb", _each("'{\"a\": 1}'", "'[]'", "'1'", "'\"\"'", "('[' || repeat('1,', 3000) || '2]')::jsonb")),
    Sample("numeric", _texts(*_NUMBERS, "NaN", "Infinity", "-Infinity", "1e28", "9999999999999999999999999999.9999999999",
                             "0.0000000001", "0.00000000001", "1.10000000000000000", "1e200", "-1e-200"), scaled=True),
    Sample("numeric(4,0)", _texts("0", "9999", "-9999", "NaN")),
    Sample("numeric(12,2)", _texts(*_NUMBERS[:8], "9999999999.99", "-9999999999.99", "NaN")),
    Sample("numeric(12,3)", _texts(*_NUMBERS[:8], "999999999.999", "-999999999.999", "0.001", "NaN")),
    Sample("numeric(18,4)", _texts(*_NUMBERS[:9], "99999999999999.9999", "-0.0001", "NaN")),
    Sample("numeric(19,1)", _texts(*_NUMBERS, "999999999999999999.9", "-0.1", "NaN")),
    Sample("numeric(38,0)", _texts(*_NUMBERS[:10], "9" * 38, "-" + "9" * 38, "1" + "0" * 37, "-18446744073709551616", "NaN")),
    Sample("numeric(38,38)", _texts("0", "0." + "9" * 38, "-0." + "0" * 37 + "1", "NaN")),
    Sample("numeric(60,30)", _texts(*_NUMBERS, "1e29", "0." + "0" * 29 + "1", "0." + "1" * 18, "NaN"), scaled=True),
    Sample("numeric(5,-2)", _texts("0", "9999900", "-100", "NaN")),
    Sample("numeric(3,5)", _texts("0", "0.00999", "-0.00001", "NaN")),
    Sample("net_price", _texts("0.00", "99999999.99", "-99999999.99", "NaN")),
    Sample("flag", _each("true", "false")),
)  # fmt: skip
