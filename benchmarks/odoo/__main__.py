"""`python -m benchmarks.odoo --url http://...`: measures against a real Odoo, which it fills with records of its own prefix.

The password is taken from the environment variable ODOO_PASSWORD. Use a database that may be thrown away.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from contextlib import closing
from statistics import median
from typing import Annotated, Any

import typer
from loguru import logger
from pydantic import SecretStr
from rich.console import Console

from benchmarks import report
from benchmarks.odoo import records
from benchmarks.odoo.ours import End, end
from benchmarks.odoo.peers import BATCH, PlainOdooRPC, create_by_500
from benchmarks.targets import Figure
from config.settings import OdooSettings
from loaders.delivering.load import LoadRow, load
from loaders.odoo.client import OdooClient
from sandbox.postgres import EmbeddedPostgres

_console = Console(highlight=False, width=None if sys.stdout.isatty() else 160)
_TIMES = "{:.1f} times".format
_SECONDS = "{:.2f} s".format


class Bench:
    """One run on one Odoo. `size`: records of each master; a fifth as many orders."""

    def __init__(self, server: EmbeddedPostgres, odoo: OdooSettings, size: int, rounds: int) -> None:
        self._server = server
        self._odoo = odoo
        self._size = size
        self._rounds = rounds
        self._client = OdooClient(odoo)
        self._client.login()
        self._run = f"B{int(time.time()) % 10_000_000:x}"

    def figures(self) -> list[Figure]:
        """All of them, in order."""
        figures = self._creates()
        figures.append(self._unchanged())
        figures += self._plain()
        figures.append(self._two_loaders())
        figures += self._latency()
        self._client.close()
        return figures

    def _end(self, name: str) -> Any:
        return end(self._server, f"state_{name}".lower(), self._odoo.model_copy(update={"prefix": f"cw{name}".lower()}))

    def _creates(self) -> list[Figure]:
        """create() by 500 and our delivery in turns, model by model."""
        ratios: dict[str, list[float]] = {"partner": [], "product": [], "order": []}
        orders = self._size // 5
        for turn in range(self._rounds):
            prefix = f"{self._run}r{turn}"
            with self._end(prefix) as ours:
                made: dict[str, tuple[float, list[int]]] = {}
                values = [records.partner_values(prefix, n) for n in range(self._size)]
                made["partner"] = create_by_500(self._client, "res.partner", values)
                took = self._delivered(ours, [records.partner(prefix, n) for n in range(self._size)])
                self._note(ratios, "partner", self._size, made["partner"][0], took)
                values = [records.product_values(prefix, n) for n in range(self._size)]
                made["product"] = create_by_500(self._client, "product.product", values)
                took = self._delivered(ours, [records.product(prefix, n) for n in range(self._size)])
                self._note(ratios, "product", self._size, made["product"][0], took)
                ids = made["partner"][1], made["product"][1]
                values = [records.order_values(*ids, n) for n in range(orders)]
                seconds, _ = create_by_500(self._client, "sale.order", values)
                arriving = [one for n in range(orders) for one in records.order(prefix, n, self._size, self._size)]
                self._note(ratios, "order", orders, seconds, self._delivered(ours, arriving))
        return [
            Figure(
                name=f"{model}s through outbox and crosswalk, over create() by {BATCH}",
                measured=median(its),
                target=0.85,
            )
            for model, its in ratios.items()
        ]

    def _delivered(self, ours: End, changes: list[Any]) -> float:
        """Seconds from the arrival to the last outcome."""
        began = time.perf_counter()
        ours.arrive(changes)
        arrived_s = time.perf_counter() - began
        took_s = arrived_s + ours.deliver()
        ours.all_delivered()
        return took_s

    def _note(self, ratios: dict[str, list[float]], model: str, count: int, peer_s: float, ours_s: float) -> None:
        ratios[model].append(peer_s / ours_s)
        _console.print(f"  {model}: create() {count / peer_s:,.0f}/s, ours {count / ours_s:,.0f}/s")

    def _unchanged(self) -> Figure:
        """Delivered again without a change: against load() of the same rows by their external ids."""
        prefix = f"{self._run}u"
        with self._end(prefix) as ours:
            ours.arrive([records.partner(prefix, n) for n in range(self._size)])
            ours.deliver()
            ours.rows("UPDATE outbox SET status = 'pending'")
            again_s = ours.deliver()
            ours.all_delivered()
            names = [row[0] for row in ours.rows("SELECT external_id FROM crosswalk ORDER BY 1")]
            rows = [
                LoadRow(cells={"id": name, "name": f"{prefix} {n}", "city": "Leeds"}) for n, name in enumerate(names)
            ]
            began = time.perf_counter()
            load(self._client, "res.partner", rows, batch_records=BATCH)
            load_s = time.perf_counter() - began
        _console.print(f"  unchanged: load() {self._size / load_s:,.0f}/s, ours {self._size / again_s:,.0f}/s")
        return Figure(
            name="unchanged partners again, over load() of them", measured=load_s / again_s, target=20, shown=_TIMES
        )

    def _plain(self) -> list[Figure]:
        """Against OdooRPC as its documentation shows it, a record a call."""
        prefix, orders = f"{self._run}d", self._size // 5
        plain = PlainOdooRPC(self._odoo)
        partner_ids = self._client.call(
            "res.partner", "create", [[records.partner_values(prefix, n) for n in range(50)]]
        )
        product_ids = self._client.call(
            "product.product", "create", [[records.product_values(prefix, n) for n in range(100)]]
        )
        self._stock(product_ids, 10_000)
        journal = self._client.search_read("account.journal", [["code", "=", "BNK1"]], [])[0]["id"]
        plain_products = plain.per_s(12, lambda n: plain.product(prefix, n))
        plain_day = plain.per_s(10, lambda n: plain.order_of_the_day(partner_ids, product_ids, journal, n))
        with self._end(prefix) as ours:
            products = self._size / self._delivered(ours, [records.product(prefix, n) for n in range(self._size)])
            ours.arrive([records.partner(prefix, n) for n in range(self._size)])
            ours.deliver()
            self._stock([row[0] for row in ours.rows("SELECT odoo_id FROM crosswalk WHERE entity = 'product'")], 1000)
            day = orders / self._delivered(ours, self._day(prefix, orders))
        _console.print(f"  plain OdooRPC: {plain_products:.1f} products/s, {plain_day:.2f} orders of the day/s")
        _console.print(f"  ours: {products:,.0f} products/s, {day:.2f} orders of the day/s")
        return [
            Figure(
                name="product masters, over plain OdooRPC", measured=products / plain_products, target=80, shown=_TIMES
            ),
            Figure(
                name="orders created, confirmed, delivered, invoiced, posted, paid, over plain OdooRPC",
                measured=day / plain_day,
                target=4,
                shown=_TIMES,
            ),
        ]

    def _day(self, prefix: str, orders: int) -> list[Any]:
        changes: list[Any] = []
        for n in range(orders):
            changes += records.order(prefix, n, self._size, self._size, status="confirmed")
            changes += records.shipment(prefix, n)
            changes += records.shipment_lines(prefix, n, self._size)
            changes.append(records.payment(prefix, n))
        return changes

    def _stock(self, product_ids: list[int], quantity: int) -> None:
        warehouse = self._client.search_read("stock.warehouse", [], ["lot_stock_id"])[0]
        values = [
            {"product_id": one, "location_id": warehouse["lot_stock_id"][0], "inventory_quantity": quantity}
            for one in product_ids
        ]
        context = {"inventory_mode": True}
        quants = self._client.call("stock.quant", "create", [values], context=context)
        self._client.call("stock.quant", "action_apply_inventory", [quants], context=context)

    def _two_loaders(self) -> Figure:
        seconds = {}
        for processes in (1, 2):
            prefix = f"{self._run}l{processes}"
            with self._end(prefix) as ours:
                orders = self._size // 5
                ours.arrive([records.partner(prefix, n) for n in range(self._size)])
                ours.arrive([records.product(prefix, n) for n in range(self._size)])
                ours.arrive([one for n in range(orders) for one in records.order(prefix, n, self._size, self._size)])
                seconds[processes] = ours.deliver_by(processes)
                ours.all_delivered()
        _console.print(f"  one loader {seconds[1]:.1f} s, two {seconds[2]:.1f} s")
        return Figure(name="two loader processes, over one", measured=seconds[1] / seconds[2], target=1.5)

    def _latency(self) -> list[Figure]:
        """Confirmed orders at half of the speed at which they can be delivered."""
        prefix, orders = f"{self._run}t", self._size // 5
        with self._end(prefix) as ours:
            ours.arrive([records.partner(prefix, n) for n in range(100)])
            ours.arrive([records.product(prefix, n) for n in range(100)])
            ours.deliver()
            ours.arrive([one for n in range(orders) for one in records.order(prefix, n, 100, 100, status="confirmed")])
            interval_s = 2 * ours.deliver() / orders
            stop, deliverer = threading.Event(), ours.deliverer()
            with closing(deliverer):
                thread = threading.Thread(target=deliverer.run, args=(stop,))
                thread.start()
                for n in range(orders, orders + min(orders, int(20 / interval_s))):
                    ours.arrive(list(records.order(prefix, n, 100, 100, status="confirmed")))
                    deliverer.wake()
                    time.sleep(interval_s)
                while deliverer.anything_left():
                    time.sleep(0.1)
                stop.set()
                deliverer.wake()
                thread.join()
            query = "SELECT age_s FROM deliveries WHERE record_id LIKE 'sales_order:%' ORDER BY delivery_id OFFSET {}"
            ages = sorted(row[0] for row in ours.rows(query.format(orders)))
        note = f"{1 / interval_s:.1f} orders a second"
        p50, p99 = ages[len(ages) // 2], ages[min(len(ages) - 1, int(len(ages) * 0.99))]
        name = "order in the outbox to confirmed in Odoo, at half capacity"
        return [
            Figure(name=f"{name}, p50", measured=p50, target=1, at_most=True, shown=_SECONDS, note=note),
            Figure(name=f"{name}, p99", measured=p99, target=3, at_most=True, shown=_SECONDS),
        ]


def main(
    url: Annotated[str, typer.Option("--url", help="A real Odoo 18's base URL.")],
    database: Annotated[str, typer.Option("--database", help="Name of its database.")] = "odoo",
    user: Annotated[str, typer.Option("--user", help="Login of a user who may do everything measured.")] = "admin",
    size: Annotated[int, typer.Option("--size", min=50, help="Records of each master; a fifth as many orders.")] = 1000,
    rounds: Annotated[int, typer.Option("--rounds", min=1, help="How often create() and ours run in turns.")] = 2,
) -> None:
    """Measure the delivery on a real Odoo, against create() by 500 and plain OdooRPC in the same run."""
    logger.remove()
    logger.add(sys.stderr, level="WARNING")
    password = SecretStr(os.environ.get("ODOO_PASSWORD", "admin"))
    odoo = OdooSettings(url=url, database=database, user=user, password=password)
    with EmbeddedPostgres() as server:
        report.show_figures(_console, Bench(server, odoo, size, rounds).figures())


if __name__ == "__main__":
    typer.run(main)
