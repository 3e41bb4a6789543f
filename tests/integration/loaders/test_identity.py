"""Two sources' records of one customer or product become one thing in Odoo, or stay apart, by their strong keys."""

from __future__ import annotations

import pytest

from config.errors import CausewayError
from config.policies import IdentityPolicy, MatchRule, Policies
from loaders.arriving.identity_by_hand import Identities
from loaders.arriving.outbox import Outbox
from tests.fixtures.delivery import PRIORITIES, OperationalEnd, customer, deleted, line, no_fetch, order, product


def matched(lane: OperationalEnd) -> dict[str, tuple[str, str]]:
    rows = lane.rows("SELECT entity || ':' || source || ':' || source_key, canonical_id, matched_by FROM identity")
    return {record: (canonical, how) for record, canonical, how in rows}


def partners(lane: OperationalEnd) -> list[str]:
    rows = lane.odoo_rows(
        "SELECT p.name FROM res_partner p JOIN ir_model_data d ON d.res_id = p.id AND d.model = 'res.partner' WHERE d.module = 'cw' ORDER BY 1"
    )
    return [name for (name,) in rows]


def test_the_same_vat_number_or_e_mail_is_the_same_customer(lane: OperationalEnd) -> None:
    lane.arrive(
        customer(name="Acme Ltd", vat="GB 123.456.789", email="Buy@Acme.example"),
        customer(key="c2", name="Bolts", email="b@example.com"),
        customer(source="market", key="m1", name="ACME", vat="gb123456789"),
        customer(source="market", key="m2", name="B.", email="B@Example.com "),
        customer(source="market", key="m3", name="New", email="new@example.com"),
    )
    lane.deliver()
    assert partners(lane) == ["Acme Ltd", "Bolts", "New"]
    assert matched(lane) == {
        "customer:shop:c1": ("customer:shop:c1", "self"),
        "customer:shop:c2": ("customer:shop:c2", "self"),
        "customer:market:m1": ("customer:shop:c1", "vat"),
        "customer:market:m2": ("customer:shop:c2", "email"),
        "customer:market:m3": ("customer:market:m3", "self"),
    }
    assert lane.status("customer:market:m1") == "linked"


def test_two_that_differ_in_a_strong_key_stay_apart(lane: OperationalEnd) -> None:
    lane.arrive(
        customer(vat="GB1", email="shared@example.com"),
        customer(source="market", key="m1", vat="GB2", email="shared@example.com"),
        product(sku="A", barcode="111"),
        product(source="market", key="l1", sku="B", barcode="111"),
    )
    assert {how for _, how in matched(lane).values()} == {"self"}


def test_two_accounts_of_one_source_stay_two_and_decide_nothing_for_others(lane: OperationalEnd) -> None:
    lane.arrive(
        customer(key="c1", email="office@example.com"),
        customer(key="c2", email="office@example.com"),
        customer(source="market", key="m1", email="office@example.com"),
    )
    assert {how for _, how in matched(lane).values()} == {"self"}


def test_a_product_is_known_under_another_channels_code(lane: OperationalEnd) -> None:
    lane.arrive(
        product(sku="A", barcode="111"),
        product(key="p2", sku="B", barcode="222"),
        product(key="p3", sku="C"),
        product(source="market", key="plain", sku=None, channel_sku="A"),
        product(source="market", key="by-sku", sku="B", channel_sku="MK-1"),
        product(source="market", key="by-gtin", sku=None, channel_sku="MK-2", barcode="111"),
    )
    found = matched(lane)
    assert found["product:market:plain"] == ("product:shop:p1", "sku")
    assert found["product:market:by-sku"] == ("product:shop:p2", "sku")
    assert found["product:market:by-gtin"] == ("product:shop:p1", "barcode")
    lane.arrive(customer(source="market"), order(source="market"), line(source="market", product_channel_sku="MK-2"))
    lane.deliver()
    assert lane.odoo_rows(
        "SELECT p.default_code FROM sale_order_line l JOIN product_product p ON p.id = l.product_id"
    ) == [("A",)]


def test_a_better_source_that_comes_later_takes_the_thing_over_with_its_place_in_odoo(lane: OperationalEnd) -> None:
    lane.arrive(customer(source="market", key="m1", name="acme", vat="GB1"))
    lane.arrive(product(source="market", key="l1", sku="A", channel_sku="MK-1"))
    lane.deliver()
    lane.arrive(customer(name="Acme Ltd", vat="GB1"), product(sku="A", name="Bolt M8"))
    lane.deliver()
    assert partners(lane) == ["Acme Ltd"]
    assert matched(lane)["customer:market:m1"] == ("customer:shop:c1", "vat")
    assert matched(lane)["product:market:l1"] == ("product:shop:p1", "sku")
    assert lane.status("customer:market:m1") == "linked"
    assert lane.status("customer:shop:c1") == "delivered"
    assert lane.odoo_rows("SELECT count(*) FROM product_product WHERE default_code = 'A'") == [(1,)]


