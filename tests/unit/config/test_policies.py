"""The policies: a file of their own, read and validated with the settings."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from config.loading import SettingsError, load_settings
from config.policies import Domain, DomainPolicy, Mode, Ownership, Policies

HOW_TO = Path(__file__).resolve().parents[3] / "docs" / "how-to"
SETTINGS = """
sources:
  shop: {role: channel, connection: {dsn: dbname=shop}, tables: [public.orders]}
state: {connection: {dsn: dbname=state}}
odoo: {url: "http://localhost", database: odoo, user: bridge, password: {env: ODOO_PASSWORD}}
warehouse: {path: store.duckdb, extracts: extracts}
mappings: [mappings]
run_dir: run
policies: policies.yaml
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ODOO_PASSWORD", "x")
    (tmp_path / "causeway.yaml").write_text(SETTINGS)
    return tmp_path


def _load(folder: Path, policies: str) -> Policies:
    (folder / "policies.yaml").write_text(policies)
    return load_settings(folder / "causeway.yaml").policies


def _problems(folder: Path, policies: str) -> list[str]:
    with pytest.raises(SettingsError) as raised:
        _load(folder, policies)
    return raised.value.problems


def test_what_is_not_said_keeps_its_default(folder: Path) -> None:
    policies = _load(folder, "domains: {orders: {mode: shadow}}")
    assert policies.domain(Domain.ORDERS).mode is Mode.SHADOW
    assert policies.domain(Domain.STOCK) == DomainPolicy()
    assert policies.channel("shop").money.invoicing == "never"


def test_an_empty_file_is_a_policy(folder: Path) -> None:
    assert _load(folder, "") == Policies()


def test_a_mistake_is_named_with_its_dotted_field(folder: Path) -> None:
    (problem,) = _problems(folder, "channels: {shop: {money: {invoicing: sometimes}}}")
    assert problem.startswith("policies.channels.shop.money.invoicing: ")
    (problem,) = _problems(folder, "domains: {orders: {deliver: every now and then}}")
    assert problem.startswith(
        "policies.domains.orders.deliver: must be realtime, `every N minutes` or a cron expression"
    )


def test_an_unknown_source_is_named(folder: Path) -> None:
    (problem,) = _problems(folder, "{channels: {shpo: {}}, owners: {customer: {owner: crm}}}")
    assert problem == "policies: name no source: shpo, crm; known are shop"


def test_a_missing_file_is_named(folder: Path) -> None:
    with pytest.raises(SettingsError) as raised:
        load_settings(folder / "causeway.yaml")
    assert raised.value.problems[0].startswith("policies: policies.yaml: the file does not exist")


@pytest.mark.parametrize("schedule", ["realtime", "every 15 minutes", "every 1 minute", "0 2 * * *"])
def test_a_domain_is_delivered_at_once_every_so_often_or_by_the_clock(schedule: str) -> None:
    assert DomainPolicy(deliver=schedule).deliver == schedule


@pytest.mark.parametrize("schedule", ["every 0 minutes", "every minute", "hourly", "61 2 * * *"])
def test_no_other_schedule_is_taken(schedule: str) -> None:
    with pytest.raises(ValidationError):
        DomainPolicy(deliver=schedule)


def test_a_field_has_its_own_owner_else_its_entitys_else_anyone() -> None:
    owners = Ownership(owner="shop", fields={"phone": "odoo"})
    assert [
        owners.may_write(source, field) for source, field in (("shop", "email"), ("shop", "phone"), ("market", "email"))
    ] == [
        True,
        False,
        False,
    ]
    assert Ownership().may_write("market", "email")


def test_the_version_changes_with_what_the_policies_say() -> None:
    changed = Policies(domains={Domain.ORDERS: DomainPolicy(mode=Mode.HELD)})
    assert Policies().version == Policies().version != changed.version


@pytest.mark.parametrize(
    "page", sorted(page.name for page in HOW_TO.glob("*.md") if "\nchannels:\n" in page.read_text())
)
def test_the_policies_that_a_page_shows_are_policies(page: str) -> None:
    blocks = re.findall(r"^```yaml\n(.*?)^```", (HOW_TO / page).read_text(), re.MULTILINE | re.DOTALL)
    shown = [tree for block in blocks if (tree := yaml.safe_load(block)).keys() <= Policies.model_fields.keys()]
    assert shown
    for tree in shown:
        Policies.model_validate(tree)
