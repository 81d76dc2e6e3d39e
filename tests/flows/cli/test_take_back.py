"""`digitflow take-back`: one command, and reading that folder again works."""

import json
from pathlib import Path

import pytest

from flows.predict import predict
from flows.terminal.console import Console
from tasks.results.summary import Summary
from tasks.settings.reading import PredictSettings
from tests.bars import bar, encoded
from tests.helpers import register_champion, run

pytestmark = pytest.mark.processes


def read(folder: Path) -> Summary:
    settings = PredictSettings(source=str(folder), workers=1, device="cpu")
    return predict(settings, Console(quiet=True))


def test_a_folder_is_read_again_after_its_run_was_taken_back(
    home: Path, tmp_path: Path, model_file: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    register_champion(home, model_file)
    (tmp_path / "scans").mkdir()
    for digit in (3, 8):
        (tmp_path / "scans" / f"{digit}.png").write_bytes(encoded(bar(digit)))
    first = read(tmp_path / "scans")
    capfd.readouterr()
    assert run("take-back", first.run_id) == 2
    assert "--reason" in capfd.readouterr().err
    assert run("take-back", first.run_id, "--reason", "the wrong folder") == 0
    said = capfd.readouterr().out
    assert f"2 rows of 2 files of run {first.run_id}" in said
    assert "2 files: the next run reads them" in said
    assert run("take-back", first.run_id, "--reason", "again") == 2
    assert "was taken back already" in capfd.readouterr().err
    assert run("results", "--json") == 0
    assert json.loads(capfd.readouterr().out) == []
    second = read(tmp_path / "scans")
    assert (second.found, second.unchanged) == (2, 0)
    assert run("results", "--json") == 0
    rows = json.loads(capfd.readouterr().out)
    assert {row["run_id"] for row in rows} == {second.run_id}
    assert run("results", "--history", "png", "--json") == 0
    assert len(json.loads(capfd.readouterr().out)) == 4
