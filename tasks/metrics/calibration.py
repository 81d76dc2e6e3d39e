"""Logits of calibration pictures into confidence that can be trusted: numpy in, values out."""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.metrics.risk_curve import RiskCurve, finite, risk_curve

Floats = NDArray[np.floating[Any]]
Labels = NDArray[np.integer[Any]]  # the digit of each picture; NO_DIGIT where it shows none

NO_DIGIT = -1
BINS = 15  # of equal width, in the calibration error (Guo et al. 2017)
REJECTED_DIGITS = 2e-4  # share of clean digits whose digit score is a reason to reject them
# Share of clean digits whose digit score is no reason for a review. Digits of hands that the data
# does not know reach it less often: MNIST's test part by 0.4 points.
SURE_DIGITS = 0.994
TAIL, TAIL_LEAST = 0.02, 10  # share of the digits, and digits, by which rarer ones are judged
TEMPERATURES = (0.05, 20.0)  # between which the best one is looked for
LOG_TOLERANCE = 1e-5  # of the logarithm of the temperature
EVERY = "every kind"  # of picture, where none are told apart


@dataclass(frozen=True)
class Calibration:
    """What calibration found; the model file carries it as JSON."""

    temperature: float  # divides the logits
    error_before: float  # expected calibration error of the calibration digits, without it
    error_after: float  # and with it
    min_digit_score: float  # below it is no digit; 0 for a model that gives no digit score
    sure_digit_score: float  # below it a person has to look
    no_digits: int  # calibration pictures that show none
    no_digits_rejected: float  # share of them below the lowest digit score
    no_digits_refused: float  # share of them that is not read: below the sure one
    curve: RiskCurve  # of all its digits
    # of those of each kind of picture, as `tasks.imaging.form.Kind` names them
    kinds: Mapping[str, RiskCurve] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse figures that no calibration can have found, as those of a damaged file.

        Raises:
            ValueError: they cannot be; the message says why.
        """
        if finite(self.temperature) <= 0:
            raise ValueError(f"a temperature of {self.temperature}")
        if not 0 <= finite(self.min_digit_score) <= finite(self.sure_digit_score) <= 1:
            raise ValueError(f"digit scores {self.min_digit_score} and {self.sure_digit_score}")

    @property
    def curves(self) -> Mapping[str, RiskCurve]:
        """Return the curve of each kind of picture, or one of EVERY kind."""
        return self.kinds or {EVERY: self.curve}

    def to_dict(self) -> dict[str, Any]:
        """Return the same as plain values."""
        return asdict(self)

    def to_json(self) -> str:
        """Return the same as one line."""
        return json.dumps(self.to_dict(), separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> "Calibration":
        """Return what `to_json` wrote.

        Raises:
            ValueError, TypeError, KeyError: it is something else.
        """
        try:
            facts = json.loads(text)
        except RecursionError as error:
            raise ValueError("it is nested too deep") from error
        if not isinstance(facts, dict) or not isinstance(facts.get("kinds", {}), dict):
            raise TypeError("it holds something else")
        kinds = {kind: RiskCurve.from_dict(curve) for kind, curve in facts.get("kinds", {}).items()}
        return cls(**{**facts, "curve": RiskCurve.from_dict(facts["curve"]), "kinds": kinds})


def calibrate(logits: Floats, labels: Labels, digit_logits: Floats | None = None) -> Calibration:
    """Return temperature, errors, digit-score thresholds and risk curve of a model.

    One picture in thousands hardly moves the temperature and the scores, so the curve is measured
    on the same pictures.

    Args:
        logits: float (N, 10), before the softmax.
        labels: int (N,), true digits, NO_DIGIT for pictures without one.
        digit_logits: float (N,), before the sigmoid, of a model that gives a digit score.

    Raises:
        ValueError: there are no digits, or a logit is not finite.
    """
    clean = labels != NO_DIGIT
    if not clean.any() or not np.isfinite(logits).all():
        raise ValueError(f"{int(clean.sum())} digits with logits that have to be finite")
    temperature = best_temperature(logits[clean], labels[clean])
    after = softmax(logits / temperature)
    scores = np.ones(len(labels)) if digit_logits is None else sigmoid(digit_logits)
    lowest = sure = 0.0
    if digit_logits is not None:
        sure = float(np.quantile(scores[clean], 1 - SURE_DIGITS, method="lower"))
        lowest = min(sure, float(sigmoid(rarely_below(digit_logits[clean], REJECTED_DIGITS))))
    others, answers = scores[~clean], after[clean]
    return Calibration(
        temperature=temperature,
        error_before=calibration_error(softmax(logits[clean]), labels[clean]),
        error_after=calibration_error(answers, labels[clean]),
        min_digit_score=lowest,
        sure_digit_score=sure,
        no_digits=len(others),
        no_digits_rejected=float((others < lowest).mean()) if len(others) else 0.0,
        no_digits_refused=float((others < sure).mean()) if len(others) else 0.0,
        curve=risk_curve(answers.max(1), answers.argmax(1) != labels[clean], scores[clean] >= sure),
    )


def rarely_below(values: Floats, share: float) -> Floats:
    """Return what so small a share of values lies below that it cannot be counted in a sample.

    What lies below the lowest TAIL of them is taken to fall off exponentially, as digit logits do:
    peaks over a threshold (Pickands 1975) of shape 0.
    """
    lowest = np.sort(values)
    count = min(max(TAIL_LEAST, round(TAIL * len(values))), len(values) - 1)
    tail, bound = lowest[: count + 1], lowest[count]
    return np.asarray(bound - (bound - tail).mean() * math.log(len(tail) / len(values) / share))


def best_temperature(logits: Floats, labels: Labels) -> float:
    """Return what the logits are to be divided by for the least log loss (Guo et al. 2017)."""
    rows = np.arange(len(labels))

    def loss(log_temperature: float) -> float:
        scaled = logits / math.exp(log_temperature)
        top = scaled.max(1)
        sums = np.log(np.exp(scaled - top[:, None]).sum(1)) + top
        return float((sums - scaled[rows, labels]).mean())

    low, high = map(math.log, TEMPERATURES)
    return math.exp(_least(loss, low, high))


def _least(function: Callable[[float], float], low: float, high: float) -> float:
    """Return where a function with one valley is least: golden section (Kiefer 1953)."""
    golden = (math.sqrt(5) - 1) / 2
    while high - low > LOG_TOLERANCE:
        left, right = high - golden * (high - low), low + golden * (high - low)
        low, high = (low, right) if function(left) < function(right) else (left, high)
    return (low + high) / 2


def softmax(logits: Floats) -> Floats:
    """Return rows that sum to 1."""
    powers = np.exp(logits - logits.max(1, keepdims=True))
    return np.asarray(powers / powers.sum(1, keepdims=True))


def sigmoid(logits: Floats) -> Floats:
    """Return values between 0 and 1, without overflow."""
    return np.asarray((1 + np.tanh(logits / 2)) / 2)


def calibration_error(probabilities: Floats, labels: Labels) -> float:
    """Return the expected calibration error: the mean gap between confidence and share right.

    Args:
        probabilities: float (N, 10), rows sum to 1.
        labels: int (N,), the true digits.
    """
    return confidence_gap(probabilities.max(1), probabilities.argmax(1) == labels)


def confidence_gap(confidence: Floats, right: NDArray[np.bool_]) -> float:
    """Return the same from the confidence float (N,) and the truth of each answer."""
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    return float(np.abs(np.bincount(bins, confidence - right)).sum() / len(right))
