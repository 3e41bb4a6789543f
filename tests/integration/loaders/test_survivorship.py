"""Of several sources' records of one thing each field is written as its owner says; what is said and not written is noted."""

from __future__ import annotations

from config.policies import Ownership, Policies
from loaders.arriving.identity_by_hand import Identities
from tests.fixtures.delivery import OperationalEnd, customer, deleted, product


def under(lane: OperationalEnd, policies: Policies) -> None:
    lane.deliverer.close()
    lane.deliverer = type(lane.deliverer)(lane.state, lane.odoo_settings, lane.delivery, policies=policies)


def partner(lane: OperationalEnd) -> list[tuple[object, ...]]:
    return lane.odoo_rows("SELECT name, phone, email, city FROM res_partner WHERE vat = 'GB1'")


def differences(lane: OperationalEnd) -> dict[tuple[str, str], tuple[object, ...]]:
    rows = lane.rows("SELECT field, record_id, value, written, owner FROM value_differences")
    return {(field, record): tuple(rest) for field, record, *rest in rows}


def test_a_field_of_another_source_is_taken_from_its_record_and_follows_it(lane: OperationalEnd) -> None:
    under(lane, Policies(owners={"customer": Ownership(fields={"phone": "market", "email": "odoo"})}))
    lane.arrive(
        customer(name="Acme Ltd", vat="GB1", phone="1", email="a@example.com", city="Leeds"),
        customer(source="market", key="m1", name="ACME", vat="GB1", phone="2", city="York"),
    )
    lane.deliver()
    assert partner(lane) == [("Acme Ltd", "2", "a@example.com", "Leeds")]
    assert differences(lane) == {
        ("name", "customer:market:m1"): ("ACME", "Acme Ltd", None),
        ("phone", "customer:shop:c1"): ("1", "2", "market"),
        ("email", "customer:shop:c1"): ("a@example.com", None, "odoo"),
        ("city", "customer:market:m1"): ("York", "Leeds", None),
    }
    lane.odoo_rows("UPDATE res_partner SET email = 'theirs@example.com' WHERE vat = 'GB1' RETURNING 1")
    lane.arrive(customer(source="market", key="m1", name="Acme Ltd", vat="GB1", phone="3"))
    lane.deliver()
    assert partner(lane)[0][1] == "3"  # though nothing has changed in the record that is written
    lane.arrive(customer(name="Acme Ltd", vat="GB1", phone="1", email="b@example.com", city="Leeds"))
    lane.deliver()
    assert partner(lane) == [("Acme Ltd", "3", "theirs@example.com", "Leeds")]
    assert set(differences(lane)) == {("phone", "customer:shop:c1"), ("email", "customer:shop:c1")}
    with Identities(lane.state) as identities:
        shown = identities.show("customer:market:m1")
    assert shown is not None
    assert [(one["field"], one["owner"]) for one in shown["differences"]] == [("email", "odoo"), ("phone", "market")]
    lane.arrive(deleted("customer", "market", "m1"))
    lane.deliver()
    assert partner(lane) == [("Acme Ltd", "3", "theirs@example.com", "Leeds")]  # nobody who owns it says otherwise


def test_a_source_that_owns_nothing_of_a_product_gives_its_first_values_only(lane: OperationalEnd) -> None:
    under(lane, Policies(owners={"product": Ownership(owner="odoo", fields={"list_price": "shop"})}))
    lane.arrive(product(sku="A", name="Bolt", list_price="10", cost="4"))
    lane.deliver()
    lane.arrive(product(sku="A", name="Screw", list_price="12", cost="5"))
    lane.deliver()
    query = "SELECT p.default_code, t.name->>'en_US', t.list_price FROM product_product p JOIN product_template t ON t.id = p.product_tmpl_id"
    assert ("A", "Bolt", 12) in [tuple(row) for row in lane.odoo_rows(query)]
    assert differences(lane)["name", "product:shop:p1"] == ("Screw", None, "odoo")
