"""A till's day in Odoo, by the mappings of docs/how-to/bring-in-counters.md and nothing else."""

from __future__ import annotations

import re
from contextlib import closing
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pyarrow as pa

from cdc.relation import Relation
from tests.fixtures.delivery import OperationalEnd, product
from tests.unit.transforms.batches import Row, batch, changes
from tests.unit.transforms.relations import relation
from transforms.changes import AnyChange, Held
from transforms.compiler import compile_mappings
from transforms.lastchanges import Found
from transforms.mapper import BatchMapper
from transforms.mapping import parse_mapping
from transforms.statusmaps import StatusMaps

PAGE = Path(__file__).resolve().parents[3] / "docs" / "how-to" / "bring-in-counters.md"
TILLS = relation("*till_id int", "name text", table="tills")
DAYS = relation(
    "*till_id int",
    "*day date",
    "closed_at timestamptz",
    "net_total numeric(12,2)",
    "tax_total numeric(12,2)",
    table="till_days",
)
SALES = relation(
    "*till_id int",
    "*day date",
    "*line_no int",
    "article_code text",
    "quantity numeric(12,3)",
    "unit_price numeric(12,4)",
    "tax_rate numeric(5,2)",
    table="till_sales",
)


def _mapper() -> BatchMapper:
    """The page's mappings."""
    problems: list[str] = []
    blocks = re.findall(r"```sql\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    found = [parse_mapping(Path(f"{n}.sql"), text, StatusMaps({}), problems) for n, text in enumerate(blocks)]
    assert problems == []
    return BatchMapper(compile_mappings([one for one in found if one is not None], {"till": [TILLS, DAYS, SALES]}))


def _no_fetch(relation: Relation, keys: pa.Table, xids: frozenset[int]) -> Found:
    raise AssertionError("nothing was left out")


def _mapped(*rows: tuple[Relation, Row]) -> list[AnyChange]:
    one = batch(*(changes(("i", row), over=over, first_seq=n) for n, (over, row) in enumerate(rows)))
    with closing(_mapper()) as mapper:
        found = mapper.map(replace(one, position=replace(one.position, source="till")), _no_fetch)
    return [change for change in found if not isinstance(change, Held)]


def test_a_closed_day_is_a_delivered_order_of_the_counters_anonymous_customer(lane: OperationalEnd) -> None:
    lane.arrive(product(source="till", key="A1", sku=None, channel_sku="A1"))
    lane.arrive(
        *_mapped(
            (TILLS, ("3", "Main hall")),
            (DAYS, ("3", "2026-03-02", None, None, None)),
            (SALES, ("3", "2026-03-02", "1", "A1", "12.000", "2.5000", "20.00")),
        )
    )
    lane.deliver()
    assert lane.odoo_rows("SELECT 1 FROM sale_order") == []
    lane.arrive(
        *_mapped(
            (DAYS, ("3", "2026-03-02", "2026-03-02 18:30:00+00", "30.00", "6.00")),
            (SALES, ("3", "2026-03-02", "1", "A1", "12.000", "2.5000", "20.00")),
        )
    )
    lane.deliver()
    assert set(lane.statuses().values()) == {"delivered"}
    assert lane.odoo_rows(
        "SELECT p.name, o.name, o.state, o.amount_untaxed, o.date_order::text, o.delivery_status, k.state"
        " FROM sale_order o JOIN res_partner p ON p.id = o.partner_id JOIN stock_picking k ON k.sale_id = o.id"
    ) == [("Counter Main hall", "POS-3-2026-03-02", "sale", Decimal(30), "2026-03-02 18:30:00", "full", "done")]
