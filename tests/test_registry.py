"""Versions are whole and unchanged, and the champion is the last promotion in the history."""

import json
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tasks import registry as registry_file
from tasks.errors import DigitflowError, ModelError
from tasks.files import sha256
from tasks.registry import Registry, Version, find_onnx, ready_model, ship


def card(name: str, accepted: bool = True) -> dict[str, Any]:
    """Return the least that a card holds."""
    return {"version": name, "verdict": {"accepted": accepted, "checks": []}}


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """Return a registry without versions."""
    return Registry(tmp_path / "models")


@pytest.fixture
def add(registry: Registry, model_file: Path) -> Any:
    """Return what registers a version."""

    def register(name: str, accepted: bool = True) -> Version:
        return registry.register(card(name, accepted), model_file, model_file)

    return register


def test_a_registered_version_is_loaded_with_its_files_and_their_hashes(
    registry: Registry, add: Any, model_file: Path
) -> None:
    registered = add("v1")
    loaded = registry.load("v1")
    assert loaded == registered
    assert loaded.onnx.read_bytes() == model_file.read_bytes()
    assert loaded.card["files"] == dict.fromkeys(("model.onnx", "model.keras"), sha256(model_file))
    assert [version.name for version in registry.versions()] == ["v1"]


def test_a_version_is_written_once(registry: Registry, add: Any) -> None:
    first = add("v1")
    with pytest.raises(DigitflowError, match="v1 is already registered"):
        add("v1", accepted=False)
    assert registry.load("v1") == first


def test_a_registration_that_fails_leaves_nothing(registry: Registry, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        registry.register(card("v1"), tmp_path / "missing", tmp_path / "missing")
    assert list(registry.folder.iterdir()) == []


@pytest.mark.parametrize("file", ["model.onnx", "model.keras"])
@pytest.mark.parametrize("change", [lambda p: p.write_bytes(b"other"), lambda p: p.unlink()])
def test_a_version_whose_file_was_changed_is_refused(
    registry: Registry, add: Any, file: str, change: Any
) -> None:
    registry.promote(add("v1"), "good")
    change(registry.folder / "v1" / file)
    for load in (lambda: registry.load("v1"), registry.champion):
        with pytest.raises(ModelError, match=f"{file} is not the file that was registered"):
            load()


@pytest.mark.parametrize("name", ["v3", "", ".", "..", "../models/v1", "v1/", "/"])
def test_an_unknown_version_is_an_error_that_names_the_known_ones(
    registry: Registry, add: Any, name: str
) -> None:
    add("v2")
    add("v1")
    with pytest.raises(ModelError, match=re.escape(f"{name!r}") + ".*there is: v1, v2"):
        registry.load(name)


def test_the_champion_is_the_last_promotion(registry: Registry, add: Any) -> None:
    assert registry.champion() is None
    first, second = add("v1"), add("v2")
    registry.promote(second, "better")
    registry.promote(first, "rollback")
    registry.record("refuse", second, "worse")
    champion = registry.champion()
    assert champion
    assert champion.name == "v1"
    entries = [(entry["action"], entry["version"]) for entry in registry.history()]
    assert entries == [("promote", "v2"), ("promote", "v1"), ("refuse", "v2")]
    assert [entry["reason"] for entry in registry.history()] == ["better", "rollback", "worse"]


def test_what_the_gate_refused_cannot_be_promoted(registry: Registry, add: Any) -> None:
    with pytest.raises(ModelError, match="v1 did not pass the gate"):
        registry.promote(add("v1", accepted=False), "please")
    assert registry.history() == []


def test_writers_at_once_leave_whole_lines(registry: Registry, add: Any) -> None:
    version = add("v1")
    with ThreadPoolExecutor(8) as writers:
        list(writers.map(lambda n: registry.record("promote", version, f"{n}" * 5000), range(40)))
    reasons = {entry["reason"] for entry in registry.history()}
    assert reasons == {f"{number}" * 5000 for number in range(40)}


def test_half_a_line_is_not_read_and_does_not_spoil_the_next(registry: Registry, add: Any) -> None:
    version = add("v1")
    registry.promote(version, "first")
    with (registry.folder / "history.jsonl").open("a") as history:
        history.write('{"time": "2026-01-01T00:00')
    assert [entry["reason"] for entry in registry.history()] == ["first"]
    registry.promote(version, "second")
    assert [entry["reason"] for entry in registry.history()] == ["first", "second"]


def test_a_model_is_found_by_champion_version_or_file(
    registry: Registry, add: Any, model_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.promote(add("v1"), "good")
    second = add("v2")
    monkeypatch.chdir(model_file.parent)
    assert find_onnx("champion", registry) == registry.folder / "v1" / "model.onnx"
    assert find_onnx("v2", registry) == second.onnx
    assert find_onnx(model_file.name, registry) == model_file


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("champion", "no champion yet in .*digitflow train"),
        ("missing.onnx", "no file .*missing.onnx"),
        ("v9", "no model version 'v9' in .*there is: none"),
    ],
)
def test_a_model_that_is_not_there_is_an_error_with_advice(
    registry: Registry, model: str, message: str
) -> None:
    with pytest.raises(ModelError, match=message):
        find_onnx(model, registry)


def test_a_champion_whose_folder_is_gone_is_an_error(registry: Registry, add: Any) -> None:
    registry.promote(add("v1"), "good")
    shutil.rmtree(registry.folder / "v1")
    with pytest.raises(ModelError, match="no model version 'v1'"):
        find_onnx("champion", registry)


def test_a_card_is_readable_json(registry: Registry, add: Any) -> None:
    add("v1")
    assert json.loads((registry.folder / "v1" / "card.json").read_text())["version"] == "v1"


def test_the_ready_model_reads_until_another_is_promoted(registry: Registry, add: Any) -> None:
    assert ready_model() is None
    shipped = add("shipped")
    ship(shipped)
    ready = ready_model()
    assert ready
    assert (ready.name, ready.accepted) == ("shipped", True)
    assert sorted(path.name for path in ready.folder.iterdir()) == ["card.json", "model.onnx"]
    own = Registry(registry.folder.parent / "own")
    assert own.champion() is None
    assert find_onnx("champion", own) == find_onnx("shipped", own) == ready.onnx
    registry.promote(shipped, "good")
    assert find_onnx("champion", registry) == shipped.onnx


def test_a_ready_model_whose_file_was_changed_is_refused(registry: Registry, add: Any) -> None:
    ship(add("shipped"))
    (registry_file.READY / "model.onnx").write_bytes(b"other")
    with pytest.raises(ModelError, match=r"model.onnx is not the file that was registered"):
        find_onnx("champion", registry)


def test_what_the_gate_refused_does_not_ship(registry: Registry, add: Any) -> None:
    with pytest.raises(ModelError, match="v1 did not pass the gate and cannot ship"):
        ship(add("v1", accepted=False))
    assert ready_model() is None
