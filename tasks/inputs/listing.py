"""Inputs into a listing on disk of everything they hold, and the listing into shards."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tasks.atomic import atomic_write
from tasks.errors import InputError
from tasks.inputs.base import Entry, Inputs, Roots
from tasks.outcomes import MAX_BYTES
from tasks.task import task

# A commit and a task run each, so not too many; a run that is stopped reads one anew.
USUAL_FILES, USUAL_BYTES = 16_384, 160_000_000  # of a shard, whichever comes first
MOST_SHARDS = 96  # of one run, however many files
ROW_GROUP = 4_096  # files that are held in memory, written and read together
LEAST, MOST = -(2**63), 2**63 - 1  # what int64 holds
LISTING_SCHEMA = pa.schema(
    [
        ("path", pa.binary()),  # relative; names need not be UTF-8
        ("size", pa.int64()),
        ("mtime_ns", pa.int64()),
    ]
)


@dataclass(frozen=True)
class Listing:
    """Every file of some inputs, in their order, as a Parquet file."""

    root: str
    file: Path
    count: int
    size: int = 0  # bytes to read, as far as they are known
    more: tuple[str, ...] = ()  # roots, where the inputs are made of several

    @property
    def roots(self) -> Roots:
        """Return where the files lie."""
        return Roots((self.root, *self.more))


@dataclass(frozen=True)
class Shard:
    """Files that follow each other in a listing: the unit of a commit and of a retry."""

    number: int
    start: int
    stop: int


@task(name="list the files", stage="list")
def discover(inputs: Inputs, file: Path, *, allow_empty: bool = False) -> Listing:
    """Write the listing of everything in the inputs, however much it is, in little memory.

    Raises:
        InputError: there are no files, in all or in one of several, or the inputs turn out to be
            broken or out of reach.
    """
    return write_listing(inputs, file, allow_empty=allow_empty)


def write_listing(inputs: Inputs, file: Path, *, allow_empty: bool = False) -> Listing:
    """Write the listing outside a run; see `discover`."""
    count = size = 0
    with atomic_write(file) as temporary:
        with pq.ParquetWriter(temporary, LISTING_SCHEMA, use_dictionary=False) as listing:
            for group in _groups(inputs.entries()):
                listing.write_table(group)
                count += group.num_rows
                size += bytes_of(group)
        empty = inputs.empty or (() if count else [inputs.root])
        if empty and not allow_empty:
            raise InputError(f"{empty[0]} has no files in it: give a folder of pictures")
    root, *more = inputs.roots.names
    return Listing(root, file, count, size, tuple(more))


def bytes_of(files: pa.Table | pa.RecordBatch) -> int:
    """Return how many bytes there are to read, as far as sizes are known.

    Of a file that is too large to be read, whatever it claims, no more than the limit counts.
    """
    sizes = pc.min_element_wise(files["size"], pa.scalar(MAX_BYTES, pa.int64()), skip_nulls=False)
    return int(pc.sum(pc.max_element_wise(sizes, 0, skip_nulls=False), min_count=0).as_py())


def shards(listing: Listing, workers: int = 1) -> list[Shard]:
    """Return the listing cut into shards of equal size: few, and as many for each worker."""
    usual = max(listing.count / USUAL_FILES, listing.size / USUAL_BYTES)
    rounds = max(1, round(usual / workers))
    count = min(MOST_SHARDS, rounds * workers)
    size = max(1, -(-listing.count // count))
    starts = range(0, listing.count, size)
    return [Shard(i, start, min(start + size, listing.count)) for i, start in enumerate(starts)]


def entries_of(file: Path, start: int, stop: int) -> list[Entry]:
    """Return the entries of a listing from one number to another."""
    first, stop_group = start // ROW_GROUP, -(-stop // ROW_GROUP)
    with pq.ParquetFile(file, memory_map=True) as listing:
        groups = range(first, min(stop_group, listing.num_row_groups))
        table = listing.read_row_groups(groups)
    columns = table.slice(start - first * ROW_GROUP, stop - start).itercolumns()
    return [Entry(*each) for each in zip(*(c.to_pylist() for c in columns), strict=True)]


def _groups(entries: Iterator[Entry]) -> Iterator[pa.Table]:
    while group := list(islice(entries, ROW_GROUP)):
        paths, sizes, mtimes = zip(*group, strict=True)
        yield pa.table([pa.array(paths), int64s(sizes), int64s(mtimes)], schema=LISTING_SCHEMA)


def int64s(values: Iterable[int | None]) -> pa.Array:
    """Return sizes or times as a column, whatever files and headers claim.

    A number that does not fit becomes the nearest that does, such as the year 2300 in nanoseconds.
    Listings and rows are made with this alone, so that a file found again is known again.
    """
    given = list(values)
    try:
        return pa.array(given, pa.int64())
    except (OverflowError, pa.ArrowInvalid):
        fitting = [value if value is None else min(max(value, LEAST), MOST) for value in given]
        return pa.array(fitting, pa.int64())
