"""Registered folders are copies that never change, and a change of one is noticed."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tasks.data.labelled_folder import evaluation_folder
from tasks.errors import InputError
from tasks.gate.acceptance_sets import SETS, AcceptanceSets
from tasks.gate.slices import copied
from tasks.storage.journal import FileHistory
from tests.bars import bar, encoded


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """Return a folder of labelled pictures, with a hidden file and a folder inside."""
    folder = tmp_path / "mine"
    for digit in (3, 8):
        (folder / str(digit) / "scans").mkdir(parents=True)
        (folder / str(digit) / "scans" / "a.png").write_bytes(encoded(bar(digit)))
        (folder / str(digit) / ".hidden").touch()
    return folder


@pytest.fixture
def sets(tmp_path: Path) -> AcceptanceSets:
    return AcceptanceSets(tmp_path / "home" / "acceptance")


def test_what_is_added_is_a_copy_that_a_later_change_of_the_folder_does_not_reach(
    sets: AcceptanceSets, mine: Path
) -> None:
    assert sets.current() == []
    added = sets.add(mine, "mine", 0.9, "first")
    (mine / "3" / "scans" / "a.png").unlink()
    [current] = sets.current()
    assert current == added
    assert (current.pictures, current.floor) == (2, 0.9)
    assert [file.label for file in evaluation_folder(current.verified()).files] == [3, 8]


def test_adding_again_makes_a_new_version_and_the_old_one_stays_on_disk(
    sets: AcceptanceSets, mine: Path
) -> None:
    first = sets.add(mine, "mine", 0.9, "first")
    assert sets.add(mine, "mine", 0.8, "a lower floor").folder == first.folder
    (mine / "3" / "b.png").write_bytes(encoded(bar(3)))
    second = sets.add(mine, "mine", 0.8, "one more")
    assert sets.current() == [second]
    assert first.folder != second.folder
    assert first.verified() == first.folder
    assert not list(sets.folder.glob(".writing-*"))


def leave_behind(folder: Path) -> None:
    """Add to each digit's folder what Windows and macOS leave there."""
    for digit in (3, 8):
        for name in ("Thumbs.db", "desktop.ini", "scans/thumbs.DB"):
            (folder / str(digit) / name).write_bytes(b"no picture")


def test_what_systems_leave_behind_is_not_copied_and_counted_apart(
    sets: AcceptanceSets, mine: Path
) -> None:
    clean = sets.add(mine, "mine", 0.9, "first")
    leave_behind(mine)
    added = sets.add(mine, "mine", 0.9, "opened in Windows since")
    assert (added.pictures, added.ignored) == (2, clean.ignored + 6)
    assert (added.digest, added.folder) == (clean.digest, clean.folder)
    assert sets.current() == [added]
    leave_behind(added.folder)
    assert len(evaluation_folder(added.verified()).files) == 2


def test_a_set_of_an_earlier_version_that_holds_such_files_is_judged_on_without_them(
    sets: AcceptanceSets, mine: Path
) -> None:
    leave_behind(mine)
    for name in ("b", "a"):
        (mine / "3" / name).mkdir()
        (mine / "3" / name / "c.png").write_bytes(encoded(bar(3)))
    whole, pictures = hashlib.sha256(), 0
    for digit in ("3", "8"):
        for inside, _, names in os.walk(mine / digit):
            for file in sorted(Path(inside, name) for name in names if name != ".hidden"):
                content = hashlib.sha256(file.read_bytes()).hexdigest()
                whole.update(f"{file.relative_to(mine)}\0{content}\n".encode())
                pictures += 1
    facts = {"digest": whole.hexdigest(), "pictures": pictures, "floor": 0.9, "reason": "first"}
    kept = sets.folder / "mine" / facts["digest"][:16]
    kept.parent.mkdir(parents=True)
    mine.rename(kept)
    history = FileHistory(sets.folder / "history.jsonl", SETS)
    history.append(lambda _: [{"action": "add", "name": "mine", **facts}])
    [found] = sets.current()
    assert (found.pictures, found.ignored) == (10, 0)
    assert len(evaluation_folder(found.verified()).files) == 4
    (kept / "3" / "a" / "c.png").write_bytes(encoded(bar(4)))
    with pytest.raises(InputError, match=r"is not what was registered .*: add the folder again"):
        found.verified()


def test_a_set_is_removed_with_a_reason_and_its_history_stays(
    sets: AcceptanceSets, mine: Path
) -> None:
    sets.add(mine, "mine", 0.9, "first")
    with pytest.raises(InputError, match="no acceptance set 'other'; there is: mine"):
        sets.remove("other", "typo")
    sets.remove("mine", "labels were wrong")
    assert sets.current() == []
    log = [
        (e["action"], e["name"], e["reason"])
        for e in FileHistory(sets.folder / "history.jsonl").entries()
    ]
    assert log == [("add", "mine", "first"), ("remove", "mine", "labels were wrong")]


