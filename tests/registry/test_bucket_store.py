"""Versions in a bucket are whole or not there, and a copy never hides what the bucket has."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tasks.errors import DigitflowError, ModelError
from tasks.registry.bucket_store import ModelBucket
from tasks.registry.registry import Registry
from tests.places import BucketPlace
from tests.registry.test_registry import card

ROOT = Path(__file__).parents[2]


@pytest.fixture
def place(s3_client: Any, home: Path) -> BucketPlace:
    """Return a part of a new bucket; copies come below a home of the test's own."""
    return BucketPlace(s3_client)


def store(place: BucketPlace, machine: Path) -> ModelBucket:
    """Return the place as a machine with its own cache sees it."""
    return ModelBucket(place.url, machine / "cache")


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """Return two files of a version."""
    found = {name: tmp_path / name for name in ("model.onnx", "model.keras")}
    for name, path in found.items():
        path.write_text(name)
    return found


def test_a_version_is_copied_once_and_by_another_machine_too(
    place: BucketPlace, files: dict[str, Path], tmp_path: Path
) -> None:
    one = store(place, tmp_path / "one")
    one.add("v1", files, "{}")
    folder = one.fetch("v1")
    assert folder
    assert {file.name: file.read_text() for file in folder.iterdir()} == {
        **{"model.onnx": "model.onnx", "model.keras": "model.keras"},
        "card.json": "{}",
    }
    assert one.fetch("v1") == folder
    (folder / "model.onnx").write_text("damaged on this machine")
    assert one.fetch("v1") == folder
    assert one.fetch("v1", anew=True) == folder
    assert (folder / "model.onnx").read_text() == "model.onnx"
    other = store(place, tmp_path / "other").fetch("v1")
    assert other
    assert other != folder
    assert [path.name for path in (tmp_path / "other" / "cache").iterdir()] == [other.name]


def test_what_was_changed_in_the_bucket_is_fetched_though_a_copy_is_there(
    place: BucketPlace, files: dict[str, Path], tmp_path: Path
) -> None:
    one = store(place, tmp_path)
    one.add("v1", files, "{}")
    before = one.fetch("v1")
    place.write("v1/model.onnx", b"changed...")  # as many bytes
    changed = one.fetch("v1")
    assert changed
    assert changed != before
    assert (changed / "model.onnx").read_text() == "changed..."


def test_a_version_is_there_with_its_card_alone_and_none_is_written_over(
    place: BucketPlace, files: dict[str, Path], tmp_path: Path
) -> None:
    one = store(place, tmp_path)
    place.write("v1/model.onnx", b"half of a version")
    place.write(".hidden/card.json", b"{}")
    assert one.names() == []
    assert one.fetch("v1") is None
    with pytest.raises(DigitflowError, match="model version v1 is already registered"):
        one.add("v1", files, "{}")
    assert place.read("v1/model.onnx") == b"half of a version"
    one.add("v2", files, "{}")
    one.add("v2", files, "{}")  # as after an answer that was lost
    with pytest.raises(DigitflowError, match="model version v2 is already registered"):
        one.add("v2", files, '{"another": "card"}')
    assert one.names() == ["v2"]
    assert one.cards(["v1", "v2"]) == {"v2": b"{}"}


def test_keys_that_lead_out_of_the_cache_are_not_fetched(
    place: BucketPlace, files: dict[str, Path], tmp_path: Path
) -> None:
    one = store(place, tmp_path)
    one.add("v1", files, "{}")
    place.write("v1/../../../out", b"bad")
    place.write("v1/sub/model.onnx", b"bad")
    folder = one.fetch("v1")
    assert folder
    assert sorted(path.name for path in folder.iterdir()) == [
        *("card.json", "model.keras", "model.onnx")
    ]


def test_what_was_left_half_is_deleted_once_it_is_old(
    place: BucketPlace, files: dict[str, Path], tmp_path: Path
) -> None:
    one = store(place, tmp_path)
    one.add("v1", files, "{}")
    half = "20261125-101501-ff0f/model.onnx"
    place.write(half, b"half of a version")
    place.write("history.jsonl", b"")
    one.sweep(time.time() - 3600)
    assert half in place.paths()
    one.sweep(time.time() + 3600)
    assert place.paths() == ["history.jsonl", "v1/card.json", "v1/model.keras", "v1/model.onnx"]


def test_objects_that_are_no_files_of_versions_are_never_deleted(
    place: BucketPlace, files: dict[str, Path], tmp_path: Path
) -> None:
    others = ["20261125-101501-ff0f/model.onnx", "20261125-101501-ff0f/notes.txt"]
    others += ["models/model.onnx", "scans/2026/7.png", "scans/7.png", "v1/notes.txt"]
    for other in others:
        place.write(other, b"somebody else's")
    one = store(place, tmp_path)
    one.add("v1", files, "{}")
    one.delete("v1")
    one.sweep(time.time() + 3600)
    assert place.paths() == others


def test_a_copy_that_was_damaged_on_this_machine_is_replaced_and_the_bucket_is_to_be_right(
    place: BucketPlace, model_file: Path
) -> None:
    registry = Registry(place.url)
    version = registry.register(card("v1"), model_file, model_file)
    version.onnx.write_bytes(b"other")
    assert registry.load("v1").onnx.read_bytes() == model_file.read_bytes()
    place.write("v1/model.onnx", b"other")
    with pytest.raises(ModelError, match=f"{place.url}/v1/model.onnx is not the file that was"):
        registry.load("v1")


REGISTER = """
import os, signal, sys
from pathlib import Path
from tasks.contracts.verdict import Verdict
from tasks.registry.card import CardContent
from tasks.registry.registry import Registry
from tasks.storage.conditional_objects import Objects
put, left = Objects.put, [int(sys.argv[3])]
def deadly(self, *arguments, **more):
    if not left[0]:
        os.kill(os.getpid(), signal.SIGKILL)
    left[0] -= 1
    return put(self, *arguments, **more)
Objects.put = deadly
card = CardContent(version="v1", verdict=Verdict(accepted=True, checks=[]))
Registry(sys.argv[1]).register(card, Path(sys.argv[2]), Path(sys.argv[2]))
"""


@pytest.mark.processes
@pytest.mark.parametrize("writes", [1, 2, 3])  # the first tries whether conditions are kept
def test_a_registration_that_is_killed_leaves_no_half_version(
    place: BucketPlace, model_file: Path, writes: int
) -> None:
    command = [sys.executable, "-c", REGISTER, place.url, str(model_file), str(writes)]
    killed = subprocess.run(command, cwd=ROOT, env=dict(os.environ), check=False)
    assert killed.returncode == -signal.SIGKILL
    assert len(place.paths()) == writes - 1
    registry = Registry(place.url)
    assert registry.names() == registry.versions() == registry.history() == []
    with pytest.raises(ModelError, match=r"no model version 'v1' in .*there is: none"):
        registry.load("v1")
