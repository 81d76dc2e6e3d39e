"""Probabilities and true digits into metrics with bounds: numpy in, values out."""

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.metrics.calibration import calibration_error

DIGITS = 10
Z_95 = 1.959963984540054  # standard normal quantile of a two-sided 95 % interval
WORST_MISTAKES = 20


@dataclass(frozen=True)
class Share:
    """How many of some pictures are as they should be, with 95 % bounds; NaN where none are."""

    right: int
    count: int

    @property
    def low(self) -> float:
        """Return the lower bound of the share (Wilson 1927)."""
        return wilson_interval(self.right, self.count)[0] if self.count else math.nan

    @property
    def high(self) -> float:
        """Return its upper bound."""
        return wilson_interval(self.right, self.count)[1] if self.count else math.nan


@dataclass(frozen=True)
class Mistake:
    """One picture that was answered wrong, by its index in the part that was evaluated."""

    index: int
    label: int
    digit: int
    confidence: float


@dataclass(frozen=True)
class Metrics:
    """How well a model answers pictures whose digits are known."""

    count: int
    correct: int
    accuracy: float
    accuracy_low: float  # 95 % Wilson interval
    accuracy_high: float
    loss: float  # mean negative log probability of the true digit, nats
    calibration_error: float  # mean gap between confidence and share right
    recall: list[float]  # share found of each digit; NaN for a digit without pictures
    confusion: list[list[int]]  # rows: true digit, columns: answer
    mistakes: list[Mistake]  # the most confident wrong answers, worst first

    def to_dict(self) -> dict[str, Any]:
        """Return the same as plain values."""
        return asdict(self)


@dataclass(frozen=True)
class Parity:
    """How far two runtimes agree on the same pictures."""

    count: int
    batch_sizes: list[int]
    same_digits: bool
    max_difference: float  # largest difference of a probability or a digit score

    def to_dict(self) -> dict[str, Any]:
        """Return the same as plain values."""
        return asdict(self)


def evaluate(probabilities: NDArray[np.float32], labels: NDArray[np.int8]) -> Metrics:
    """Return the metrics of answers to labelled pictures.

    Args:
        probabilities: float32 (N, 10), rows sum to 1.
        labels: int8 (N,), the true digits.

    Raises:
        ValueError: there are no pictures, the shapes disagree, or a probability is not finite.
    """
    if not len(labels) or probabilities.shape != (len(labels), DIGITS):
        raise ValueError(f"{probabilities.shape} probabilities for {labels.shape} labels")
    if not np.isfinite(probabilities).all():
        raise ValueError("a probability is not finite")
    digits = probabilities.argmax(1)
    confusion = np.zeros((DIGITS, DIGITS), np.int64)
    np.add.at(confusion, (labels, digits), 1)
    correct, count = int(np.trace(confusion)), len(labels)
    low, high = wilson_interval(correct, count)
    found = np.diag(confusion) / np.where(confusion.sum(1) == 0, np.nan, confusion.sum(1))
    of_truth = probabilities[np.arange(count), labels]
    return Metrics(
        count=count,
        correct=correct,
        accuracy=correct / count,
        accuracy_low=low,
        accuracy_high=high,
        loss=float(-np.log(np.maximum(of_truth, np.finfo(np.float32).tiny)).mean()),
        calibration_error=calibration_error(probabilities, labels),
        recall=[float(share) for share in found],
        confusion=confusion.tolist(),
        mistakes=_worst_mistakes(probabilities, labels, digits),
    )


def wilson_interval(correct: int, count: int, z: float = Z_95) -> tuple[float, float]:
    """Return the score interval of a share (Wilson 1927), 95 % by default."""
    share, z2 = correct / count, z * z
    centre = (share + z2 / (2 * count)) / (1 + z2 / count)
    half = z / (1 + z2 / count) * math.sqrt(share * (1 - share) / count + z2 / (4 * count**2))
    return max(0.0, centre - half), min(1.0, centre + half)


def _worst_mistakes(
    probabilities: NDArray[np.float32], labels: NDArray[np.int8], digits: NDArray[np.intp]
) -> list[Mistake]:
    wrong = np.nonzero(digits != labels)[0]
    confidence = probabilities[wrong, digits[wrong]]
    worst = wrong[np.argsort(-confidence, kind="stable")][:WORST_MISTAKES]
    return [
        Mistake(int(i), int(labels[i]), int(digits[i]), float(probabilities[i, digits[i]]))
        for i in worst
    ]
