"""A file is the old one or the new one, never a part."""

import hashlib
import os
from pathlib import Path

import pytest

from tasks.files import sha256, whole_file, write_text


def test_a_file_appears_whole_with_its_folder_and_can_be_read_by_all(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "file.txt"
    with whole_file(path) as temporary:
        temporary.write_text("content")
        assert not path.exists()
        assert (temporary.parent, temporary.suffix) == (path.parent, ".txt")
    assert path.read_text() == "content"
    assert path.stat().st_mode & 0o777 == 0o644
    assert list(path.parent.iterdir()) == [path]


def test_after_an_error_the_old_file_is_there_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError), whole_file(path) as temporary:
        temporary.write_text("half of the n")
        raise RuntimeError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_block_that_makes_its_file_by_a_rename_counts_too(tmp_path: Path) -> None:
    with whole_file(tmp_path / "file") as temporary:
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
