"""What an operator is handed: settings, compose file, units and image say the same as the code."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from flows.server.defaults import DEFAULTS
from flows.server.server_process import Server

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "deployments"
UNITS = sorted((FOLDER / "systemd").glob("*.service"))
LOG_LEVEL = "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL"  # of a terminal, where ours is a file
IN_PLACE = "/opt/digitflow/bin"


def settings() -> dict[str, str]:
    lines = (FOLDER / "prefect.env").read_text().splitlines()
    pairs = [line.partition("=") for line in lines if line and not line.startswith("#")]
    return {name: value for name, _, value in pairs}


def compose() -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((FOLDER / "compose.yaml").read_text())
    return read


def test_the_settings_are_those_of_the_servers_that_digitflow_starts() -> None:
    ours = Server(4200, "user:password").environment()
    expected = DEFAULTS | {LOG_LEVEL: "INFO", "PREFECT_SERVER_EPHEMERAL_ENABLED": "false"}
    csrf = "PREFECT_SERVER_API_CSRF_PROTECTION_ENABLED"
    assert settings() == expected | {csrf: ours[csrf]}


@pytest.mark.processes
def test_a_shell_reads_them_as_they_are() -> None:
    script = f"set -a; . {FOLDER / 'prefect.env'}; set +a; env -0"
    given = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout
    variables = dict(line.split("=", 1) for line in given.split("\0") if line)
    assert settings().items() <= variables.items()


def test_every_service_of_ours_has_them_and_the_server_is_guarded() -> None:
    services = compose()["services"]
    ours = {name: service for name, service in services.items() if name != "database"}
    assert set(ours) == {"server", "deploy", "worker"}
    assert all(service["env_file"] == ["prefect.env"] for service in ours.values())
    assert all(
        service["build"]["dockerfile"] == "deployments/Dockerfile" for service in ours.values()
    )
    assert services["server"]["command"][:3] == ["uvicorn", "--factory", "flows.server.app:app"]
    assert services["server"]["ports"] == ["127.0.0.1:${PORT:-4200}:4200"]  # this machine alone
    names = services["server"]["environment"]["PREFECT_SERVER_API_CORS_ALLOWED_ORIGINS"].split(",")
    for name in ("deploy", "worker"):
        assert services[name]["environment"]["PREFECT_API_URL"].removesuffix("/api") in names
    health = str(services["server"]["healthcheck"]["test"])
    [asked] = re.findall(r"(http://[^/]+)/api/health", health)
    assert asked in names


def test_a_missing_secret_stops_compose_and_none_stands_in_a_file() -> None:
    text = (FOLDER / "compose.yaml").read_text()
    assert set(re.findall(r"\$\{(\w+):\?", text)) == {"LOGIN", "DATABASE_PASSWORD"}
    for file in FOLDER.rglob("*"):
        if file.is_file() and file.suffix not in (".pyc", ".md"):
            assert not re.search(
                r"(?i)(password|auth_string)\w*\s*[:=]\s*[a-z0-9]{8}", file.read_text()
            )


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_unit_reads_the_settings_and_starts_what_is_there(unit: Path) -> None:
    text = unit.read_text()
    assert "EnvironmentFile=/etc/digitflow/prefect.env\n" in text
    programs = re.findall(rf"{IN_PLACE}/(\S+)", text)
    assert programs
    assert all((Path(sys.executable).parent / program).exists() for program in programs)


@pytest.mark.processes
@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd-analyze")
def test_systemd_finds_nothing_wrong_with_the_units(tmp_path: Path) -> None:
    for unit in UNITS:
        text = unit.read_text().replace(IN_PLACE, str(Path(sys.executable).parent))
        (tmp_path / unit.name).write_text(text)
    command = ["systemd-analyze", "verify", *map(str, sorted(tmp_path.iterdir()))]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_image_has_all_that_is_copied_into_it_and_the_home_of_the_volumes() -> None:
    text = (FOLDER / "Dockerfile").read_text()
    copied = [word for line in re.findall(r"^COPY (.*)$", text, re.M) for word in line.split()[:-1]]
    assert {"requirements.lock", "pyproject.toml", "flows", "tasks", "deployments"} <= set(copied)
    assert all((ROOT / each).exists() for each in copied)
    [home] = re.findall(r"DIGITFLOW_HOME=(\S+)", text)
    mounts = [mount for service in compose()["services"].values() for mount in service["volumes"]]
    ours = {mount.rpartition(":")[2] for mount in mounts if "database:" not in mount}
    assert ours == {home, f"{home}/inbox"}
    declared = yaml.safe_load((FOLDER / "prefect.yaml").read_text())["definitions"]
    assert declared["job_variables"]["docker"]["volumes"] == [f"digitflow:{home}"]
    pod = declared["job_manifest"]["kubernetes"]["spec"]["template"]["spec"]
    assert [mount["mountPath"] for mount in pod["containers"][0]["volumeMounts"]] == [home]