@pytest.mark.parametrize("change", [lambda p: p.write_bytes(b"other"), lambda p: p.unlink()])
def test_a_set_whose_file_was_changed_is_refused(
    sets: AcceptanceSets, mine: Path, change: object
) -> None:
    added = sets.add(mine, "mine", 0.9, "first")
    change(added.folder / "3" / "scans" / "a.png")  # type: ignore[operator]
    with pytest.raises(InputError, match="is not what was registered"):
        added.verified()


@pytest.mark.parametrize("name", ["", "../up", "Mine", "a/b", ".a"])
def test_a_name_that_cannot_be_a_folder_is_refused(
    sets: AcceptanceSets, mine: Path, name: str
) -> None:
    with pytest.raises(InputError, match="use small letters"):
        sets.add(mine, name, 0.9, "first")
    assert not sets.folder.exists()


def test_a_set_that_was_damaged_is_whole_again_once_it_is_added_again(
    sets: AcceptanceSets, mine: Path
) -> None:
    added = sets.add(mine, "mine", 0.9, "first")
    (added.folder / "3" / "scans" / "a.png").write_bytes(b"other")
    assert sets.add(mine, "mine", 0.9, "again").verified() == added.folder


def pipe(folder: Path) -> None:
    os.mkfifo(folder / "3" / "pipe.png")


def link_to_nothing(folder: Path) -> None:
    (folder / "3" / "gone.png").symlink_to(folder / "nowhere")


def link_to_a_folder(folder: Path) -> None:
    (folder / "3" / "more").symlink_to(folder / "8")


def file_for_a_digit(folder: Path) -> None:
    (folder / "5").write_bytes(encoded(bar(5)))


@pytest.mark.parametrize("harm", [pipe, link_to_nothing, link_to_a_folder, file_for_a_digit])
def test_what_is_no_file_is_named_and_not_waited_for_or_left_out(
    sets: AcceptanceSets, mine: Path, tmp_path: Path, harm: Callable[[Path], None]
) -> None:
    registered = sets.add(mine, "before", 0.9, "first")
    for folder in (mine, registered.folder):
        harm(folder)
    for use in (
        lambda: sets.add(mine, "mine", 0.9, "first"),
        lambda: copied("mine", mine, tmp_path / "slices"),
        registered.verified,
    ):
        with pytest.raises(InputError, match=r"is (neither a file nor a folder|in no sub-folder)"):
            use()
    assert [one.name for one in sets.current()] == ["before"]


def test_a_history_of_sets_that_was_cut_or_lost_judges_nobody_until_it_is_accepted(
    mine: Path, tmp_path: Path
) -> None:
    sets = AcceptanceSets(tmp_path / "home" / "acceptance", tmp_path / "home" / "histories")
    sets.add(mine, "mine", 0.9, "first")
    shutil.rmtree(sets.folder)
    for use in (sets.current, lambda: sets.add(mine, "other", 0.9, "first")):
        with pytest.raises(InputError, match=r"had 1\), so that a model could pass that these fol"):
            use()
    assert sets.accept_history("we begin anew") == "it has 0 entries, and had 1"
    assert sets.current() == []
    assert sets.add(mine, "mine", 0.9, "again").verified()


@pytest.mark.parametrize(
    "change", [{"digest": None}, {"pictures": []}, {"floor": "high"}, {"name": "../../up"}]
)
def test_an_entry_of_a_set_that_cannot_be_one_is_named(
    sets: AcceptanceSets, mine: Path, change: dict[str, Any]
) -> None:
    sets.add(mine, "mine", 0.9, "first")
    file = sets.folder / "history.jsonl"
    entry = json.loads(file.read_text()) | change
    entry = {key: value for key, value in entry.items() if value is not None}
    (sets.folder / "history.jsonl.head").unlink()
    file.write_text(json.dumps({k: v for k, v in entry.items() if k != "before"}) + "\n")
    with pytest.raises(InputError, match=r"history.jsonl, line 1 is damaged"):
        sets.current()


def test_what_is_no_labelled_folder_is_refused_and_nothing_is_copied(
    sets: AcceptanceSets, mine: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="is no folder"):
        sets.add(tmp_path / "none", "mine", 0.9, "first")
    with pytest.raises(InputError, match="no files in sub-folders named 0 to 9"):
        (tmp_path / "empty").mkdir()
        sets.add(tmp_path / "empty", "mine", 0.9, "first")
    (mine / "ten").mkdir()
    with pytest.raises(
        InputError, match="unknown label folder 'ten'; expected sub-folders named 0 to 9"
    ):
        sets.add(mine, "mine", 0.9, "first")
    assert not sets.folder.exists()


def test_a_labelled_folder_becomes_files_to_be_read(mine: Path, tmp_path: Path) -> None:
    files = copied("acceptance mine", mine, tmp_path / "slices")
    assert files.paths == ["acceptance-mine/3/000000.png", "acceptance-mine/8/000001.png"]
    assert files.labels.tolist() == [3, 8]
    assert files.sources.tolist() == [-1, -1]
    assert (tmp_path / "slices" / files.paths[0]).read_bytes() == encoded(bar(3))
