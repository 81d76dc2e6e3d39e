"""The server that is there already is told; where none is, nothing is imported, slower or wrong."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from flows.alerting.known_server import perhaps_configured
from tasks.registry.registry import Registry
from tests.helpers import free_port, register_champion

PROFILE = """
active = "theirs"
[profiles.theirs]
{theirs}
[profiles.others]
PREFECT_API_URL = "http://127.0.0.1:4200/api"
"""


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Work in an empty folder, with a Prefect that was never used."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "prefect"))
    for name in ("PREFECT_API_URL", "PREFECT_PROFILE", "PREFECT_PROFILES_PATH"):
        monkeypatch.delenv(name, raising=False)
    yield


def test_a_server_is_looked_for_wherever_prefect_looks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not perhaps_configured()
    profiles = tmp_path / "prefect" / "profiles.toml"
    profiles.parent.mkdir()
    profiles.write_text(PROFILE.format(theirs='PREFECT_LOGGING_LEVEL = "INFO"'))
    assert not perhaps_configured()
    monkeypatch.setenv("PREFECT_PROFILE", "others")
    assert perhaps_configured()
    monkeypatch.setenv("PREFECT_PROFILE", "ephemeral")
    assert not perhaps_configured()
    monkeypatch.setenv("PREFECT_PROFILE", "local")  # of Prefect's own
    assert perhaps_configured()
    monkeypatch.delenv("PREFECT_PROFILE")
    profiles.write_text(PROFILE.format(theirs='PREFECT_API_URL = "http://there/api"'))
    assert perhaps_configured()
    profiles.unlink()
    for name, text in (
        ("prefect.toml", '[api]\nurl = "http://there/api"'),
        ("pyproject.toml", '[tool.prefect.api]\nurl = "http://there/api"'),
        (".env", "PREFECT_API_URL=http://there/api"),
    ):
        Path(name).write_text(text)
        assert perhaps_configured(), name
        Path(name).unlink()
    monkeypatch.setenv("PREFECT_API_URL", "http://there/api")
    assert perhaps_configured()


IMPORTS = """
import sys
from flows.cli.main import main
try:
    main(sys.argv[1:])
finally:
    print("prefect" in sys.modules, file=sys.stderr)
"""


def told(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a command in an interpreter of its own, which says at last whether it knows Prefect."""
    return subprocess.run(
        [sys.executable, "-c", IMPORTS, *arguments],
        env={**os.environ, **more},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.processes
def test_without_a_server_neither_status_nor_promotion_imports_prefect(
    home: Path, model_file: Path
) -> None:
    register_champion(home, model_file, "first")
    register_champion(home, model_file, "second")
    back = told("models", "rollback", "--reason", "a test")
    assert (back.returncode, back.stderr) == (0, "False\n")
    shown = told("status", "--json")
    assert (shown.returncode, shown.stderr) == (0, "False\n")
    found = json.loads(shown.stdout)
    assert (found["serving"]["version"], found["serving"]["why"]) == ("first", "a test")
    assert found["server"] is None


@pytest.mark.processes
def test_a_server_that_does_not_answer_is_told_of_and_nothing_fails(
    home: Path, model_file: Path
) -> None:
    register_champion(home, model_file, "first")
    register_champion(home, model_file, "second")
    nobody = f"http://127.0.0.1:{free_port()}/api"
    back = told("models", "rollback", "--reason", "a test", PREFECT_API_URL=nobody)
    assert back.returncode == 0
    assert Registry(home / "models").serving_name() == "first"
    assert "the Prefect server was not told" in back.stdout
    shown = told("status", PREFECT_API_URL=nobody)
    assert shown.returncode == 0
    assert "Next runs    not known: " in shown.stdout
    assert "Serves       first" in shown.stdout
