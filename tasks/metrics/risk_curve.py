"""How many calibration digits thresholds let through, and what that guarantees."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

SURE = 0.95  # how sure a bound is
KINDS = 10  # of pictures at most, whose bounds hold together
FIRST = 0.5  # of what the lowest threshold accepts: as much reaches the first that is tested
BOUND_TOLERANCE = 1e-12  # of an error rate
MOST_DIGITS = 10**9  # in a calibration; a larger number is that of a damaged file
TAIL_WIDTH = 10  # standard deviations of the number of errors, below which less than 1e-20 is left
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
        if not 1 <= whole(self.digits) <= MOST_DIGITS or not rows:
            raise ValueError(f"{self.digits} digits, {len(rows)} thresholds")
        for threshold, accepted, wrong in rows:
            if not 0 <= finite(threshold) <= 1:
                raise ValueError(f"a threshold of {threshold}")
            if not 0 <= whole(wrong) <= whole(accepted) <= self.digits:
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

    @classmethod
    def pooled(cls, curves: Iterable["RiskCurve"]) -> "RiskCurve":
        """Return the curve of all digits of several, which have the same thresholds.

        Raises:
            ValueError: there are none, or they have not.
        """
        parts = list(curves)
        thresholds = {part.thresholds for part in parts}
        if len(thresholds) != 1:
            raise ValueError(f"{len(parts)} curves with {len(thresholds)} sets of thresholds")
        return cls(
            digits=sum(part.digits for part in parts),
            thresholds=thresholds.pop(),
            accepted=tuple(map(sum, zip(*(part.accepted for part in parts), strict=True))),
            wrong=tuple(map(sum, zip(*(part.wrong for part in parts), strict=True))),
        )

    def guarantees(self) -> list[Threshold]:
        """Return what each threshold guarantees, the lowest first.

        Thresholds are tested in a fixed sequence, from a high one downwards, each with the whole
        risk, until the first that does not keep the error (Angelopoulos et al., "Learn then Test",
        2021). So the bound of a threshold is the highest of those from the first one down to it. It
        holds for an error that was chosen before, and needs thresholds that were fixed before, as
        those of GRID are. Where the sequence begins depends on how sure the answers are, not on
        whether they are right. The bounds of as many as KINDS curves hold all at once: each takes
        an equal share of the risk (Bonferroni).
        """
        risk = (1 - SURE) / KINDS
        alone = [
            error_bound(wrong, accepted, risk)
            for wrong, accepted in zip(self.wrong, self.accepted, strict=True)
        ]
        first = max(
            number
            for number, accepted in enumerate(self.accepted)
            if accepted >= FIRST * self.accepted[0]
        )
        bounds = [max(alone[min(number, first) : first + 1]) for number in range(len(alone))]
        return [
            Threshold(
                confidence=threshold,
                accepted=accepted,
                wrong=wrong,
                bound=bound,
                coverage=(accepted - wrong) / self.digits,
                digits=self.digits,
            )
            for threshold, accepted, wrong, bound in zip(
                self.thresholds, self.accepted, self.wrong, bounds, strict=True
            )
        ]


def risk_curve(
    confidences: NDArray[Any], wrong: NDArray[np.bool_], kept: NDArray[np.bool_]
) -> RiskCurve:
    """Return what each threshold of the grid lets through.

    Args:
        confidences: float (N,) of digits, calibrated.
        wrong: bool (N,), which are answered with another digit.
        kept: bool (N,), for which confidence alone decides whether they are read.
    """
    accepted = [kept & (confidences >= threshold) for threshold in GRID]
    return RiskCurve(
        digits=len(wrong),
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


def whole(value: Any) -> int:
    """Return a whole number.

    Raises:
        TypeError: it is something else.
    """
    if type(value) is not int:
        raise TypeError(f"{value!r} is no whole number")
    number: int = value
    return number


def finite(value: Any) -> float:
    """Return a finite number.

    Raises:
        TypeError: it is something else.
    """
    if type(value) not in (int, float) or not abs(value) < math.inf:
        raise TypeError(f"{value!r} is no finite number")
    number: float = value
    return number
