"""Logits of calibration pictures into confidence that can be trusted: numpy in, values out."""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.errors import InputError

Floats = NDArray[np.floating[Any]]
Labels = NDArray[np.integer[Any]]  # the digit of each picture; NO_DIGIT where it shows none

NO_DIGIT = -1
SURE = 0.95  # how sure a bound is
BINS = 15  # of equal width, in the calibration error (Guo et al. 2017)
REJECTED_DIGITS = 2e-4  # share of clean digits whose digit score is a reason to reject them
# Share of clean digits whose digit score is no reason for a review. Digits of hands that the data
# does not know reach it less often: MNIST's test part by 0.4 points.
SURE_DIGITS = 0.994
TAIL, TAIL_LEAST = 0.02, 10  # share of the digits, and digits, by which rarer ones are judged
TEMPERATURES = (0.05, 20.0)  # between which the best one is looked for
BOUND_TOLERANCE = 1e-12  # of an error rate
MOST_DIGITS = 10**9  # in a calibration; a larger number is that of a damaged file
TAIL_WIDTH = 10  # standard deviations of the number of errors, below which less than 1e-20 is left
LOG_TOLERANCE = 1e-5  # of the logarithm of the temperature
# Thresholds that can be chosen, fixed before a model is calibrated: the bounds hold for no others.
GRID = (
    *(0.0, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.93, 0.95, 0.97, 0.98, 0.99),
    *(0.995, 0.996, 0.997, 0.998, 0.999, 0.9995, 0.9999),
)


@dataclass(frozen=True)
class Threshold:
    """From which confidence on a digit is read, and what calibration guarantees for that."""

    confidence: float
    accepted: int  # calibration pictures that reach it
    wrong: int  # of those
    bound: float  # of the error among what is read, 95 % sure
    coverage: float  # share of the calibration digits that is read, and read right
    digits: int  # in the calibration

    def sentence(self) -> str:
        """Return the guarantee in words."""
        return (
            f"Threshold {self.confidence:g}: at most {100 * self.bound:.2f} % errors among what is "
            f"read ({100 * SURE:.0f} % sure), measured on {self.digits:,} calibration digits; "
            f"expects to read {100 * self.coverage:.1f} %"
        )


@dataclass(frozen=True)
class RiskCurve:
    """How many calibration digits each threshold lets through, and how many of them wrong."""

    digits: int
    thresholds: tuple[float, ...]
    accepted: tuple[int, ...]
    wrong: tuple[int, ...]

    def __post_init__(self) -> None:
        """Refuse counts that no calibration can have found, as those of a damaged file.

        Raises:
            ValueError: they cannot be; the message says why.
        """
        rows = list(zip(self.thresholds, self.accepted, self.wrong, strict=True))
        if not 1 <= _whole(self.digits) <= MOST_DIGITS or not rows:
            raise ValueError(f"{self.digits} digits, {len(rows)} thresholds")
        for threshold, accepted, wrong in rows:
            if not 0 <= _finite(threshold) <= 1:
                raise ValueError(f"a threshold of {threshold}")
            if not 0 <= _whole(wrong) <= _whole(accepted) <= self.digits:
                raise ValueError(f"{wrong} wrong of {accepted} accepted of {self.digits} digits")
        if list(self.thresholds) != sorted(set(self.thresholds)):
            raise ValueError("thresholds that do not rise")

    @classmethod
    def from_dict(cls, facts: Mapping[str, Any]) -> "RiskCurve":
        """Return the curve of a card or a model file, where tuples are lists.

        Raises:
            ValueError, TypeError, KeyError: it is something else.
        """
        return cls(
            digits=facts["digits"],
            thresholds=tuple(facts["thresholds"]),
            accepted=tuple(facts["accepted"]),
            wrong=tuple(facts["wrong"]),
        )

    def guarantees(self) -> list[Threshold]:
        """Return what each threshold guarantees, the lowest first.

        The bounds hold all at once: each takes an equal share of the risk (Bonferroni, as in
        Angelopoulos et al., "Learn then Test", 2021). So it is right to choose a threshold, and
        even the error to accept, after a look at all of them; a bound of its own would not allow
        that. It needs thresholds that were fixed before, as those of GRID are.
        """
        risk = (1 - SURE) / len(self.thresholds)
        return [
            Threshold(
                confidence=threshold,
                accepted=accepted,
                wrong=wrong,
                bound=error_bound(wrong, accepted, risk),
                coverage=(accepted - wrong) / self.digits,
                digits=self.digits,
            )
            for threshold, accepted, wrong in zip(
                self.thresholds, self.accepted, self.wrong, strict=True
            )
        ]


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
    curve: RiskCurve

    def __post_init__(self) -> None:
        """Refuse figures that no calibration can have found, as those of a damaged file.

        Raises:
            ValueError: they cannot be; the message says why.
        """
        if _finite(self.temperature) <= 0:
            raise ValueError(f"a temperature of {self.temperature}")
        if not 0 <= _finite(self.min_digit_score) <= _finite(self.sure_digit_score) <= 1:
            raise ValueError(f"digit scores {self.min_digit_score} and {self.sure_digit_score}")

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
        return cls(**{**facts, "curve": RiskCurve.from_dict(facts["curve"])})


def _whole(value: Any) -> int:
    if type(value) is not int:
        raise TypeError(f"{value!r} is no whole number")
    number: int = value
    return number


