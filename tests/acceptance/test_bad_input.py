"""What a user can get wrong is answered with one clear line and an exit code, and nothing is lost."""

from __future__ import annotations

import fcntl
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
import yaml

from causeway.exits import Exit
from tests.fixtures.bridge import Bridge, Finished, open_bridge

pytestmark = [pytest.mark.slow]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bridge]:
    """One server for all these tests; each starts with the same settings, and with nothing captured."""
    with open_bridge(tmp_path_factory.mktemp("bridge"), sources=["shop"], tcp=True) as opened:
        yield opened


@pytest.fixture
def wrong(shared: Bridge) -> Iterator[Bridge]:
    good = shared.config.read_text()
    yield shared
    shared.config.write_text(good)
    for left in (*shared.folder.glob("warehouse.duckdb*"), *shared.folder.glob("run/*.json")):
        left.unlink()
    with shared.server.connect(autocommit=True) as connection:
        connection.execute("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE NOT active")


def assert_one_line(done: Finished, code: Exit, *words: str) -> None:
    """The last line of standard error says what is wrong; there is no trace of Python."""
    assert done.code == code, done.err + done.out
    assert "Traceback" not in done.err
    for word in words:
        assert word in done.err, done.err


def set_dsn(bridge: Bridge, source: str, dsn: str) -> None:
    bridge.change_settings({"sources": {source: {"connection": {"dsn": dsn}}}})


def run_analytical(bridge: Bridge) -> Finished:
    return bridge.causeway("run", "--lane", "analytical", "--until-caught-up")


def test_a_wrong_password(wrong: Bridge, monkeypatch: pytest.MonkeyPatch) -> None:
    with wrong.server.connect(autocommit=True) as connection:
        connection.execute("CREATE ROLE guarded LOGIN REPLICATION PASSWORD 'right'")
    set_dsn(wrong, "shop", wrong.server.tcp_dsn("shop", user="guarded"))
    wrong.change_settings({"sources": {"shop": {"connection": {"password": {"env": "GUARDED_PASSWORD"}}}}})
    done = wrong.causeway(
        "run", "--lane", "analytical", "--until-caught-up", environment={"GUARDED_PASSWORD": "wrong1"}
    )
    assert_one_line(done, Exit.REFUSED, "shop", "guarded", "password")
    assert "wrong1" not in done.err


def test_a_database_that_does_not_exist(wrong: Bridge) -> None:
    set_dsn(wrong, "shop", wrong.server.dsn("shoppe"))
    assert_one_line(run_analytical(wrong), Exit.SETTINGS, "shop", "shoppe", "does not exist")


def test_a_role_that_may_not_replicate(wrong: Bridge) -> None:
    with wrong.server.connect("shop", autocommit=True) as connection:
        connection.execute("CREATE ROLE reader LOGIN")
        connection.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader")
    set_dsn(wrong, "shop", wrong.server.dsn("shop", user="reader"))
    assert_one_line(run_analytical(wrong), Exit.REFUSED, "reader", "REPLICATION")


def test_a_table_without_a_key(wrong: Bridge) -> None:
    with wrong.server.connect("shop", autocommit=True) as connection:
        connection.execute("CREATE TABLE keyless (a int)")
    tables = yaml.safe_load(wrong.config.read_text())["sources"]["shop"]["tables"]
    wrong.change_settings({"sources": {"shop": {"tables": [*tables, "public.keyless"]}}})
    assert_one_line(run_analytical(wrong), Exit.REFUSED, "public.keyless", "key")


def test_a_table_that_does_not_exist(wrong: Bridge) -> None:
    wrong.change_settings({"sources": {"shop": {"tables": ["public.nowhere"]}}})
    assert_one_line(run_analytical(wrong), Exit.REFUSED, "public.nowhere")


def test_an_unknown_setting(wrong: Bridge) -> None:
    wrong.change_settings({"warehouse": {"pathh": "x"}})
    assert_one_line(run_analytical(wrong), Exit.SETTINGS, "warehouse.pathh", "did you mean path?")


def test_a_mapping_with_a_wrong_column(wrong: Bridge, tmp_path: Path) -> None:
    mapping = tmp_path / "customers.sql"
    mapping.write_text(
        "-- mapping: wrong\n-- entity: location\n-- source: shop\n-- table: public.customers\n-- version: 1\n"
        "SELECT id::text AS source_key, company_nam AS name, 'x' AS code, 'warehouse' AS kind\nFROM public.customers\n"
    )
    (tmp_path / "maps.yaml").write_text("{}\n")
    wrong.change_settings({"mappings": [str(tmp_path)]})
    checked = wrong.causeway("check")
    assert checked.code != Exit.OK
    assert "company_nam" in checked.out
    done = run_analytical(wrong)
    (told,) = [line for line in done.err.splitlines() if "customers.sql:6" in line]
    assert "mapping wrong" in told
    assert "company_nam" in told
    assert "company_name" in told
    assert wrong.causeway("status").code == Exit.FOUND
    assert done.code == Exit.OK, "the mirrors need no mapping"


