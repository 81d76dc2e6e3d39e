"""Machines that share their models in a bucket have one champion, and nothing of it is guessed."""

import json
import re
import shutil
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from flows.cli.doctor import examine
from flows.cli.main import main
from flows.terminal.console import Console
from flows.train import train
from tasks.registry.bucket_store import ModelBucket
from tasks.registry.registry import Registry
from tasks.settings.training import TrainSettings
from tasks.storage import s3 as s3_file
from tests.bars import bar, encoded, save_bar_model
from tests.flows.test_promote import LENIENT
from tests.helpers import free_port, register_champion
from tests.places import BucketPlace

pytestmark = pytest.mark.processes


@pytest.fixture
def place(s3_client: Any, home: Path, monkeypatch: pytest.MonkeyPatch) -> BucketPlace:
    """Return a part of a new bucket that is the place of models."""
    monkeypatch.setattr(s3_file, "PAUSES", (0.01, 0.01, 0.01))
    place = BucketPlace(s3_client)
    monkeypatch.setenv("DIGITFLOW_MODELS", place.url)
    return place


@pytest.fixture
def machines(
    place: BucketPlace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> "dict[str, Machine]":
    """Return two machines; versions a and b were promoted one after the other."""
    found = {name: Machine(tmp_path / name, monkeypatch) for name in ("one", "other")}
    for name in ("a", "b"):
        onnx = save_bar_model(tmp_path / f"{name}.onnx", version=name)
        register_champion(tmp_path / "one", onnx, name, place.url)
    return found


class Machine:
    """A home of its own, and its terminal."""

    def __init__(self, home: Path, patch: pytest.MonkeyPatch) -> None:
        """Put a picture of a three beside the home."""
        self.home, self._patch = home, patch
        self.scans = home.with_name(f"{home.name}-scans")
        self.scans.mkdir()
        (self.scans / "3.png").write_bytes(encoded(bar(3)))

    def run(self, *arguments: str) -> int:
        """Run `digitflow` and return its exit code."""
        self._patch.setenv("DIGITFLOW_HOME", str(self.home))
        try:
            main(list(arguments))
        except SystemExit as ended:
            return int(ended.code or 0)
        return 0

    def reads_with(self, capfd: pytest.CaptureFixture[str], *more: str) -> str:
        """Return the version that reads here."""
        capfd.readouterr()
        read = ("predict", str(self.scans), "--no-prefect", "--json", "--again", *more)
        assert self.run(*read, "--max-error", "1") == 0
        return str(json.loads(capfd.readouterr().out)["model_version"])


def test_every_machine_reads_with_the_one_champion_and_goes_back_with_it(
    machines: dict[str, Machine], place: BucketPlace, capfd: pytest.CaptureFixture[str]
) -> None:
    one, other = machines["one"], machines["other"]
    assert other.reads_with(capfd) == one.reads_with(capfd) == "b"
    assert other.run("models", "rollback", "--reason", "bad") == 0
    assert one.reads_with(capfd) == other.reads_with(capfd) == "a"
    assert one.reads_with(capfd, "--model", "b") == "b"
    assert not (other.home / "models").exists()
    assert other.run("models", "show", "a", "--json") == 0
    shown = json.loads(capfd.readouterr().out)
    assert (shown["folder"], shown["champion"]) == (f"{place.url}/a", True)
    assert one.run("models", "history", "--json") == 0
    log = [(entry["action"], entry["version"]) for entry in json.loads(capfd.readouterr().out)]
    assert log == [
        *(("register", "a"), ("promote", "a"), ("register", "b"), ("promote", "b")),
        ("rollback", "a"),
    ]


def test_a_promotion_that_has_to_be_judged_anew_says_that_the_data_is_not_here(
    machines: dict[str, Machine], capfd: pytest.CaptureFixture[str]
) -> None:
    assert machines["other"].run("models", "promote", "a", "--reason", "better") == 2
    printed = capfd.readouterr()
    assert "a was judged against nothing: judging it again" in printed.out
    assert "the data of a (snapshot 000000000000) is not in" in printed.err
    forced = ("models", "promote", "a", "--reason", "b is bad", "--override")
    assert machines["other"].run(*forced) == 0
    assert machines["one"].reads_with(capfd) == "a"


def test_old_versions_are_deleted_for_all_and_the_rest_is_listed_and_sound(
    machines: dict[str, Machine],
    place: BucketPlace,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    onnx = save_bar_model(tmp_path / "c.onnx", version="c")
    register_champion(tmp_path / "one", onnx, "c", place.url)
    assert machines["one"].reads_with(capfd, "--model", "a") == "a"
    assert machines["other"].run("models", "gc", "--keep", "1", "--json") == 0
    kept = json.loads(capfd.readouterr().out)["kept"]
    assert kept["a"] == "it was in use lately, and another machine may be reading with it"
    monkeypatch.setattr(ModelBucket, "unseen", timedelta(0))  # as a day later
    assert machines["other"].run("models", "gc", "--keep", "1", "--json") == 0
    assert json.loads(capfd.readouterr().out) == {
        "removed": ["a"],
        "kept": {"b": "a rollback leads to it"},
    }
    assert not [path for path in place.paths() if path.startswith("a/")]
    assert machines["one"].run("predict", str(tmp_path), "--model", "a", "--no-prefect") == 2
    assert "no model version 'a'" in capfd.readouterr().err  # though a copy is on this machine
    assert machines["one"].run("models", "--json") == 0
    listed = json.loads(capfd.readouterr().out)
    assert [(row["version"], row["champion"]) for row in listed] == [("b", False), ("c", True)]
    assert machines["other"].run("models", "verify") == 0


def test_what_was_changed_in_the_bucket_reads_nowhere_and_is_found(
    machines: dict[str, Machine], place: BucketPlace, capfd: pytest.CaptureFixture[str]
) -> None:
    one = machines["one"]
    assert one.reads_with(capfd) == "b"
    place.write("b/model.onnx", place.read("a/model.onnx"))
    assert one.run("predict", str(one.scans), "--no-prefect") == 2
    refusal = f"{place.url}/b/model.onnx is not the file that was registered"
    assert refusal in capfd.readouterr().err
    assert one.run("models", "verify", "--json") == 2
    printed = capfd.readouterr()
    assert [bool(row["trouble"]) for row in json.loads(printed.out)] == [False, True]
    assert refusal in printed.err
    assert one.run("models", "rollback", "--reason", "b is damaged") == 0
    assert one.reads_with(capfd) == "a"


@pytest.mark.slow
def test_a_training_shares_what_the_gate_accepts(
    place: BucketPlace, home: Path, npz_sample: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    outcome = train(TrainSettings(data=str(npz_sample), **LENIENT), Console(quiet=True))
    assert outcome.promoted
    assert outcome.folder == f"{place.url}/{outcome.version}"
    assert not (home / "models").exists()
    champion = Registry(place.url).champion()
    assert champion
    assert champion.name == outcome.version
    card = champion.card
    shutil.rmtree(home / "cache")
    assert Registry(place.url).load(outcome.version).card == card
    found = {finding.name: finding for finding in examine()}
    assert found["models"].found == place.url
    assert found["champion"].found.startswith(outcome.version)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("gcs://bucket/models", r"models cannot be kept in gcs://bucket/models: DIGITFLOW_MODELS"),
        ("file:///models", "models cannot be kept in file:///models"),
        ("s3://", "s3:// names no bucket"),
        (
            "s3://no-such-bucket",
            "s3://no-such-bucket.*: FileNotFoundError: .*check the name, the cred",
        ),
        pytest.param("no server", "EndpointConnectionError", marks=pytest.mark.slow),
        ("no credentials", "NoCredentialsError"),
        ("no boto3", r"needs boto3: pip install 'digitflow\[s3\]'"),
    ],
)
def test_a_place_that_cannot_be_used_is_an_error_before_any_work(
    url: str,
    told: str,
    place: BucketPlace,
    home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    if url == "no server":
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    elif url == "no credentials":
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    elif url == "no boto3":
        monkeypatch.setitem(sys.modules, "botocore.exceptions", None)
    else:
        monkeypatch.setenv("DIGITFLOW_MODELS", url)
    machine = Machine(home, monkeypatch)
    for command in (
        ("predict", str(machine.scans), "--no-prefect"),
        ("models",),
        ("train", "--no-prefect"),
    ):
        assert machine.run(*command) == 2
        error = capfd.readouterr().err
        assert re.search(told, error)
        assert len(error.splitlines()) == 1
    assert not home.exists()
    found = {finding.name: finding for finding in examine()}
    assert re.search(told, found["models"].found)
    assert not found["models"].good
