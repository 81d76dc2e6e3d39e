"""Several sources in one call are read as each is alone: same rows, same roots, each file once."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from pyarrow import csv

from tasks.results import table
from tests.bars import bar, encoded
from tests.helpers import run

pytestmark = pytest.mark.processes

IDENTITY = ["root", "path", "page", "size", "mtime_ns", "content_hash", "status", "reason"]


@pytest.fixture
def here(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the current folder, whose folders have pictures of the same names."""
    folder = tmp_path / "here"
    for at, name in enumerate(["scans/1.png", "scans/2.png", "more/1.png", "more/deep/1.png"]):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(encoded(bar(at)))
    (folder / "a.png").write_bytes(encoded(bar(6.5)))  # unsure
    (folder / "more" / "broken.png").touch()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def predict(model_file: Path, capfd: pytest.CaptureFixture[str]) -> Any:
    """Return what runs the command on sources and options, and returns the summary."""

    def called(*words: str, code: int = 0) -> dict[str, Any]:
        options = ["--no-prefect", "--json", "--workers", "1", "--model", str(model_file)]
        assert run("predict", *words, *options) == code
        found: dict[str, Any] = json.loads(capfd.readouterr().out)
        return found

    return called


def identities(home: Path, **conditions: Any) -> list[dict[str, Any]]:
    rows = table.select(str(home / "results"), table.Query(**conditions))
    found = rows.select([*IDENTITY, "digit"]).to_pylist()
    return sorted(found, key=lambda row: (row["root"], row["path"], row["page"]))


def test_rows_are_those_of_each_source_alone(
    predict: Any, here: Path, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = predict("scans/1.png", "scans/2.png", "a.png", "more")
    assert (together["listed"], together["found"]) == (6, 6)
    assert together["root"] == f"{here}/scans, {here}, {here}/more"
    assert together["rejects"] == [
        {"path": f"{here}/more/broken.png", "reason": "empty_file", "detail": "0 bytes"}
    ]
    rows = identities(home)
    monkeypatch.setenv("DIGITFLOW_HOME", str(tmp_path / "other"))
    alone = [predict(name) for name in ("scans/*.png", "a.png", "more")]
    assert [summary["root"] for summary in alone] == [f"{here}/scans", str(here), f"{here}/more"]
    assert alone[2]["rejects"][0]["path"] == "broken.png"
    assert rows == identities(tmp_path / "other")


def test_what_was_read_by_one_way_is_up_to_date_by_another(predict: Any, here: Path) -> None:
    assert predict("more")["files"] == 3
    summary = predict("more", "scans", "more/1.png")
    assert (summary["listed"], summary["files"], summary["unchanged"]) == (5, 2, 3)
    assert predict("scans", "more")["files"] == 0
    assert predict("scans")["files"] == 0
    (here / "more" / "1.png").write_bytes(encoded(bar(9)))
    (here / "scans" / "3.png").write_bytes(encoded(bar(3)))
    assert predict("scans", "more")["files"] == 2
    assert predict("scans", "more", "--retry-rejected")["files"] == 1
    assert predict("scans", "more", "--by-content")["files"] == 0
    assert predict("scans", "more", "--again")["files"] == 6


def test_out_and_strict_are_about_all_that_was_found(predict: Any, here: Path) -> None:
    predict("more")
    predict("scans", "a.png", "--strict")
    summary = predict("scans", "more", "--out", "all.csv", "--strict", code=4)
    assert summary["rejected_now"] == 1
    rows = csv.read_csv(here / "all.csv").to_pylist()
    places = [(os.path.relpath(row["root"], here), row["path"], row["digit"]) for row in rows]
    assert sorted(places, key=str) == [
        ("more", "1.png", 2),
        ("more", "broken.png", None),
        ("more", "deep/1.png", 3),
        ("scans", "1.png", 0),
        ("scans", "2.png", 1),
    ]


def test_another_accepted_error_decides_the_files_of_each_root_anew(
    predict: Any, here: Path, home: Path
) -> None:
    (here / "more" / "a.png").write_bytes(encoded(bar(6.5)))
    (here / "scans" / "a.png").write_bytes(encoded(bar(6.5)))
    assert predict("scans", "more", "a.png")["review"] == 3
    summary = predict("more", "a.png", "--max-error", "0.05")
    assert (summary["files"], summary["decided_anew"], summary["read"]) == (2, 2, 2)
    reviewed = [row["root"] for row in identities(home, status="review")]
    assert reviewed == [f"{here}/scans"]
    assert predict("scans", "more", "a.png", "--max-error", "0.05")["decided_anew"] == 1


def test_a_run_that_was_stopped_is_gone_on_with_by_the_same_sources(
    predict: Any, here: Path, home: Path
) -> None:
    first = predict("scans", "more", "--again")
    (home / "runs" / first["run_id"] / "summary.json").unlink()  # as if it had not come to its end
    assert predict("scans", "--again")["resumed"] == []
    second = predict("scans", "more", "--again")
    assert (second["resumed"], second["files"]) == ([first["run_id"]], 0)


def test_a_preview_shows_files_of_all_sources(
    here: Path, home: Path, model_file: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    words = ["scans", "a.png", "more/", "--limit", "6", "--json", "--model", str(model_file)]
    assert run("preview", *words) == 0
    found = json.loads(capfd.readouterr().out)
    assert (found["files"], found["shown"]) == (6, 6)
    page = Path(found["report"]).read_text()
    assert page.count("<svg") == 5  # all but the empty one
    assert "cannot be shown" not in page


def test_what_is_missing_among_several_is_an_error_before_any_work(
    here: Path, home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (here / "empty").mkdir()
    assert run("predict", "scans", "missing", "--no-prefect") == 2
    assert "missing does not exist" in capfd.readouterr().err
    assert not (home / "results").exists()
