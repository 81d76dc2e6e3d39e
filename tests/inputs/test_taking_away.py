"""Files moved or deleted: only those that were read, over nothing, and whole at every moment."""

import errno
import os
from pathlib import Path

import pytest

from tasks.inputs import taking_away
from tasks.inputs.taking_away import ReadFile, take_away


def read_file(root: Path, name: str, folder: Path | None, number: int = 1) -> ReadFile:
    """Return a file of an inbox as a row knows it."""
    facts = (root / name).stat()
    path = os.fsencode(name) + (f"//{number}".encode() if number > 1 else b"")
    return ReadFile(os.fsencode(root), path, facts.st_size, facts.st_mtime_ns, folder)


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "a.png").write_bytes(b"picture")
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    found = (file for file in folder.rglob("*") if file.is_file())
    return {str(file.relative_to(folder)): file.read_bytes() for file in found}


def no_links(*_: object, **__: object) -> None:
    raise OSError(errno.EPERM, "no hard links here")


@pytest.mark.parametrize("links", [True, False])
def test_a_file_gets_a_free_name_whatever_the_file_system_can_do(
    tmp_path: Path, inbox: Path, links: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not links:
        monkeypatch.setattr(os, "link", no_links)
    target = tmp_path / "out"
    for number, content in enumerate((b"one", b"two", b"three"), 1):
        (inbox / "sub" / "a.png").write_bytes(content)
        done = take_away([read_file(inbox, "sub/a.png", target)])
        assert (done.moved, done.failed) == (1, []), number
    assert contents(inbox) == {}
    assert contents(target) == {
        "sub/a.png": b"one",
        "sub/a-2.png": b"two",
        "sub/a-3.png": b"three",
    }


def test_the_number_of_a_name_is_that_of_its_row(tmp_path: Path, inbox: Path) -> None:
    take_away([read_file(inbox, "sub/a.png", tmp_path / "out", number=7)])
    assert list(contents(tmp_path / "out")) == ["sub/a-7.png"]


@pytest.mark.parametrize("links", [True, False])
def test_one_that_was_killed_before_it_took_the_first_name_away_is_gone_on_from(
    tmp_path: Path, inbox: Path, links: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not links:
        monkeypatch.setattr(os, "link", no_links)
    file = read_file(inbox, "sub/a.png", tmp_path / "out")
    with monkeypatch.context() as patch:
        patch.setattr(taking_away, "_remove", lambda *_: None)
        take_away([file])
    assert len(contents(inbox)) == len(contents(tmp_path / "out")) == 1
    assert take_away([file]).moved == 1
    assert contents(inbox) == {}
    assert contents(tmp_path / "out") == {"sub/a.png": b"picture"}
    assert take_away([file]).moved == 0  # is gone


def test_what_is_not_what_was_read_stays(
    tmp_path: Path, inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, name = read_file(inbox, "sub/a.png", tmp_path / "out"), inbox / "sub" / "a.png"
    deleted = file._replace(folder=None)
    name.write_bytes(b"another picture")
    assert take_away([file, deleted]).failed == []
    assert contents(inbox) == {"sub/a.png": b"another picture"}
    # it is written to while it has both names, or another file takes its name
    name.write_bytes(b"picture")
    file = read_file(inbox, "sub/a.png", tmp_path / "out")
    synced = taking_away.sync_folder

    def write(folder: Path) -> None:
        synced(folder)
        with name.open("ab") as opened:
            opened.write(b" and more")

    def replace(folder: Path) -> None:
        synced(folder)
        (inbox / "new").write_bytes(b"new")
        (inbox / "new").rename(name)

    monkeypatch.setattr(taking_away, "sync_folder", write)
    assert take_away([file]).moved == 0
    assert contents(inbox) == {"sub/a.png": b"picture and more"}
    assert contents(tmp_path / "out") == {}
    file = read_file(inbox, "sub/a.png", tmp_path / "out")
    monkeypatch.setattr(taking_away, "sync_folder", replace)
    take_away([file])
    assert contents(inbox) == {"sub/a.png": b"new"}
    assert contents(tmp_path / "out") == {"sub/a.png": b"picture and more"}


def test_markers_go_along_before_the_file(tmp_path: Path, inbox: Path) -> None:
    for marker in ("a.png.done", "a.done", "b.done"):
        (inbox / "sub" / marker).touch()
    assert take_away([read_file(inbox, "sub/a.png", None)], ".done").deleted == 1
    assert list(contents(inbox)) == ["sub/b.done"]


def test_what_fails_is_named_and_the_others_go(tmp_path: Path, inbox: Path) -> None:
    (inbox / "b.png").write_bytes(b"b")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "sub").touch()
    files = [read_file(inbox, name, tmp_path / "out") for name in ("sub/a.png", "b.png")]
    done = take_away(files)
    assert done.moved == 1
    [failed] = done.failed
    assert failed.startswith(f"{inbox}/sub/a.png: ")
