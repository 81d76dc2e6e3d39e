"""The lines that a person reads while a training runs."""

from collections.abc import Iterable
from pathlib import Path

from tasks.contracts.verdict import Verdict
from tasks.data.snapshot import Snapshot
from tasks.metrics.calibration import Calibration
from tasks.not_measured import NotMeasured
from tasks.progress import ProgressLog
from tasks.registry.serving_rules import listed_slices
from tasks.settings.training import TrainSettings
from tasks.training.orientation_check import Readings
from tasks.training.steps import Evaluation


def log_data(snapshot: Snapshot, log: ProgressLog) -> None:
    """Say what was read, and the first labels as a check that it was read right."""
    counts = {part: sum(of_digit) for part, of_digit in snapshot.facts.counts.items()}
    parts = ", ".join(f"{count:,} {part}" for part, count in counts.items())
    log.log("Data", f"{snapshot.facts.name}: {parts} (snapshot {snapshot.digest[:12]})")
    first = " ".join(map(str, snapshot.facts.first_labels))
    log.log("", f"first labels: {first}")
    for conversion in snapshot.facts.converted:
        log.log("", f"converted: {conversion}")


def log_corrections(snapshot: Snapshot, settings: TrainSettings, log: ProgressLog) -> None:
    """Say how many corrections are learned, how often, and which are not and why."""
    if not settings.with_corrections:
        return
    added = snapshot.facts.added
    if added is None:
        log.log("Corrections", "none to learn: `digitflow corrections` lists what is kept")
        return
    times = "once" if added.times == 1 else f"{added.times} times"
    log.log("Corrections", f"{added.pictures:,} learned, each {times}")
    for reason, count in added.left_out.items():
        log.log("", f"{count:,} left out: {reason}")


def log_orientation(readings: list[Readings] | NotMeasured, log: ProgressLog) -> None:
    """Say how the shipped model reads the data as it is, or why nobody looked."""
    if isinstance(readings, NotMeasured):
        log.log("Orientation", f"not checked: {readings.reason}")
        return
    parts = " and ".join(
        f"{one.given:.1%} of {one.count:,} of the {one.part} part" for one in readings
    )
    log.log("Orientation", f"as they are, the shipped model reads {parts} right")


def log_shortfalls(shortfalls: Iterable[str], log: ProgressLog) -> None:
    """Say for what the test part is too small, so that no candidate can pass."""
    for shortfall in shortfalls:
        log.log("Too few", f"{shortfall}, so that the gate will refuse")


def log_less_evidence(lacks: tuple[str, list[str]] | NotMeasured | None, log: ProgressLog) -> None:
    """Say that a candidate will be kept and not serve, for the gate will see less of it."""
    if lacks is None or isinstance(lacks, NotMeasured) or not lacks[1]:
        return  # what could not be found out, the promotion finds out
    champion, slices = lacks
    log.log(
        "Gate",
        f"judges it without {listed_slices(slices)}, which {champion} passed: it will be kept, and "
        "needs `models promote --override` to serve",
    )


def log_calibration(calibration: Calibration, log: ProgressLog) -> None:
    """Say what the temperature changed, and what the model guarantees."""
    log.log(
        "Calibration",
        f"temperature {calibration.temperature:.3f}, calibration error "
        f"{calibration.error_before:.4f} before, {calibration.error_after:.4f} after",
    )
    lowest = {
        kind: min(guarantee.bound for guarantee in curve.guarantees())
        for kind, curve in calibration.curves.items()
    }
    words = ", ".join(f"{bound:.2%} on {kind}" for kind, bound in lowest.items())
    log.log("", f"lowest --max-error that it supports: {words}")


def log_export(onnx: Path, log: ProgressLog) -> None:
    """Say what was exported."""
    size = onnx.stat().st_size / 1024
    log.log("Export", f"{onnx.name}, {size:,.0f} KiB")


def log_evaluation(evaluation: Evaluation, log: ProgressLog) -> None:
    """Say how the test part was answered, and one answer."""
    metrics, sample = evaluation.metrics, evaluation.sample
    log.log(
        "Test",
        f"{metrics.accuracy:.2%} of {metrics.count:,} right (95 % interval "
        f"{metrics.accuracy_low:.2%} to {metrics.accuracy_high:.2%}), loss {metrics.loss:.4f}, "
        f"calibration error {metrics.calibration_error:.4f}",
    )
    log.log(
        "Sample",
        f"the first test picture is a {sample.label}. Model says: {sample.digit} "
        f"({sample.confidence:.1%} sure)",
    )


def log_verdict(verdict: Verdict, log: ProgressLog) -> None:
    """Say what was refused, one check a line, and how many passed."""
    failed = [check for check in verdict.checks if not check.passed]
    counted = f"{len(verdict.checks) - len(failed)} of {len(verdict.checks)} checks passed"
    log.log("Gate", ", ".join(filter(None, (counted, verdict.comparison))))
    for check in failed:
        log.log("", f"FAIL  {check.finding} (required {check.requirement})")
