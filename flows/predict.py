"""Read a folder: discover, read shard by shard, commit, count, report. Never loads TensorFlow."""

import json
import time
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from flows.engine import Advance, Engine
from tasks import results
from tasks.calibrate import threshold_for
from tasks.decide import Thresholds
from tasks.device import reading_device
from tasks.discover import Shard, discover, existing_folder, shards
from tasks.files import write_text
from tasks.reader import calibration_of
from tasks.reading_report import reading_report
from tasks.registry import Registry, find_onnx
from tasks.report import Report, to_html
from tasks.runs import REPORT_FILE, SUMMARY_FILE, open_run
from tasks.samples import choose_samples
from tasks.settings import PredictSettings, home
from tasks.shard import ReadPlan
from tasks.summary import Summary, summarise
from tasks.workers import Workers


def predict(settings: PredictSettings, engine: Engine) -> Summary:
    """Read every picture below a folder into the results table.

    Raises:
        InputError: the folder, the model, the device or the output file cannot be used, or the
            model cannot promise the error that is accepted.
    """
    started, clock = datetime.now(UTC), time.perf_counter()
    folder = existing_folder(settings.folder)
    if settings.out:
        results.check_out(settings.out)
    registry = Registry(home() / "models")
    model = find_onnx(settings.model, registry)
    device = reading_device(settings.device)
    calibration = calibration_of(model)
    threshold = threshold_for(settings.max_error, calibration.curve)
    run, table = open_run("predict", home()), home() / "results"

    listing = engine.stage(
        discover, folder, run / "listing.parquet", allow_empty=settings.allow_empty
    )
    engine.say("Folder", f"{listing.root}: {listing.count:,} files")
    thresholds = Thresholds(
        threshold.confidence, calibration.min_digit_score, calibration.sure_digit_score
    )
    plan = ReadPlan(run.name, listing.root, listing.file, thresholds)
    with Workers(plan, model, device, listing.count, settings.workers) as workers:
        reader = workers.reader
        engine.say("Model", f"{reader.version}, by {reader.provider} on {device}")
        if reason := registry.overridden().get(reader.version):
            engine.say("", f"promoted against the gate: {reason}")
        engine.say("Promise", threshold.sentence())
        with engine.progress("Reading", listing.count) as advance:
            for shard in shards(listing):
                engine.stage(read_shard, workers, shard, table, advance)

    summary = engine.stage(
        summarise,
        table,
        listing,
        run.name,
        model_version=reader.version,
        canonical_version=reader.metadata["canonical_version"],
        threshold=threshold,
        device=str(device),
        provider=reader.provider,
        started_at=started.isoformat(timespec="seconds"),
        seconds=time.perf_counter() - clock,
        out=str(settings.out) if settings.out else None,
    )
    if settings.out:
        engine.stage(write_out, summary, settings.out)
    engine.publish("reading-report", engine.stage(write_report, run, summary))
    tell(summary, run, engine)
    return summary


def read_shard(workers: Workers, shard: Shard, table: Path, advance: Advance) -> int:
    """Read one shard and commit its rows at once; return how many there are."""
    stretches: list[pa.Table] = []
    for rows in workers.read(shard):
        stretches.append(rows)
        advance(min(shard.stop, shard.start + len(stretches) * workers.stretch))
    whole = pa.concat_tables(stretches)
    results.commit(table, whole, f"{workers.plan.run_id}/{shard.number}")
    return int(whole.num_rows)


def write_out(summary: Summary, out: Path) -> None:
    """Write the rows of one run to the file the user asked for."""
    results.export(rows_of(summary), out)


def write_report(run: Path, summary: Summary) -> Report:
    """Write the summary and the HTML report into the folder of the run; return the report."""
    rows = rows_of(summary, ["path", "page", "status", "reason", "digit", "confidence"])
    report = reading_report(summary.facts(), choose_samples(rows, Path(summary.root)))
    write_text(run / SUMMARY_FILE, json.dumps(summary.facts(), indent=2) + "\n")
    write_text(run / REPORT_FILE, to_html(report))
    return report


def rows_of(summary: Summary, columns: list[str] | None = None) -> pa.Table:
    """Return the rows of a run; a run that found nothing may come before there is a table."""
    if not summary.found:
        return results.SCHEMA.empty_table()
    return results.select(Path(summary.results), run=summary.run_id, columns=columns)


def tell(summary: Summary, run: Path, engine: Engine) -> None:
    """Say what came out, in counts that add up."""
    reasons = ", ".join(
        f"{count:,} {reason}" for reason, count in summary.reasons.items() if reason != "ok"
    )
    engine.say("Found", f"{summary.found:,} pictures in {summary.files:,} files")
    engine.say(
        "Outcome",
        f"{summary.read:,} read + {summary.review:,} for review + {summary.rejected:,} rejected"
        f" = {summary.found:,}" + (f" ({reasons})" if reasons else ""),
    )
    speed = f"{summary.pictures_per_second:,.0f} pictures/s"
    engine.say("Speed", f"{speed} ({summary.seconds:.1f} s, {summary.provider})")
    engine.say("Results", f"{summary.results} (run {summary.run_id})")
    if summary.out:
        engine.say("Output", summary.out)
    engine.say("Report", str(run / REPORT_FILE))
