"""Whatever lies in a folder is found once and read whole, or has its reason."""

import os
import pickle
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tasks.errors import InputError
from tasks.inputs import local
from tasks.inputs.local import Folder, read_file
from tasks.inputs.open import open_inputs
from tasks.inputs.path_filter import PathFilter
from tasks.outcomes import MAX_BYTES, Reason, Undecodable
from tests.helpers import reason_of

LONGEST_NAME = 255  # bytes
BYTES_NAME = b"caf\xe9\n.png"


def folder_of(path: Path, *, exclude: tuple[str, ...] = ()) -> Folder:
    return Folder(path, PathFilter(exclude=exclude))


def test_size_and_time_of_a_file_are_those_of_its_content_also_through_a_link(
    tmp_path: Path,
) -> None:
    (tmp_path / "one.png").write_bytes(b"12345")
    (tmp_path / "to-one").symlink_to("one.png")
    inputs = folder_of(tmp_path)
    for entry in inputs.entries():
        content = inputs.read(entry.path)
        assert content.data == b"12345"
        assert (
            (content.size, content.mtime_ns)
            == entry[1:]
            == (5, (tmp_path / "one.png").stat().st_mtime_ns)
        )


def test_odd_names_are_read_under_their_own_bytes(tmp_path: Path) -> None:
    names = [BYTES_NAME, b"x" * LONGEST_NAME, b" ", b"-", b"a\\b", b"new\nline"]
    for name in names:
        (tmp_path / os.fsdecode(name)).write_bytes(name)
    inputs = folder_of(tmp_path)
    assert {entry.path: inputs.read(entry.path).data for entry in inputs.entries()} == {
        name: name for name in names
    }


def test_what_is_no_readable_file_has_its_reason(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "device").symlink_to(os.devnull)
    (tmp_path / "zeros").symlink_to("/dev/zero")
    (tmp_path / "folder").symlink_to(tmp_path)
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "dangling").symlink_to("nowhere")
    with (tmp_path / "large").open("wb") as large:
        large.truncate(MAX_BYTES + 1)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.relpath(tmp_path / "socket"))
        inputs = folder_of(tmp_path)
        reasons = {entry.path.decode(): reason_of(inputs, entry.path) for entry in inputs.entries()}
    assert reasons == {
        "pipe": Reason.UNSUPPORTED_FORMAT,
        "device": Reason.UNSUPPORTED_FORMAT,
        "zeros": Reason.UNSUPPORTED_FORMAT,
        "folder": Reason.UNSUPPORTED_FORMAT,
        "loop": Reason.UNREADABLE,
        "dangling": Reason.VANISHED,
        "large": Reason.TOO_LARGE,
        "socket": Reason.UNREADABLE,
    }


