"""A history that is not what it was lets nothing serve, and one command with a reason goes on."""

import json
import os
import shutil
from pathlib import Path

import pytest

from flows.cli.doctor import examine
from tasks.registry.registry import Registry
from tests.bars import bar, encoded, save_bar_model
from tests.helpers import register_champion, run
from tests.places import Place


@pytest.fixture
def home(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a home whose champion is c, after a and b, in a folder or a bucket."""
    for name in [name for name in os.environ if name.startswith("DIGITFLOW_")]:
        if name != "DIGITFLOW_HOME":
            monkeypatch.delenv(name)
    monkeypatch.setenv("DIGITFLOW_MODELS", place.url)
    for name in "abc":
        onnx = save_bar_model(tmp_path / f"{name}.onnx", version=name)
        register_champion(tmp_path / "home", onnx, name, place.url)
    (tmp_path / "scans").mkdir()
    (tmp_path / "scans" / "3.png").write_bytes(encoded(bar(3)))
    return tmp_path / "home"


@pytest.mark.processes
def test_a_history_without_its_last_promotion_lets_no_earlier_model_serve(
    home: Path, place: Place, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    read = ("predict", str(tmp_path / "scans"), "--no-prefect", "--max-error", "1", "--json")
    lines = place.read("history.jsonl").splitlines(keepends=True)
    place.write("history.jsonl", b"".join(lines[:4]))  # b serves by that
    refusals = [
        read,
        (*read, "--model", "b"),
        ("preview", str(tmp_path / "scans"), "--max-error", "1"),
        ("models",),
        ("models", "show", "b"),
        ("models", "promote", "a", "--reason", "x", "--override"),
        ("models", "rollback", "--reason", "x"),
        ("models", "gc", "--keep", "1"),
        ("train", "--no-prefect", "--recipe", "quick"),
    ]
    for command in refusals:
        capfd.readouterr()
        assert run(*command) == 2, command
        assert "`digitflow models accept-history --reason ...`" in capfd.readouterr().err
    assert not (home / "results").exists()
    assert run("models", "history") == 2
    assert capfd.readouterr().out.count("made for a test") == 2  # what is left is shown
    [models] = [finding for finding in examine() if finding.name == "models"]
    assert not models.good
    assert "accept-history" in models.found

    assert run("models", "accept-history") == 2
    assert run("models", "accept-history", "--reason", "Sunday's backup", "--json") == 0
    done = json.loads(capfd.readouterr().out)
    assert done == {"change": "it has 4 entries, and had 6", "champion": "b"}
    assert run(*read) == 0
    assert json.loads(capfd.readouterr().out)["model_version"] == "b"
    last = Registry(place.url).history()[-1]
    assert (last["action"], last["reason"]) == ("accept-history", "Sunday's backup")
    assert run("models") == 0
    assert "c was never registered" in capfd.readouterr().out


def test_a_restored_folder_shows_though_all_in_it_fits(
    home: Path, place: Place, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    backup = {path: place.read(path) for path in place.paths()}
    assert run("models", "rollback", "--reason", "c reads sevens as ones") == 0
    for path, data in backup.items():
        place.write(path, data)
    capfd.readouterr()
    assert run("predict", str(tmp_path / "scans"), "--no-prefect", "--max-error", "1") == 2
    assert "it has 6 entries, and had 7" in capfd.readouterr().err


def test_a_lost_place_does_not_let_what_ships_serve_in_silence(
    home: Path, place: Place, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for path in place.paths():
        place.delete(path)
    shutil.rmtree(tmp_path / "home" / "cache", ignore_errors=True)
    assert run("predict", str(tmp_path / "scans"), "--no-prefect", "--max-error", "1") == 2
    assert "it has 0 entries, and had 6" in capfd.readouterr().err
    assert run("models", "accept-history", "--reason", "begun anew") == 0
    assert "Champion     none" in capfd.readouterr().out
