"""The allow-list, proven: every expression below gives row by row in DuckDB what it gives in Postgres, failures included."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlglot
from sqlglot import exp

from sandbox.postgres import EmbeddedPostgres
from tests.integration.transforms.oracle import FAILED, Oracle, make_oracle
from transforms.compiler import RULES
from transforms.sqltypes import Kind
from transforms.translator import RefusedError, Translator

WORDS = {"payment.status": {"authorised": "authorized", "o'k": "captured"}}

# Rows are separated by what they try: signs, ends of ranges, halves, nulls, Unicode, forms of numbers and dates in text.
TABLE = r"""
CREATE TYPE mood AS ENUM ('authorised', 'o''k', 'odd');
CREATE TABLE samples (
    id int PRIMARY KEY, small smallint, n int, big bigint, price numeric(12, 4), qty numeric(12, 3), free numeric, wide numeric(38, 0),
    name text, code varchar(20), pad char(4), mood mood, flag boolean, other boolean, day date, local timestamp, at timestamptz,
    key uuid, doc jsonb, tags text[], counts int[], ratio float8
);
INSERT INTO samples VALUES
    (1, 1, 7, 700, 2.3450, 2.500, 12.5, 5, 'Tea light', 'a-b-c', 'GB', 'authorised', true, false, '2025-03-30', '2025-03-30 01:30:00',
     '2025-03-30 01:30:00Z', '0b0e7f4e-96cc-4bb5-bb4c-0d0f8a2f1c11', '{"a": "x", "n": 5, "b": {"c": "deep", "l": ["p", "q"]}, "t": true}',
     '{x,"y z",NULL}', '{3,1,2}', 1.5),
    (2, -1, -7, -700, -2.3450, -2.500, -0.0000000001, -5, '  padded  ', '', 'a b', 'o''k', false, NULL, '2025-10-26', '2025-10-26 01:30:00.123456',
     '2025-10-26 00:30:00Z', 'ffffffff-ffff-ffff-ffff-ffffffffffff', '{"a": null, "n": -12, "odd key.x": "k", "t": false}', '{}', '{}', -0.0),
    (3, 0, 0, 0, 0, 0, 0, 0, '', 'x%y_z', '', 'odd', NULL, true, '1999-12-31', '1999-12-31 23:59:59.5', '1999-12-31 23:59:59.999999+05:30',
     '00000000-0000-0000-0000-000000000000', '["first", {"a": 1}]', NULL, NULL, 'NaN'),
    (4, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
    (5, 32767, 2147483647, 9223372036854775807, 99999999.9999, 999999999.999, 1234567890123456789.0123456789, 99999999999999999999999999999999999999,
     'Zoë’s Café 日本', 'A-ï', 'é', 'odd', true, true, '2024-02-29', '2024-02-29 00:00:00', '2024-02-29 12:00:00Z',
     '0b0e7f4e-96cc-4bb5-bb4c-0d0f8a2f1c12', '"text"', '{a}', '{2147483647}', 0.1),
    (6, -32768, -2147483648, -9223372036854775808, 0.0050, 0.500, 99.995, 1, ' 42 ', '42', '42', 'odd', true, true, '2025-07-01', '2025-07-01 12:00:00',
     '2025-07-01 12:00:00Z', NULL, '{"a": "12.50", "n": 18446744073709551615, "d": "2025-07-01"}', '{é}', '{0}', 1e300),
    (7, 2, 25, 19999, 1.0050, 1.005, 1.005, 2, '-12.345', '1e3', 'x', 'odd', false, true, '2025-07-02', '2025-07-02 08:00:00', '2025-07-02 08:00:00Z', NULL,
     '{"a": "", "n": 0}', '{q}', '{7}', 2.5),
    (8, 3, 26, 20001, 1.0149, 0.001, 0.5, 3, '2025-07-01', 'yes', 'GB', 'odd', false, false, '2025-07-03', '2025-07-03 08:00:00', '2025-07-03 08:00:00Z', NULL,
     '{"a": "\\\"quoted\\\" ünï", "b": {"l": []}}', '{r}', '{8}', 3),
    (9, 4, 27, 20002, 1.0151, 0.002, 1.5, 4, '2025-07-01 10:11:12.5', 'OFF', 'GB', 'odd', false, false, '2025-07-04', '2025-07-04 08:00:00',
     '2025-07-04 08:00:00Z', NULL, '{"b": [1, 2]}', '{s}', '{9}', 4),
    (10, 5, 28, 20003, 3.1415, 0.003, -1.5, 6, '2025-07-01T10:11:12+02:00', 't', 'GB', 'odd', false, false, '2025-07-05', '2025-07-05 08:00:00',
     '2025-07-05 08:00:00Z', NULL, '{}', '{t}', '{10}', 5),
    (11, 6, 29, 20004, 3.1416, 0.004, -0.5, 7, '0B0E7F4E-96CC-4BB5-BB4C-0D0F8A2F1C11', 'a%b\c', 'GB', 'odd', false, false, '2025-07-06',
     '2025-07-06 08:00:00', '2025-07-06 08:00:00Z', NULL, 'null', '{u}', '{11}', 6);
CREATE DOMAIN exact AS numeric(12, 4);
CREATE DOMAIN cost AS exact CHECK (VALUE > -1000000000);
CREATE DOMAIN yes AS boolean;
CREATE DOMAIN padded AS char(4);
CREATE DOMAIN list AS text[];
ALTER TABLE samples ADD cost cost, ADD yes yes, ADD padded padded, ADD notes list, ADD moods mood[], ADD span interval, ADD during tstzrange,
    ADD cash money;
UPDATE samples SET cost = price, yes = flag, padded = pad, notes = tags, moods = ARRAY[mood, NULL], span = at - local::timestamptz,
    during = tstzrange(at, NULL), cash = n;
"""

EXPRESSIONS = """
id + n; n - 1; n * 2; big + n; big - big; small + 1; -n; -big; -price; abs(n); abs(price); abs(free); n + NULL::int
price + qty; price - qty; price * qty; qty * n; n * price; big * price; free + 1; free - price; free * 2; free * 0.01; wide + 1; price * 1.2
n / 2; -7 / 2; big / 3; n / nullif(small, 0); 100 / nullif(n, 0); big / 100; small / 2
n / 100.0; price / 10.0; price / 1000; qty / 100; - n / 100.0; (n + 1) / 100.0; n / 10.00; n / 1000000.0; (n / 2) / 100.0
round(price, 2); round(qty); round(free, 2); round(free); round(price * qty, 2); round(n / 100.0, 1); round(-price, 2); round(price, 4); round(price, 9)
price::numeric(12, 2); free::numeric(20, 1); price::int; qty::bigint; free::integer; n::numeric(14, 2); big::int; n::bigint; price::numeric(5, 4)
n::numeric; price::numeric; flag::int; day::timestamp; local::date; 12::numeric(4, 1)
n::text; big::text; price::text; qty::text; key::text; day::text; flag::text; mood::text; pad::text; name::text; round(price, 2)::text; small::text
price::numeric(14, 2)::text; code::varchar; 1.50::text
name || code; name || n; 'id-' || id; id || '-' || n; code || price; name || key; name || day; 'x' || NULL; pad || '|'; mood || '!'; name || round(price, 1)
concat(name, code); concat('a', NULL, n); concat(name, '-', price); concat(mood, day); concat(pad::text, '|')
upper(code); lower(code); upper(pad); lower('ABC ' || code); upper(mood::text)
trim(name); btrim(name); ltrim(name); rtrim(name); btrim(name, ' p'); trim(both 'T' from name); trim(leading ' ' from name); trim(trailing from name)
replace(name, 'e', 'EE'); replace(name, ' ', ''); split_part(code, '-', 1); split_part(code, '-', 2); split_part(code, '-', 9); split_part(name, '’', 2)
substring(name from 2 for 3); substr(name, 2); substr(name, 1, 0); substring(name, 3); left(name, 3); right(name, 3); left(name, 0); length(name); char_length(code); length(pad)
left(name, 100); right(name, 100); substr(name, 100)
coalesce(name, 'none'); coalesce(n, 0); coalesce(price, 0); coalesce(price, qty); coalesce(n, big); coalesce(NULL, name); coalesce(day, '2025-01-01'); coalesce(pad, 'none')
coalesce(at, '2025-01-01T00:00:00Z'); coalesce(free, price); coalesce(mood::text, name, 'none'); coalesce(flag, false)
nullif(name, ''); nullif(n, 7); nullif(price, 0); nullif(n, 0.0); nullif(mood::text, 'odd'); nullif(flag, true)
CASE WHEN n > 0 THEN 'plus' WHEN n < 0 THEN 'minus' END; CASE mood WHEN 'odd' THEN 1 ELSE 2 END; CASE WHEN flag THEN price ELSE 0 END; CASE WHEN flag THEN n ELSE price END
CASE n WHEN 7 THEN 'seven' ELSE name END; CASE WHEN flag THEN NULL ELSE name END; CASE pad WHEN 'GB' THEN 'home' END; CASE WHEN n <> 0 THEN 100 / nullif(n, 0) END
greatest(n, small); least(n, small); greatest(price, qty, 0); least(price, NULL, 1); greatest(day, '2025-07-01'); least(at, '2025-07-01T00:00:00+02:00'); greatest(n, 0.5)
n = 7; n <> 7; n > price; big >= n; price < 2.345; price = 2.3450; free = 12.5; name = 'Tea light'; name <> ''; key = '0b0e7f4e-96cc-4bb5-bb4c-0d0f8a2f1c11'; mood = 'odd'
pad = 'GB'; pad = code; day >= '2025-03-30'; day < '2025-07-01'; local > '2025-03-30 01:00:00'; at >= '2025-03-30T01:30:00Z'; flag = other; flag <> true; day = day; n < 2147483648; n <= 7
n IS DISTINCT FROM small; name IS NOT DISTINCT FROM code; price IS DISTINCT FROM NULL; ratio > ratio; wide = 5
n IN (7, 25); name NOT IN ('', 'x'); mood IN ('odd', 'authorised'); n IN (7, NULL); price IN (2.345, 0); day IN ('2025-03-30')
n BETWEEN 0 AND 25; price NOT BETWEEN 0 AND 2; day BETWEEN '2025-01-01' AND '2025-12-31'; at BETWEEN '2025-01-01T00:00:00Z' AND '2025-07-01T12:00:00Z'
name IS NULL; name IS NOT NULL; flag IS TRUE; flag IS NOT TRUE; other IS FALSE; doc IS NULL; tags IS NOT NULL; NOT flag; ratio IS NULL; doc -> 'a' IS NULL
flag AND other; flag OR other; NOT (flag AND other); n > 0 AND name IS NOT NULL OR flag; true; false AND flag; (NULL AND flag)
name LIKE 'T%'; code LIKE '%-%'; code NOT LIKE 'a_b%'; code LIKE 'x\\%y%'; code LIKE '%\\\\%'; mood::text LIKE 'o%'; name LIKE ''; name LIKE '%ë%'
local AT TIME ZONE 'Europe/London'; at AT TIME ZONE 'Europe/London'; local AT TIME ZONE 'UTC'; at AT TIME ZONE 'America/New_York'; local AT TIME ZONE 'Asia/Kolkata'
(at AT TIME ZONE 'Europe/Paris')::date; day::timestamp AT TIME ZONE 'Australia/Lord_Howe'
tags[1]; tags[2]; tags[9]; counts[1]; counts[3] + 1; upper(tags[1]); cardinality(tags); cardinality(counts)
cost * 2; cost + price; round(cost, 2); cost::text; cost::numeric(12, 2); cost > 1; coalesce(cost, 0); CASE WHEN cost > 1 THEN cost ELSE price END
yes; NOT yes; yes AND other; yes::int; padded = 'GB'; trim(padded::text); notes[1]; upper(notes[1]); cardinality(notes); moods[1]; moods[1] = 'odd'; cardinality(moods)
span IS NULL; during IS NOT NULL; cash IS NULL; moods IS NULL; notes IS NOT NULL
doc ->> 'a'; doc ->> 't'; doc -> 'b' ->> 'c'; doc -> 'b' -> 'l' ->> 0; doc ->> 'odd key.x'; doc -> 1 ->> 'a'; (doc ->> 'a') || '!'; doc ->> 'missing'
coalesce(doc ->> 'a', 'none'); (doc ->> 'n')::bigint; (doc ->> 'a')::numeric(12, 2); (doc ->> 'd')::date; doc -> 'b' ->> 'l'; doc ->> 'n'
map_status('payment.status', mood); map_status('payment.status', name)
"""

# Text that one of the two reads otherwise, or only one of them reads, fails here: a record refused is better than a wrong one.
STRICTER = """
name::int; code::int; name::numeric(12, 2); code::numeric(12, 2); name::bigint; name::date; name::timestamp; name::timestamptz; code::boolean; name::uuid; name::numeric(5, 4)
code::bigint; name::boolean; doc ->> 'b'; doc ->> 0; doc -> 'a' ->> 0; doc -> 'b' ->> 1
"""

REFUSED = """
span = span: can't be compared; span::text: no text form; cash + 1: exact numbers; cash::numeric(12, 2): a cast from; during = during: can't be compared; span || 'x': no text form
now(): now(); to_char(n, '999'): to_char(); random(): random(); md5(name): md5(); n::float8: double precision; price / 3: floating point; price / qty: floating point
n / 0: divisor; n / small: divisor; ratio * 2: floating-point; ratio::numeric(12, 2): a cast from floating point; free::text: no text form; concat(flag, name): booleans
concat(pad, '|'): char(n); pad LIKE 'G%': char(n); name < 'x': no order; name BETWEEN 'a' AND 'b': no order; greatest(name, code): no order; n = 'x': without quotes
day = 'tomorrow': ISO form; at > '2025-01-01T00:00:00': must have a time zone; local > '2025-01-01T00:00:00Z': must not have a time zone; n = name: no common type
local::timestamptz: AT TIME ZONE; at::date: AT TIME ZONE; at::text: no text form; local AT TIME ZONE 'EST': IANA; local AT TIME ZONE 'Europe/Lundon': Europe/London
name::varchar(3): varchar(3); name::char(3): char(3); n::mood: mood; price::numeric(50, 2): 38; name ILIKE 'x': ILIKE; name ~ 'x': name ~ 'x'; n % 2: n % 2; doc -> 0 IS NULL: position; 1e5: floating-point
tags[0]: subscript; tags[n]: subscript; tags || 'x': text form; doc ->> name: constant; doc -> 'a' || 'x': text form; json_typeof(doc): json_typeof(); doc = doc: can't be compared
nam || 'x': did you mean 'name'; map_status('payment.stats', mood): did you mean 'payment.status'; map_status(mood): takes a domain; round(n): leave it out; n AND flag: a condition
CASE WHEN n THEN 1 END: a condition; date_trunc('day', at): date_trunc(); current_date: CURRENT_DATE; name COLLATE "C" = 'x': COLLATE; substr(name, 0): from 1
left(name, -1): from 0; split_part(code, '', 1): not empty; replace(name, '', 'x'): not empty; free * free * free * free: decimals; NOT n: a condition
array_length(tags, 1): array_length(); 'x' = ANY(tags): ANY; interval '1 day': INTERVAL; string_agg(name, ','): STRING_AGG; n LIKE '7': text; upper(n): text; EXISTS(SELECT 1): EXISTS
n || big: cast one side; length(tags): text; flag::text::boolean + 1: exact numbers; coalesce(doc, doc): can't be compared; ltrim(name, ''): not empty; name = flag: no common type
"""


def split(text: str, by: str = ";") -> list[str]:
    return [each.strip() for line in text.strip().splitlines() for each in line.split(by) if each.strip()]


@pytest.fixture(scope="module")
def samples(postgres: EmbeddedPostgres) -> Iterator[Oracle]:
    # The case of letters is the locale's; this one knows Unicode's. DuckDB also makes ẞ of ß, which Postgres leaves.
    with postgres.connect("postgres", autocommit=True) as connection:
        connection.execute(
            "CREATE DATABASE allow_list TEMPLATE template0 LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8' ENCODING 'UTF8'"
        )
    with postgres.connect("allow_list", autocommit=True) as connection:
        connection.execute(TABLE.encode())
        yield make_oracle(connection, "public.samples")
    postgres.drop_database("allow_list")


def translator(oracle: Oracle, sql: str = "") -> Translator:
    return Translator(oracle.relation.columns, RULES, WORDS, f"SELECT {sql}")


def parse(sql: str) -> exp.Expr:
    parsed: exp.Expr = sqlglot.parse_one(f"SELECT {sql}", dialect="postgres").expressions[0]
    return parsed


def for_postgres(sql: str) -> str:
    if not sql.startswith("map_status"):
        return sql
    word = sql.partition(",")[2].strip(" )")
    arms = " ".join(
        f"WHEN '{theirs.replace(chr(39), chr(39) * 2)}' THEN '{ours}'"
        for theirs, ours in WORDS["payment.status"].items()
    )
    return f"CASE {word}::text {arms} ELSE 'unknown: ' || {word}::text END"


def outcomes(oracle: Oracle, sql: str) -> tuple[list[object], list[object], bool]:
    """What each row gives in Postgres and in DuckDB (FAILED where it raises), and whether the rule said that it may fail."""
    fragment = translator(oracle).value(parse(sql))
    text = fragment.type.kind in (Kind.TEXT, Kind.UUID)
    expected, found = [], []
    for row in range(1, 12):
        theirs = f"({for_postgres(sql)}){'::text' if text else ''}"
        expected.append(oracle.in_postgres(f"SELECT {theirs} FROM samples WHERE id = {row}"))
        found.append(oracle.in_duckdb(f"SELECT {fragment.sql} AS v FROM rows WHERE id = {row}"))
    return list(expected), list(found), fragment.may_fail


@pytest.mark.parametrize("sql", split(EXPRESSIONS))
def test_an_allowed_expression_gives_what_postgres_gives(sql: str, samples: Oracle) -> None:
    expected, found, may_fail = outcomes(samples, sql)
    refused = [a for a, b in zip(expected, found, strict=True) if b == FAILED != a]
    assert [b for b in found if b != FAILED] == [a for a, b in zip(expected, found, strict=True) if b != FAILED]
    assert may_fail or FAILED not in found
    if "doc" not in sql and "wide" not in sql and "free" not in sql:
        assert refused == []  # only fractions and objects in jsonb, and numbers beyond 38 digits


@pytest.mark.parametrize("sql", split(STRICTER))
def test_a_cast_gives_what_postgres_gives_or_fails(sql: str, samples: Oracle) -> None:
    expected, found, may_fail = outcomes(samples, sql)
    assert may_fail
    assert [b for b in found if b != FAILED] == [a for a, b in zip(expected, found, strict=True) if b != FAILED]


@pytest.mark.parametrize("case", split(REFUSED))
def test_what_is_not_proven_is_refused_by_name(case: str, samples: Oracle) -> None:
    sql, _, said = case.rpartition(": ")
    with pytest.raises(RefusedError) as refused:
        translator(samples, sql).value(parse(sql))
    assert said in refused.value.message


@pytest.mark.parametrize("sql", split(EXPRESSIONS))
def test_the_type_is_the_one_that_duckdb_finds(sql: str, samples: Oracle) -> None:
    """Views and casts rely on it. A DECIMAL may have fewer digits before the point than the rule says, never other decimals."""
    fragment = translator(samples).value(parse(sql))
    found = samples.duckdb.execute(f"SELECT typeof({fragment.sql}) FROM rows LIMIT 1").fetchone()
    assert found is not None
    if fragment.type.kind is Kind.DECIMAL:
        assert found[0].endswith(f",{fragment.type.scale})")
    elif found[0] != '"NULL"':  # a constant null
        assert found[0].replace("TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ") == fragment.type.duckdb


def test_every_rule_of_the_allow_list_is_proven_here() -> None:
    used = {type(node) for sql in split(EXPRESSIONS) for node in parse(sql).walk()}
    assert set(RULES) - used == set()


@pytest.mark.parametrize("sql", split(EXPRESSIONS) + split(STRICTER))
def test_try_finds_the_rows_that_an_expression_fails_on(sql: str, samples: Oracle) -> None:
    """The views show null there, and the mapper finds the records to refuse: no expression is volatile to TRY()."""
    fragment = translator(samples).value(parse(sql))
    if fragment.may_fail:
        failing = f"SELECT id FROM rows WHERE TRY(({fragment.sql}) IS NULL) IS NULL"
        alone = [samples.in_duckdb(f"SELECT {fragment.sql} AS v FROM rows WHERE id = {row}") for row in range(1, 12)]
        expected = [row for row, outcome in enumerate(alone, 1) if outcome == FAILED]
        assert sorted(row[0] for row in samples.in_duckdb(failing)) == expected
