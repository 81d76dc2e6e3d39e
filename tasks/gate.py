"""Measurements into a verdict: every check says what was required and what was measured.

A check whose measurement is missing or not a number has failed.
"""

from dataclasses import asdict, dataclass
from math import isnan
from typing import Any

from tasks.evaluate import DIGITS, Metrics, Parity
from tasks.settings import TrainSettings

MAX_DIFFERENCE = 1e-4  # of a probability between Keras and ONNX Runtime
MISSING = "missing"


@dataclass(frozen=True)
class Check:
    """One requirement, what was measured, and whether that is enough."""

    name: str
    requirement: str
    measured: str
    passed: bool
    explanation: str


@dataclass(frozen=True)
class Verdict:
    """All checks of one candidate; it is accepted when there are some and all passed."""

    accepted: bool
    checks: list[Check]

    def facts(self) -> dict[str, Any]:
        """Return the same as plain values."""
        return asdict(self)

    def failures(self) -> str:
        """Return one line that names every failed check with its figures."""
        return "; ".join(
            f"{check.name} {check.measured}, required {check.requirement}"
            for check in self.checks
            if not check.passed
        )


def judge(metrics: Metrics | None, parity: Parity | None, settings: TrainSettings) -> Verdict:
    """Return the verdict on a candidate from its evaluation on the test part and its parity."""
    checks = [
        _accuracy(metrics, settings.min_accuracy),
        _lowest_recall(metrics, settings.min_recall),
        _calibration_error(metrics, settings.max_calibration_error),
        _same_digits(parity),
        _same_probabilities(parity),
    ]
    return Verdict(all(check.passed for check in checks), checks)


def _accuracy(metrics: Metrics | None, floor: float) -> Check:
    return Check(
        name="test accuracy",
        requirement=f"at least {floor:.4f}",
        measured=f"{metrics.accuracy:.4f}" if metrics else MISSING,
        passed=metrics is not None and metrics.accuracy >= floor,
        explanation="share of the test part that the ONNX file answers right",
    )


def _lowest_recall(metrics: Metrics | None, floor: float) -> Check:
    recall = metrics.recall if metrics else []
    unmeasured = [digit for digit in range(DIGITS) if digit >= len(recall) or isnan(recall[digit])]
    if unmeasured:
        measured = f"{MISSING} for {', '.join(map(str, unmeasured))}"
    else:
        lowest = min(range(DIGITS), key=recall.__getitem__)
        measured = f"{recall[lowest]:.4f} for {lowest}"
    return Check(
        name="recall of every digit",
        requirement=f"at least {floor:.4f}",
        measured=measured,
        passed=not unmeasured and min(recall) >= floor,
        explanation="share found of the digit that is found least often",
    )


def _calibration_error(metrics: Metrics | None, ceiling: float) -> Check:
    return Check(
        name="calibration error",
        requirement=f"at most {ceiling:.4f}",
        measured=f"{metrics.calibration_error:.4f}" if metrics else MISSING,
        passed=metrics is not None and metrics.calibration_error <= ceiling,
        explanation="mean gap between confidence and the share of the test part that is right",
    )


def _same_digits(parity: Parity | None) -> Check:
    measured = MISSING
    if parity and parity.count:
        sizes = " and ".join(f"{size:,}" for size in parity.batch_sizes)
        answer = "same" if parity.same_digits else "different"
        measured = f"{answer} on {parity.count:,} pictures in batches of {sizes}"
    return Check(
        name="parity of digits",
        requirement="all the same",
        measured=measured,
        passed=parity is not None and parity.count > 0 and parity.same_digits,
        explanation="Keras and ONNX Runtime answer the same digits",
    )


def _same_probabilities(parity: Parity | None) -> Check:
    measured = parity is not None and parity.count > 0
    return Check(
        name="parity of probabilities",
        requirement=f"within {MAX_DIFFERENCE:g}",
        measured=f"{parity.max_difference:.1e}" if parity and measured else MISSING,
        passed=parity is not None and measured and parity.max_difference <= MAX_DIFFERENCE,
        explanation="largest difference between Keras and ONNX Runtime",
    )
