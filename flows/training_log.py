"""The lines that a person reads while a training runs."""

from pathlib import Path

from tasks.contracts.verdict import Verdict
from tasks.data.snapshot import Snapshot
from tasks.metrics.calibration import Calibration
from tasks.progress import ProgressLog
from tasks.training.steps import Evaluation


def log_data(snapshot: Snapshot, log: ProgressLog) -> None:
    """Say what was read, and the first labels as a check that it was read right."""
    counts = {part: sum(of_digit) for part, of_digit in snapshot.facts.counts.items()}
    parts = ", ".join(f"{count:,} {part}" for part, count in counts.items())
    log.log("Data", f"{snapshot.facts.name}: {parts} (snapshot {snapshot.digest[:12]})")
    first = " ".join(map(str, snapshot.facts.first_labels))
    log.log("", f"first labels: {first}")


def log_calibration(calibration: Calibration, log: ProgressLog) -> None:
    """Say what the temperature changed, and what the model guarantees."""
    log.log(
        "Calibration",
        f"temperature {calibration.temperature:.3f}, calibration error "
        f"{calibration.error_before:.4f} before, {calibration.error_after:.4f} after",
    )
    lowest = min(calibration.curve.guarantees(), key=lambda guarantee: guarantee.bound)
    log.log("", f"lowest --max-error that it supports: {lowest.bound:.2%}")


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
