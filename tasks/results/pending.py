"""Which files of a listing still have to be read: new and changed ones, or those asked for again.

A file is known by its path, its size and the time it was changed, as `make` and `rsync` know it.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tasks.atomic import atomic_write
from tasks.inputs.base import Inputs
from tasks.inputs.listing import LISTING_SCHEMA, ROW_GROUP, Listing, bytes_of
from tasks.outcomes import ALL, PASSING, STATUSES, Reason, Status, Undecodable
from tasks.results.redecide import DECIDED_BY, BoundsOf, undecidable
from tasks.results.table import (
    COUNTS,
    FEW,
    NUL,
    RANKED_BY,
    Text,
    file_names,
    is_table,
    of_roots,
    paths_of,
    ranks,
    scan,
)
from tasks.task import task

FILE_BATCH = 16_384  # listed files in memory at once
UNLISTED, UNREAD = -1, -2  # size or time of what could not be looked at; never equal
KEY = np.dtype("S16")  # 128 bits of a hash: no two of a million names meet by chance
REASONS = tuple(Reason)


@dataclass(frozen=True)
class ReprocessPolicy:
    """Which of the files that were read before are read again."""

    again: bool = False  # all of them
    retry_rejected: str | None = None  # those that were rejected: for this reason, or `all`
    retry_review: bool = False  # those that are in review
    by_content: bool = False  # those whose bytes have changed, whatever size and time say
    resumed: tuple[str, ...] = ()  # interrupted runs of the same choice: what they read stays

    @property
    def retries(self) -> bool:
        """Tell whether only files are read that have a row for which they are asked for again."""
        return self.retry_review or self.retry_rejected is not None

    def retried(self) -> list[Reason]:
        """Return the reasons of such rows, of any page of a file."""
        return [reason for reason in REASONS if self._retries(reason, STATUSES[reason])]

    def _retries(self, reason: Reason, status: Status) -> bool:
        if status == Status.REVIEW:
            return self.retry_review
        return status == Status.REJECTED and self.retry_rejected in (ALL, reason)


@dataclass(frozen=True)
class HeldFiles:
    """Rows that are in no results, and still say of their files that they were read."""

    table: str  # folder or URL of the held rows; there need be none
    waiting: tuple[str, ...] = ()  # runs of batches that wait for a decision
    dropped: tuple[str, ...] = ()  # and of those that will never count


@dataclass(frozen=True)
class Pending:
    """The files to read, as a listing of their own, and how many are up to date."""

    listing: Listing
    unchanged: int
    resumed: int = 0  # of the unchanged ones: read by the interrupted runs
    held: int = 0  # of the unchanged ones: their batch is held, or was dropped


@dataclass(frozen=True)
class _Known:
    """The current reading of each path of a root, ordered by the hash of the path."""

    paths: NDArray[Any]  # KEY (N,)
    undecidable: NDArray[np.bool_]  # of a page nobody can say at which error it is read
    retried: NDArray[np.bool_]  # a page has a reason for which it is asked for again
    answered: NDArray[np.bool_]  # a person has said what a page is
    sizes: NDArray[np.int64]
    mtimes: NDArray[np.int64]
    contents: NDArray[Any]  # KEY (N,), first half of the content's hash
    reasons: NDArray[np.int8]  # index in REASONS
    resumed: NDArray[np.bool_]
    waits: NDArray[np.bool_]  # its batch does

    def places(self, paths: NDArray[Any]) -> NDArray[np.int64]:
        """Return where each path is, or -1."""
        at = np.searchsorted(self.paths, paths)
        found = self.paths[np.minimum(at, len(self.paths) - 1)] == paths
        return np.where(found, at, -1)


@task(name="find what is new", stage="list")
def find_pending(
    listing: Listing,
    inputs: Inputs,
    table: str,
    policy: ReprocessPolicy,
    file: Path,
    bounds_of: BoundsOf,
    held: HeldFiles | None = None,
) -> Pending:
    """Write the listing of the files that have to be read.

    Args:
        listing: all that was found.
        inputs: where it was found; read for `by_content` alone.
        table: the results, which need not be there yet.
        policy: what is read again.
        file: the Parquet file to write, of the listing's schema.
        bounds_of: the error bounds of models that rows of earlier versions are from. A row whose
            model is gone cannot be held against the error that is accepted: it is read again.
        held: rows beside the results, of files that are not read again either.
    """
    return pending_of(listing, inputs, table, policy, file, bounds_of, held)


def pending_of(
    listing: Listing,
    inputs: Inputs,
    table: str,
    policy: ReprocessPolicy,
    file: Path,
    bounds_of: BoundsOf,
    held: HeldFiles | None = None,
) -> Pending:
    """Write the listing of the files that have to be read, outside a run; see `find_pending`."""
    roots = listing.roots
    known = _known(table, listing, policy, bounds_of)
    if known is None and policy.retries:
        return Pending(replace(listing, count=0, size=0), listing.count)
    aside = _known(held.table, listing, policy, bounds_of, held) if held else None
    if known is None and aside is None:
        return Pending(listing, 0)
    count = resumed = waiting_or_dropped = size = 0
    with atomic_write(file) as temporary, pq.ParquetWriter(temporary, LISTING_SCHEMA) as writer:
        waiting = LISTING_SCHEMA.empty_table()
        for batch in pq.ParquetFile(listing.file).iter_batches(FILE_BATCH):
            names = _hashes(NUL.join(roots.place(path)) for path in batch["path"].to_pylist())
            wanted, theirs = _asked_for(batch, names, known, policy, inputs)
            of_held, theirs_held = _kept_aside(batch, names, aside, policy, inputs)
            resumed += int((~wanted & theirs | theirs_held).sum())
            waiting_or_dropped += int((wanted & of_held & ~theirs_held).sum())
            chosen = batch.filter(pa.array(wanted & ~of_held))
            count += chosen.num_rows
            size += bytes_of(chosen)
            waiting = pa.concat_tables([waiting, pa.Table.from_batches([chosen])])
            # `entries_of` finds a file by its number: groups of one size
            ready = waiting.num_rows // ROW_GROUP * ROW_GROUP
            if ready:
                writer.write_table(waiting.slice(0, ready), ROW_GROUP)
            waiting = waiting.slice(ready)
        if waiting.num_rows:
            writer.write_table(waiting, ROW_GROUP)
    left = replace(listing, file=file, count=count, size=size)
    return Pending(left, listing.count - count, resumed, waiting_or_dropped)


def _asked_for(
    batch: pa.RecordBatch,
    names: NDArray[Any],
    known: _Known | None,
    policy: ReprocessPolicy,
    inputs: Inputs,
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Tell which files of a batch have to be read, and which the interrupted runs have read."""
    if known is None:
        return np.ones(len(names), bool), np.zeros(len(names), bool)
    places = known.places(names)
    return _wanted(batch, places, known, policy, inputs), known.resumed[places] & (places >= 0)


