"""Rows of earlier readings, decided again by the error that is accepted now; no picture is opened.

What a row says of its picture does not change, so neither is it read again; its status does, where
it was read under a looser or a stricter `--max-error`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pyarrow.dataset import FileSystemDataset

from tasks.inputs.listing import Listing
from tasks.metrics.error_bounds import ErrorBounds
from tasks.outcomes import BY_CONFIDENCE, Reason, Status
from tasks.results.commit import WriterContext, commit
from tasks.results.table import (
    COUNTS,
    NUL,
    RANK,
    RANKED_BY,
    Condition,
    Text,
    current,
    dataset_of,
    file_names,
    is_table,
    of_roots,
    open_table,
    ranks,
    reading,
    scanner_of,
)
from tasks.task import task

PATHS = 16_384  # whose rows are looked up and committed together
DECIDED_BY = ("path", "reason", "error_bound", "model_version")  # and of what
KNOWN_BY = (*DECIDED_BY, "confidence")

_FILE = ["root", "path"]
_NO_READINGS = pa.schema([*((name, pa.string()) for name in _FILE), (RANK, pa.int64())])

BoundsOf = Callable[[str], ErrorBounds | None]
"""Gives the error bounds of a model version, or nothing where it is not there any more."""

Draw = Callable[[pa.Table], pa.Table]
"""Returns rows that are read from now on, of which some are drawn for the audit."""


def draw_none(rows: pa.Table) -> pa.Table:
    """Return them as they are."""
    return rows


@dataclass(frozen=True)
class RedecidedFiles:
    """How many files were decided again."""

    unchanged: int  # that were up to date by an earlier reading
    others: int  # that another run has read while this one was reading


def with_decisions(rows: pa.Table, max_error: float, bounds_of: BoundsOf) -> pa.Table:
    """Return rows with the status and reason that they have where this error is accepted.

    Args:
        rows: of the results table, with KNOWN_BY and status.
        max_error: the error that is accepted among what is read.
        bounds_of: for rows that do not hold their error bound, as those of earlier versions.
    """
    is_open = pc.is_in(rows["reason"], pa.array(BY_CONFIDENCE, pa.string()))
    read = pa.array(error_bounds(rows, bounds_of) <= max_error)
    reasons = pc.if_else(read, Reason.OK.value, Reason.LOW_CONFIDENCE.value)
    statuses = pc.if_else(read, Status.READ.value, Status.REVIEW.value)
    for name, values in (("reason", reasons), ("status", statuses)):
        index = rows.column_names.index(name)
        rows = rows.set_column(index, rows.field(name), pc.if_else(is_open, values, rows[name]))
    return rows


def error_bounds(rows: pa.Table | pa.RecordBatch, bounds_of: BoundsOf) -> NDArray[np.float64]:
    """Return the least accepted error (N,) at which each row is read; infinite where unknown."""
    bounds, confidences = _numbers(rows["error_bound"]), _numbers(rows["confidence"])
    unknown = np.isnan(bounds) & ~np.isnan(confidences)
    bounds = np.where(np.isnan(bounds), np.inf, bounds)
    models = np.array(rows["model_version"].to_pylist(), object) if unknown.any() else None
    for model in set() if models is None else set(models[unknown]):
        if known := bounds_of(model):
            theirs = unknown & (models == model)
            bounds[theirs] = known.at(confidences[theirs])
    return bounds


def undecidable(rows: pa.RecordBatch, bounds_of: BoundsOf) -> NDArray[np.bool_]:
    """Tell of which rows (N,) nobody can say any more at which error they are read."""
    is_open = pc.is_in(rows["reason"], pa.array(BY_CONFIDENCE, pa.string()))
    missing = pc.and_(is_open, pc.is_null(rows["error_bound"])).to_numpy(zero_copy_only=False)
    if missing.any():
        models = rows["model_version"].to_pylist()
        gone = {model for model in set(models) if bounds_of(model) is None}
        missing &= np.array([model in gone for model in models], bool)
    return np.asarray(missing, bool)


@task(name="decide earlier rows again", stage="decide")
def redecide(
    listing: Listing,
    pending: Listing,
    writer: WriterContext,
    max_error: float,
    bounds_of: BoundsOf,
    draw: Draw = draw_none,
    *,
    others: bool = True,
) -> RedecidedFiles:
    """Commit a new row for what another error was accepted for, of the files that were found.

    What this run has read itself is decided already, whatever another run has made of it since.

    Args:
        listing: the files; rows of others are left alone.
        pending: those of them that this run or others have just read.
        writer: which run commits.
        max_error: the error that is accepted now.
        bounds_of: as in `with_decisions`.
        draw: is given what was for review and is read now.
        others: also what others have read of the pending ones; not where rows of this run are held,
            so that it cannot be told from what it has read itself.

    Returns:
        How many files were decided again: all pages of one, so that they stay together.

    Raises:
        DigitflowError: the table cannot be read or written.
    """
    with reading(writer.table):
        return _redecide(listing, pending, writer, max_error, bounds_of, draw, others)


def would_redecide(listing: Listing, table: str, max_error: float, bounds_of: BoundsOf) -> bool:
    """Tell whether a file of a listing is decided otherwise by the error that is accepted now.

    Raises:
        DigitflowError: the table cannot be read.
    """
    if not listing.count or not is_table(table):
        return False
    with reading(table):
        latest = open_table(table)
        writer = WriterContext(table, listing.root, "", latest.version(), more=listing.more)
        changed = _changed(dataset_of(latest, table), writer, max_error, bounds_of)
    return bool(_listed(listing, set(file_names(changed).to_pylist())))


def _redecide(
    listing: Listing,
    pending: Listing,
    writer: WriterContext,
    max_error: float,
    bounds_of: BoundsOf,
    draw: Draw,
    others: bool,
) -> RedecidedFiles:
    latest = open_table(writer.table)
    ours = WriterContext(
        writer.table,
        writer.root,
        writer.run_id,
        latest.version(),
        more=writer.more,
        redecides=True,
    )
    dataset = dataset_of(latest, writer.table)
    changed = _changed(dataset, writer, max_error, bounds_of)
    names = file_names(changed)
    found = _listed(listing, set(names.to_pylist()))
    just_read = _listed(pending, found)
    counts = []
    theirs_too = just_read if others else set[str]()
    for kind, chosen in (("unchanged", found - just_read), ("others", theirs_too)):
        count = 0
        theirs = changed.filter(pc.is_in(names, _texts(chosen))).sort_by("read_at_min")
        for start in range(0, theirs.num_rows, PATHS):
            group = theirs.slice(start, PATHS)
            rows = scanner_of(dataset, _rows_of(group)).to_table()
            rows = current(rows.filter(pc.is_in(file_names(rows), _combined(file_names(group)))))
            redecided = _of_run(
                with_decisions(rows, max_error, bounds_of), writer.run_id, bounds_of
            )
            redecided = _drawn(redecided, rows["status"], draw)
            done = commit(redecided, f"{writer.run_id}/decided/{kind}/{start}", ours)
            count += group.num_rows - done.others
        counts.append(count)
    return RedecidedFiles(*counts)


def _changed(
    dataset: FileSystemDataset, writer: WriterContext, max_error: float, bounds_of: BoundsOf
) -> pa.Table:
    """Return the path of each file that is to be decided again, and when its pages were read.

    Superseded readings that would be decided otherwise stay in the table for ever, so that this
    must not be dear: what is current is found out for all of them at once.
    """

    def in_roots(text: Text) -> pc.Expression:
        return of_roots(writer.roots, text) & COUNTS

    candidates = [_NO_READINGS.empty_table()]
    for batch in scanner_of(
        dataset,
        lambda text: in_roots(text) & _may_change(max_error, text),
        ["root", *KNOWN_BY, "status", *RANKED_BY],
        batch_readahead=1,
        fragment_readahead=1,
    ).to_batches():
        rows = pa.Table.from_batches([batch])
        differ = pc.not_equal(with_decisions(rows, max_error, bounds_of)["reason"], rows["reason"])
        candidates.append(_readings(rows.filter(differ)))
    keys = _NO_READINGS.names
    candidate = pa.concat_tables(candidates).group_by(keys).aggregate([])
    paths = candidate["path"].unique()
    rows = scanner_of(
        dataset,
        lambda text: in_roots(text) & text("path").isin(paths),
        [*_FILE, "run_id", *RANKED_BY],
    ).to_table()
    own = _combined(file_names(rows.filter(pc.field("run_id") == writer.run_id)))
    readings = _readings(rows).append_column("read_at", rows["read_at"])
    times = readings.group_by(keys).aggregate([("read_at", "min"), ("read_at", "max")])
    last = times.group_by(_FILE).aggregate([(RANK, "max")])
    joined = candidate.join(times, keys, join_type="inner").join(last, _FILE, join_type="inner")
    joined = joined.filter(pc.field(RANK) == pc.field(f"{RANK}_max"))
    return joined.filter(pc.invert(pc.is_in(file_names(joined), own)))


def _readings(rows: pa.Table) -> pa.Table:
    """Return of each row of which file and which reading of it that is."""
    return pa.table([rows["root"], rows["path"], ranks(rows)], _NO_READINGS)


def _rows_of(files: pa.Table) -> Condition:
    """Return what holds for the rows of files; what was read at other times is skipped by it."""
    roots, paths = files["root"].unique().to_pylist(), files["path"].combine_chunks()
    return lambda text: (
        of_roots(roots, text)
        & COUNTS
        & text("path").isin(paths)
        & (pc.field("read_at") >= pc.min(files["read_at_min"]))
        & (pc.field("read_at") <= pc.max(files["read_at_max"]))
    )


def _may_change(max_error: float, text: Text) -> pc.Expression:
    """Return what holds for a row whose reason is another one where this error is accepted."""
    reason, bound = text("reason"), pc.field("error_bound")
    return (
        ((reason == Reason.OK) & (bound > max_error))
        | ((reason == Reason.LOW_CONFIDENCE) & (bound <= max_error))
        | (reason.isin(BY_CONFIDENCE) & bound.is_null())
    )


def _drawn(rows: pa.Table, before: pa.ChunkedArray, draw: Draw) -> pa.Table:
    """Return rows, of which those are drawn from that are read now, and were not."""
    read, was_read = (pc.equal(status, Status.READ) for status in (rows["status"], before))
    newly = pc.and_(pc.and_not(read, was_read), pc.is_null(rows["audit"]))
    if not pc.any(newly).as_py():
        return rows
    return pa.concat_tables([rows.filter(pc.invert(newly)), draw(rows.filter(newly))])


def _of_run(rows: pa.Table, run_id: str, bounds_of: BoundsOf) -> pa.Table:
    """Return rows as those of a run, which hold their error bound."""
    is_open = pc.is_in(rows["reason"], pa.array(BY_CONFIDENCE, pa.string()))
    bounds = error_bounds(rows, bounds_of)
    known = pc.and_(is_open, pa.array(np.isfinite(bounds)))
    values = {
        "error_bound": pc.if_else(known, pa.array(bounds), pa.scalar(None, pa.float64())),
        "run_id": pa.repeat(run_id, rows.num_rows),
        "read_at": pa.repeat(
            pa.scalar(datetime.now(UTC), rows.schema.field("read_at").type), rows.num_rows
        ),
    }
    for name, column in values.items():
        index = rows.column_names.index(name)
        rows = rows.set_column(index, rows.field(name), column)
    return rows


def _listed(listing: Listing, names: set[str]) -> set[str]:
    """Return which of some files are in a listing."""
    found, roots = set[str](), listing.roots
    if names:
        for batch in pq.ParquetFile(listing.file).iter_batches(columns=["path"]):
            listed = (NUL.join(roots.place(path)) for path in batch["path"].to_pylist())
            found |= names.intersection(listed)
    return found


def _texts(values: set[str]) -> pa.Array:
    return pa.array(sorted(values), pa.string())


def _combined(column: pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks()


def _numbers(column: Any) -> NDArray[np.float64]:
    """Return the numbers of a column; not a number where it is null."""
    return np.asarray(column.to_numpy(zero_copy_only=False), np.float64)
