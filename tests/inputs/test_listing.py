"""Everything in a folder is found, once, in order, whatever it is called."""

import os
import subprocess
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.errors import InputError
from tasks.inference.decision import Thresholds
from tasks.inference.rows import Page, rows_of
from tasks.inference.session import Answers
from tasks.inputs.base import Entry, Inputs, Roots
from tasks.inputs.listing import (
    MOST_SHARDS,
    ROW_GROUP,
    USUAL_BYTES,
    USUAL_FILES,
    Listing,
    discover,
    entries_of,
    shards,
)
from tasks.inputs.open import open_inputs
from tasks.outcomes import MAX_BYTES, Reason, Undecodable


def found(folder: Path) -> list[bytes]:
    """Return the paths that are found below a folder."""
    file = folder.parent / "listing.parquet"
    listing = discover(open_inputs(str(folder)), file)
    paths = [entry.path for entry in entries_of(file, 0, listing.count)]
    assert len(paths) == listing.count
    return paths


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return an empty folder."""
    made = tmp_path / "pictures"
    made.mkdir()
    return made


def test_files_of_every_depth_are_found_in_order_and_empty_folders_are_not(folder: Path) -> None:
    for name in ("b/2.png", "b/1", "b/c/.hidden", "a.txt", "z"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    (folder / "empty").mkdir()
    assert found(folder) == [b"a.txt", b"b/1", b"b/2.png", b"b/c/.hidden", b"z"]


def test_links_pipes_and_names_without_encoding_are_listed_once(folder: Path) -> None:
    (folder / "sub").mkdir()
    (folder / "sub" / "one.png").touch()
    (folder / "loop").symlink_to(folder)
    (folder / "sub" / "up").symlink_to("..")
    (folder / "dangling").symlink_to("nowhere")
    os.mkfifo(folder / "pipe")
    (folder / os.fsdecode(b"caf\xe9\n.png")).touch()
    names = [b"caf\xe9\n.png", b"dangling", b"loop", b"pipe", b"sub/one.png", b"sub/up"]
    assert found(folder) == names


def test_folders_deeper_than_pythons_stack_are_walked(folder: Path) -> None:
    depth = 1500
    here = os.open(folder, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(os.open("deep.png", os.O_CREAT, dir_fd=here))
    os.close(here)
    try:
        assert found(folder) == [b"d/" * depth + b"deep.png"]
    finally:  # pytest removes folders by recursion, which ends far above this depth
        subprocess.run(["rm", "-r", folder / "d"], check=True)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing", "missing does not exist: give a folder"),
        ("empty", "empty has no files in it: give a folder"),
    ],
)
def test_nothing_there_or_nothing_in_it_is_an_error_and_leaves_no_listing(
    tmp_path: Path, name: str, message: str
) -> None:
    (tmp_path / "empty" / "nested").mkdir(parents=True)
    with pytest.raises(InputError, match=message):
        discover(open_inputs(str(tmp_path / name)), tmp_path / "listing.parquet")
    assert not (tmp_path / "listing.parquet").exists()


def test_an_empty_folder_may_be_allowed_and_has_no_shards(folder: Path, tmp_path: Path) -> None:
    listing = discover(open_inputs(str(folder)), tmp_path / "listing.parquet", allow_empty=True)
    assert listing.count == 0
    assert shards(listing) == []


@given(st.integers(0, 5_000_000), st.integers(1, 200))
def test_shards_cover_a_listing_without_gap_or_overlap(count: int, workers: int) -> None:
    cut = shards(Listing("root", Path("file"), count), workers)
    edges = [shard.start for shard in cut] + [count]
    assert edges[0] == 0
    assert [shard.stop for shard in cut] == edges[1:]
    assert [shard.number for shard in cut] == list(range(len(cut)))
    assert len(cut) <= MOST_SHARDS
    if workers * USUAL_FILES <= count <= MOST_SHARDS * USUAL_FILES / 2:
        size = cut[0].stop
        assert USUAL_FILES / 2 <= size <= USUAL_FILES * 2
        assert size * (len(cut) - 1) < count
    assert all(shard.stop > shard.start for shard in cut)


def test_shards_of_large_files_have_fewer_of_them() -> None:
    photos = Listing("root", Path("file"), count=1_000, size=8 * USUAL_BYTES)
    assert [shard.stop for shard in shards(photos, workers=2)] == list(range(125, 1_001, 125))


@given(start=st.integers(0, 12), length=st.integers(0, 12))
def test_a_range_of_a_listing_is_that_slice(
    tmp_path_factory: pytest.TempPathFactory, start: int, length: int
) -> None:
    base = tmp_path_factory.getbasetemp() / "range"
    names = [f"{number:02}" for number in range(10)]
    if not base.exists():
        (base / "in").mkdir(parents=True)
        for name in names:
            (base / "in" / name).touch()
        discover(open_inputs(str(base / "in")), base / "listing.parquet")
    entries = entries_of(base / "listing.parquet", start, start + length)
    assert [entry.path.decode() for entry in entries] == names[start : start + length]


def test_size_and_time_are_listed_and_a_range_of_entries_is_that_slice(folder: Path) -> None:
    (folder / "a").write_bytes(b"123")
    (folder / "b").symlink_to("nowhere")
    (folder / "c").touch()
    file = folder.parent / "listing.parquet"
    inputs = open_inputs(str(folder))
    listing = discover(inputs, file)
    assert listing == Listing(str(folder), file, 3, 3)
    time = (folder / "a").stat().st_mtime_ns
    assert entries_of(file, 0, 2) == [Entry(b"a", 3, time), Entry(b"b", None, None)]
    assert entries_of(file, 0, 9) == list(inputs.entries())
    assert entries_of(file, 2, 3) == list(inputs.entries())[2:]


class Endless(Inputs):
    """As many entries as a test wants, made one by one."""

    root = "nowhere"

    def __init__(self, count: int) -> None:
        """Keep how many."""
        self.count = count

    def entries(self) -> Iterator[Entry]:
        return (Entry(b"%0100d" % number, number, number) for number in range(self.count))


def test_the_memory_for_a_listing_does_not_grow_with_it(tmp_path: Path) -> None:
    peaks = []
    for groups in (2, 16):
        tracemalloc.start()
        listing = discover(Endless(groups * ROW_GROUP), tmp_path / "listing.parquet")
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        last = listing.count - 1
        assert entries_of(listing.file, last, listing.count) == [
            Entry(b"%0100d" % last, last, last)
        ]
    assert peaks[1] < 1.1 * peaks[0]


class Odd(Inputs):
    """Entries whose sizes and times some header or store has made up."""

    root = "nowhere"

    def __init__(self, *numbers: int | None) -> None:
        """Keep the numbers, each the size and time of one entry."""
        self.numbers = numbers

    def entries(self) -> Iterator[Entry]:
        return (Entry(b"%d" % at, number, number) for at, number in enumerate(self.numbers))


NUMBERS = st.none() | st.integers() | st.sampled_from([2**63 - 1, 2**63, -(2**63) - 1, 2**64, 0])


@settings(deadline=None)
@given(numbers=st.lists(NUMBERS, min_size=1, max_size=9))
def test_numbers_that_no_column_holds_are_the_nearest_that_fit_in_listing_and_row_alike(
    tmp_path_factory: pytest.TempPathFactory, numbers: list[int | None]
) -> None:
    listing = discover(Odd(*numbers), tmp_path_factory.getbasetemp() / "odd.parquet")
    entries = entries_of(listing.file, 0, listing.count)
    fitting = [None if n is None else min(max(n, -(2**63)), 2**63 - 1) for n in numbers]
    assert [(entry.size, entry.mtime_ns) for entry in entries] == [(n, n) for n in fitting]
    trouble = Undecodable(Reason.UNREADABLE, "made up")
    pages = [Page(b"%d" % at, 0, n, n, error=trouble) for at, n in enumerate(numbers)]
    same = {"model_version": "", "canonical_version": "", "run_id": "", "instead_of": None}
    none = Answers(np.empty((0, 10), np.float32), None)
    same |= {"read_at": datetime.now(UTC)}
    rows = rows_of(pages, none, Thresholds(0.5), Roots(("/in",)), same).to_pylist()
    assert [(row["size"], row["mtime_ns"]) for row in rows] == [(n, n) for n in fitting]


@settings(deadline=None)
@given(numbers=st.lists(NUMBERS, min_size=1, max_size=9))
def test_the_bytes_to_read_are_at_most_the_limit_for_each_file(
    tmp_path_factory: pytest.TempPathFactory, numbers: list[int | None]
) -> None:
    listing = discover(Odd(*numbers), tmp_path_factory.getbasetemp() / "odd.parquet")
    assert listing.size == sum(min(max(n or 0, 0), MAX_BYTES) for n in numbers)
    assert sum(shard.stop - shard.start for shard in shards(listing)) == len(numbers)