def _finite(value: Any) -> float:
    if type(value) not in (int, float) or not abs(value) < math.inf:
        raise TypeError(f"{value!r} is no finite number")
    number: float = value
    return number


def calibrate(
    logits: Floats,
    labels: Labels,
    digit_logits: Floats | None = None,
    clean: NDArray[np.bool_] | None = None,
) -> Calibration:
    """Return temperature, errors, digit-score threshold and risk curve of a model.

    Temperature and digit scores are those of clean digits, whose labels are sure; the risk curve
    is that of all digits, as reading will meet them. One picture in thousands hardly moves the
    temperature and the scores, so the curve is measured on the same pictures.

    Args:
        logits: float (N, 10), before the softmax.
        labels: int (N,), true digits, NO_DIGIT for pictures without one.
        digit_logits: float (N,), before the sigmoid, of a model that gives a digit score.
        clean: bool (N,), digits that were not simulated; all digits, if None.

    Raises:
        ValueError: there are no digits, or a logit is not finite.
    """
    is_digit = labels != NO_DIGIT
    clean = is_digit if clean is None else is_digit & clean
    if not clean.any() or not np.isfinite(logits).all():
        raise ValueError(f"{int(clean.sum())} digits with logits that have to be finite")
    temperature = best_temperature(logits[clean], labels[clean])
    after = softmax(logits / temperature)
    scores = np.ones(len(labels)) if digit_logits is None else sigmoid(digit_logits)
    lowest = sure = 0.0
    if digit_logits is not None:
        sure = float(np.quantile(scores[clean], 1 - SURE_DIGITS, method="lower"))
        lowest = min(sure, float(sigmoid(rarely_below(digit_logits[clean], REJECTED_DIGITS))))
    others = scores[~is_digit]
    return Calibration(
        temperature=temperature,
        error_before=calibration_error(softmax(logits[clean]), labels[clean]),
        error_after=calibration_error(after[clean], labels[clean]),
        min_digit_score=lowest,
        sure_digit_score=sure,
        no_digits=len(others),
        no_digits_rejected=float((others < lowest).mean()) if len(others) else 0.0,
        no_digits_refused=float((others < sure).mean()) if len(others) else 0.0,
        curve=risk_curve(after[is_digit], labels[is_digit], scores[is_digit] >= sure),
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


def risk_curve(probabilities: Floats, labels: Labels, kept: NDArray[np.bool_]) -> RiskCurve:
    """Return what each threshold of the grid lets through.

    Args:
        probabilities: float (N, 10) of digits, calibrated.
        labels: int (N,), true digits.
        kept: bool (N,), whose digit score is high enough.
    """
    confidence, wrong = probabilities.max(1), probabilities.argmax(1) != labels
    accepted = [kept & (confidence >= threshold) for threshold in GRID]
    return RiskCurve(
        digits=len(labels),
        thresholds=GRID,
        accepted=tuple(int(some.sum()) for some in accepted),
        wrong=tuple(int((some & wrong).sum()) for some in accepted),
    )


def error_bound(wrong: int, count: int, risk: float = 1 - SURE) -> float:
    """Return the one-sided upper bound of an error rate (Clopper and Pearson 1934).

    It is the rate at which so few wrong ones have the probability `risk`.
    """
    if wrong >= count:
        return 1.0
    # fewer errors than these add nothing, so that memory grows with the root of `wrong`
    fewest = max(0, wrong - TAIL_WIDTH - round(TAIL_WIDTH * math.sqrt(wrong)))
    errors = np.arange(fewest, wrong + 1)
    steps = np.log((count - errors[1:] + 1) / errors[1:])
    log_choose = np.concatenate([[0.0], np.cumsum(steps)]) + _log_choose(count, fewest)

    def probability(rate: float) -> float:
        terms = log_choose + errors * math.log(rate) + (count - errors) * math.log1p(-rate)
        return float(np.exp(np.logaddexp.reduce(terms)))

    low, high = wrong / count, 1.0
    while high - low > BOUND_TOLERANCE:
        middle = (low + high) / 2
        low, high = (middle, high) if probability(middle) > risk else (low, middle)
    return high


def _log_choose(count: int, some: int) -> float:
    """Return the logarithm of the number of ways to choose `some` of `count`."""
    if some == 0:
        return 0.0
    return math.lgamma(count + 1) - math.lgamma(some + 1) - math.lgamma(count - some + 1)


def threshold_for(max_error: float, curve: RiskCurve) -> Threshold:
    """Return the lowest threshold whose bound is not above the error that the user accepts.

    Raises:
        InputError: no threshold is that good, as far as the calibration pictures can tell.
    """
    guarantees = curve.guarantees()
    for guarantee in guarantees:
        if guarantee.bound <= max_error:
            return guarantee
    best = min(guarantees, key=lambda guarantee: guarantee.bound)
    supported = math.ceil(best.bound * 10_000) / 10_000
    raise InputError(
        f"--max-error {max_error:g} is less than this model can guarantee: {best.accepted:,} of "
        f"{curve.digits:,} calibration digits reach confidence "
        f"{best.confidence:g}, {best.wrong:,} of them wrong, so the error may be "
        f"{100 * best.bound:.2f} % ({100 * SURE:.0f} % sure). It supports --max-error "
        f"{supported:g}; more calibration pictures or a better model would support less"
    )
