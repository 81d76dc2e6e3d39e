"""A folder into a listing on disk of everything in it, and the listing into shards."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tasks.errors import InputError
from tasks.files import whole_file

SMALLEST_SHARD = 4_096  # files; a Delta commit and a task run each, so not too many
MOST_SHARDS = 64  # of one run, however many files
ROW_GROUP = 4_096  # paths that are read from a listing together
LISTING_SCHEMA = pa.schema([("path", pa.binary())])  # relative; names need not be UTF-8


@dataclass(frozen=True)
class Listing:
    """Every file below a folder, in order, as a Parquet file of relative paths."""

    root: Path
    file: Path
    count: int


@dataclass(frozen=True)
class Shard:
    """A stretch of a listing: the unit of reading, of a commit and of a retry."""

    number: int
    start: int
    stop: int


def discover(folder: Path, file: Path, *, allow_empty: bool = False) -> Listing:
    """Write the listing of everything below a folder that is not a folder itself.

    Links to folders are listed and not followed, so that no file is found twice and no loop ends
    the run. A folder that may not be read is listed under its own name.

    Raises:
        InputError: the folder does not exist, is no folder, or has no files.
    """
    root = existing_folder(folder)
    paths = list(_walk(os.fsencode(root)))
    if not paths and not allow_empty:
        raise InputError(f"{root} has no files in it: give a folder of pictures")
    with whole_file(file) as temporary:
        listed = pa.table({"path": paths}, LISTING_SCHEMA)
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


def shards(listing: Listing) -> list[Shard]:
    """Return the listing cut into stretches of equal size: few, and none very small."""
    size = max(SMALLEST_SHARD, -(-listing.count // MOST_SHARDS))
    starts = range(0, listing.count, size)
    return [Shard(i, start, min(start + size, listing.count)) for i, start in enumerate(starts)]


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
