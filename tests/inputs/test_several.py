"""Several sources are one: each keeps its root, each file comes once, and is read where it lies."""

import os
import pickle
import zipfile
from pathlib import Path

import pytest

from tasks.errors import InputError
from tasks.inputs.base import Inputs, Roots
from tasks.inputs.listing import discover, entries_of
from tasks.inputs.open import open_inputs
from tasks.outcomes import Reason, Undecodable


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the current folder, with pictures in folders, beside them and in an archive."""
    folder = tmp_path / "here"
    for name in ("scans/1.png", "scans/2.png", "scans/old/3.png", "more/1.png", "a.jpg"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())
    with zipfile.ZipFile(folder / "box.zip", "w") as archive:
        archive.writestr("1.png", b"box.zip/1.png")
    monkeypatch.chdir(folder)
    return folder


def found(inputs: Inputs, here: Path) -> list[tuple[str, str]]:
    """Return root, below the current folder, and path of every entry."""
    places = [inputs.roots.place(entry.path) for entry in inputs.entries()]
    return [(os.path.relpath(root, here), path) for root, path in places]


def test_each_source_keeps_its_root_and_files_named_of_one_folder_share_it(here: Path) -> None:
    names = ["scans/2.png", "a.jpg", "more/", "scans/1.png", "box.zip"]
    inputs = open_inputs(names)
    assert found(inputs, here) == [
        ("scans", "2.png"),
        ("scans", "1.png"),
        (".", "a.jpg"),
        ("more", "1.png"),
        ("box.zip", "1.png"),
    ]
    other = pickle.loads(pickle.dumps(inputs))  # noqa: S301 - our own
    paths = [entry.path for entry in inputs.entries()]
    read = [b"scans/2.png", b"scans/1.png", b"a.jpg", b"more/1.png", b"box.zip/1.png"]
    assert [other.read(path).data for path in paths] == read
    assert [content.data for content in other.read_each(paths)] == read
    assert [inputs.roots.path(*inputs.roots.place(path)) for path in paths] == paths


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["scans/", "scans/1.png"], ["scans:1.png", "scans:2.png", "scans:old/3.png"]),
        (["scans/1.png", "scans/"], ["scans:1.png", "scans:2.png", "scans:old/3.png"]),
        (["scans/old", "scans"], ["scans/old:3.png", "scans:1.png", "scans:2.png"]),
        (["scans/*.png", "./scans/1.png", "scans//2.png"], ["scans:1.png", "scans:2.png"]),
        (["a.jpg", "a.jpg"], [".:a.jpg"]),
        (["list.txt", "more"], [".:scans/1.png", ".:more/1.png"]),
        (["more", "list.txt"], ["more:1.png", ".:scans/1.png"]),
        (["more", "box.zip"], ["more:1.png", "box.zip:1.png"]),
    ],
)
def test_a_file_that_is_reached_twice_is_there_once_by_the_first_way(
    here: Path, names: list[str], expected: list[str]
) -> None:
    (here / "list.txt").write_text(f"scans/1.png\n{here}/more/1.png\n")
    places = found(open_inputs(names), here)
    assert sorted(f"{root}:{path}" for root, path in places) == sorted(expected)


@pytest.mark.parametrize("names", [["a.jpg", "./a.jpg"], ["a.jpg", "{here}/a.jpg", "scans/1.png"]])
def test_a_file_that_is_spelled_in_two_ways_is_there_once(here: Path, names: list[str]) -> None:
    inputs = open_inputs([name.format(here=here) for name in names])
    assert found(inputs, here).count((".", "a.jpg")) == 1


def test_a_list_elsewhere_leads_to_the_same_file(here: Path, tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text(f"{here}/more/1.png\n{here}/a.jpg\n")
    inputs = open_inputs(["more", str(tmp_path / "list.txt")])
    [first, second] = inputs.entries()
    assert inputs.roots.place(first.path) == (f"{here}/more", "1.png")
    assert inputs.roots.place(second.path) == (str(tmp_path), "here/a.jpg")
    assert inputs.read(second.path).data == b"a.jpg"


def test_what_one_name_gives_is_what_it_gives_alone(here: Path) -> None:
    for name in ("scans", "scans/*.png", "a.jpg", "box.zip"):
        alone, listed = open_inputs(name), open_inputs([name])
        assert type(alone) is type(listed)
        assert [*alone.entries()] == [*listed.entries()]
        assert alone.roots == listed.roots == Roots((alone.root,))


def test_names_and_roots_need_no_encoding(here: Path) -> None:
    odd = os.fsdecode(b"caf\xe9")
    (here / odd).mkdir()
    (here / odd / odd).write_bytes(b"odd")
    inputs = open_inputs([odd, f"{odd}/{odd}", "more"])
    places = [inputs.roots.place(entry.path) for entry in inputs.entries()]
    assert places == [(rf"{here}/caf\xe9", r"caf\xe9"), (f"{here}/more", "1.png")]
    assert inputs.read(inputs.roots.path(*places[0])).data == b"odd"


def test_why_a_file_cannot_be_read_is_said_in_its_place(here: Path) -> None:
    inputs = open_inputs(["scans/1.png", "a.jpg", "more"])
    paths = [entry.path for entry in inputs.entries()]
    (here / "a.jpg").unlink()
    first, gone, last = inputs.read_each(paths)
    assert isinstance(gone, Undecodable)
    assert gone.reason == Reason.VANISHED
    assert [first.data, last.data] == [b"scans/1.png", b"more/1.png"]  # type: ignore[union-attr]


def test_a_source_without_files_is_an_error_unless_that_is_allowed(here: Path) -> None:
    (here / "empty").mkdir()
    with pytest.raises(InputError, match="empty has no files in it"):
        discover(open_inputs(["more", "empty"]), here / "listing")
    listing = discover(open_inputs(["more", "empty"]), here / "listing", allow_empty=True)
    assert (listing.count, listing.roots.names) == (1, (f"{here}/more", f"{here}/empty"))
    # all of it was found by another way, so that it is not empty
    listing = discover(open_inputs(["more", "more/1.png"]), here / "listing")
    assert [entry.path for entry in entries_of(listing.file, 0, 2)] == [b"0/1.png"]


@pytest.mark.parametrize("names", [[], [""], ["more", ""], ["more", "missing"]])
def test_what_is_not_there_is_an_error_before_anything_is_listed(
    here: Path, names: list[str]
) -> None:
    with pytest.raises(InputError, match=r"no input was named|missing does not exist"):
        open_inputs(names)
