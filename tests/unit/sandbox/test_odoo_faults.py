"""Failures on demand: which call gets which."""

from __future__ import annotations

from sandbox.odoo.faults import Fault, Faults


def test_a_fault_happens_as_often_as_it_says() -> None:
    faults = Faults()
    faults.add(Fault(kind="status", times=2))
    assert [faults.take("a", "b") is not None for _ in range(3)] == [True, True, False]
    assert faults.happened == {"status": 2}


def test_a_fault_waits_for_its_method() -> None:
    faults = Faults()
    faults.add(Fault(kind="drop_reply", method="load", model="res.partner"))
    assert faults.take("res.partner", "read") is None
    assert faults.take("sale.order", "load") is None
    assert faults.take("res.partner", "load") is not None


def test_cleared_faults_do_not_happen() -> None:
    faults = Faults()
    faults.add(Fault(kind="html"))
    faults.clear()
    assert faults.take("a", "b") is None
