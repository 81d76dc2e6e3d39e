"""Each path of a list is an input once, however the list is written."""

import os
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tasks.errors import InputError
from tasks.inputs import list_file
from tasks.inputs.list_file import ListFile
from tasks.inputs.open import open_inputs
from tasks.inputs.path_filter import PathFilter
from tasks.outcomes import Reason
from tests.helpers import reason_of

NAMES = st.binary(min_size=1, max_size=12).filter(
    lambda name: not set(name) & set(b"/\0\r") and name != b"." and not name.startswith(b"\xef")
)


def paths_of(file: Path) -> list[bytes]:
    return [entry.path for entry in ListFile(file, PathFilter()).entries()]


def write(folder: Path, content: bytes) -> Path:
    file = folder / "files.txt"
    file.write_bytes(content)
    return file


@settings(deadline=None)
@given(names=st.lists(NAMES, max_size=20), null=st.booleans(), windows=st.booleans())
@example(names=[b"a\xff.png", b"a\xff.png", b"\n"], null=True, windows=False)
def test_every_name_comes_once_in_the_order_of_the_list(
    tmp_path_factory: pytest.TempPathFactory, names: list[bytes], null: bool, windows: bool
) -> None:
    if not null:
        names = [name for name in names if b"\n" not in name]
    end = b"\0" if null else b"\r\n" if windows else b"\n"
    if end + (names[0] if names else b"")[:1] in (b"\xff", b"\xfe"):
        return
    content = end + end.join(names)  # an empty first line, and no end of the last
    file = write(tmp_path_factory.getbasetemp(), content)
    assert paths_of(file) == list(dict.fromkeys(names))


def test_one_file_by_several_spellings_is_one_input(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.png").write_bytes(b"a")
    spellings = ["sub/a.png", "./sub/a.png", "sub//a.png", "sub/./a.png", f"{tmp_path}/sub/a.png"]
    file = write(tmp_path, "\n".join(spellings).encode())
    inputs = ListFile(file, PathFilter())
    [entry] = inputs.entries()
    assert entry[:2] == (b"sub/a.png", 1)
    assert inputs.read(entry.path).data == b"a"
    assert inputs.root == str(tmp_path)


def test_what_does_not_exist_or_is_no_file_is_listed_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "there").write_bytes(b"1")
    (tmp_path / "folder").mkdir()
    other = tmp_path / "elsewhere"
    other.mkdir()
    file = write(other, f"gone.png\n../there\n{tmp_path}/there\n{tmp_path}/folder/\n".encode())
    inputs = ListFile(file, PathFilter())
    assert {entry.path: reason_of(inputs, entry.path) for entry in inputs.entries()} == {
        b"gone.png": Reason.VANISHED,
        b"../there": None,
        os.fsencode(tmp_path) + b"/there": None,
        os.fsencode(tmp_path) + b"/folder": Reason.UNSUPPORTED_FORMAT,
    }


def test_a_list_longer_than_one_block_is_read_on_across_its_edge(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(list_file, "BLOCK", 7)
    names = [b"%d.png" % number for number in range(100)]
    assert paths_of(write(tmp_path, b"\xef\xbb\xbf" + b"\n".join(names * 2))) == names


def test_what_is_no_list_is_an_error_and_not_one_long_name(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is no list: it has a line of more than 32,768 bytes"):
        paths_of(write(tmp_path, b"x" * 40_000))
    with pytest.raises(InputError, match="UTF-16: save the list as UTF-8"):
        paths_of(write(tmp_path, "a.png".encode("utf-16")))


def test_patterns_apply_to_a_list(tmp_path: Path) -> None:
    file = write(tmp_path, b"a.png\nb.txt\nsub/c.png\n")
    inputs = open_inputs(f"@{file}", ["*.png"], ["sub/"])
    assert [entry.path for entry in inputs.entries()] == [b"a.png"]
