"""Rows of earlier readings, decided anew by the error that is accepted now: no picture is opened.

What a row says of its picture does not change, so neither is it read again; its status does, where
it was read under a looser or a stricter `--max-error`.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tasks.calibrate import RiskCurve
from tasks.commit import Origin, commit
from tasks.discover import Listing
from tasks.error_bounds import ErrorBounds
from tasks.inputs import printable
from tasks.reasons import BY_CONFIDENCE, Reason, Status
from tasks.results import current, dataset_of, open_table, reading

PATHS = 4_096  # that are looked up together
KNOWN_BY = ("path", "reason", "confidence", "error_bound", "model_version")

CurveOf = Callable[[str], RiskCurve | None]
"""Gives the risk curve of a model version, or nothing where it is not there any more."""


def decided(rows: pa.Table, max_error: float, curve_of: CurveOf) -> pa.Table:
    """Return rows with the status and reason that they have where this error is accepted.

    Args:
        rows: of the results table, with KNOWN_BY and status.
        max_error: the error that is accepted among what is read.
        curve_of: for rows that do not hold their error bound, as those of earlier versions.
    """
    is_open = pc.is_in(rows["reason"], pa.array(BY_CONFIDENCE, pa.string()))
    read = pa.array(error_bounds(rows, curve_of) <= max_error)
    reasons = pc.if_else(read, Reason.OK.value, Reason.LOW_CONFIDENCE.value)
    statuses = pc.if_else(read, Status.READ.value, Status.REVIEW.value)
    for name, anew in (("reason", reasons), ("status", statuses)):
        place = rows.column_names.index(name)
        rows = rows.set_column(place, rows.field(name), pc.if_else(is_open, anew, rows[name]))
    return rows


def error_bounds(rows: pa.Table | pa.RecordBatch, curve_of: CurveOf) -> NDArray[np.float64]:
    """Return the least accepted error (N,) at which each row is read; infinite where unknown."""
    bounds, confidences = _numbers(rows["error_bound"]), _numbers(rows["confidence"])
    unknown = np.isnan(bounds) & ~np.isnan(confidences)
    bounds = np.where(np.isnan(bounds), np.inf, bounds)
    models = np.array(rows["model_version"].to_pylist(), object) if unknown.any() else None
    for model in set() if models is None else set(models[unknown]):
        if curve := curve_of(model):
            theirs = unknown & (models == model)
            bounds[theirs] = ErrorBounds.of(curve).at(confidences[theirs])
    return bounds


def undecidable(rows: pa.RecordBatch, curve_of: CurveOf) -> NDArray[np.bool_]:
    """Tell of which rows (N,) nobody can say any more at which error they are read."""
    is_open = pc.is_in(rows["reason"], pa.array(BY_CONFIDENCE, pa.string()))
    missing = pc.and_(is_open, pc.is_null(rows["error_bound"])).to_numpy(zero_copy_only=False)
    if missing.any():
        models = rows["model_version"].to_pylist()
        gone = {model for model in set(models) if curve_of(model) is None}
        missing &= np.array([model in gone for model in models], bool)
    return np.asarray(missing, bool)


def decide_anew(listing: Listing, origin: Origin, max_error: float, curve_of: CurveOf) -> int:
    """Commit a new row for what another error was accepted for, of the files that were found.

    Args:
        listing: the files; rows of others are left alone.
        origin: which run commits.
        max_error: the error that is accepted now.
        curve_of: as in `decided`.

    Returns:
        How many files were decided anew: all pages of one, so that they stay together.

    Raises:
        DigitflowError: the table cannot be read or written.
    """
    with reading(origin.table):
        return _decide_anew(listing, origin, max_error, curve_of)


def _decide_anew(listing: Listing, origin: Origin, max_error: float, curve_of: CurveOf) -> int:
    latest = open_table(origin.table)
    ours = Origin(origin.table, origin.root, origin.run_id, latest.version())
    same_root = pc.field("root") == origin.root
    dataset = dataset_of(latest, origin.table)
    candidates = set[str]()
    for batch in dataset.to_batches(
        columns=[*KNOWN_BY, "status"],
        filter=same_root & _may_change(max_error),
        batch_readahead=1,
        fragment_readahead=1,
    ):
        candidates |= _changed_paths(pa.Table.from_batches([batch]), max_error, curve_of)
    count = 0
    for number, paths in enumerate(_groups(_listed(listing.file, candidates))):
        wanted = same_root & pc.field("path").isin(pa.array(paths, pa.string()))
        rows = current(dataset.to_table(filter=wanted))
        changed = _changed_paths(rows, max_error, curve_of)
        if changed:
            rows = rows.filter(pc.is_in(rows["path"], pa.array(sorted(changed), pa.string())))
            anew = _of_run(decided(rows, max_error, curve_of), origin.run_id, curve_of)
            done = commit(anew, f"{origin.run_id}/decided/{number}", ours)
            count += len(changed) - done.others
    return count


def _may_change(max_error: float) -> pc.Expression:
    """Return what holds for a row whose reason is another one where this error is accepted."""
    reason, bound = pc.field("reason"), pc.field("error_bound")
    return (
        ((reason == Reason.OK) & (bound > max_error))
        | ((reason == Reason.LOW_CONFIDENCE) & (bound <= max_error))
        | (reason.isin(BY_CONFIDENCE) & bound.is_null())
    )


def _changed_paths(rows: pa.Table, max_error: float, curve_of: CurveOf) -> set[str]:
    changed = pc.not_equal(decided(rows, max_error, curve_of)["reason"], rows["reason"])
    return set(rows["path"].filter(changed).to_pylist())


def _of_run(rows: pa.Table, run_id: str, curve_of: CurveOf) -> pa.Table:
    """Return rows as those of a run, which hold their error bound."""
    is_open = pc.is_in(rows["reason"], pa.array(BY_CONFIDENCE, pa.string()))
    bounds = error_bounds(rows, curve_of)
    known = pc.and_(is_open, pa.array(np.isfinite(bounds)))
    values = {
        "error_bound": pc.if_else(known, pa.array(bounds), pa.scalar(None, pa.float64())),
        "run_id": pa.repeat(run_id, rows.num_rows),
        "read_at": pa.repeat(
            pa.scalar(datetime.now(UTC), rows.schema.field("read_at").type), rows.num_rows
        ),
    }
    for name, column in values.items():
        place = rows.column_names.index(name)
        rows = rows.set_column(place, rows.field(name), column)
    return rows


def _listed(file: Path, candidates: set[str]) -> Iterator[str]:
    """Yield the paths of a listing that are candidates."""
    if candidates:
        for batch in pq.ParquetFile(file).iter_batches(columns=["path"]):
            yield from (
                path for path in map(printable, batch["path"].to_pylist()) if path in candidates
            )


def _groups(paths: Iterable[str]) -> Iterator[list[str]]:
    paths = iter(paths)
    while group := list(islice(paths, PATHS)):
        yield group


def _numbers(column: Any) -> NDArray[np.float64]:
    """Return the numbers of a column; not a number where it is null."""
    return np.asarray(column.to_numpy(zero_copy_only=False), np.float64)
