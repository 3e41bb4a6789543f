"""What Odoo's words of an access error say: the texts are Odoo 18's own, seen on a real one."""

from __future__ import annotations

from config.errors import ErrorKind
from loaders.odoo.access import Denied, denied
from loaders.odoo.odoo_errors import from_reply
from loaders.tracing.causes import suggestion

BY_RIGHT = (
    "You are not allowed to modify 'Sales Order' (sale.order) records.\n\n"
    "This operation is allowed for the following groups:\n\t- Inventory/User\n\t- Sales/User: Own Documents Only\n\n"
    "Contact your administrator to request access if necessary."
)
NOBODY = (
    "You are not allowed to delete 'Sales Order' (sale.order) records.\n\nNo group currently allows this operation.\n\n"
    "Contact your administrator to request access if necessary."
)
BY_RULE = (
    "Uh-oh! Looks like you have stumbled upon some top-secret records.\n\n"
    "Sorry, Bot (id=6) doesn't have 'write' access to:\n- Sales Order (sale.order)\n\n"
    "If you really, really need access, perhaps you can win over your friendly administrator."
)
BY_RULE_IN_DEBUG_MODE = (
    "Uh-oh! Looks like you have stumbled upon some top-secret records.\n\n"
    "Sorry, Bot (id=6) doesn't have 'read' access to:\n- Contact, Acme (London) (res.partner: 7, company=Two)\n\n"
    "Blame the following rules:\n- res.partner company\n\nIf you really, really need access."
)
BY_FIELD = (
    'You do not have enough rights to access the fields "standard_price" on Product (product.product). '
    "Please contact your system administrator.\n\nOperation: read"
)
BY_FIELD_IN_DEBUG_MODE = (
    'You do not have enough rights to access the fields "credit_limit" on Contact (res.partner). '
    "Please contact your system administrator.\n\nOperation: read\nUser: 6\nFields:\n"
    "- credit_limit (allowed for groups 'Technical / Show Accounting Features - Readonly', 'Invoicing / Invoicing')"
)


def test_a_missing_right_names_the_model_the_operation_and_the_groups_that_have_it() -> None:
    found = denied(BY_RIGHT)
    assert found == Denied(
        model="sale.order", operation="write", groups=("Inventory/User", "Sales/User: Own Documents Only")
    )
    assert found.suggestion == (
        "The integration user may not write sale.order: give it the group Inventory/User or Sales/User: Own Documents Only."
    )


def test_a_right_that_no_group_has_and_a_record_rule_name_the_model_and_the_operation() -> None:
    assert denied(NOBODY) == Denied(model="sale.order", operation="unlink")
    assert denied(BY_RULE) == Denied(model="sale.order", operation="write")
    assert denied(BY_RULE_IN_DEBUG_MODE) == Denied(model="res.partner", operation="read")


def test_a_closed_field_is_named() -> None:
    found = denied(BY_FIELD)
    assert found == Denied(model="product.product", operation="read", fields="standard_price")
    assert "read product.product (standard_price)" in found.suggestion


def test_the_groups_that_may_see_a_closed_field_are_named_where_odoo_names_them() -> None:
    found = denied(BY_FIELD_IN_DEBUG_MODE)
    assert found is not None
    assert found.groups == ("Technical / Show Accounting Features - Readonly", "Invoicing / Invoicing")


def test_other_words_refuse_no_right() -> None:
    assert denied("You cannot cancel a locked order.") is None
    assert denied("") is None


def test_the_error_names_model_and_right_and_keeps_odoos_words() -> None:
    found = from_reply({"name": "odoo.exceptions.AccessError", "message": BY_RIGHT})
    assert found.kind is ErrorKind.REFUSED
    assert found.message == BY_RIGHT
    assert found.objects == {"model": "sale.order", "operation": "write"}
    assert "Inventory/User" in found.hint


def test_a_dead_letter_of_it_suggests_the_group() -> None:
    found = suggestion(ErrorKind.REFUSED, BY_RIGHT)
    assert found.startswith("The integration user may not write sale.order: give it the group Inventory/User or")
