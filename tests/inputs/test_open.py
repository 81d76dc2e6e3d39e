"""What the user names is recognised, or the error says what was found and what to do."""

import os
import tarfile
import zipfile
from pathlib import Path

import pytest

from tasks.errors import InputError
from tasks.inputs.open import open_inputs


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with inputs of each kind; each holds one picture."""
    made = tmp_path / "in"
    (made / "scans").mkdir(parents=True)
    (made / "scans" / "one.png").write_bytes(b"one")
    (made / "scans" / "two.jpg").write_bytes(b"two")
    (made / "list.txt").write_text("scans/one.png\n")
    (made / "list.of.files").write_text("scans/one.png\n")
    with zipfile.ZipFile(made / "archive.png", "w") as archive:  # its content counts
        archive.writestr("one.png", b"one")
    with tarfile.open(made / "archive.tgz", "w:gz") as tar:
        tar.add(made / "scans" / "one.png", "one.png")
    return made


@pytest.mark.parametrize(
    ("given", "root", "path"),
    [
        ("scans/*.png", "scans", b"one.png"),
        ("*/o*", "", b"scans/one.png"),
        ("**/[!t]*.png", "", b"scans/one.png"),
        ("scans/one.png", "scans", b"one.png"),
        ("list.txt", "", b"scans/one.png"),
        ("@list.of.files", "", b"scans/one.png"),
        ("archive.png", "archive.png", b"one.png"),
        ("archive.tgz", "archive.tgz", b"one.png"),
    ],
)
def test_each_kind_is_recognised_and_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch, given: str, root: str, path: bytes
) -> None:
    monkeypatch.chdir(folder)
    inputs = open_inputs(given, exclude=["archive*"])
    assert inputs.root == str(folder / root)
    [entry] = inputs.entries()
    assert entry[:2] == (path, 3)
    content = inputs.read(path)
    assert (content.data, content.size, content.mtime_ns) == (b"one", 3, entry.mtime_ns)


def test_a_file_url_is_the_folder(folder: Path) -> None:
    inputs = open_inputs(f"file://{folder}/scans", include=["*.jpg"])
    assert [entry.path for entry in inputs.entries()] == [b"two.jpg"]
    assert inputs.root == f"{folder}/scans"


def test_a_name_with_wildcards_that_exists_is_taken_as_it_is(folder: Path) -> None:
    (folder / "scan[1]").mkdir()
    (folder / "scan[1]" / "x").touch()
    assert [entry.path for entry in open_inputs(f"{folder}/scan[1]").entries()] == [b"x"]


def test_a_root_whose_name_has_no_encoding_is_printed_in_escapes(tmp_path: Path) -> None:
    odd = tmp_path / os.fsdecode(b"caf\xe9")
    odd.mkdir()
    (odd / "a").write_bytes(b"1")
    inputs = open_inputs(str(odd))
    assert inputs.root == rf"{tmp_path}/caf\xe9"
    assert inputs.read(b"a").data == b"1"


def test_a_loop_of_links_ends_no_glob(folder: Path) -> None:
    (folder / "scans" / "loop").symlink_to(folder)
    paths = [entry.path for entry in open_inputs(f"{folder}/**/one.png").entries()]
    assert paths == [b"scans/one.png"]


def test_a_glob_goes_only_where_it_may_find_something(folder: Path) -> None:
    (folder / "private" / "deep").mkdir(parents=True)
    (folder / "private" / "deep" / "one.png").touch()
    assert [entry.path for entry in open_inputs(f"{folder}/s*/*.png").entries()] == [
        b"scans/one.png"
    ]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("", "no input was named"),
        ("missing", "in/missing does not exist: give a folder of pictures, a glob in quotes"),
        ("missing/*.png", "in/missing does not exist"),
        ("scans/one.png/*", "in/scans/one.png is a file, not a folder"),
        ("@missing.txt", "in/missing.txt does not exist"),
        ("@scans", "in/scans is no file: give a list with one path a line"),
        ("scans/one.png/x", "in/scans/one.png/x cannot be opened: Not a directory"),
        ("pipe", "in/pipe is a pipe or a device"),
        ("nobody://knows/this", "nobody://knows/this cannot be opened: Protocol not known"),
        ("nul\0byte", "in/nul\\x00byte cannot be opened: embedded null byte"),
        ("~nobody-has-this-name/x", "the home folder that ~ stands for is not known"),
        ("[z-a].png", "the pattern '[z-a].png' cannot be used"),
    ],
)
def test_what_cannot_be_opened_is_an_error_that_says_why(
    folder: Path, monkeypatch: pytest.MonkeyPatch, given: str, message: str
) -> None:
    monkeypatch.chdir(folder)
    os.mkfifo("pipe")
    with pytest.raises(InputError) as caught:
        open_inputs(given)
    assert message in str(caught.value)
