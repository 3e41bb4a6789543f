"""hstore as MAP(VARCHAR, VARCHAR).

Source: contrib/hstore/hstore_io.c: hstore_out writes "key"=>"value" or "key"=>NULL, comma and blank between, in the order in which
it holds the pairs, a backslash before quotes and backslashes. A MAP keeps that order, so the same text can be written from it.
"""

from __future__ import annotations

from dataclasses import dataclass

from transforms.forms.form import Form, in_quotes

_INNER = r'(?:[^"\\]|\\.)*'
_PAIR = rf'(?s)"({_INNER})"=>(NULL|"{_INNER}")'


@dataclass(frozen=True, kw_only=True)
class Hstore(Form):
    """hstore: keys are unique in it, as a MAP's are."""

    duckdb: str = "MAP(VARCHAR, VARCHAR)"

    def cast(self, text: str) -> str:
        keys = f"list_transform(regexp_extract_all({text}, '{_PAIR}', 1), lambda q: {_unescaped('q')})"
        value = f"CASE WHEN q = 'NULL' THEN NULL ELSE {_unescaped('q[2:-2]')} END"
        values = f"list_transform(regexp_extract_all({text}, '{_PAIR}', 2), lambda q: {value})"
        return f"CASE WHEN {text} IS NULL THEN NULL ELSE CAST(map({keys}, {values}) AS {self.duckdb}) END"

    def of_duckdb(self, value: str) -> str:
        key, content = "struct_extract(p, 'key')", "struct_extract(p, 'value')"
        written = f"CASE WHEN {content} IS NULL THEN 'NULL' ELSE {in_quotes(content)} END"
        pairs = f"list_transform(map_entries({value}), lambda p: {in_quotes(key)} || '=>' || {written})"
        return f"CASE WHEN {value} IS NULL THEN NULL ELSE array_to_string({pairs}, ', ') END"

    def literal(self, value: str) -> str:
        return self.of_duckdb(value)


def _unescaped(text: str) -> str:
    return rf"regexp_replace({text}, '(?s)\\(.)', '\1', 'g')"
