"""Each member of an archive is an input once, whatever it is called and whatever it is."""

import io
import os
import pickle
import tarfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.archives import clean
from tasks.errors import InputError
from tasks.inputs import Content, Inputs, open_inputs
from tasks.reasons import Reason
from tests.helpers import reason_of

Files = list[tuple[str, bytes]]
KINDS = ["zip", "tar", "tar.gz", "tar.bz2", "tar.xz"]
LONG = "x" * 255 + "/" + "é" * 120 + ".png"


def zip_of(file: Path, files: Files, packing: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(file, "w", packing) as archive:
        for name, content in files:
            archive.writestr(name, content)
    return file


def tar_of(file: Path, files: Files, compression: str = "") -> Path:
    with tarfile.open(file, f"w:{compression}") as archive:
        for name, content in files:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return file


def archive_of(folder: Path, kind: str, files: Files) -> Path:
    """Write an archive; its name does not tell what it is."""
    file = folder / "archive"
    return (
        zip_of(file, files)
        if kind == "zip"
        else tar_of(file, files, kind.removeprefix("tar.").removeprefix("tar"))
    )


def contents(inputs: Inputs) -> dict[str, bytes]:
    entries = list(inputs.entries())
    read = {entry.path.decode(): inputs.read(entry.path) for entry in entries}
    assert len(read) == len(entries)
    assert [entry[1:] for entry in entries] == [(c.size, c.mtime_ns) for c in read.values()]
    return {path: content.data for path, content in read.items()}


@pytest.mark.parametrize("kind", KINDS)
def test_the_members_are_read_in_place_with_the_time_of_the_archive(
    tmp_path: Path, kind: str
) -> None:
    files = [(f"digits/{n}/{n}.png", os.urandom(n * 1000)) for n in range(10)]
    files += [(LONG, b"long"), ("new\nline", b"n"), ("empty", b"")]
    file = archive_of(tmp_path, kind, files)
    inputs = open_inputs(str(file))
    assert inputs.root == str(file)
    assert contents(inputs) == dict(files)
    assert {entry.mtime_ns for entry in inputs.entries()} == {file.stat().st_mtime_ns}
    assert os.listdir(tmp_path) == ["archive"]  # noqa: PTH208 - nothing was unpacked


@pytest.mark.parametrize("kind", KINDS)
def test_members_are_read_in_any_order_and_in_other_processes(tmp_path: Path, kind: str) -> None:
    files = [(f"{n}.png", bytes([n]) * 5000) for n in range(20)]
    inputs = pickle.loads(pickle.dumps(open_inputs(str(archive_of(tmp_path, kind, files)))))  # noqa: S301
    for name, content in reversed(files):
        assert inputs.read(name.encode()).data == content
    assert reason_of(inputs, b"missing.png") == Reason.VANISHED


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_names_that_come_again_or_lead_elsewhere_are_numbered_and_stay_inside(
    tmp_path: Path, kind: str
) -> None:
    names = ["a.png", "b.png", "a.png", "./a.png", "/a.png", "../../b.png", "c//d/../e", "a.png"]
    inputs = open_inputs(
        str(archive_of(tmp_path, kind, [(n, bytes([i])) for i, n in enumerate(names)]))
    )
    assert contents(inputs) == {
        "a.png": b"\0",
        "b.png": b"\1",
        "a.png//2": b"\2",
        "a.png//3": b"\3",
        "a.png//4": b"\4",
        "b.png//2": b"\5",
        "c/d/e": b"\6",
        "a.png//5": b"\7",
    }
    assert reason_of(inputs, b"a.png//6") == Reason.VANISHED
    assert reason_of(inputs, b"a.png//x") == Reason.VANISHED


@given(st.binary(max_size=20))
def test_a_clean_name_is_relative_and_stays_so(name: bytes) -> None:
    cleaned = clean(name)
    assert clean(cleaned) == cleaned
    assert cleaned == b"." or not {b"", b".", b".."} & set(cleaned.split(b"/"))


@pytest.mark.parametrize("kind", KINDS)
def test_an_archive_that_changes_after_it_was_listed_is_not_read(tmp_path: Path, kind: str) -> None:
    file = archive_of(tmp_path, kind, [("a.png", b"before")])
    here = open_inputs(str(file))
    [entry] = here.entries()
    elsewhere = pickle.loads(pickle.dumps(here))  # noqa: S301 - our own
    archive_of(tmp_path, kind, [("b.png", b"x" * 99), ("a.png", b"after")])
    assert reason_of(here, entry.path) == reason_of(elsewhere, entry.path) == Reason.CHANGED
    file.unlink()
    assert reason_of(here, entry.path) in {Reason.CHANGED, Reason.VANISHED}
    late = pickle.loads(pickle.dumps(here))  # noqa: S301 - our own
    assert reason_of(late, entry.path) == Reason.VANISHED


@pytest.mark.parametrize("kind", KINDS)
@settings(deadline=None)
@given(data=st.data())
def test_an_archive_that_is_cut_or_damaged_is_an_error_or_has_a_row_for_each_member(
    tmp_path_factory: pytest.TempPathFactory, kind: str, data: st.DataObject
) -> None:
    folder = tmp_path_factory.getbasetemp()
    files = [(f"{n}.png", bytes([n]) * 700) for n in range(4)]
    file = archive_of(folder, kind, files)
    content = bytearray(file.read_bytes())
    if data.draw(st.booleans()):
        content = content[: data.draw(st.integers(1, len(content)))]
    else:
        content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    file.write_bytes(content)
    try:
        inputs = open_inputs(str(file))
    except InputError as error:
        assert str(file) in str(error)
        return
    paths = [entry.path for entry in inputs.entries()]
    assert len(set(paths)) == len(paths) > 0
    read = [each for each in inputs.read_each(paths) if isinstance(each, Content)]
    if kind != "tar":  # which alone has no checksum of what it holds
        assert {each.data for each in read} <= {whole for _, whole in files} | {bytes(content)}


@pytest.mark.parametrize("kind", KINDS)
def test_patterns_apply_to_members(tmp_path: Path, kind: str) -> None:
    file = archive_of(tmp_path, kind, [(name, b"") for name in ("a.png", "b.txt", "thumbs/c.png")])
    inputs = open_inputs(str(file), ["*.png"], ["thumbs/"])
    assert list(contents(inputs)) == ["a.png"]


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_an_archive_without_members_has_no_entries(tmp_path: Path, kind: str) -> None:
    file = archive_of(tmp_path, kind, [])
    assert len(list(open_inputs(str(file), exclude=["archive"]).entries())) == 0
