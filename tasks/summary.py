"""The counts of one reading run, taken from the results table, that have to add up."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from tasks import results
from tasks.calibrate import Threshold
from tasks.discover import Listing
from tasks.errors import DigitflowError
from tasks.reasons import Status

MOST_REJECTS = 50  # listed by name in a summary; all are in the table


@dataclass(frozen=True)
class Summary:
    """What one run found and what became of it: found = read + review + rejected."""

    run_id: str
    root: str
    files: int
    found: int  # pictures: one for each file, or each page of a file with several
    read: int
    review: int
    rejected: int
    reasons: dict[str, int]
    digits: list[int]  # how often each digit was read or is up for review
    rejects: list[dict[str, str]]  # path, reason, detail of the first ones
    model_version: str
    canonical_version: str
    threshold: Threshold
    device: str
    provider: str
    started_at: str
    seconds: float
    results: str
    out: str | None = None
    accuracy: dict[str, int] | None = field(default=None)  # right, labelled: where truth is known

    @property
    def pictures_per_second(self) -> float:
        """Return pictures per second of the whole run."""
        return self.found / self.seconds if self.seconds else 0.0

    def facts(self) -> dict[str, Any]:
        """Return the same as plain values."""
        return asdict(self) | {"pictures_per_second": round(self.pictures_per_second, 1)}


def summarise(table: Path, listing: Listing, run_id: str, **facts: Any) -> Summary:
    """Return the summary of a run from its rows.

    Raises:
        DigitflowError: the rows of the run are not those of the files that were found.
    """
    columns = ["path", "page", "status", "reason", "detail", "digit"]
    rows = results.select(table, run=run_id, columns=columns) if listing.count else _no_rows()
    with_rows = pc.sum(pc.equal(rows["page"], 0), min_count=0).as_py()  # each file has a first page
    if with_rows != listing.count:
        raise DigitflowError(
            f"{listing.count} files were found, {with_rows} have rows of run {run_id} in {table}: "
            "the run is not complete"
        )
    statuses, digits = _counts(rows["status"]), _counts(rows["digit"])
    rejected = rows.filter(pc.field("status") == Status.REJECTED)
    return Summary(
        run_id=run_id,
        root=str(listing.root),
        files=listing.count,
        found=rows.num_rows,
        read=statuses.get(Status.READ, 0),
        review=statuses.get(Status.REVIEW, 0),
        rejected=statuses.get(Status.REJECTED, 0),
        reasons=_counts(rows["reason"]),
        digits=[digits.get(digit, 0) for digit in range(10)],
        rejects=rejected.select(["path", "reason", "detail"]).slice(0, MOST_REJECTS).to_pylist(),
        results=str(table),
        **facts,
    )


def _no_rows() -> pa.Table:
    return results.SCHEMA.empty_table()


def _counts(column: pa.ChunkedArray) -> dict[Any, int]:
    """Return how often each value occurs, the most frequent first."""
    pairs = [(pair["values"], pair["counts"]) for pair in column.value_counts().to_pylist()]
    return dict(sorted((p for p in pairs if p[0] is not None), key=lambda pair: -pair[1]))
