"""A file is the old one or the new one, never a part."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.atomic import atomic_write, make_folder, new_folder, sha256, write_text
from tests.helpers import as_ordinary_user


@pytest.fixture
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    """Give this process another umask for the time of a test."""
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Return a list of what was synced, as it was called then; what is gone is `... (deleted)`."""
    really, paths = os.fsync, list[Path]()

    def fsync(handle: int) -> None:
        paths.append(Path(f"/proc/self/fd/{handle}").readlink())
        really(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    return paths


def test_a_file_appears_whole_with_its_folder(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "file.txt"
    with atomic_write(path) as temporary:
        temporary.write_text("content")
        assert not path.exists()
        assert (temporary.parent, temporary.suffix) == (path.parent, ".txt")
    assert path.read_text() == "content"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("umask", [0o022, 0o027, 0o077, 0o002], indirect=True)
def test_files_and_folders_are_for_those_whom_the_umask_lets(tmp_path: Path, umask: int) -> None:
    write_text(tmp_path / "new" / "file", "content")
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o777 & ~umask
    assert (tmp_path / "new" / "file").stat().st_mode & 0o777 == 0o666 & ~umask
    assert new_folder(tmp_path, ".writing-").stat().st_mode & 0o777 == 0o777 & ~umask


def test_a_file_that_is_replaced_keeps_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch(mode=0o600)
    write_text(path, "content")
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_file_and_its_name_are_on_the_disk_when_it_is_said_to_be_written(
    tmp_path: Path, synced: list[Path]
) -> None:
    path = tmp_path / "new" / "folder" / "file"
    with atomic_write(path) as temporary:
        assert synced == [path.parent.parent, tmp_path]  # where the two folders have their names
        synced.clear()
    assert synced == [temporary, path.parent]


def test_folders_that_are_there_are_not_synced_for_being_asked_for(
    tmp_path: Path, synced: list[Path]
) -> None:
    make_folder(tmp_path)
    assert synced == []


def test_a_folder_that_may_be_written_but_not_listed_is_good_enough(tmp_path: Path) -> None:
    code = "import sys, pathlib, tasks.atomic as f; f.write_text(pathlib.Path(sys.argv[1]), 'text')"
    tmp_path.chmod(0o300)
    try:
        command = as_ordinary_user(sys.executable, "-c", code, str(tmp_path / "file"))
        subprocess.run(command, check=True)
    finally:
        tmp_path.chmod(0o700)
    assert (tmp_path / "file").read_text() == "text"


def test_after_an_error_the_old_file_is_there_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError), atomic_write(path) as temporary:
        temporary.write_text("half of the n")
        raise RuntimeError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_block_that_makes_its_file_by_a_rename_counts_too(tmp_path: Path) -> None:
    with atomic_write(tmp_path / "file") as temporary:
        (tmp_path / "other").write_text("content")
        (tmp_path / "other").replace(temporary)
    assert (tmp_path / "file").read_text() == "content"


@pytest.mark.parametrize("name", ["ä" * 100 + ".json", "." * 20, os.fsdecode(b"caf\xe9.html")])
def test_any_name_that_the_disk_takes_can_be_written(tmp_path: Path, name: str) -> None:
    write_text(tmp_path / name, "content")
    assert (tmp_path / name).read_text() == "content"


def test_text_that_has_no_encoding_is_written_escaped(tmp_path: Path) -> None:
    write_text(tmp_path / "file", "ä\udce9")
    assert (tmp_path / "file").read_text("utf-8") == r"ä\udce9"


def test_a_hash_is_sha_256_in_hexadecimal(tmp_path: Path) -> None:
    content = bytes(range(256)) * 5000
    (tmp_path / "file").write_bytes(content)
    assert sha256(tmp_path / "file") == hashlib.sha256(content).hexdigest()
