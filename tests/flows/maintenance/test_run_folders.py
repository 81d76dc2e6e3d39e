"""Folders of old runs go; what is young, needed or not ours stays, and goes on as before."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from flows.maintenance import run_folders
from flows.maintenance.run_folders import DAY, tidy_run_folders
from flows.maintenance.tidied import Tidied, disk_use
from tasks.errors import DigitflowError
from tasks.runs import REMOVED, resumable_runs, run_lock
from tasks.settings.base import MaintainSettings
from tests.flows.maintenance.outdated import make_version
from tests.helpers import as_ordinary_user, do_once_before

ROOT = Path(__file__).parents[3]
BY_AGE = MaintainSettings(keep_runs=0)
KEY = {"root": "/in", "model": "m"}


def a_run(
    home: Path, name: str, began: int | None = None, *, ended: bool = True, days: float = 100
) -> Path:
    """Make the folder of a run that changed so many days ago, as the flows leave it."""
    folder = home / "runs" / name
    folder.mkdir(parents=True)
    if began is not None:
        with run_lock(folder, KEY, began):
            pass
        (folder / "listing.parquet").write_bytes(b"x" * 10_000)
    if ended:
        (folder / "summary.json").write_text("{}")
    age(folder, days)
    return folder


def age(folder: Path, days: float) -> None:
    for path in (*folder.rglob("*"), folder):
        os.utime(path, (time.time() - days * DAY,) * 2)


def left(home: Path) -> list[str]:
    return sorted(path.name for path in (home / "runs").iterdir())


def test_what_is_old_goes_and_the_room_is_counted_and_what_stays_has_its_reason(
    home: Path,
) -> None:
    old = a_run(home, "predict-20260101-000000-0001", 1)
    a_run(home, "judge-20260101-000000-0002")
    a_run(home, "predict-20260301-000000-0003", 2, days=1)
    make_version(home, "20260101-000000-0004")
    a_run(home, "train-20260101-000000-0004")
    a_run(home, "train-20260101-000000-0005")
    size = disk_use(old)
    done = tidy_run_folders(BY_AGE)
    assert left(home) == ["predict-20260301-000000-0003", "train-20260101-000000-0004"]
    assert len(done.removed) == 3
    assert done.freed >= size >= 10_000
    assert done.kept == {
        "younger than 90 days": 1,
        "the training of a version that is there": 1,
    }


def test_the_newest_of_each_kind_stay_however_old(home: Path) -> None:
    for number in range(4):
        a_run(home, f"predict-20250101-00000{number}-0000", number, days=400)
        a_run(home, f"preview-20250101-00000{number}-0000", days=400)
    done = tidy_run_folders(MaintainSettings(keep_runs=2))
    assert left(home) == [
        *(f"predict-20250101-00000{number}-0000" for number in (2, 3)),
        *(f"preview-20250101-00000{number}-0000" for number in (2, 3)),
    ]
    assert done.kept == {"among the 2 newest of its kind": 4}


def test_a_dry_run_says_the_same_and_removes_nothing(home: Path) -> None:
    for number in range(3):
        a_run(home, f"predict-20250101-00000{number}-0000", number)
    before = left(home)
    told = tidy_run_folders(MaintainSettings(keep_runs=1, dry_run=True))
    assert left(home) == before
    done = tidy_run_folders(MaintainSettings(keep_runs=1))
    assert (told.removed, told.freed, told.kept) == (done.removed, done.freed, done.kept)


def test_a_run_that_was_stopped_stays_until_another_came_to_its_end(home: Path) -> None:
    stopped = a_run(home, "predict-20260101-000000-0001", 5, ended=False)
    asking = home / "runs" / "predict-20261101-000000-ffff"
    assert resumable_runs(asking, KEY) == [stopped.name]
    done = tidy_run_folders(BY_AGE)
    assert done.kept == {"it was stopped, and is gone on with": 1}
    ended = a_run(home, "predict-20260102-000000-0002", 6)
    assert resumable_runs(asking, KEY) == []
    # the older one is no longer gone on with, and that does not change with what is deleted
    tidy_run_folders(BY_AGE)
    assert left(home) == [ended.name]
    assert resumable_runs(asking, KEY) == []
    tidy_run_folders(BY_AGE)
    assert left(home) == []


def test_one_that_ended_stays_with_those_before_it_that_would_else_be_gone_on_with(
    home: Path,
) -> None:
    stopped = a_run(home, "predict-20260101-000000-0001", 5, ended=False, days=1)
    ended = a_run(home, "predict-20260102-000000-0002", 6, days=200)
    done = tidy_run_folders(BY_AGE)
    assert left(home) == [stopped.name, ended.name]
    assert resumable_runs(home / "runs" / "predict-20261101-000000-ffff", KEY) == []
    assert "without it, runs that were stopped before it were gone on with" in done.kept


def test_a_run_that_goes_on_stays_though_its_files_are_old(home: Path) -> None:
    folder = a_run(home, "predict-20260101-000000-0001", 5, ended=False)
    with run_lock(folder, KEY, 5):
        age(folder, 100)
        done = tidy_run_folders(BY_AGE)
    assert done.kept == {"it goes on": 1}
    assert left(home) == [folder.name]


def test_of_two_at_once_one_does_it_and_the_other_says_so(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_run(home, "predict-20260101-000000-0001")
    second: list[Tidied] = []
    do_once_before(
        monkeypatch, run_folders, "needed_runs", lambda: second.append(tidy_run_folders(BY_AGE))
    )
    first = tidy_run_folders(BY_AGE)
    assert first.removed == ["predict-20260101-000000-0001"]
    assert [(each.removed, each.notes) for each in second] == [
        ([], ["another maintenance of this home goes on"])
    ]


def test_what_is_none_of_ours_is_not_touched_and_no_link_is_followed(
    home: Path, tmp_path: Path
) -> None:
    a_run(home, "predict-20260101-000000-0001")
    a_run(home, "my-notes")
    (home / "runs" / "readme.txt").write_text("mine")
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "a.txt").write_text("mine")
    (home / "runs" / "judge-20260101-000000-0002").symlink_to(tmp_path / "kept")
    left_behind = home / "runs" / f"{REMOVED}predict-20250101-000000-0009"
    left_behind.mkdir()
    tidy_run_folders(BY_AGE)
    assert left(home) == ["judge-20260101-000000-0002", "my-notes", "readme.txt"]
    assert (tmp_path / "kept" / "a.txt").read_text() == "mine"


@pytest.mark.processes
def test_one_that_may_not_be_deleted_is_named_and_the_others_go(home: Path) -> None:
    mine = a_run(home, "predict-20260101-000000-0001")
    stays = a_run(home, "judge-20260101-000000-0002") / "inside"
    stays.mkdir()
    (stays / "a.txt").touch()
    age(stays.parent, 100)
    stays.chmod(0o500)
    program = (
        "from flows.maintenance import run_folders\n"
        "from tasks.settings.base import MaintainSettings\n"
        "done = run_folders.tidy_run_folders(MaintainSettings(keep_runs=0))\n"
        "print(done.removed, done.error)"
    )
    try:
        command = as_ordinary_user(sys.executable, "-c", program)
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    finally:
        next((home / "runs").glob("*/inside")).chmod(0o700)
    assert done.stdout.startswith(f"['{mine.name}'] ")
    assert done.stdout.endswith("judge-20260101-000000-0002 cannot be deleted: Permission denied\n")


def test_a_home_without_runs_has_nothing_to_remove(home: Path) -> None:
    assert tidy_run_folders(BY_AGE).removed == []
    a_run(home, "predict-20260101-000000-0001", 1)
    (home / "runs" / "predict-20260101-000000-0001" / "purpose.json").write_text("no JSON")
    age(home / "runs" / "predict-20260101-000000-0001", 100)
    assert len(tidy_run_folders(BY_AGE).removed) == 1
    assert json.dumps(tidy_run_folders(BY_AGE).to_dict())


def test_a_damaged_history_of_models_stops_it_before_anything_is_deleted(home: Path) -> None:
    make_version(home, "a")
    a_run(home, "predict-20260101-000000-0001")
    (home / "models" / "history.jsonl").write_text("")
    with pytest.raises(DigitflowError):
        tidy_run_folders(BY_AGE)
    assert left(home) == ["predict-20260101-000000-0001"]
