"""The lines that a person reads while a training runs."""

from typing import TYPE_CHECKING

from flows.engine import Advance, Engine
from tasks.data.snapshot import Snapshot
from tasks.metrics.calibration import Calibration
from tasks.verdict import Verdict

if TYPE_CHECKING:
    from flows.candidate import Evaluation
    from tasks.training.fit import Epoch


class TrainingProgress:
    """Turns what the fit reports into a bar and a line for each epoch."""

    def __init__(self, engine: Engine, epochs: int, advance: Advance) -> None:
        """Take the engine that shows it, and how many epochs there will be."""
        self.engine, self.epochs, self.advance, self.epoch = engine, epochs, advance, 0

    def on_batch(self, done: int, total: int) -> None:
        """Move the bar by the share of the epoch that is done."""
        self.advance(self.epoch + done / total)

    def on_epoch(self, epoch: "Epoch") -> None:
        """Write the line of the epoch."""
        self.epoch = epoch.epoch
        self.engine.say(
            f"Epoch {epoch.epoch}/{self.epochs}",
            f"loss {epoch.loss:.4f}  accuracy {epoch.accuracy:.4f}  validation loss "
            f"{epoch.val_loss:.4f}  accuracy {epoch.val_accuracy:.4f}  {epoch.seconds:.1f} s",
        )


def tell_data(snapshot: Snapshot, engine: Engine) -> None:
    """Say what was read, and the first labels as a check that it was read right."""
    counts = {part: sum(of_digit) for part, of_digit in snapshot.facts["counts"].items()}
    parts = ", ".join(f"{count:,} {part}" for part, count in counts.items())
    engine.say("Data", f"{snapshot.facts['name']}: {parts} (snapshot {snapshot.digest[:12]})")
    first = " ".join(map(str, snapshot.facts["first_labels"]))
    engine.say("", f"first labels: {first}")


def tell_calibration(calibration: Calibration, engine: Engine) -> None:
    """Say what the temperature changed, and what the model promises."""
    engine.say(
        "Calibration",
        f"temperature {calibration.temperature:.3f}, calibration error "
        f"{calibration.error_before:.4f} before, {calibration.error_after:.4f} after",
    )
    lowest = min(calibration.curve.promises(), key=lambda promise: promise.bound)
    engine.say("", f"lowest --max-error that it supports: {lowest.bound:.2%}")


def tell_evaluation(evaluation: "Evaluation", engine: Engine) -> None:
    """Say how the test part was answered, and one answer."""
    metrics, sample = evaluation.metrics, evaluation.sample
    if not metrics or not sample:
        return
    engine.say(
        "Test",
        f"{metrics.accuracy:.2%} of {metrics.count:,} right (95 % interval "
        f"{metrics.accuracy_low:.2%} to {metrics.accuracy_high:.2%}), loss {metrics.loss:.4f}, "
        f"calibration error {metrics.calibration_error:.4f}",
    )
    engine.say(
        "Sample",
        f"the first test picture is a {sample['label']}. Model says: {sample['digit']} "
        f"({sample['confidence']:.1%} sure)",
    )


def tell_verdict(verdict: Verdict, engine: Engine) -> None:
    """Say what was refused, one check a line, and how many passed."""
    failed = [check for check in verdict.checks if not check.passed]
    counted = f"{len(verdict.checks) - len(failed)} of {len(verdict.checks)} checks passed"
    engine.say("Gate", ", ".join(filter(None, (counted, verdict.comparison))))
    for check in failed:
        engine.say("", f"FAIL  {check.finding} (required {check.requirement})")
