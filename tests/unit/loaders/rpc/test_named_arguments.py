"""JSON-2 takes named arguments only: what the loaders give by position gets Odoo's names."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import loaders
from loaders.odoo.odoo_errors import OdooError
from loaders.odoo.rpc.named_arguments import OF_RECORDS, OF_THE_MODEL, named_arguments

PACKAGE = Path(loaders.__file__).parent


@pytest.mark.parametrize(
    ("method", "args", "named", "expected"),
    [
        ("search_read", [[["a", "=", 1]]], {"fields": ["a"]}, {"domain": [["a", "=", 1]], "fields": ["a"]}),
        ("read", [[1, 2], ["name"]], {}, {"ids": [1, 2], "fields": ["name"]}),
        ("read", [7, ["name"]], {}, {"ids": [7], "fields": ["name"]}),
        ("write", [[1], {"a": 1}], {}, {"ids": [1], "vals": {"a": 1}}),
        ("create", [[{"a": 1}]], {}, {"vals_list": [{"a": 1}]}),
        ("load", [["id"], [["x"]]], {}, {"fields": ["id"], "data": [["x"]]}),
        ("action_confirm", [[3]], {"context": {"tz": "UTC"}}, {"ids": [3], "context": {"tz": "UTC"}}),
        ("js_assign_outstanding_line", [[3], 9], {}, {"ids": [3], "line_id": 9}),
        ("context_get", [], {}, {}),
    ],
)
def test_positional_arguments_get_their_names(
    method: str, args: list[object], named: dict[str, object], expected: dict[str, object]
) -> None:
    assert named_arguments("a.model", method, args, named) == expected


def test_a_parameter_whose_name_is_not_known_is_an_error_that_names_the_method() -> None:
    with pytest.raises(OdooError, match=r"sale\.order\.action_magic"):
        named_arguments("sale.order", "action_magic", [[1], "how"], {})


def positional_calls() -> Iterator[tuple[str, str, int]]:
    """File, method and number of positional arguments of every call of Odoo in the loaders whose method stands there as a word."""
    for file in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "call"):
                continue
            match node.args:
                case [_, ast.Constant(value=str(method)), ast.List(elts=given)]:
                    yield file.name, method, len(given)


def test_every_call_that_the_loaders_make_can_be_named() -> None:
    calls = list(positional_calls())
    assert {"load", "unlink", "action_confirm", "button_validate"} <= {method for _, method, _ in calls}
    unnamed = [
        (file, method)
        for file, method, given in calls
        if given > len(OF_THE_MODEL.get(method, ("ids", *OF_RECORDS.get(method, ()))))
    ]
    assert not unnamed, "give the names of their parameters in loaders/rpc/named_arguments.py"
