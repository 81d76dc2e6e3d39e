"""A run has a folder of its own, and one that was interrupted is found by the next."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tasks.runs import RUN_KEY_FILE, SUMMARY_FILE, open_run, resumable_runs, run_lock

ROOT = Path(__file__).parents[1]
KEY = {"root": "/pictures", "model": "m", "include": ["*.png"], "again": False}
# holds the lock of a run until it is killed
HOLDER = """
import json, sys
from pathlib import Path
from tasks.runs import run_lock
with run_lock(Path(sys.argv[1]), json.loads(sys.argv[2]), 0):
    print("alive", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Return the folder of runs."""
    made = tmp_path / "runs"
    made.mkdir()
    return made


def run_in(
    runs: Path, name: str, key: object = KEY, *, finished: bool = False, began: int = 0
) -> Path:
    """Return a run that is over, or was interrupted."""
    folder = runs / name
    folder.mkdir()
    with run_lock(folder, key, began):  # type: ignore[arg-type]
        pass
    if finished:
        (folder / SUMMARY_FILE).write_text("{}")
    return folder


def test_runs_that_begin_in_the_same_second_have_folders_of_their_own(tmp_path: Path) -> None:
    folders = [open_run("predict", tmp_path) for _ in range(50)]
    assert len(set(folders)) == 50
    assert all(folder.parent == tmp_path / "runs" and folder.is_dir() for folder in folders)
    assert [folder.name.rsplit("-", 1)[0] for folder in folders] == sorted(
        folder.name.rsplit("-", 1)[0] for folder in folders
    )


def test_interrupted_runs_are_those_with_the_same_key_that_did_not_end(runs: Path) -> None:
    run_in(runs, "predict-2")
    run_in(runs, "predict-3")
    run_in(runs, "predict-4", KEY | {"again": True})
    run_in(runs, "preview-5")
    (runs / "predict-6").mkdir()
    (runs / "predict-7").mkdir()
    (runs / "predict-7" / RUN_KEY_FILE).write_text("no JSON")
    ours = run_in(runs, "predict-9")
    assert resumable_runs(ours, KEY) == ["predict-3", "predict-2"]
    assert resumable_runs(ours, KEY | {"root": "/elsewhere"}) == []


def test_what_was_interrupted_before_a_run_that_ended_is_done(runs: Path) -> None:
    run_in(runs, "predict-1", began=1)
    run_in(runs, "predict-2", began=2, finished=True)
    run_in(runs, "predict-3", began=3)
    run_in(runs, "predict-4", KEY | {"model": "other"}, began=4, finished=True)
    assert resumable_runs(runs / "predict-9", KEY) == ["predict-3"]


def test_runs_are_in_the_order_in_which_they_found_the_table_whatever_the_clock_said(
    runs: Path,
) -> None:
    run_in(runs, "predict-8", began=3)  # by a clock that was set back after it
    run_in(runs, "predict-2", began=5, finished=True)
    run_in(runs, "predict-1", began=9)
    assert resumable_runs(runs / "predict-3", KEY) == ["predict-1"]


def test_a_run_of_an_earlier_version_that_noted_no_table_comes_first(runs: Path) -> None:
    earlier = run_in(runs, "predict-8")
    (earlier / RUN_KEY_FILE).write_text(json.dumps(KEY))
    run_in(runs, "predict-1", finished=True)
    assert resumable_runs(runs / "predict-9", KEY) == []


def test_a_run_that_lives_in_another_process_is_not_interrupted_until_that_is_killed(
    runs: Path,
) -> None:
    run_in(runs, "predict-1")
    (runs / "predict-2").mkdir()
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, runs / "predict-2", json.dumps(KEY)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout
    assert holder.stdout.readline() == "alive\n"
    assert resumable_runs(runs / "predict-9", KEY) == ["predict-1"]
    os.kill(holder.pid, signal.SIGKILL)
    holder.communicate()
    assert resumable_runs(runs / "predict-9", KEY) == ["predict-2", "predict-1"]


def test_a_run_that_lives_in_this_process_is_not_interrupted(runs: Path) -> None:
    (runs / "predict-1").mkdir()
    with run_lock(runs / "predict-1", KEY, 0):
        assert resumable_runs(runs / "predict-9", KEY) == []
    assert resumable_runs(runs / "predict-9", KEY) == ["predict-1"]


def test_the_first_run_of_all_follows_none(runs: Path) -> None:
    assert resumable_runs(runs / "predict-1", KEY) == []
