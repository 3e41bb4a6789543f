"""docker-compose.yml and what it mounts: everything it names exists, and the bridge accepts the settings it gives."""

import os
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from config.loading import load_settings
from config.settings import Lane

ROOT = Path(__file__).resolve().parents[3]
STACK: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
ONE_SHOT = {"odoo-init", "prepare", "prepare-state"}


def mounts(service: dict[str, Any]) -> list[str]:
    return [volume.split(":")[0] for volume in service.get("volumes", [])]


@pytest.mark.parametrize("name", sorted(STACK["services"]))
def test_a_service_names_only_files_volumes_secrets_and_services_that_exist(name: str) -> None:
    service = STACK["services"][name]
    for mount in mounts(service):
        exists = (ROOT / mount).exists() if mount.startswith("./") else mount in STACK["volumes"]
        assert exists, mount
    for secret in service.get("secrets", []):
        assert (secret if isinstance(secret, str) else secret["source"]) in STACK["secrets"]
    assert set(service.get("depends_on", {})) <= set(STACK["services"])


@pytest.mark.parametrize("name", sorted(STACK["services"]))
def test_a_service_that_stays_up_has_a_health_check_and_one_that_ends_is_not_restarted(name: str) -> None:
    service = STACK["services"][name]
    if name in ONE_SHOT:
        assert service["restart"] == "no"
    else:
        assert service["healthcheck"]["test"]
        assert service["restart"] == "unless-stopped"


def test_each_lane_is_a_service_of_its_own() -> None:
    commands = [service["command"] for service in STACK["services"].values() if "command" in service]
    for lane in Lane:
        assert ["run", "--lane", lane.value] in commands


def test_postgres_decodes_logically_and_bounds_its_slots() -> None:
    command = STACK["services"]["db"]["command"]
    assert "wal_level=logical" in command
    assert any(word.startswith("max_slot_wal_keep_size=") for word in command)


def test_the_bridge_accepts_the_settings_of_the_stack(tmp_path: Path) -> None:
    text = (ROOT / "compose" / "causeway.yaml").read_text()
    for name in STACK["secrets"]:
        (tmp_path / name).write_text("secret")
    file = tmp_path / "causeway.yaml"
    file.write_text(text.replace("/run/secrets/", f"{tmp_path}/"))
    settings = load_settings(file)
    assert set(settings.sources) == {"shop", "market", "wms", "odoo", "causeway"}
    assert "secret" not in repr(settings)


def test_every_secret_gets_a_password_of_its_own_that_only_the_owner_can_reach(tmp_path: Path) -> None:
    script = tmp_path / "make-secrets"
    script.write_bytes((ROOT / "compose" / "make-secrets").read_bytes())
    for _ in range(2):
        subprocess.run(["/bin/sh", script], check=True, stdout=subprocess.DEVNULL)
    folder = tmp_path / "secrets"
    made = {file.name: file.read_text() for file in folder.iterdir()}
    assert set(made) == set(STACK["secrets"])
    assert len(set(made.values())) == len(made)
    assert all(len(password) == 48 for password in made.values())
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert os.access(ROOT / "compose" / "make-secrets", os.X_OK)
