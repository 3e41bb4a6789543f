"""Domains of the stand-in Odoo: from prefix notation to a tree, from a tree to SQL."""

from __future__ import annotations

import pytest

from sandbox.odoo.models import build_registry
from sandbox.odoo.orm.domain import Compiler, Leaf, Node, parse, paths

A, B, C = ["name", "=", "a"], ["ref", "=", "b"], ["city", "=", "c"]


def leaf(term: list[str]) -> Leaf:
    return Leaf(path=term[0], operator=term[1], value=term[2])


def test_terms_that_nothing_joins_are_all_required() -> None:
    assert parse([A, B]) == Node(operator="&", operands=(leaf(A), leaf(B)))


def test_one_term_is_itself() -> None:
    assert parse([A]) == leaf(A)


def test_no_term_is_true() -> None:
    assert parse([]) == Node(operator="&", operands=())


def test_operators_take_the_terms_behind_them() -> None:
    either = Node(operator="|", operands=(leaf(A), Node(operator="&", operands=(leaf(B), leaf(C)))))
    assert parse(["|", A, "&", B, C]) == either


def test_a_joined_pair_stands_beside_what_follows() -> None:
    assert parse(["|", A, B, C]) == Node(
        operator="&", operands=(Node(operator="|", operands=(leaf(A), leaf(B))), leaf(C))
    )


def test_not_takes_one() -> None:
    assert parse(["!", A]) == Node(operator="!", operands=(leaf(A),))


@pytest.mark.parametrize("domain", [["|", A], ["!"], [["name", "="]], ["name"], [["name", "resembles", "x"]]])
def test_what_is_no_domain_is_refused(domain: list[object]) -> None:
    with pytest.raises(ValueError, match=r"Invalid leaf|without its terms"):
        parse(domain)


def test_the_paths_of_a_domain_are_known() -> None:
    assert paths(parse(["|", A, ["country_id.code", "=", "BE"]])) == {"name", "country_id.code"}


def compiled(model: str, *terms: object) -> tuple[str, list[object]]:
    registry = build_registry()
    compiler = Compiler(registry)
    return compiler.clause(parse(terms), registry[model], "t"), compiler.params


def test_values_are_parameters() -> None:
    clause, params = compiled("res.partner", ["name", "=", "x'; DROP TABLE res_partner"])
    assert clause == "t.name = %s::text::varchar"
    assert params == ["x'; DROP TABLE res_partner"]


def test_a_caller_s_name_never_reaches_the_statement() -> None:
    with pytest.raises(ValueError, match=r"Invalid field res.partner.1=1\) -- in leaf"):
        compiled("res.partner", ["1=1) --", "=", 1])


def test_a_dotted_path_asks_the_other_table() -> None:
    clause, params = compiled("sale.order.line", ["order_id.name", "=", "S1"])
    assert clause == "t.order_id IN (SELECT t1.id FROM sale_order t1 WHERE t1.name = %s::text::varchar)"
    assert params == ["S1"]


def test_unset_is_null() -> None:
    assert compiled("res.partner", ["city", "=", False])[0] == "t.city IS NULL"
    assert compiled("res.partner", ["is_company", "=", False])[0] == "(NOT coalesce(t.is_company, false))"


def test_an_empty_list_finds_nothing() -> None:
    clause, params = compiled("res.partner", ["id", "in", []])
    assert clause == "t.id = ANY(%s::text[]::integer[])"
    assert params == [[]]