def test_a_warehouse_path_that_cannot_be_written(wrong: Bridge, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    wrong.change_settings({"warehouse": {"path": str(tmp_path / "file" / "w.duckdb")}})
    assert_one_line(run_analytical(wrong), Exit.UNAVAILABLE, str(tmp_path / "file"), "warehouse.path")


def test_a_warehouse_file_that_another_process_holds(wrong: Bridge, tmp_path: Path) -> None:
    path = tmp_path / "held.duckdb"
    wrong.change_settings({"warehouse": {"path": str(path)}})
    with duckdb.connect(str(path)):
        done = run_analytical(wrong)
        asked = wrong.causeway("query", "SELECT 1")
    assert_one_line(done, Exit.UNAVAILABLE, "held.duckdb", "process")
    assert_one_line(asked, Exit.UNAVAILABLE, "held.duckdb", "process")


def test_a_slot_that_another_reader_uses(wrong: Bridge, tmp_path: Path) -> None:
    wrong.change_settings({"warehouse": {"path": str(tmp_path / "a.duckdb")}, "run_dir": str(tmp_path / "run")})
    assert run_analytical(wrong).code == Exit.OK
    with wrong.lane("analytical"):
        _wait_for_walsender(wrong)
        wrong.change_settings({"run_dir": str(tmp_path / "run2"), "warehouse": {"path": str(tmp_path / "b.duckdb")}})
        (tmp_path / "b.duckdb").write_bytes((tmp_path / "a.duckdb").read_bytes())
        done = run_analytical(wrong)
    assert_one_line(done, Exit.UNAVAILABLE, "in use")


def _wait_for_walsender(bridge: Bridge) -> None:
    done = threading.Event()
    with bridge.server.connect(autocommit=True) as connection:
        for _ in range(200):
            if connection.execute("SELECT count(*) FROM pg_replication_slots WHERE active").fetchone() == (1,):
                return
            done.wait(0.1)
    raise AssertionError("the lane did not take its slot")


def test_a_second_lane_of_a_kind(wrong: Bridge) -> None:
    run_dir = wrong.folder / "run"
    run_dir.mkdir(exist_ok=True)
    with (run_dir / "analytical.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert_one_line(run_analytical(wrong), Exit.UNAVAILABLE, "already running")


class _Html(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<html><title>Welcome to nginx!</title></html>")

    do_POST = do_GET

    def log_message(self, *_args: object) -> None: ...


def test_an_odoo_url_that_answers_html(wrong: Bridge) -> None:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Html)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        url = f"http://127.0.0.1:{server.server_port}"
        wrong.change_settings({"odoo": {"url": url}})
        done = wrong.causeway("check")
        assert done.code == Exit.FOUND
        assert url in done.out
        assert "Odoo" in done.out
        with wrong.server.connect("shop", autocommit=True) as connection:
            connection.execute("INSERT INTO customers (company_name, created_at) VALUES ('Somebody', now())")
        ran = wrong.causeway("run", "--lane", "operational", "--until-caught-up")
        assert_one_line(ran, Exit.UNAVAILABLE, url, "kept in the outbox")
    finally:
        server.shutdown()
        server.server_close()


def test_wal_level_that_is_not_logical(tmp_path: Path) -> None:
    with open_bridge(tmp_path, settings={"wal_level": "replica"}) as bridge:
        assert_one_line(run_analytical(bridge), Exit.REFUSED, "wal_level", "replica", "logical")
        done = bridge.causeway("check")
        assert done.code == Exit.FOUND
        assert "wal_level" in done.out


def test_verifying_a_source_that_was_never_mirrored(wrong: Bridge, tmp_path: Path) -> None:
    wrong.change_settings({"warehouse": {"path": str(tmp_path / "new.duckdb")}, "run_dir": str(tmp_path / "run")})
    before = _objects(wrong)
    assert_one_line(wrong.causeway("verify", "shop"), Exit.UNAVAILABLE, "shop has no mirror yet", "causeway run")
    assert _objects(wrong) == before


def test_a_slot_that_capture_cannot_use_fails_the_check(wrong: Bridge) -> None:
    wrong.change_settings({"sources": {"shop": {"slot_prefix": "spoilt"}}})
    with wrong.server.connect("shop", autocommit=True) as connection:
        connection.execute("SELECT pg_create_physical_replication_slot('spoilt_shop_analytical')")
        try:
            done = wrong.causeway("check", "--json")
        finally:
            connection.execute("SELECT pg_drop_replication_slot('spoilt_shop_analytical')")
    assert done.code == Exit.FOUND
    (finding,) = [each for each in done.json["findings"] if not each["ok"]]
    assert finding["subject"] == "source shop: analytical slot"
    assert "is not a slot of pgoutput" in finding["message"]


def test_check_finds_nothing_wrong_with_a_good_bridge_and_changes_nothing(shared: Bridge) -> None:
    before = _objects(shared)
    done = shared.causeway("check", "--json")
    assert done.code == Exit.OK, done.out + done.err
    assert done.json["ok"]
    assert _objects(shared) == before


def _objects(bridge: Bridge) -> list[tuple[object, ...]]:
    """What a check might have made: slots, publications and schemas."""
    found: list[tuple[object, ...]] = []
    for name in ("shop", "causeway"):
        with bridge.server.connect(name, autocommit=True) as connection:
            found += connection.execute("SELECT slot_name, confirmed_flush_lsn FROM pg_replication_slots ORDER BY 1")
            found += connection.execute("SELECT pubname FROM pg_publication ORDER BY 1")
            found += connection.execute("SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' ORDER BY 1")
    return found


def test_a_policy_that_names_what_odoo_has_not_is_found_by_check(wrong: Bridge) -> None:
    policies = wrong.config.with_name("policies.yaml")
    policies.write_text("channels: {shop: {money: {payment_methods: {card: {journal: NOPE}}}}}")
    wrong.change_settings({"policies": "policies.yaml"})
    done = wrong.causeway("check", "--json")
    assert done.code == Exit.FOUND
    assert "policies.channels.shop.money.payment_methods.card.journal" in done.out
    assert "Odoo has no NOPE (account.journal)" in done.out
