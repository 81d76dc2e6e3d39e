"""Read pictures: discover, find what is pending, read shard by shard, check the counts, report.

Never loads TensorFlow; ONNX Runtime and OpenCV are for workers and the report alone.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from time import perf_counter
from typing import Any

from flows.artifacts import publish_report
from flows.holding.batch import BatchFacts, Judged, judge_batch
from flows.holding.batch import begin as begin_hold
from flows.holding.second_look import BatchReader
from flows.reading import Reading, cluster_of, read_all, workers_of
from flows.runner import LOCAL, Runner, ThreadRunner
from flows.status.audits import LOOK_BACK
from flows.terminal.console import Console
from flows.terminal.reading_log import log_pending, log_promise, log_reading, log_strictness
from tasks.atomic import write_text
from tasks.device import Device, reading_device
from tasks.errors import DigitflowError, ModelError, RejectedInputs
from tasks.gc_control import settled
from tasks.holding.release import looked_aside
from tasks.inference.audit import with_audit
from tasks.inference.batch import ReadPlan
from tasks.inference.decision import Thresholds, guaranteed, possible_strictness
from tasks.inference.model_file import Model, Unreadable
from tasks.inference.worker import SessionFacts, WorkerStart
from tasks.inference.worker_pool import WorkerPool
from tasks.inputs.base import Inputs
from tasks.inputs.listing import Listing, discover
from tasks.inputs.open import open_inputs
from tasks.metrics.calibration import Calibration
from tasks.metrics.error_bounds import ErrorBounds
from tasks.metrics.promise import Promise, strictest
from tasks.monitoring.audit import audited
from tasks.monitoring.audit_findings import AuditFinding, findings
from tasks.monitoring.strictness import strictness_by
from tasks.outcomes import ALL_STAY, Originals, Status
from tasks.registry.registry import Registry, find_model
from tasks.registry.version_lock import in_use
from tasks.reporting.document import Report, plural, to_html
from tasks.reporting.reading_report import reading_report
from tasks.reporting.samples import load_rejected, load_samples
from tasks.results import table as results
from tasks.results.arrivals import with_arrivals
from tasks.results.commit import writer_of
from tasks.results.compact import MANY, compact, small_files
from tasks.results.pending import ReprocessPolicy, find_pending
from tasks.results.redecide import BoundsOf, RedecidedFiles, redecide, with_decisions
from tasks.results.repair import require_sound
from tasks.results.summary import FileCounts, InsteadOf, RunFacts, Summary, Tally, summarise, tally
from tasks.runs import LISTING_FILE, REPORT_FILE, SUMMARY_FILE, open_run, resumable_runs, run_lock
from tasks.settings.base import home, models_place, results_table
from tasks.settings.reading import PredictSettings
from tasks.task import task
from tasks.timing import Stages, timed

PENDING_FILE = "pending.parquet"


@dataclass(frozen=True)
class Run:
    """What a reading has to know from its start to its end."""

    folder: Path
    inputs: Inputs
    table: str
    device: Device
    started: datetime
    stages: Stages
    console: Console
    runner: Runner
    instead_of: Unreadable | None  # the champion, where another model reads


@dataclass(frozen=True)
class Found:
    """Files that were found before a run, and what becomes of them when it has read them."""

    inputs: Inputs
    listing: Listing
    originals: Originals


@dataclass(frozen=True)
class Guarantee:
    """What the model that reads guarantees, by the error that is accepted."""

    session: SessionFacts
    promise: Promise
    thresholds: Thresholds
    bounds_of: BoundsOf  # also of the models that read earlier rows
    strictness: float = 1.0  # by which its bounds were raised, since people found more errors


class PicturesRejected(RejectedInputs):
    """A strict run came to its end, and pictures that it found are rejected."""

    summary: Summary


def predict(
    settings: PredictSettings,
    console: Console | None = None,
    runner: Runner | None = None,
    found: Found | None = None,
) -> Summary:
    """Read every picture of the source that is not read yet into the results table.

    Args:
        settings: what is read, with which model, and how.
        console: shows what is done; by default on the terminal.
        runner: runs the shards; by default in threads of this program.
        found: the files, where they are listed already.

    Raises:
        InputError: the source, the model, the device, the runner or the output file cannot be
            used, or the model cannot guarantee the error that is accepted.
        DigitflowError: it could not come to its end; what was committed before stays.
    """
    console, runner = console or Console(), runner or ThreadRunner()
    with Stages() as stages:
        started = datetime.now(UTC)
        runner.require(cluster_of(settings))
        inputs = (
            found.inputs
            if found
            else open_inputs(settings.source, settings.include, settings.exclude)
        )
        if settings.out:
            results.check_out(settings.out)
        require_sound(results_table())
        registry = Registry(models_place())
        model = find_model(settings.model, registry)
        device = reading_device(settings.device)
        folder, table = open_run("predict", home()), results_table()
        run = Run(
            *(folder, inputs, table, device, started, stages, console, runner), model.instead_of
        )
        start = WorkerStart(model, device, settings.decode_timeout)
        with settled(), in_use(Path(model.location)), WorkerPool(start) as workers:
            listing = found.listing if found else list_files(run, settings)
            console.log("Source", f"{listing.roots}: {plural(listing.count, 'file')}")
            start_early(workers, listing, settings)
            with timed("start"):
                session = workers.session_facts()
            strictness = strictness_of(run, settings, session)
            guarantee = guarantee_of(session, settings.max_error, registry, strictness)
            log_model(model, session, registry, device, console)
            log_promise(guarantee.promise, console)
            log_strictness(strictness, guarantee.strictness, console)
            originals = found.originals if found else ALL_STAY
            summary = _read(run, listing, guarantee, workers, settings, originals)
    log_reading(summary, run.folder, console)
    return summary


def _read(
    run: Run,
    listing: Listing,
    guarantee: Guarantee,
    workers: WorkerPool,
    settings: PredictSettings,
    originals: Originals,
) -> Summary:
    """Read what is pending of a listing, and account for every file of it."""
    run_id, bounds_of = run.folder.name, guarantee.bounds_of
    key = run_key(settings, run.inputs, guarantee.session)
    policy = reprocess_policy(settings, resumable_runs(run.folder, key))
    writer = writer_of(run.table, run.inputs.roots.names, run_id)
    hold = begin_hold(writer) if settings.hold else None
    began, number = (hold.began, hold.number) if hold else (writer.version, None)
    with run_lock(run.folder, key, began, number):
        aside = looked_aside(run.table, run.folder.parent, holds=settings.hold)
        pending = find_pending(
            *(listing, run.inputs, run.table, policy, run.folder / PENDING_FILE, bounds_of), aside
        )
        log_pending(pending, policy, run.console)
        plan = ReadPlan(
            *(run_id, run.inputs, guarantee.thresholds), originals=originals, audit=settings.audit
        )
        reading = Reading(plan, pending.listing, workers, hold.writer if hold else writer, settings)
        before = perf_counter()
        others = read_all(reading, run.stages, run.console, run.runner)
        seconds = perf_counter() - before
        facts = batch_facts(run, guarantee, policy, pending.listing.count - others)
        reader = BatchReader(run.inputs, workers, guarantee.thresholds, seconds, run.console)
        judged = judge_batch(hold, facts, run.folder.parent, reader) if hold else Judged()
        others += judged.superseded
        redecided = RedecidedFiles(0, 0)
        # where no other run has read anything, this one has decided everything
        if pending.unchanged or others:
            draw = partial(with_audit, share=settings.audit, run_id=run_id)
            redecided = redecide(
                *(listing, pending.listing, writer, settings.max_error, bounds_of, draw),
                others=not judged.findings,
            )
        others -= redecided.others
        for table in (run.table, *([hold.log] if hold else [])):
            keep_compact(table, run.console)
        tables = [run.table, hold.writer.table] if hold and judged.findings else [run.table]
        counted = tally(tables, run_id, pending.listing.count - others + redecided.unchanged)
        files = FileCounts(
            roots=listing.roots,
            listed=listing.count,
            unchanged=pending.unchanged - redecided.unchanged,
            others=others,
            decided_anew=redecided.unchanged + redecided.others,
            resumed=list(policy.resumed) if pending.resumed else [],
            rejected_now=rejected_now(run.table, listing) if settings.strict else None,
            held=judged.findings,
        )
        summary = summarise(run_facts(run, settings, guarantee), files, counted)
        if settings.out:
            write_out(run.table, listing, settings, bounds_of)
        report = write_report(run, summary, counted, workers, audits_of(run, settings))
        publish_report("reading-report", report, run.folder / REPORT_FILE)
    return summary


def list_files(run: Run, settings: PredictSettings) -> Listing:
    """Return what there is to read; see `tasks.inputs.listing.discover`."""
    file = run.folder / LISTING_FILE
    return with_arrivals(discover(run.inputs, file, allow_empty=settings.allow_empty), run.table)


def require_none_rejected(summary: Summary) -> None:
    """See that no picture that was found is rejected, by this run or before, if it is strict.

    Raises:
        PicturesRejected: some are; it has the summary.
    """
    if summary.rejected_now:
        error = PicturesRejected(
            f"{summary.rejected_now} of the pictures that were found are rejected (--strict)"
        )
        error.summary = summary
        raise error


def start_early(workers: WorkerPool, listing: Listing, settings: PredictSettings) -> None:
    """Start the other workers while the first loads the model, where all is to be read."""
    if settings.runner != LOCAL:
        return
    count = workers_of(listing, settings)
    if count > 1 and (settings.again or not results.is_table(results_table())):
        workers.resize(count)


def log_model(
    model: Model, session: SessionFacts, registry: Registry, device: Device, console: Console
) -> None:
    """Say what reads, and where it does so against the gate."""
    console.log("Model", f"{model}, by {session.provider} on {device}")
    if champion := model.instead_of:
        console.log("", f"in place of the champion: {champion.why}")
    if reason := registry.overridden().get(session.version):
        console.log("", f"promoted against the gate: {reason}")


def strictness_of(run: Run, settings: PredictSettings, session: SessionFacts) -> float:
    """Return how much stricter is read, by what people found on these sources with this model."""
    if not settings.tighten:
        return 1.0
    roots, since = run.inputs.roots.names, run.started - LOOK_BACK
    months = findings(audited(run.table, since, roots, "month"), lambda _: settings.max_error)
    return strictness_by(months, session.version)


def guarantee_of(
    session: SessionFacts, max_error: float, registry: Registry, strictness: float = 1.0
) -> Guarantee:
    """Return what a model guarantees, as much stricter as it can be.

    Raises:
        InputError: it cannot guarantee so little.
    """
    calibration = Calibration.from_json(session.calibration)
    possible = possible_strictness(strictness, max_error, calibration)
    promise, thresholds = guaranteed(max_error, calibration, possible)
    bounds_of = bounds_by_model(session.version, calibration, registry)
    return Guarantee(session, promise, thresholds, bounds_of, possible)


def bounds_by_model(reading: str, calibration: Calibration, registry: Registry) -> BoundsOf:
    """Return what gives the error bounds of the model that reads, and of registered ones.

    They are those of its strictest kind of picture, for rows that do not say of which they are.
    """

    @cache
    def bounds_of(version: str) -> ErrorBounds | None:
        if version == reading:
            return ErrorBounds.of(strictest(calibration.curves))
        return bounds_of_registered(version, registry)

    return bounds_of


def bounds_of_registered(version: str, registry: Registry) -> ErrorBounds | None:
    """Return the error bounds of a registered model, as `bounds_by_model` gives them."""
    try:
        theirs = registry.load(version).card.calibration
        return ErrorBounds.of(strictest(theirs.curves())) if theirs else None
    except (ModelError, TypeError, ValueError):  # gone, or a curve that cannot be
        return None


def run_key(settings: PredictSettings, inputs: Inputs, session: SessionFacts) -> dict[str, Any]:
    """Return what two runs have in common when the second goes on where the first was stopped."""
    asked = {
        *("include", "exclude", "max_error"),
        *("again", "retry_rejected", "retry_review", "by_content"),
    }
    root, *more = inputs.roots.names
    return {
        "root": root if not more else [root, *more],
        "model": session.version,
        **settings.model_dump(mode="json", include=asked),
        **({"hold": True} if settings.hold else {}),  # whose rows lie elsewhere
    }


def batch_facts(run: Run, guarantee: Guarantee, policy: ReprocessPolicy, files: int) -> BatchFacts:
    """Return what a run knows of its batch, of which it has read so many files itself."""
    return BatchFacts(
        run_id=run.folder.name,
        resumed=policy.resumed,
        roots=run.inputs.roots,
        model_version=guarantee.session.version,
        started_at=run.started.isoformat(timespec="seconds"),
        files=files,
    )


def reprocess_policy(settings: PredictSettings, resumed: list[str]) -> ReprocessPolicy:
    """Return which files that were read before are read again."""
    return ReprocessPolicy(
        settings.again,
        settings.retry_rejected,
        settings.retry_review,
        settings.by_content,
        tuple(resumed),
    )


def run_facts(run: Run, settings: PredictSettings, guarantee: Guarantee) -> RunFacts:
    """Return what its summary says of a run, at its end."""
    session = guarantee.session
    return RunFacts(
        run_id=run.folder.name,
        results=run.table,
        out=str(settings.out) if settings.out else None,
        model_version=session.version,
        canonical_version=session.canonical_version,
        instead_of=InsteadOf(**asdict(run.instead_of)) if run.instead_of else None,
        promise=guarantee.promise,
        max_error=settings.max_error,
        strictness=guarantee.strictness,
        device=str(run.device),
        provider=session.provider,
        started_at=run.started.isoformat(timespec="seconds"),
        stages=run.stages.summed(),
    )


def rejected_now(table: str, listing: Listing) -> int:
    """Return how many pictures of those that were found are rejected, whichever run did so."""
    return int(results.current_rows(table, listing, Status.REJECTED, ["root", "path"]).num_rows)


def keep_compact(table: str, console: Console) -> None:
    """Compact a table of many small files; where that fails, its rows are there all the same."""
    if not results.is_table(table) or small_files(table) < MANY:
        return
    try:
        compact(table)
    except DigitflowError as error:
        console.log("Compact", f"left for another run: {error}")


@task(name="write the output file")
def write_out(table: str, listing: Listing, settings: PredictSettings, bounds_of: BoundsOf) -> None:
    """Write the current rows to the file the user asked for.

    They are decided by the error that is accepted here, whatever another run has accepted since.
    """
    assert settings.out  # noqa: S101 - asked for
    rows = with_decisions(results.current_rows(table, listing), settings.max_error, bounds_of)
    results.export(rows, settings.out)


def audits_of(run: Run, settings: PredictSettings) -> list[AuditFinding]:
    """Return what people's answers show of these sources so far, where pictures are drawn."""
    if not settings.audit:
        return []
    found = audited(run.table, run.started - LOOK_BACK, run.inputs.roots.names)
    return findings(found, lambda _: settings.max_error)


@task(name="write the report")
def write_report(
    run: Run,
    summary: Summary,
    counted: Tally,
    workers: WorkerPool,
    audits: Sequence[AuditFinding] = (),
) -> Report:
    """Write the summary and the HTML report into the folder of the run; return the report."""
    samples = load_samples(counted.samples(), run.inputs, workers.acquire)
    rejected = load_rejected(counted.by_reason, run.inputs, workers.acquire)
    report = reading_report(summary, samples.shown, samples.unshown, rejected, audits)
    write_text(run.folder / SUMMARY_FILE, json.dumps(summary.to_dict(), indent=2) + "\n")
    write_text(run.folder / REPORT_FILE, to_html(report))
    return report
