"""Exporting external ids: what takes over records that somebody else has made."""

from __future__ import annotations

from tests.contract.client import Odoo


def test_each_record_has_one_and_keeps_it(odoo: Odoo) -> None:
    made = odoo.call("res.partner", "create", [{"name": f"Exported {odoo.prefix}"}])
    ((name,),) = odoo.call("res.partner", "export_data", made, ["id"])["datas"]
    assert name.startswith(f"__export__.res_partner_{made[0]}_")
    assert odoo.call("res.partner", "export_data", made, ["id"])["datas"] == [[name]]
    assert odoo.loaded("res.partner", "id name", [name, f"Renamed {odoo.prefix}"]) == made
