"""The counts of one reading run, taken from the results table, that have to add up."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import ConfigDict, Field

from tasks.contracts.base import Contract
from tasks.contracts.held import HeldFor
from tasks.errors import DigitflowError
from tasks.inputs.base import Roots
from tasks.metrics.promise import Promise
from tasks.metrics.risk_curve import Threshold
from tasks.outcomes import Status
from tasks.results import table as results
from tasks.results.picture_row import COLUMNS, PictureRow, picture_rows
from tasks.task import task

MOST_REJECTS = 50  # listed by name in a summary; all are in the table
OF_A_REASON = 100  # rejected rows of each reason that are kept for the report
LEAST_SURE = 20  # rows of review, and of the least sure readings, that are kept for the report
EVENLY_SPREAD = 40  # rows with a digit, from the whole run


class Reject(Contract):
    """A picture that could not be read, and why."""

    path: str
    reason: str
    detail: str | None


class Accuracy(Contract):
    """How many of the pictures whose digit is known were answered right."""

    right: int
    labelled: int


class SummaryThreshold(Contract):
    """From which confidence on digits were read; see `tasks.metrics.calibration.Threshold`."""

    confidence: float
    accepted: int
    wrong: int
    bound: float
    coverage: float
    digits: int

    def threshold(self) -> Threshold:
        """Return it as what calibration guarantees."""
        return Threshold(
            *(self.confidence, self.accepted, self.wrong),
            *(self.bound, self.coverage, self.digits),
        )


class SummaryKind(Contract):
    """What is promised for one kind of picture, and what became of those that were found."""

    kind: str
    threshold: SummaryThreshold | None  # None: nothing was promised for it
    found: int
    read: int
    review: int
    rejected: int


def in_words(read: int, review: int, rejected: int) -> str:
    """Return what pictures came to, in a few words."""
    return f"{read:,} read, {review:,} for review, {rejected:,} rejected"


class InsteadOf(Contract):
    """The champion, where another model read."""

    version: str
    why: str  # it could not


class Summary(Contract):
    """What one run found and what became of it: found = read + review + rejected."""

    model_config = ConfigDict(extra="ignore")  # what is worked out anew when it is written

    run_id: str
    root: str  # or all, in one text
    listed: int  # files found
    unchanged: int  # of these: up to date by an earlier reading, and not read again
    others: int  # of these: read by another run while this one was reading
    files: int  # of these: read by this run, or decided anew
    found: int  # pictures in them: one for each file, or each page of a file with several
    read: int
    review: int
    rejected: int
    reasons: dict[str, int]
    digits: list[int]  # how often each digit was read or is up for review
    rejects: list[Reject]  # the first ones
    model_version: str
    canonical_version: str
    instead_of: InsteadOf | None = None  # the champion, where that could not read
    threshold: SummaryThreshold  # of all kinds together: the highest, and the highest bound
    promise: str = ""  # in words
    max_error: float | None = None  # that was accepted; None: an earlier digitflow read
    strictness: float = 1.0  # by which the bounds of the model were raised, since people found more
    kinds: list[SummaryKind] = Field(default_factory=list)
    device: str
    provider: str
    started_at: str
    seconds: float
    stages: dict[str, float]  # seconds of each; they add up to `seconds`
    results: str
    resumed: list[str]  # interrupted runs that this one went on from
    decided_anew: int  # of the files: not read again, but decided by the error accepted now
    out: str | None
    rejected_now: int | None  # also by earlier runs, of all that was found; if asked for
    accuracy: Accuracy | None = None  # where truth is known
    held: list[HeldFor] = Field(default_factory=list)  # why it is no results yet; none: it is

    @property
    def pictures_per_second(self) -> float:
        """Return pictures per second of the whole run."""
        return self.found / self.seconds if self.seconds else 0.0

    def count_of(self, status: Status) -> int:
        """Return how many pictures have a status."""
        counts = {
            Status.READ: self.read,
            Status.REVIEW: self.review,
            Status.REJECTED: self.rejected,
        }
        return counts[status]

    def to_dict(self) -> dict[str, Any]:
        """Return the same as values that JSON knows, and the speed."""
        return super().to_dict() | {"pictures_per_second": round(self.pictures_per_second, 1)}


@dataclass(frozen=True)
class RunFacts:
    """What a run was: its name, what it read with, how long that took, and where rows went."""

    run_id: str
    results: str
    out: str | None
    model_version: str
    canonical_version: str
    instead_of: InsteadOf | None
    promise: Promise
    max_error: float
    strictness: float
    device: str
    provider: str
    started_at: str
    stages: dict[str, float]  # seconds of each


@dataclass(frozen=True)
class FileCounts:
    """The files that a run found, and what it did not read of them."""

    roots: Roots
    listed: int
    unchanged: int
    others: int
    decided_anew: int
    resumed: list[str]
    rejected_now: int | None
    held: Sequence[HeldFor] = ()


@dataclass
class Tally:
    """What the rows of a run add up to, and some of them to show."""

    files: int = 0
    found: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    digits: Counter[int] = field(default_factory=Counter)
    kinds: Counter[tuple[str, str]] = field(default_factory=Counter)  # and status
    rejects: list[PictureRow] = field(default_factory=list)
    by_reason: dict[str, list[PictureRow]] = field(default_factory=dict)  # some of the rejected
    least_sure: pa.Table | None = None
    spread: list[PictureRow] = field(default_factory=list)

    def add(self, batch: pa.RecordBatch, every: int) -> None:
        """Count the rows of a batch; keep each `every`th row with a digit."""
        rows = pa.Table.from_batches([batch])
        first = -self.digits.total() % every  # goes on where the last batch ended
        for counter, name in (
            (self.statuses, "status"),
            (self.reasons, "reason"),
            (self.digits, "digit"),
        ):
            counter.update(_counts(rows[name]))
        of_kinds = rows.filter(rows["kind"].is_valid()).group_by(["kind", "status"])
        counts = of_kinds.aggregate([([], "count_all")])
        for row in counts.to_pylist():
            self.kinds[row["kind"], row["status"]] += row["count_all"]
        rejected = rows.filter(pc.field("status") == Status.REJECTED)
        room = MOST_REJECTS - len(self.rejects)
        self.rejects += picture_rows(rejected.slice(0, room))
        for reason in _counts(rejected["reason"]):
            kept = self.by_reason.setdefault(reason, [])
            of_it = rejected.filter(pc.field("reason") == reason)
            kept += picture_rows(of_it.slice(0, OF_A_REASON - len(kept)))
        answered = rows.filter(pc.field("status") != Status.REJECTED)
        places = range(first, answered.num_rows, every)
        self.spread += picture_rows(answered.take(pa.array(places, pa.int64())))
        some = [self.least_sure, answered] if self.least_sure else [answered]
        self.least_sure = pa.concat_tables(some).sort_by("confidence").slice(0, LEAST_SURE)
        self.files += pc.sum(pc.equal(rows["page"], 0), min_count=0).as_py()
        self.found += rows.num_rows

    def samples(self) -> list[PictureRow]:
        """Return rows with a digit to show: the least sure ones, and some from all over the run."""
        doubtful = picture_rows(self.least_sure) if self.least_sure else []
        chosen = {(row.root, row.path, row.page): row for row in doubtful + self.spread}
        return list(chosen.values())


@task(name="count the rows", stage="check")
def tally(tables: Sequence[str], run_id: str, expected: int) -> Tally:
    """Return what the rows of a run add up to.

    Args:
        tables: the results, and the held rows where its batch is held.
        run_id: the run.
        expected: files that have to have rows.

    Raises:
        DigitflowError: the rows of the run are not those of the files.
    """
    found = Tally()
    if expected:
        every = max(1, expected // EVENLY_SPREAD)
        for table in tables:
            for batch in results.scan(table, COLUMNS, results.of_run(run_id)):
                found.add(batch, every)
    if found.files != expected:
        raise DigitflowError(
            f"{expected} files were to be read, {found.files} have rows of run {run_id} "
            f"in {' and '.join(tables)}: the run is not complete"
        )
    return found


def summarise(run: RunFacts, files: FileCounts, counted: Tally) -> Summary:
    """Return the summary of a run from what it was, what it found, and what its rows add up to."""
    return Summary(
        run_id=run.run_id,
        root=str(files.roots),
        listed=files.listed,
        unchanged=files.unchanged,
        others=files.others,
        files=counted.files,
        found=counted.found,
        read=counted.statuses[Status.READ],
        review=counted.statuses[Status.REVIEW],
        rejected=counted.statuses[Status.REJECTED],
        reasons=dict(counted.reasons.most_common()),
        digits=[counted.digits[digit] for digit in range(10)],
        rejects=[
            Reject(path=files.roots.shown(row.root, row.path), reason=row.reason, detail=row.detail)
            for row in counted.rejects
        ],
        model_version=run.model_version,
        canonical_version=run.canonical_version,
        instead_of=run.instead_of,
        threshold=SummaryThreshold.from_dict(asdict(run.promise.whole)),
        promise=run.promise.sentence(),
        max_error=run.max_error,
        strictness=run.strictness,
        kinds=_kinds(run.promise, counted),
        device=run.device,
        provider=run.provider,
        started_at=run.started_at,
        seconds=sum(run.stages.values()),
        stages=run.stages,
        results=run.results,
        resumed=files.resumed,
        decided_anew=files.decided_anew,
        out=run.out,
        rejected_now=files.rejected_now,
        held=list(files.held),
    )


def _kinds(promise: Promise, counted: Tally) -> list[SummaryKind]:
    """Return every kind that was promised something for or found."""
    found = dict.fromkeys([*promise.confidences, *(kind for kind, _ in counted.kinds)])
    parts = []
    for kind in found:
        read, review, rejected = (counted.kinds[kind, status] for status in Status)
        threshold = promise.thresholds.get(kind)
        parts.append(
            SummaryKind(
                kind=kind,
                threshold=SummaryThreshold.from_dict(asdict(threshold)) if threshold else None,
                found=read + review + rejected,
                read=read,
                review=review,
                rejected=rejected,
            )
        )
    return parts


def _counts(column: pa.ChunkedArray) -> dict[Any, int]:
    """Return how often each value occurs; null is none."""
    pairs = ((pair["values"], pair["counts"]) for pair in column.value_counts().to_pylist())
    return {value: count for value, count in pairs if value is not None}
