"""What serves and since when, what the last batches came to, and how much waits for review.

It is found out anew each time, from the history of the models, the runs of this home and the
results table; what a server adds (what comes next, who is told) is handed in.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from flows.status.audits import Audits, what_audits_show
from flows.status.past_runs import summaries
from tasks.errors import DigitflowError
from tasks.holding.batches import Entry as BatchEntry
from tasks.holding.batches import waiting_batches
from tasks.outcomes import STATUSES, Reason, Status
from tasks.registry.events import asked
from tasks.registry.registry import Registry, bundled_model, serving
from tasks.registry.version import Version
from tasks.results import table as results
from tasks.results.summary import Summary
from tasks.settings.base import home, models_place, results_table
from tasks.storage.journal import Entry

BATCHES = 5  # shown


@dataclass(frozen=True)
class Serving:
    """The model that reads from now on, and how it came to that."""

    version: str | None = None  # None: none reads
    shipped: bool = False  # it came with the package
    accuracy: float | None = None  # on its test part
    action: str | None = None  # promote or rollback; None: none was promoted yet
    since: str | None = None
    by: str | None = None
    why: str | None = None
    replaced: str | None = None
    override: bool = False  # promoted against the gate
    trouble: str | None = None  # why the next reading will refuse, or why nobody can say


@dataclass(frozen=True)
class Batch:
    """What a run came to that found something to read."""

    run_id: str
    source: str
    started_at: str
    model: str
    read: int
    review: int
    rejected: int
    rejects: dict[str, int]  # by reason


@dataclass(frozen=True)
class HeldBatch:
    """A batch that is no results before somebody releases it."""

    run_id: str
    source: str
    since: str
    pictures: int
    findings: dict[str, str]  # what is odd about it, by reason


@dataclass(frozen=True)
class Held:
    """Batches that wait for a decision; what other places a table is shared by hold counts, too."""

    batches: Sequence[HeldBatch] = ()  # the oldest first
    trouble: str | None = None


@dataclass(frozen=True)
class Waiting:
    """Pictures in review; what other places a table is shared by have read counts, too."""

    pictures: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    trouble: str | None = None


@dataclass(frozen=True)
class Approval:
    """A version that the gate has accepted, and that a person has to approve."""

    version: str
    asked: str
    until: str | None  # when it is refused; None: it waits until another version serves


@dataclass(frozen=True)
class Scheduled:
    """When a deployment runs next, and how its last run ended."""

    deployment: str
    next: str | None = None  # None: it has no schedule, or is paused
    paused: bool = False
    ended: str | None = None  # when its last run did
    state: str | None = None  # and as what
    message: str | None = None


@dataclass(frozen=True)
class Server:
    """What a Prefect server knows: which one it is, what comes next, who is told what."""

    url: str
    scheduled: Sequence[Scheduled] = ()
    alerts: Sequence[str] = ()  # of what somebody is told; none: of nothing
    trouble: str | None = None


@dataclass(frozen=True)
class Facts:
    """All of it at one moment."""

    as_of: str
    home: str
    serving: Serving
    batches: list[Batch]
    waiting: Waiting
    held: Held
    server: Server | None
    audits: Audits = field(default_factory=Audits)
    approvals: list[Approval] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Return the same as values that JSON knows."""
        return asdict(self)


def facts(server: Server | None = None) -> Facts:
    """Return how it stands; what cannot be found out is said in its place, and raises nothing."""
    return Facts(
        as_of=datetime.now(UTC).isoformat(timespec="seconds"),
        home=str(home()),
        serving=what_serves(),
        batches=last_batches(home() / "runs"),
        waiting=what_waits(results_table),
        held=what_is_held(results_table),
        server=server,
        audits=what_audits_show(results_table, home() / "runs"),
        approvals=approvals(),
    )


def what_serves() -> Serving:
    """Return what the next reading will read with, by the rules by which it finds that out."""
    try:
        registry = Registry(models_place())
        entry = serving_entry(registry.history())
    except (DigitflowError, OSError) as error:
        return Serving(trouble=str(error))
    told = _told(entry) if entry else {}
    try:
        version = serving(registry)
    except (DigitflowError, OSError) as error:
        return Serving(**{"version": None, **told, "trouble": str(error)})
    if version is None:
        return Serving(trouble="no model: none ships with this digitflow, and none was promoted")
    return Serving(
        **{
            **told,
            "version": version.name,
            "shipped": _ships(version),
            "accuracy": version.accuracy,
        }
    )