def _kept_aside(
    batch: pa.RecordBatch,
    names: NDArray[Any],
    held: _Known | None,
    policy: ReprocessPolicy,
    inputs: Inputs,
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Tell which files of a batch have held rows as they are, and which the interrupted runs."""
    if held is None:
        return np.zeros(len(names), bool), np.zeros(len(names), bool)
    places = held.places(names)
    theirs = held.resumed[places] & (places >= 0)
    if policy.again or policy.retries:
        return theirs, theirs
    kept = ~_wanted(batch, places, held, policy, inputs)
    return kept, theirs & kept


def _wanted(
    batch: pa.RecordBatch,
    places: NDArray[np.int64],
    known: _Known,
    policy: ReprocessPolicy,
    inputs: Inputs,
) -> NDArray[np.bool_]:
    """Tell which files of a batch have to be read; `places` is where their readings are.

    What a person has said of a file holds as long as it is the same, whatever is asked for.
    """
    read_before = places >= 0
    same = read_before & _same(batch, places, known, policy, inputs)
    answered = same & known.answered[places]
    done = np.zeros(len(places), bool)
    done[read_before] = known.resumed[places[read_before]]
    if policy.again:
        return np.asarray(~done & ~answered, bool)
    if policy.retries:
        return np.asarray(read_before & known.retried[places] & ~done & ~answered, bool)
    passing = np.array([reason in PASSING for reason in REASONS])[known.reasons[places]]
    # what could not be opened is not tried anew, into a batch of its own, while its batch waits
    passing &= not policy.by_content
    stands = np.where(passing, known.waits[places], same)
    stays = read_before & (answered | (stands & ~known.undecidable[places]))
    return np.asarray(~stays, bool)


def _same(
    batch: pa.RecordBatch,
    places: NDArray[np.int64],
    known: _Known,
    policy: ReprocessPolicy,
    inputs: Inputs,
) -> NDArray[np.bool_]:
    """Tell which files of a batch are as they were read; of those without a reading anything."""
    if policy.by_content:
        return np.asarray(known.contents[places] == _hashes_of_contents(batch, inputs), bool)
    sizes, mtimes = (_filled(batch[name], UNLISTED) for name in ("size", "mtime_ns"))
    return np.asarray((known.sizes[places] == sizes) & (known.mtimes[places] == mtimes), bool)


def _known(
    table: str,
    listing: Listing,
    policy: ReprocessPolicy,
    bounds_of: BoundsOf,
    held: HeldFiles | None = None,
) -> _Known | None:
    """Return the current reading of each file; of several the one that was committed last.

    Args:
        table: folder or URL, of the results or of held rows.
        listing: the files.
        policy: what is read again.
        bounds_of: as for `find_pending`.
        held: which rows of these count, where it is their table.
    """
    if not is_table(table):
        return None
    facts = ["page", "size", "mtime_ns", "content_hash", "run_id", "answered_by"]
    columns = ["root", *facts, *DECIDED_BY, *RANKED_BY]
    few = listing.count <= FEW  # an inbox from which files are taken has few, and many rows
    paths = pa.array(paths_of(listing), pa.string()) if few else None
    answered = _answered(table, listing) if policy.again else None

    def wanted(text: Text) -> pc.Expression:
        found = of_roots(listing.roots.names, text) & COUNTS
        if policy.again:
            ours = text("run_id").isin(pa.array(policy.resumed, pa.string()))
            found &= ours | text("path").isin(answered)
        elif held:
            runs = (*policy.resumed, *held.waiting, *held.dropped)
            found &= text("run_id").isin(pa.array(runs, pa.string()))
        return found if paths is None else found & text("path").isin(paths)

    batches = (batch for batch in scan(table, columns, wanted) if batch.num_rows)
    parts = [_columns(batch, policy, bounds_of, held) for batch in batches]
    if not parts:
        return None
    paths, ranked, pages, *others = (np.concatenate(part) for part in zip(*parts, strict=True))
    order = np.lexsort((pages, ranked, paths))
    by_path, by_rank = paths[order], ranked[order]
    begins = np.append(True, by_path[1:] != by_path[:-1])
    first_pages = np.flatnonzero(begins | np.append(True, by_rank[1:] != by_rank[:-1]))
    of_any_page = [np.logical_or.reduceat(values[order], first_pages) for values in others[:3]]
    last = np.append(begins[first_pages][1:], True)  # of the readings of a path
    current = order[first_pages[last]]
    return _Known(
        paths[current],
        *(values[last] for values in of_any_page),
        *(values[current] for values in others[3:]),
    )


def _answered(table: str, listing: Listing) -> pa.Array:
    """Return the paths of files of which a person has said something, ever."""

    def wanted(text: Text) -> pc.Expression:
        return of_roots(listing.roots.names, text) & COUNTS & text("answered_by").is_valid()

    found = [batch["path"] for batch in scan(table, ["path"], wanted)]
    return pa.chunked_array(found, pa.string()).unique()


def _columns(
    batch: pa.RecordBatch, policy: ReprocessPolicy, bounds_of: BoundsOf, held: HeldFiles | None
) -> tuple[NDArray[Any], ...]:
    """Return paths, ranks and pages of rows, and what `_Known` holds of them in its order."""
    places = pc.index_in(batch["reason"], pa.array([r.value for r in REASONS]))
    retried = pc.is_in(batch["reason"], pa.array(policy.retried(), pa.string()))
    theirs = pc.is_in(batch["run_id"], pa.array(policy.resumed, pa.string()))
    waits = pc.is_in(batch["run_id"], pa.array(held.waiting if held else (), pa.string()))
    return (
        _hashes(file_names(batch).to_pylist()),
        ranks(batch).to_numpy(zero_copy_only=False),
        batch["page"].to_numpy(),
        undecidable(batch, bounds_of),
        retried.to_numpy(zero_copy_only=False),
        batch["answered_by"].is_valid().to_numpy(zero_copy_only=False),
        _filled(batch["size"], UNREAD),
        _filled(batch["mtime_ns"], UNREAD),
        _content_keys(batch["content_hash"].to_pylist()),
        places.fill_null(0).to_numpy(zero_copy_only=False).astype(np.int8),
        theirs.to_numpy(zero_copy_only=False),
        waits.to_numpy(zero_copy_only=False),
    )


def _filled(column: pa.Array, null: int) -> NDArray[np.int64]:
    return np.asarray(column.fill_null(null).to_numpy(zero_copy_only=False), np.int64)


def _hashes(names: Iterable[str]) -> NDArray[Any]:
    digests = [hashlib.blake2b(name.encode(), digest_size=KEY.itemsize).digest() for name in names]
    return np.array(digests, KEY)


def _content_keys(hashes: Iterable[str | None]) -> NDArray[Any]:
    return np.array([bytes.fromhex(h[: 2 * KEY.itemsize]) if h else b"" for h in hashes], KEY)


def _hashes_of_contents(batch: pa.RecordBatch, inputs: Inputs) -> NDArray[Any]:
    """Return the keys of the files' bytes; of what cannot be read, one that no reading has."""
    return np.array([_content_key(inputs, path) for path in batch["path"].to_pylist()], KEY)


def _content_key(inputs: Inputs, path: bytes) -> bytes:
    try:
        return hashlib.sha256(inputs.read(path).data).digest()[: KEY.itemsize]
    except Undecodable:
        return b"?"
