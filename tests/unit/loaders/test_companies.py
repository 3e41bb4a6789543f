"""The company that a call acts for."""

from __future__ import annotations

from loaders.odoo.companies import company_context


def test_the_company_comes_first_and_once() -> None:
    assert company_context(3) == {"allowed_company_ids": [3]}
    assert company_context(3, also=[1, 3, 2]) == {"allowed_company_ids": [3, 1, 2]}


def test_without_a_company_the_users_own_is_active() -> None:
    assert company_context(None) == {}
