"""A settings file is read whole, its mistakes are all named, and secrets never show."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from config.loading import SettingsError, load_settings

GOOD: dict[str, Any] = {
    "sources": {
        "shop": {
            "role": "channel",
            "connection": {"dsn": "host=db dbname=shop user=causeway", "password": {"env": "SHOP_PASSWORD"}},
            "tables": ["public.orders", {"name": "public.lines", "row_filter": "id < 10"}],
        },
        "odoo": {"role": "erp", "connection": {"dsn": "dbname=odoo"}, "tables": ["public.sale_order"]},
    },
    "state": {"connection": {"dsn": "dbname=causeway"}, "schema": "bridge"},
    "odoo": {"url": "http://odoo:8069", "database": "odoo", "user": "bot", "password": {"file": "odoo.secret"}},
    "warehouse": {"path": "w.duckdb", "extracts": "/var/extracts"},
    "mappings": ["maps"],
    "run_dir": "run",
}


@pytest.fixture(autouse=True)
def _secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_PASSWORD", "s3cret")
    (tmp_path / "odoo.secret").write_text("0doo\n")


def write(folder: Path, **changes: Any) -> Path:
    file = folder / "causeway.yaml"
    file.write_text(yaml.safe_dump({**GOOD, **changes}))
    return file


def problems(file: Path) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load_settings(file)
    return caught.value.problems


def test_a_good_file_gives_settings_with_paths_beside_it_and_secrets_masked(tmp_path: Path) -> None:
    settings = load_settings(write(tmp_path))
    assert settings.warehouse.path == tmp_path / "w.duckdb"
    assert settings.warehouse.extracts == Path("/var/extracts")
    assert settings.mappings == (tmp_path / "maps",)
    assert settings.state.db_schema == "bridge"
    assert settings.odoo.password.get_secret_value() == "0doo"
    assert settings.sources["shop"].row_filters == {"public.lines": "id < 10"}
    assert "s3cret" not in repr(settings)
    assert "0doo" not in str(settings.model_dump())


def test_the_environment_lies_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAUSEWAY__ODOO__URL", "https://other")
    monkeypatch.setenv("CAUSEWAY__SOURCES__SHOP__PRIORITY", "7")
    settings = load_settings(write(tmp_path))
    assert settings.odoo.url == "https://other"
    assert settings.sources["shop"].priority == 7
    assert settings.sources["shop"].table_names == ("public.orders", "public.lines")


def test_a_misspelt_environment_variable_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAUSEWAY__ODO__URL", "https://other")
    assert problems(write(tmp_path))[0].startswith("CAUSEWAY__ODO__URL: this environment variable sets nothing")


def test_all_mistakes_are_told_at_once_each_with_its_field(tmp_path: Path) -> None:
    file = write(tmp_path, captures={}, odoo={**GOOD["odoo"], "url": "odoo:8069", "timeout_s": -1})
    told = problems(file)
    assert "captures: unknown setting; did you mean capture?" in told
    assert any(line.startswith("odoo.url: ") and "'odoo:8069'" in line for line in told)
    assert any(line.startswith("odoo.timeout_s: ") for line in told)


def test_an_unknown_setting_deep_in_a_source_gets_the_nearest_name(tmp_path: Path) -> None:
    sources = {"shop": {**GOOD["sources"]["shop"], "slotprefix": "x"}}
    assert problems(write(tmp_path, sources=sources)) == [
        "sources.shop.slotprefix: unknown setting; did you mean slot_prefix?"
    ]


@pytest.mark.parametrize(
    ("password", "said"),
    [
        ("hunter2", "a secret must not stand in the file"),
        ({"env": "NOT_SET_ANYWHERE"}, "the environment has no variable NOT_SET_ANYWHERE"),
        ({"file": "missing"}, "the secret's file cannot be read"),
        ({"env": "A", "file": "B"}, "a secret must not stand in the file"),
    ],
)
def test_a_secret_in_the_file_or_out_of_reach_is_refused_without_showing_it(
    tmp_path: Path, password: Any, said: str
) -> None:
    told = problems(write(tmp_path, odoo={**GOOD["odoo"], "password": password}))
    assert any(line.startswith("odoo.password: ") and said in line for line in told)
    assert "hunter2" not in "\n".join(told)


@pytest.mark.parametrize("dsn", ["dbname=x password=y", "postgresql://u:secret@host/db"])
def test_a_password_inside_a_dsn_is_refused(tmp_path: Path, dsn: str) -> None:
    told = problems(write(tmp_path, state={"connection": {"dsn": dsn}}))
    assert told[0].startswith("state.connection.dsn: holds a password")
    assert "secret@" not in told[0]


def test_a_source_named_like_a_schema_of_the_warehouse_is_refused(tmp_path: Path) -> None:
    told = problems(write(tmp_path, sources={"canonical": GOOD["sources"]["odoo"]}))
    assert "canonical: the warehouse uses this name" in told[0]


def test_a_table_named_twice_is_refused(tmp_path: Path) -> None:
    source = {**GOOD["sources"]["odoo"], "tables": ["public.a", "public.a"]}
    assert "tables named twice: public.a" in problems(write(tmp_path, sources={"odoo": source}))[0]


@pytest.mark.parametrize(
    ("text", "said"),
    [("a: [", "is not YAML"), ("- a\n", "must be a mapping"), (None, "does not exist")],
)
def test_a_file_that_is_no_settings_file_is_answered_in_one_line(tmp_path: Path, text: str | None, said: str) -> None:
    file = tmp_path / "causeway.yaml"
    if text is not None:
        file.write_text(text)
    told = problems(file)
    assert len(told) == 1
    assert said in told[0]
    assert "\n" not in told[0]


def test_a_warehouse_named_as_a_source_is_refused(tmp_path: Path) -> None:
    file = write(tmp_path, warehouse={"path": "data/shop.duckdb", "extracts": "x"})
    assert problems(file) == ["warehouse: path must not name the file as a source: shop"]


@pytest.mark.parametrize("schedule", ["every day", "", "0 25 * * *"])
def test_a_schedule_that_is_no_cron_expression_is_refused(tmp_path: Path, schedule: str) -> None:
    (problem,) = problems(write(tmp_path, reconcile={"schedule": schedule}))
    assert problem.startswith("reconcile.schedule: is not a cron expression: ")


def test_two_sources_that_would_share_a_mirror_are_refused(tmp_path: Path) -> None:
    shop = {**GOOD["sources"]["shop"], "tables": ["eu.orders"]}
    file = write(tmp_path, sources={"shop": shop, "shop_eu": GOOD["sources"]["shop"]})
    assert problems(file) == ["sources: shop and shop_eu would both be mirrored in the warehouse's schema shop_eu"]


def test_an_anchor_may_hold_a_secret_for_several_places(tmp_path: Path) -> None:
    shared = GOOD["sources"]["shop"]
    file = write(tmp_path, sources={"shop": shared, "market": shared})
    assert "*id" in file.read_text()
    passwords = [source.connection.password for source in load_settings(file).sources.values()]
    assert [password.get_secret_value() for password in passwords if password] == ["s3cret", "s3cret"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"tables": ["*.orders"]}, "must name one schema"),
        ({"tables": [{"name": "public.sale_*", "row_filter": "id > 1"}]}, "belongs to one table"),
        ({"tables": ["public.*"], "exclude": ["mail_message"]}, "must be schema.table, each: mail_message"),
        ({"tables": ["causeway.*"], "role": "state"}, "named one by one"),
    ],
)
def test_a_pattern_of_tables_names_one_schema_and_no_more(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    assert said in problems(write(tmp_path, sources={"odoo": {**GOOD["sources"]["odoo"], **change}}))[0]


def test_an_erp_source_leaves_odoos_noise_out_unless_told_otherwise(tmp_path: Path) -> None:
    sources = {name: {**GOOD["sources"]["odoo"], "tables": ["public.*"]} for name in ("odoo", "all")}
    sources["all"] = {**sources["all"], "exclude": [], "slot_prefix": "other"}
    (problem,) = problems(write(tmp_path, sources={**GOOD["sources"], **sources}))
    assert "confirms: false" in problem
    sources["all"]["confirms"] = False
    settings = load_settings(write(tmp_path, sources={**GOOD["sources"], **sources}))
    assert "public.mail_message*" in settings.sources["odoo"].excluded
    assert settings.sources["all"].excluded == settings.sources["shop"].excluded == ()
    assert settings.confirming == "odoo"


def test_history_is_of_a_table_its_source_or_the_warehouse(tmp_path: Path) -> None:
    shop = {
        **GOOD["sources"]["shop"],
        "history": "30 days",
        "tables": ["public.a", {"name": "public.b", "history": False}],
    }
    sources = {**GOOD["sources"], "shop": shop}
    settings = load_settings(write(tmp_path, sources=sources, warehouse={**GOOD["warehouse"], "history": "on"}))
    asked = [("shop", "public.a"), ("shop", "public.b"), ("odoo", "public.sale_order")]
    assert [settings.history_of(*each) for each in asked] == ["30 days", "off", "on"]
    wrong = {**GOOD["warehouse"], "history": "a month"}
    (problem,) = problems(write(tmp_path, warehouse=wrong))
    assert "warehouse.history" in problem
    assert "30 days" in problem
    renamed = {"history_shop": GOOD["sources"]["shop"]}
    assert any("history_shop" in problem for problem in problems(write(tmp_path, sources=renamed)))
