"""What is missing or in the way is said with what to do, whatever state the machine is in."""

import json
import os
import shutil
import subprocess
import sys
from collections import namedtuple
from collections.abc import Iterator
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

import pytest

from flows.cli import doctor
from flows.cli.doctor import Finding, examine
from flows.deploying.settings_file import FILE
from tasks.device import Device
from tests.helpers import as_ordinary_user, free_port, register_champion, run

ROOT = Path(__file__).parents[3]
H100 = Device("cuda", "H100", "driver 1")


@pytest.fixture(autouse=True)
def environment_stays() -> Iterator[None]:
    """Undo what asking a server does to the environment of its process."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


def found(name: str) -> Finding:
    """Return the last finding of that name: that of the server, after that of the package."""
    return {finding.name: finding for finding in examine()}[name]


def test_the_doctor_finds_something_to_say_about_every_part(
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert run("doctor", "--json") == 0
    findings = {finding["name"]: finding for finding in json.loads(capfd.readouterr().out)}
    assert {"python", "cpu", "gpu", "home", "champion", "prefect"} <= set(findings)
    assert not findings["champion"]["good"]
    assert findings["champion"]["advice"]


def test_whatever_is_not_good_comes_with_advice_and_every_line_has_words(
    home: Path, model_file: Path
) -> None:
    for finding in examine():
        assert finding.name
        assert finding.found
        assert finding.good or finding.advice
    register_champion(home, model_file)
    assert found("champion") == Finding("champion", "tiny, test accuracy not measured")


@pytest.mark.parametrize(
    ("version", "good"),
    [("3.10.9", False), ("3.11.0", True), ("3.13.12", True), ("3.14.0", False), ("4.0.0", False)],
)
def test_a_python_that_is_not_supported_is_named(
    version: str, good: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.python_version_tuple", lambda: tuple(version.split(".")))
    assert found("python").good is good


def test_where_the_extra_is_missing_training_is_not_possible_but_reading_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def find_spec(name: str) -> ModuleSpec | None:
        return None if name == "tf2onnx" else ModuleSpec(name, None)

    monkeypatch.setattr("importlib.util.find_spec", find_spec)
    finding = found("training")
    assert (finding.found, finding.good) == ("not possible: no tf2onnx", False)
    assert "digitflow[train]" in finding.advice


def test_a_home_that_is_not_there_yet_is_good_and_is_not_made(home: Path) -> None:
    finding = found("home")
    assert finding.good
    assert finding.found.startswith(f"{home} (")
    assert not home.exists()


@pytest.mark.parametrize("below", ["", "deep/er"])
def test_a_file_in_the_place_of_the_home_is_in_the_way(home: Path, below: str) -> None:
    home.touch()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DIGITFLOW_HOME", str(home / below))
        finding = found("home")
    assert not finding.good
    assert "DIGITFLOW_HOME" in finding.advice


@pytest.mark.processes
def test_a_home_behind_a_folder_that_may_not_be_entered_is_in_the_way(tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    locked.mkdir()
    locked.chmod(0)
    done = subprocess.run(
        as_ordinary_user(sys.executable, "-m", "flows.cli.main", "doctor", "--json"),
        env={"PYTHONPATH": str(ROOT), "DIGITFLOW_HOME": str(locked / "home")},
        capture_output=True,
        text=True,
        check=False,
    )
    locked.chmod(0o700)
    assert done.returncode == 0, done.stderr
    findings = {finding["name"]: finding for finding in json.loads(done.stdout)}
    assert not findings["home"]["good"]
    assert "DIGITFLOW_HOME" in findings["home"]["advice"]
    assert not findings["models"]["good"]


def test_a_disk_without_room_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(2**40, 2**40 - 2**20, 2**20))
    finding = found("home")
    assert not finding.good
    assert "make room" in finding.advice


@pytest.mark.parametrize(
    "place", ["gcs://bucket/models", "s3://", "s3://KEY:h4sh/h4sh@bucket/models"]
)
def test_a_place_of_models_that_cannot_be_used_does_not_hide_the_rest(
    place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIGITFLOW_MODELS", place)
    findings = {finding.name: finding for finding in examine()}
    assert not findings["models"].good
    assert "h4sh" not in str(findings)
    assert {"home", "prefect"} <= set(findings)


def test_a_champion_that_is_damaged_is_told_of(home: Path, model_file: Path) -> None:
    register_champion(home, model_file)
    (home / "models" / "tiny" / "model.onnx").write_bytes(b"other")
    finding = found("champion")
    assert not finding.good
    assert "is not the file that was registered" in finding.found


def test_a_server_that_is_configured_is_named_without_its_login(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    nobody = free_port()
    monkeypatch.setenv("PREFECT_API_URL", f"http://user:h4sh@127.0.0.1:{nobody}/api")
    findings = {finding.name: finding for finding in examine()}
    assert findings["prefect"].found == f"http://127.0.0.1:{nobody}/api"
    assert not findings["deployed"].good
    assert "h4sh" not in str(findings)


def test_each_setting_of_the_deployments_comes_with_its_origin(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    findings = {finding.name: finding.found for finding in examine()}
    assert findings["settings"] == f"{home / FILE} (not there: all defaults)"
    assert findings["inbox.inbox cron"] == "*/5 * * * *  (default)"
    home.mkdir()
    (home / FILE).write_text('[inbox.post]\nsource = "/mnt/post"\ncron = "*/5 * * * *"')
    monkeypatch.setenv("DIGITFLOW_MAX_ERROR", "0.02")
    findings = {finding.name: finding.found for finding in examine()}
    assert findings["settings"] == str(home / FILE)
    assert findings["inbox.post cron"] == f"*/5 * * * *  ({FILE})"
    assert findings["inbox.post timezone"] == "UTC  (default)"
    assert findings["inbox.post source"] == f"/mnt/post  ({FILE})"
    assert findings["maintain cron"] == "30 1 * * *  (default)"
    assert findings["inbox.post max_error"] == "0.02  (variable DIGITFLOW_MAX_ERROR)"
    assert findings["train data"] == "mnist  (default)"
    assert "inbox.inbox cron" not in findings


def test_a_settings_file_that_is_wrong_is_told_of_beside_all_the_rest(home: Path) -> None:
    home.mkdir()
    (home / FILE).write_text("[inbox.post]\nsorce = 1")
    findings = {finding.name: finding for finding in examine()}
    assert "[inbox.post] sorce" in findings["settings"].found
    assert not findings["settings"].good
    assert {"home", "champion"} <= set(findings)


def test_of_alerts_the_doctor_shows_origins_and_no_secret(home: Path) -> None:
    home.mkdir()
    (home / FILE).write_text('[notify]\nurl = "json://127.0.0.1/h4sh"\non = ["late"]')
    findings = {finding.name: finding.found for finding in examine()}
    assert findings["notify on"] == f"['late']  ({FILE})"
    assert findings["notify url"].endswith(f"({FILE})")
    assert findings["alerts"] == "of late, once deployed"
    assert "h4sh" not in str(findings)


@pytest.mark.parametrize(
    ("gpu", "problem", "expected"),
    [
        ("no NVIDIA GPU", None, ("CPUExecutionProvider", True)),
        (
            Device("cuda", "H100", "driver 1"),
            None,
            ("CUDAExecutionProvider, its libraries load", True),
        ),
        (Device("cuda", "H100", "driver 1"), "no libcudnn", ("CPU only: no libcudnn", False)),
    ],
)
def test_a_gpu_that_cannot_read_is_told_of_where_there_is_one(
    gpu: Any, problem: str | None, expected: tuple[str, bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "nvidia_gpu", lambda: gpu)
    monkeypatch.setattr(doctor, "cuda_provider_problem", lambda: problem)
    finding = found("reading on")
    assert (finding.found, finding.good) == expected
