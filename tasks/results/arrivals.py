"""Names that are used again: where a picture was taken away, the next one of its name is another.

The rows of both stay current: the second is called `scan1.png//2`, the third `scan1.png//3`, as
members of an archive are whose name comes again. What the names mean is in the table alone: the
current row of the picture before says that its file was moved or deleted (`original`).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tasks.atomic import atomic_write
from tasks.inputs.base import AGAIN
from tasks.inputs.listing import LISTING_SCHEMA, ROW_GROUP, Listing
from tasks.results.table import NUL, is_table, of_roots, places_of, ranks, scan

NUMBER = "//[0-9]+$"  # as Arrow's regular expressions have it
COLUMNS = ["root", "path", "size", "mtime_ns", "original", "commit_version", "read_at"]
FIRST = 1


@dataclass
class Reading:
    """The current reading of a picture."""

    rank: int
    size: int | None
    mtime_ns: int | None
    taken: bool  # its file was moved or deleted, or will be before anything else


def with_arrivals(listing: Listing, table: str) -> Listing:
    """Give each file whose name is that of a picture that was taken away a name of its own.

    A file of the size and time of a picture that was read under its name is that picture: it was
    not taken away yet, or has been copied there once more. One that lies there still and has
    changed is read again under its name, as everywhere.

    Args:
        listing: of local files; its file is written anew where names change.
        table: the results, which need not be there yet.

    Raises:
        DigitflowError: the table cannot be read.
    """
    if not listing.count or not is_table(table):
        return listing
    families = _families(listing, table)
    if not families:
        return listing
    renamed = pq.read_table(listing.file)
    with atomic_write(listing.file) as temporary:
        paths = pa.array(_names(renamed, listing, families), pa.binary())
        column = pa.chunked_array([paths])
        pq.write_table(
            renamed.set_column(0, LISTING_SCHEMA.field("path"), column), temporary, ROW_GROUP
        )
    return listing


def _names(
    files: pa.Table, listing: Listing, families: dict[str, dict[int, Reading]]
) -> Iterator[bytes]:
    facts = zip(*(files[name].to_pylist() for name in files.column_names), strict=True)
    for path, size, mtime_ns in facts:
        family = families.get(NUL.join(listing.roots.place(path)))
        number = _number(family, size, mtime_ns) if family else FIRST
        yield path if number == FIRST else path + AGAIN + str(number).encode()


def _number(family: dict[int, Reading], size: int | None, mtime_ns: int | None) -> int:
    """Return which picture of its name a file is."""
    for number in sorted(family, reverse=True):
        if (family[number].size, family[number].mtime_ns) == (size, mtime_ns):
            return number
    last = max(family)
    return last + 1 if family[last].taken else last


def _families(listing: Listing, table: str) -> dict[str, dict[int, Reading]]:
    """Return the readings of listed names of which one was taken away, by root and name."""
    roots = listing.roots.names
    wanted = pa.array([NUL.join(place) for place in places_of(listing)], pa.string())
    known = set[str]()
    for batch in scan(
        table,
        ["root", "path"],
        lambda text: of_roots(roots, text) & pc.field("original").is_valid(),
    ):
        bases = _bases(batch)
        known.update(bases.filter(pc.is_in(bases, value_set=wanted)).to_pylist())
    wanted = pa.array(sorted(known), pa.string())
    families = dict[str, dict[int, Reading]]()
    for batch in scan(table, COLUMNS, lambda text: of_roots(roots, text)) if known else ():
        chosen = batch.filter(pc.is_in(_bases(batch), value_set=wanted))
        for base, rank, row in zip(
            _bases(chosen).to_pylist(), ranks(chosen).to_pylist(), chosen.to_pylist(), strict=True
        ):
            number = re.search(NUMBER, row["path"])
            family = families.setdefault(base, {})
            at = int(number[0].removeprefix("//")) if number else FIRST
            if at not in family or family[at].rank < rank:
                taken_away = row["original"] is not None
                family[at] = Reading(rank, row["size"], row["mtime_ns"], taken_away)
    return families


def _bases(batch: pa.RecordBatch) -> pa.Array:
    """Return root and name without its number of each row."""
    root, path = (batch[name].cast(pa.string()) for name in ("root", "path"))
    return pc.binary_join_element_wise(root, pc.replace_substring_regex(path, NUMBER, ""), NUL)