def test_an_owner_that_is_deleted_leaves_the_thing_to_the_other_source(lane: OperationalEnd) -> None:
    lane.arrive(customer(name="Acme Ltd", vat="GB1"), customer(source="market", key="m1", name="ACME M", vat="GB1"))
    lane.deliver()
    lane.arrive(deleted("customer", "shop", "c1"))
    lane.deliver()
    assert partners(lane) == ["ACME M"]
    assert lane.odoo_rows("SELECT active FROM res_partner WHERE name = 'ACME M'") == [(True,)]
    assert lane.status("customer:market:m1") == "delivered"


def test_a_match_that_is_not_made_is_told_and_made_by_hand_and_undone_with_its_own_place_in_odoo(
    lane: OperationalEnd,
) -> None:
    lane.arrive(
        customer(name="Acme Ltd", vat="GB1", email="shared@example.com"),
        customer(source="market", key="m1", name="ACME", vat="GB2", email="shared@example.com"),
    )
    lane.deliver()
    places = dict(lane.rows("SELECT canonical_id, odoo_id FROM crosswalk"))
    with Identities(lane.state) as identities:
        assert identities.things() == []
        (doubt,) = identities.doubts("customer")
        assert (doubt["record"], doubt["thing"], doubt["matched_by"]) == (
            "customer:market:m1",
            "customer:shop:c1",
            "email",
        )
        assert (doubt["why"], doubt["differs_in"]) == ("differs", "vat")
        joined = identities.link("customer:market:m1", "customer:shop:c1", by="Ann", reason="asked them")
        assert joined == {
            "thing": "customer:shop:c1", "left_in_odoo": f"res.partner,{places['customer:market:m1']}",
        }  # fmt: skip
        assert identities.doubts() == []
        shown = identities.show("customer:market:m1")
        assert shown is not None
        assert [(one["record"], one["matched_by"]) for one in shown["records"]] == [
            ("customer:shop:c1", "self"),
            ("customer:market:m1", "hand"),
        ]
        with pytest.raises(CausewayError, match="already"):
            identities.link("customer:market:m1", "customer:shop:c1", by="Ann", reason="again")
        with pytest.raises(CausewayError, match="no customer or product"):
            identities.link("customer:market:m1", "customer:shop:nobody", by="Ann", reason="x")
        with pytest.raises(CausewayError, match="its own thing"):
            identities.unlink("customer:shop:c1", by="Ann", reason="x")
        lane.arrive(product(source="market", channel_sku="A"), order(source="market", customer_key="m1"))
        lane.arrive(
            line(source="market", product_channel_sku="A"), customer(source="market", key="m1", vat="GB2", name="A.")
        )
        lane.deliver()
        assert lane.odoo_rows("SELECT partner_id FROM sale_order") == [(places["customer:shop:c1"],)]
        assert lane.status("customer:market:m1") == "linked"
        assert identities.unlink("customer:market:m1", by="Bob", reason="a subsidiary") == "customer:shop:c1"
    lane.deliver()
    assert lane.odoo_rows("SELECT id FROM res_partner WHERE name = 'A.'") == [(places["customer:market:m1"],)]
    lane.arrive(customer(source="market", key="m1", vat="GB1", name="A. B."))
    assert matched(lane)["customer:market:m1"] == ("customer:market:m1", "hand")
    noted = lane.rows("SELECT actor, action, note FROM audit WHERE action IN ('linked', 'unlinked') ORDER BY entry")
    assert noted == [
        ("Ann", "linked", "to customer:shop:c1: asked them"),
        ("Bob", "unlinked", "from customer:shop:c1: a subsidiary"),
    ]


def test_the_policies_rules_and_cross_references_decide_what_is_one(lane: OperationalEnd) -> None:
    product_rules = IdentityPolicy(rules=(MatchRule(by="sku"), MatchRule(by="sku_normalised", confidence=0.85)))
    references = IdentityPolicy(references={"market:m1": "shop:c1"}, rules=(MatchRule(by="email", confidence=0.5),))
    policies = Policies(identity={"product": product_rules, "customer": references})
    lane.outbox.close()
    lane.outbox = Outbox(lane.state, lane.mapper, no_fetch, PRIORITIES, policies=policies)
    lane.arrive(
        customer(source="market", key="m1", vat="GB2"), product(source="market", key="l1", sku="ab1", channel_sku="x")
    )
    lane.arrive(customer(vat="GB1", email="a@example.com"), product(sku="AB-1"))
    lane.arrive(customer(source="wms", key="m2", email="a@example.com"))
    found = matched(lane)
    assert found["customer:market:m1"] == ("customer:shop:c1", "reference")
    assert found["product:market:l1"] == ("product:shop:p1", "sku_normalised")
    assert found["customer:wms:m2"] == ("customer:wms:m2", "self")
    assert lane.rows("SELECT source_key, why FROM identity_doubts") == [("m2", "weak")]
    confidences = lane.rows("SELECT confidence FROM identity WHERE source_key = 'l1'")
    assert confidences[0][0] == pytest.approx(0.85)
