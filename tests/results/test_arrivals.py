"""Names that are used again: which picture a file is, by the rows of those before it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.inputs.base import Entry, Inputs
from tasks.inputs.listing import discover, entries_of
from tasks.outcomes import DELETED
from tasks.results.arrivals import with_arrivals
from tests.results.test_table import read_row, store

SIZE, TIME = 100, 1_700_000_000_123_456_789  # of a row of `read_row`


class Files(Inputs):
    """Files with these names, sizes and times."""

    root = "/pictures"

    def __init__(self, *files: tuple[bytes, int, int]) -> None:
        """Keep them."""
        self._files = files

    def entries(self) -> Iterator[Entry]:
        """Yield them."""
        yield from (Entry(*each) for each in self._files)


def named(tmp_path: Path, *files: tuple[bytes, int, int]) -> list[bytes]:
    """Return what files are called beside the table of this folder."""
    listing = discover(Files(*files), tmp_path / "listing.parquet")
    found = with_arrivals(listing, str(tmp_path / "results"))
    assert found.count == len(files)
    return [entry.path for entry in entries_of(found.file, 0, found.count)]


def test_a_name_is_another_picture_once_the_one_before_was_taken_away(tmp_path: Path) -> None:
    table = str(tmp_path / "results")
    changed = (b"a.png", SIZE + 1, TIME)
    assert named(tmp_path, changed) == [b"a.png"]  # without a table
    store(table, read_row("a.png"))
    assert named(tmp_path, changed) == [b"a.png"]  # it was left where it was
    store(table, read_row("a.png", "run-2", original="/read"))
    assert named(tmp_path, changed, (b"b.png", 1, 1)) == [b"a.png//2", b"b.png"]
    assert named(tmp_path, (b"a.png", SIZE, TIME)) == [b"a.png"]  # is the one that was read
    store(table, read_row("a.png//2", "run-3", size=SIZE + 1))
    assert named(tmp_path, changed) == [b"a.png//2"]  # still lies there
    assert named(tmp_path, (b"a.png", SIZE + 2, TIME)) == [b"a.png//2"]  # and has changed
    store(table, read_row("a.png//2", "run-4", size=SIZE + 2, original=DELETED))
    assert named(tmp_path, changed) == [b"a.png//3"]
    assert named(tmp_path, (b"a.png", SIZE + 2, TIME)) == [b"a.png//2"]
    assert named(tmp_path, (b"a.png", SIZE, TIME)) == [b"a.png"]


@pytest.mark.parametrize("name", [b"odd\xff\\x.png", b"a//2", "zwei\u0308.png".encode()])
def test_odd_names_are_found_again(tmp_path: Path, name: bytes) -> None:
    from tasks.inputs.base import printable

    store(str(tmp_path / "results"), read_row(printable(name), original="/read"))
    if name == b"a//2":  # as no file is called
        assert named(tmp_path, (b"a", 1, 1)) == [b"a//3"]
    else:
        assert named(tmp_path, (name, 1, 1)) == [name + b"//2"]


def test_another_root_has_names_of_its_own(tmp_path: Path) -> None:
    store(str(tmp_path / "results"), read_row("a.png", root="/elsewhere", original="/read"))
    assert named(tmp_path, (b"a.png", 1, 1)) == [b"a.png"]
