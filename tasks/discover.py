"""A folder into a listing on disk of everything in it, and the listing into shards."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tasks.errors import InputError
from tasks.files import whole_file
from tasks.inputs import Entry, Inputs

USUAL_SHARD = 4_096  # files; a commit and a task run each, so not too many
MOST_SHARDS = 64  # of one run, however many files
ROW_GROUP = 4_096  # paths that are read from a listing together
LISTING_SCHEMA = pa.schema(
    [("path", pa.binary()), ("size", pa.int64()), ("mtime_ns", pa.int64())]
)  # relative; names need not be UTF-8


@dataclass(frozen=True)
class Listing:
    """Every file below a folder, in order, as a Parquet file of relative paths."""

    root: str
    file: Path
    count: int


@dataclass(frozen=True)
class Shard:
    """A stretch of a listing: the unit of reading, of a commit and of a retry."""

    number: int
    start: int
    stop: int


def discover(inputs: Inputs, file: Path, *, allow_empty: bool = False) -> Listing:
    """Write the listing of everything below a folder that is not a folder itself.

    Links to folders are listed and not followed, so that no file is found twice and no loop ends
    the run. A folder that may not be read is listed under its own name.

    Raises:
        InputError: the folder does not exist, is no folder, or has no files.
    """
    root = inputs.root
    paths = list(inputs.entries())
    if not paths and not allow_empty:
        raise InputError(f"{root} has no files in it: give a folder of pictures")
    with whole_file(file) as temporary:
        listed = pa.table(
            dict(zip(("path", "size", "mtime_ns"), zip(*paths, strict=True), strict=True)),
            LISTING_SCHEMA,
        )
        pq.write_table(listed, temporary, row_group_size=ROW_GROUP)
    return Listing(root, file, len(paths))


def existing_folder(folder: Path) -> Path:
    """Return the absolute path of a folder.

    Raises:
        InputError: it does not exist, or is no folder.
    """
    root = folder.expanduser().absolute()
    if not root.is_dir():
        what = "is a file, not a folder" if root.exists() else "does not exist"
        raise InputError(f"{root} {what}: give a folder of pictures")
    return root


def shards(listing: Listing, workers: int = 1) -> list[Shard]:
    """Return the listing cut into stretches of equal size: few, and as many for each worker."""
    rounds = max(1, round(listing.count / USUAL_SHARD / workers))
    count = min(MOST_SHARDS, rounds * workers)
    size = max(1, -(-listing.count // count))
    starts = range(0, listing.count, size)
    return [Shard(i, start, min(start + size, listing.count)) for i, start in enumerate(starts)]


def entries_of(file: Path, start: int, stop: int) -> list[Entry]:
    """Return a stretch of a listing."""
    first, stop_group = start // ROW_GROUP, -(-stop // ROW_GROUP)
    with pq.ParquetFile(file, memory_map=True) as listing:
        groups = range(first, min(stop_group, listing.num_row_groups))
        table = listing.read_row_groups(groups).slice(start - first * ROW_GROUP, stop - start)
    return list(map(Entry, *(table[n].to_pylist() for n in ("path", "size", "mtime_ns"))))


def paths_of(file: Path, start: int, stop: int) -> list[bytes]:
    """Return the relative paths of a stretch of a listing."""
    first, stop_group = start // ROW_GROUP, -(-stop // ROW_GROUP)
    with pq.ParquetFile(file, memory_map=True) as listing:
        groups = range(first, min(stop_group, listing.num_row_groups))
        column = listing.read_row_groups(groups)["path"]
    paths: list[bytes] = column.slice(start - first * ROW_GROUP, stop - start).to_pylist()
    return paths


def _walk(root: bytes) -> Iterator[bytes]:
    ahead = [(b"", True)]  # a stack of our own: Python's ends at a thousand folders
    while ahead:
        path, folder = ahead.pop()
        if not folder:
            yield path
            continue
        try:
            with os.scandir(os.path.join(root, path)) as entries:  # noqa: PTH118 - bytes, any name
                found = [(e.name, e.is_dir(follow_symlinks=False)) for e in entries]
        except OSError:
            yield path
            continue
        below = [(os.path.join(path, name), is_dir) for name, is_dir in found]  # noqa: PTH118 - bytes
        ahead += sorted(below, reverse=True)
