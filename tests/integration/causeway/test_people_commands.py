"""The commands that people mend deliveries with, as they are typed: what they print, and how they end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import psycopg
import yaml
from typer.testing import CliRunner, Result

from causeway.cli import app
from tests.fixtures.crashes import crash_at_every_call
from tests.fixtures.delivery import OperationalEnd, address, customer, line, order, product


class Typed:
    """The command line over a lane's state. `said`: the JSON of a command that ends well."""

    def __init__(self, lane: OperationalEnd, folder: Path) -> None:
        self.file = folder / "causeway.yaml"
        (folder / "maps").mkdir()
        (folder / "password").write_text(lane.odoo.password)
        settings = {
            "sources": {
                "shop": {"role": "channel", "connection": {"dsn": "host=nowhere"}, "tables": ["public.orders"]}
            },
            "state": {"connection": {"dsn": lane.state.connection.dsn}, "schema": lane.state.db_schema},
            "odoo": {
                "url": lane.odoo.url,
                "database": lane.odoo.database,
                "user": "admin",
                "password": {"file": str(folder / "password")},
            },
            "warehouse": {"path": str(folder / "w.duckdb"), "extracts": str(folder / "extracts")},
            "mappings": [str(folder / "maps")],
            "run_dir": str(folder / "run"),
        }
        self.file.write_text(yaml.safe_dump(settings))

    def run(self, *words: str) -> Result:
        return CliRunner().invoke(app, [*words, "--config", str(self.file)])

    def said(self, *words: str) -> Any:
        ended = self.run(*words, "--json")
        assert ended.exit_code == 0, ended.output
        return json.loads(ended.stdout)


def test_a_refused_record_is_found_by_its_cause_traced_closed_and_replayed(
    lane: OperationalEnd, tmp_path: Path
) -> None:
    typed = Typed(lane, tmp_path)
    lane.arrive(customer(), address(country_code="XX"))
    lane.deliver()
    (cause,) = typed.said("dead", "list", "--by-cause")
    assert (cause["records"], cause["example"]) == (1, "customer:shop:a1")
    assert cause["cause_id"] in typed.run("dead", "list", "--by-cause").output
    assert "base.xx" in typed.run("dead", "show", "customer:shop:a1").output
    assert "dead" in typed.run("trace", "customer", "a1").output
    assert typed.run("trace", "customer", "nobody").exit_code == 1
    assert typed.run("trace", "nothing", "a1").exit_code == 2
    waiving = ("dead", "waive", "customer:shop:a1", "--by", "Ann", "--reason", "moved away")
    assert typed.said(*waiving) == {"waived": ["customer:shop:a1"]}
    assert typed.run(*waiving).exit_code == 1  # it is closed already
    assert "waived by Ann: moved away" in typed.run("dead", "list", "--closed").output
    assert typed.run("dead", "replay").exit_code == 2
    assert typed.run("dead", "replay", "--from-lsn", "0/1").exit_code == 2
    assert typed.run("dead", "replay", "--cause", cause["cause_id"]).exit_code == 1  # a closed record is named or left
    assert typed.said("dead", "replay", "customer:shop:a1", "--by", "Bob") == {"replayed": 1, "read_again": 0}
    lane.deliver()
    assert typed.said("dead", "replay", "--cause", cause["cause_id"])["replayed"] == 1
    assert "moved away" in typed.run("audit", "show", "customer:shop:a1").output
    assert typed.run("audit", "show", "res.partner,0").exit_code == 1


def test_the_audit_is_whole_after_a_deliverer_has_died_at_every_call_and_broken_once_it_is_touched(
    lane: OperationalEnd, tmp_path: Path
) -> None:
    typed = Typed(lane, tmp_path)
    lane.arrive(customer(), product(), order(), line())
    crash_at_every_call(lane, "after")
    whole = typed.said("audit", "verify")
    assert whole["broken_at"] is None
    anchor = f"{whole['last_entry']}:{whole['last_hash']}"
    assert anchor in typed.run("audit", "verify", "--anchor", anchor).output
    assert typed.run("audit", "verify", "--anchor", "x").exit_code == 2
    shown = typed.said("audit", "show", "customer:shop:c1")
    assert {"load", "left_behind"} <= {one["action"] for one in shown}
    with psycopg.connect(lane.state.connection.dsn) as connection:
        connection.execute("ALTER TABLE causeway.audit DISABLE TRIGGER append_only")
        connection.execute("UPDATE causeway.audit SET actor = 'me' WHERE entry = 2")
    broken = typed.run("audit", "verify")
    assert broken.exit_code == 1
    assert "broken at entry 2" in broken.output


def test_identities_are_listed_joined_and_taken_apart(lane: OperationalEnd, tmp_path: Path) -> None:
    typed = Typed(lane, tmp_path)
    lane.arrive(customer(vat="GB1", email="a@b.c"), customer(source="market", key="m1", vat="GB2", email="a@b.c"))
    lane.deliver()
    assert "differs" in typed.run("identity", "list", "--conflicts").output
    signed = ("--by", "Ann", "--reason", "asked")
    joined = typed.run("identity", "link", "customer:market:m1", "customer:shop:c1", *signed)
    assert joined.exit_code == 0, joined.output
    assert "Odoo keeps res.partner," in joined.output
    assert {one["record"] for one in typed.said("identity", "list")} == {"customer:shop:c1", "customer:market:m1"}
    lane.deliver()
    assert "said, and not written" in typed.run("identity", "show", "customer:shop:c1").output
    assert typed.said("identity", "unlink", "customer:market:m1", *signed)["was"] == "customer:shop:c1"
    assert typed.said("identity", "list") == []
    assert typed.run("identity", "show", "customer:shop:nobody").exit_code == 1