def approvals() -> list[Approval]:
    """Return the versions that a person is asked to approve, while that can be done."""
    try:
        waiting = asked(Registry(models_place()).history())
    except (DigitflowError, OSError):
        return []  # what serves says so
    now = datetime.now(UTC)
    return [
        Approval(
            version=each.version,
            asked=each.at,
            until=each.until.isoformat(timespec="seconds") if each.until else None,
        )
        for each in waiting
        if not each.is_over(now)
    ]


def serving_entry(entries: Sequence[Entry]) -> Entry | None:
    """Return the promotion or rollback by which what serves does so; None: what ships, as ever."""
    deciding = [entry for entry in entries if entry["action"] in ("promote", "rollback")]
    return deciding[-1] if deciding else None


def _told(entry: Entry) -> dict[str, Any]:
    return {
        "version": entry["version"],
        "action": entry["action"],
        "since": entry["time"],
        "by": entry["actor"],
        "why": entry["reason"],
        "replaced": entry.get("replaced"),
        "override": bool(entry.get("override")),
    }


def _ships(version: Version) -> bool:
    shipped = bundled_model()
    return shipped is not None and shipped.name == version.name


def last_batches(runs: Path) -> list[Batch]:
    """Return the last runs of a home that found something to read, the newest first."""
    batches: list[Batch] = []
    for summary in summaries(runs):
        batches += [batch_of(summary)] if summary.files else []
        if len(batches) == BATCHES:
            break
    return batches


def batch_of(summary: Summary) -> Batch:
    """Return what is told of a run."""
    return Batch(
        run_id=summary.run_id,
        source=summary.root,
        started_at=summary.started_at,
        model=summary.model_version,
        read=summary.read,
        review=summary.review,
        rejected=summary.rejected,
        rejects=_most_first(
            {
                reason: count
                for reason, count in summary.reasons.items()
                if STATUSES[Reason(reason)] == Status.REJECTED
            }
        ),
    )


def what_waits(place: Callable[[], str]) -> Waiting:
    """Return how many pictures are in review by the last reading of their file.

    Args:
        place: gives folder or URL of the results table, or raises.
    """
    try:
        table = place()
        return _waiting(table) if results.is_table(table) else Waiting()
    except (DigitflowError, OSError) as error:
        return Waiting(trouble=str(error))


def what_is_held(place: Callable[[], str]) -> Held:
    """Return the batches that wait for a decision; `place` is as for `what_waits`."""
    try:
        return Held([_held(entry) for entry in waiting_batches(place())])
    except (DigitflowError, OSError) as error:
        return Held(trouble=str(error))


def _held(entry: BatchEntry) -> HeldBatch:
    batch = entry.batch
    return HeldBatch(
        run_id=batch.run_id,
        source=batch.source,
        since=entry.at.isoformat(timespec="seconds"),
        pictures=batch.pictures,
        findings={each.reason: each.sentence for each in batch.findings},
    )


def _waiting(table: str) -> Waiting:
    """Look only at files that were ever in review, which are few where the table is large."""
    reviewed = _rows(table, ["path"], lambda text: text("status") == Status.REVIEW.value)
    if not reviewed:
        return Waiting()
    paths = reviewed["path"].unique()
    columns = ["root", "path", "status", "reason", *results.RANKED_BY]
    last = results.current(_rows(table, columns, lambda text: text("path").isin(paths)))
    waits = last.filter(pc.field("status") == Status.REVIEW.value)
    pairs = waits["reason"].value_counts().to_pylist()
    return Waiting(waits.num_rows, _most_first({pair["values"]: pair["counts"] for pair in pairs}))


def _rows(table: str, columns: list[str], wanted: results.Condition) -> pa.Table | None:
    """Return the rows that count and match; None: there are none."""
    scanned = results.scan(table, columns, lambda text: results.COUNTS & wanted(text))
    found = [pa.Table.from_batches([batch]) for batch in scanned]
    return pa.concat_tables(found) if found else None


def _most_first(counts: dict[str, int]) -> dict[str, int]:
    return dict(Counter(counts).most_common())