def test_a_refusal_knows_size_and_time_as_the_listing_does(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with (tmp_path / "large").open("wb") as large:
        large.truncate(MAX_BYTES + 1)
    inputs = folder_of(tmp_path)
    for entry in inputs.entries():
        with pytest.raises(Undecodable) as caught:
            inputs.read(entry.path)
        assert (caught.value.size, caught.value.mtime_ns) == entry[1:]
        assert entry.mtime_ns


def test_a_file_or_its_folder_that_is_gone_has_vanished(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    for name in ("one", "sub/two", "three"):
        (tmp_path / name).touch()
    inputs = folder_of(tmp_path)
    paths = [entry.path for entry in inputs.entries()]
    (tmp_path / "one").unlink()
    (tmp_path / "sub" / "two").unlink()
    (tmp_path / "sub").rmdir()
    (tmp_path / "sub").touch()
    assert [reason_of(inputs, path) for path in paths] == [Reason.VANISHED, Reason.VANISHED, None]


def test_content_that_is_not_as_long_as_its_size_is_never_given(tmp_path: Path) -> None:
    # /proc: a size of 0 and content behind it, as of a file that grew after it was looked at
    with pytest.raises(Undecodable) as caught:
        read_file(b"/proc/self/status")
    assert caught.value.reason == Reason.CHANGED


def test_a_file_that_grows_all_the_time_is_read_whole_or_said_to_change(tmp_path: Path) -> None:
    path = tmp_path / "growing"
    path.write_bytes(bytes(2**22))
    stop = threading.Event()

    def grow() -> None:
        with path.open("ab", buffering=0) as opened:
            while not stop.is_set():
                opened.write(b"\1")

    writer = threading.Thread(target=grow)
    writer.start()
    try:
        reasons = set()
        while Reason.CHANGED not in reasons:
            try:
                content = read_file(os.fsencode(path))
            except Undecodable as trouble:
                reasons.add(trouble.reason)
            else:
                assert len(content.data) == content.size
    finally:
        stop.set()
        writer.join()
    assert reasons == {Reason.CHANGED}
    assert read_file(os.fsencode(path)).size == path.stat().st_size


def test_a_file_that_is_overwritten_all_the_time_is_never_given_half_old(tmp_path: Path) -> None:
    path, contents = tmp_path / "restless", [b"a" * 200_000, b"b" * 200_000]
    path.write_bytes(contents[0])
    overwrite = "import os, sys; file = os.open(sys.argv[1], os.O_WRONLY)\n"
    overwrite += "while True: [os.pwrite(file, each * 200_000, 0) for each in (b'a', b'b')]"
    with subprocess.Popen([sys.executable, "-c", overwrite, path]) as writer:
        try:
            until = time.monotonic() + 1
            while time.monotonic() < until:
                try:
                    assert read_file(os.fsencode(path)).data in contents
                except Undecodable as trouble:
                    assert trouble.reason == Reason.CHANGED
        finally:
            writer.kill()
    path.write_bytes(contents[1])
    assert read_file(os.fsencode(path)).data == contents[1]


def test_a_folder_that_cannot_be_listed_is_listed_itself(tmp_path: Path) -> None:
    """Its path is longer than the system opens, which stops the superuser too."""
    (tmp_path / "a").touch()
    here, name = os.open(tmp_path, os.O_RDONLY), "d" * LONGEST_NAME
    for _ in range(17):
        os.mkdir(name, dir_fd=here)
        below = os.open(name, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(os.open("unreachable", os.O_CREAT, dir_fd=here))
    os.close(here)
    inputs = folder_of(tmp_path)
    first, folder = inputs.entries()
    assert first.path == b"a"
    assert set(folder.path) == set(b"d/")
    assert folder[1:] == (None, None)
    assert reason_of(inputs, folder.path) == Reason.UNREADABLE


def test_what_may_not_be_read_is_listed_and_refused(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "inside").touch()
    (tmp_path / "file").touch()
    for name in ("folder", "file"):
        (tmp_path / name).chmod(0)
    if os.access(tmp_path / "file", os.R_OK):
        pytest.skip("nothing is forbidden to the superuser")
    inputs = folder_of(tmp_path)
    try:
        paths = [entry.path for entry in inputs.entries()]
        assert paths == [b"file", b"folder"]
        assert {reason_of(inputs, path) for path in paths} == {Reason.PERMISSION_DENIED}
        with pytest.raises(InputError, match="cannot be listed: Permission denied"):
            folder_of(tmp_path / "folder")
    finally:
        (tmp_path / "folder").chmod(0o700)


def test_excluded_folders_are_not_entered_and_nothing_of_them_is_found(tmp_path: Path) -> None:
    for name in ("a/1.png", "thumbs/2.png", "b/thumbs/3.png", "b/4.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    inputs = folder_of(tmp_path, exclude=("thumbs",))
    assert [entry.path for entry in inputs.entries()] == [b"a/1.png", b"b/4.png"]


def test_more_names_than_are_sorted_together_are_each_found_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "SORTED_TOGETHER", 7)
    expected = [f"{number:02}" for number in range(50)] + ["d/" + "x" * n for n in range(1, 20)]
    (tmp_path / "d").mkdir()
    for name in expected:
        (tmp_path / name).touch()
    paths = [entry.path.decode() for entry in folder_of(tmp_path).entries()]
    assert sorted(paths) == sorted(expected)
    assert paths[:7] == sorted(paths[:7])


def test_inputs_travel_to_another_process(tmp_path: Path) -> None:
    (tmp_path / "one.png").write_bytes(b"1")
    inputs = pickle.loads(pickle.dumps(open_inputs(str(tmp_path))))  # noqa: S301 - our own
    assert [inputs.read(entry.path).data for entry in inputs.entries()] == [b"1"]


def test_each_file_or_its_trouble_comes_in_order(tmp_path: Path) -> None:
    (tmp_path / "one.png").write_bytes(b"1")
    first, second = folder_of(tmp_path).read_each([b"missing", b"one.png"])
    assert isinstance(first, Undecodable)
    assert first.reason == Reason.VANISHED
    assert not isinstance(second, Undecodable)
    assert second.data == b"1"
