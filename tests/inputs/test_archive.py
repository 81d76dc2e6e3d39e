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

from tasks.archives import unpacking
from tasks.archives.member import Members
from tasks.archives.tar_format import TarMembers
from tasks.archives.unpacking import RATIO, allowance
from tasks.archives.zip_directory import END
from tasks.archives.zip_format import ZipMembers
from tasks.errors import InputError
from tasks.inputs.archive import Archive, clean
from tasks.inputs.base import Content, Inputs
from tasks.inputs.open import open_inputs
from tasks.outcomes import Reason, Undecodable
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


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(("kind", "opener"), [("zip", ZipMembers), ("tar.gz", TarMembers)])
def test_a_name_that_all_members_have_is_looked_for_once_for_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, opener: type[Members]
) -> None:
    files = [("same.png", b"%d" % number) for number in range(200)]
    inputs = open_inputs(str(archive_of(tmp_path, kind, files)))
    looked, at = [], opener.at
    monkeypatch.setattr(opener, "at", lambda self, place: looked.append(place) or at(self, place))
    assert list(contents(inputs).values()) == [content for _, content in files]
    assert looked == sorted(looked)  # so that a compressed archive is unpacked once
    assert len(looked) == len(files)


def test_members_together_unpack_to_no_more_than_an_archive_may(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unpacking, "MAX_BYTES", 2**20)
    bombs = [(f"{number}.bomb", bytes(700_000)) for number in range(9)]
    file = zip_of(tmp_path / "z", [("first", b"a"), *bombs, ("last", b"z" * 1000)])
    assert RATIO * file.stat().st_size < 3 * 700_000
    inputs = open_inputs(str(file))
    for opened in (inputs, pickle.loads(pickle.dumps(inputs))):  # noqa: S301 - our own
        reasons = {entry.path.decode(): reason_of(opened, entry.path) for entry in inputs.entries()}
        read = [path for path, reason in reasons.items() if reason is None]
        assert read == ["first", "0.bomb", "1.bomb", "last"]
        assert {reasons[path] for path in reasons.keys() - set(read)} == {Reason.TOO_LARGE}
    with pytest.raises(Undecodable, match=f"the archive unpacks to more than .* {RATIO} times"):
        inputs.read(b"5.bomb")


def test_many_names_for_one_content_are_a_row_each_at_the_cost_of_a_few(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All records of the directory lead to one member: 46 bytes ask for as many as it holds."""
    monkeypatch.setattr(unpacking, "MAX_BYTES", 2**20)
    content = zip_of(tmp_path / "z", [("000.png", bytes(600_000))]).read_bytes()
    start = content.index(b"PK\1\2")
    record, end = content[start : -END.size], list(END.unpack(content[-END.size :]))
    records = [record.replace(b"000", b"%03d" % number) for number in range(500)]
    end[3:6] = len(records), len(records), len(b"".join(records))
    (tmp_path / "z").write_bytes(content[:start] + b"".join(records) + END.pack(*end))
    inputs = open_inputs(str(tmp_path / "z"))
    reasons = [reason_of(inputs, entry.path) for entry in inputs.entries()]
    allowed = allowance((tmp_path / "z").stat().st_size) // 600_000
    assert reasons == [None] * allowed + [Reason.TOO_LARGE] * (500 - allowed)


def test_a_disk_that_fails_is_a_reason_and_no_end_of_the_run(tmp_path: Path) -> None:
    inputs = open_inputs(str(archive_of(tmp_path, "zip", [("a.png", b"a" * 9999)])))
    [entry] = inputs.entries()
    assert isinstance(inputs, Archive)
    assert inputs._opened is not None
    assert isinstance(inputs._opened.members, ZipMembers)
    inputs._opened.members._file.close()  # the system refuses the next request
    assert reason_of(inputs, entry.path) == Reason.STORAGE_ERROR


@pytest.mark.parametrize("kind", KINDS)
def test_patterns_apply_to_members(tmp_path: Path, kind: str) -> None:
    file = archive_of(tmp_path, kind, [(name, b"") for name in ("a.png", "b.txt", "thumbs/c.png")])
    inputs = open_inputs(str(file), ["*.png"], ["thumbs/"])
    assert list(contents(inputs)) == ["a.png"]


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_an_archive_without_members_has_no_entries(tmp_path: Path, kind: str) -> None:
    file = archive_of(tmp_path, kind, [])
    assert len(list(open_inputs(str(file), exclude=["archive"]).entries())) == 0
