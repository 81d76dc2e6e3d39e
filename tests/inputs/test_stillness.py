"""A file is whole if nothing of it changes between two looks, whatever its times say."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tasks.inputs.base import Roots
from tasks.inputs.stillness import EMPTY_S, has_marker, look, path_on_disk, still
from tasks.outcomes import Reason

OLD, FUTURE = (10**9, 10**9), (2**33, 2**33)  # seconds: 2001 and 2242


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "a.png"
    file.write_bytes(b"half")
    return file


def append(file: Path) -> None:
    times = file.stat()
    with file.open("ab") as opened:
        opened.write(b"more")
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))


def write_in_place(file: Path) -> None:
    times = file.stat()
    while file.stat().st_ctime_ns == times.st_ctime_ns:  # the kernel's clock has steps
        with file.open("r+b") as opened:  # of the size that it has had from the start
            opened.write(b"HALF")
        os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))


def replace(file: Path) -> None:
    times = file.stat()
    file.with_name("b").write_bytes(b"full")
    os.utime(file.with_name("b"), ns=(times.st_atime_ns, times.st_mtime_ns))
    file.with_name("b").rename(file)


@pytest.mark.parametrize("times", [OLD, FUTURE])
@pytest.mark.parametrize("change", [append, write_in_place, replace, os.unlink])
def test_whatever_changes_between_two_looks_is_seen(
    file: Path, change: Callable[[Path], None], times: tuple[int, int]
) -> None:
    os.utime(file, times)
    assert still([os.fsencode(file)], 1, lambda _: None) == [True]
    assert still([os.fsencode(file)], 1, lambda _: change(file)) == [False]


def test_where_files_get_their_names_when_they_are_whole_nobody_waits(file: Path) -> None:
    def sleep(_: float) -> None:
        raise AssertionError

    assert still([os.fsencode(file)], 0, sleep) == [True]


def test_an_empty_file_is_whole_when_no_clock_says_that_it_was_only_just_made(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_bytes(b"")
    at = os.fsencode(file)
    assert still([at], 1, lambda _: None) == [False]
    now = file.stat().st_ctime
    for wrong in (now + EMPTY_S + 1, now - EMPTY_S - 1):
        monkeypatch.setattr("time.time", lambda wrong=wrong: wrong)
        assert still([at], 1, lambda _: None) == [True]


def test_what_cannot_be_opened_is_still_if_it_stays_so(tmp_path: Path) -> None:
    (tmp_path / "lost").symlink_to("nowhere")
    os.mkfifo(tmp_path / "pipe")
    paths = [os.fsencode(tmp_path / name) for name in ("lost", "gone", "pipe")]
    assert [look(path).refusal for path in paths] == [Reason.VANISHED, Reason.VANISHED, None]
    assert still(paths[:2], 1, lambda _: None) == [True, True]


def test_a_marker_has_the_whole_name_or_that_without_its_ending(tmp_path: Path) -> None:
    for name in ("a.png.done", "b.done", ".done"):
        (tmp_path / name).touch()
    found = [has_marker(os.fsencode(tmp_path / name), ".done") for name in ("a.png", "b.tif", "c")]
    assert found == [True, True, False]


def test_a_member_of_an_archive_lies_in_that(file: Path) -> None:
    roots = Roots((str(file.parent), str(file), "s3://bucket/a"))
    paths = [path_on_disk(roots, path) for path in (b"0/x/y\xff.png", b"1/in/it.png", b"2/z.png")]
    assert paths == [os.fsencode(file.parent) + b"/x/y\xff.png", os.fsencode(file), None]
