"""A registration is on the disk, with the names of its files, before the history says so."""

import os
from pathlib import Path

import pytest

from tasks.registry.registry import Registry
from tests.registry.test_registry import card


def test_everything_of_a_version_is_synced_before_its_entry_is_written(
    tmp_path: Path, model_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models, synced, sync = tmp_path / "models", [], os.fsync

    def noted(handle: int) -> None:
        """Sync, and note what it was by its number, which a rename does not change."""
        sync(handle)
        history = models / "history.jsonl"
        said = "register" in history.read_text() if history.exists() else False
        synced.append((os.fstat(handle).st_ino, said))

    monkeypatch.setattr(os, "fsync", noted)
    Registry(models).register(card("v1"), model_file, model_file)
    before = [number for number, said in synced if not said]
    version = models / "v1"
    for path in (version, *version.iterdir(), models, tmp_path):
        assert path.stat().st_ino in before, path
    after = [number for number, said in synced if said]
    assert (models / "history.jsonl").stat().st_ino in after
    assert models.stat().st_ino in after  # the name of the history
