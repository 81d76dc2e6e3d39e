"""From a model's calibration to its thresholds, and from its answers to outcomes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.errors import InputError
from tasks.metrics.calibration import Calibration
from tasks.metrics.error_bounds import ErrorBounds
from tasks.metrics.promise import NEVER, Promise, promise_for
from tasks.outcomes import Reason

SUM_TOLERANCE = 0.01  # of ten probabilities: as far as half precision or 8 bits may add up wrong


@dataclass(frozen=True)
class Thresholds:
    """From which confidence and digit score a digit is read, and from which score it may be one."""

    confidence: float  # of pictures of other kinds than those below
    digit_score: float = 0.0
    sure_digit_score: float = 0.0
    by_kind: Mapping[str, float] = field(default_factory=dict)  # confidence, by kind of picture
    # for rows that are kept: at which other errors they are read, by kind; None: for none
    bounds: Mapping[str, ErrorBounds] | None = None

    def confidences(self, kinds: Sequence[str]) -> NDArray[np.float64]:
        """Return from which confidence on pictures of these kinds are read, (N,)."""
        return np.array([self.by_kind.get(kind, self.confidence) for kind in kinds], np.float64)

    def error_bounds(self, kinds: Sequence[str], confidences: NDArray[Any]) -> NDArray[np.float64]:
        """Return the least accepted error at which pictures (N,) are read; NaN where unknown.

        A kind that was not told apart is read as the strictest one is.
        """
        found = np.full(len(confidences), np.nan)
        if not self.bounds:
            return found
        names = np.array(kinds, object)
        for kind in set(kinds):
            these = names == kind
            known = [self.bounds[kind]] if kind in self.bounds else list(self.bounds.values())
            found[these] = np.max([each.at(confidences[these]) for each in known], axis=0)
        return found


def guaranteed(
    max_error: float, calibration: Calibration, strictness: float = 1.0
) -> tuple[Promise, Thresholds]:
    """Return what a model guarantees for the error that is accepted, and its thresholds.

    Args:
        max_error: the error that is accepted.
        calibration: of the model.
        strictness: by how much more often than its calibration says it is taken to be wrong, in the
            rows, too: so they stay in review when they are decided again.

    Raises:
        InputError: it cannot guarantee so little.
    """
    promise = promise_for(max_error / strictness, calibration.curves)
    bounds = {kind: each.times(strictness) for kind, each in promise.bounds.items()}
    return promise, _thresholds(promise, calibration, bounds)


def possible_strictness(strictness: float, max_error: float, calibration: Calibration) -> float:
    """Return as much of a strictness, by halves, as leaves something to read; at least 1."""
    while strictness > 1:
        try:
            promise_for(max_error / strictness, calibration.curves)
            return strictness
        except InputError:
            strictness /= 2
    return 1.0


def guaranteed_or_review(max_error: float, calibration: Calibration) -> Thresholds:
    """Return the same thresholds, for answers that are not kept.

    A model that cannot guarantee the error reads nothing: all its answers go to review.
    """
    try:
        return _thresholds(promise_for(max_error, calibration.curves), calibration, None)
    except InputError:
        scores = calibration.min_digit_score, calibration.sure_digit_score
        return Thresholds(NEVER, *scores)


def _thresholds(
    promise: Promise, calibration: Calibration, bounds: Mapping[str, ErrorBounds] | None
) -> Thresholds:
    scores = calibration.min_digit_score, calibration.sure_digit_score
    return Thresholds(promise.strictest, *scores, promise.confidences, bounds)


@dataclass(frozen=True)
class Seen:
    """What the preparation of N pictures with ink says of them."""

    kinds: Sequence[str]  # as `tasks.imaging.form.Kind` names them
    other_digits: NDArray[np.int64]  # (N,), groups as large as a digit elsewhere in the picture
    doubtful: NDArray[np.bool_]  # (N,), can be seen in ways that disagree


def decide(
    probabilities: NDArray[np.float32],
    digit_scores: NDArray[np.float32] | None,
    seen: Seen,
    thresholds: Thresholds,
) -> list[Reason]:
    """Return the reason code of each picture with ink; it says the status, too.

    Args:
        probabilities: float32 (N, 10).
        digit_scores: float32 (N,), how sure the model is that this is one digit; None if it
            cannot tell.
        seen: what the preparation of the pictures says.
        thresholds: of this run.
    """
    surest = probabilities.max(axis=1, initial=0)
    sure = np.full_like(surest, np.inf) if digit_scores is None else digit_scores
    # the first that holds decides; what is not a number reaches no threshold
    outcomes = {
        Reason.NO_ANSWER: ~usable(probabilities, digit_scores),
        Reason.SEVERAL_DIGITS: seen.other_digits > 0,
        Reason.NOT_A_DIGIT: ~(sure >= thresholds.digit_score),
        Reason.AMBIGUOUS: seen.doubtful,
        Reason.MAYBE_NO_DIGIT: ~(sure >= thresholds.sure_digit_score),
        Reason.LOW_CONFIDENCE: ~(surest >= thresholds.confidences(seen.kinds)),
    }
    codes = np.select(list(outcomes.values()), range(len(outcomes)), len(outcomes))
    named = (*outcomes, Reason.OK)
    return [named[code] for code in codes]


def usable(
    probabilities: NDArray[np.float32], digit_scores: NDArray[np.float32] | None
) -> NDArray[np.bool_]:
    """Return which answers are what they have to be: in [0, 1], probabilities with the sum 1.

    A foreign network can answer anything, also what is not a number; see `decide` for the shapes.
    """
    # each comparison is one that fails for NaN
    fine = np.asarray(((probabilities >= 0) & (probabilities <= 1)).all(axis=1))
    fine &= np.abs(probabilities.sum(axis=1) - 1) <= SUM_TOLERANCE
    if digit_scores is not None:
        fine &= (digit_scores >= 0) & (digit_scores <= 1)
    return fine
