"""From a model's calibration to its thresholds, and from its answers to outcomes."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tasks.errors import InputError
from tasks.metrics.calibration import Calibration, Threshold, threshold_for
from tasks.metrics.error_bounds import ErrorBounds
from tasks.outcomes import Reason

SUM_TOLERANCE = 0.01  # of ten probabilities: as far as half precision or 8 bits may add up wrong
NEVER = 1.01  # a confidence that no answer has: everything goes to review


@dataclass(frozen=True)
class Thresholds:
    """From which confidence and digit score a digit is read, and from which score it may be one."""

    confidence: float
    digit_score: float = 0.0
    sure_digit_score: float = 0.0
    bounds: ErrorBounds | None = None  # for rows that are kept: at which other errors they are read


def guaranteed(max_error: float, calibration: Calibration) -> tuple[Threshold, Thresholds]:
    """Return what a model guarantees for the error that is accepted, and its thresholds.

    Raises:
        InputError: it cannot guarantee so little.
    """
    threshold = threshold_for(max_error, calibration.curve)
    bounds = ErrorBounds.of(calibration.curve)
    return threshold, _thresholds(threshold.confidence, calibration, bounds)


def guaranteed_or_review(max_error: float, calibration: Calibration) -> Thresholds:
    """Return the same thresholds, for answers that are not kept.

    A model that cannot guarantee the error reads nothing: all its answers go to review.
    """
    try:
        confidence = threshold_for(max_error, calibration.curve).confidence
    except InputError:
        confidence = NEVER
    return _thresholds(confidence, calibration, None)


def _thresholds(
    confidence: float, calibration: Calibration, bounds: ErrorBounds | None
) -> Thresholds:
    return Thresholds(confidence, calibration.min_digit_score, calibration.sure_digit_score, bounds)


def decide(
    probabilities: NDArray[np.float32],
    digit_scores: NDArray[np.float32] | None,
    other_digits: NDArray[np.int64],
    thresholds: Thresholds,
    doubtful: NDArray[np.bool_] | None = None,
) -> list[Reason]:
    """Return the reason code of each picture with ink; it says the status, too.

    Args:
        probabilities: float32 (N, 10).
        digit_scores: float32 (N,), how sure the model is that this is one digit; None if it
            cannot tell.
        other_digits: (N,), groups as large as a digit elsewhere in the picture.
        thresholds: of this run.
        doubtful: (N,), whether the picture can be seen in ways that disagree; None: nowhere.
    """
    surest = probabilities.max(axis=1, initial=0)
    sure = np.full_like(surest, np.inf) if digit_scores is None else digit_scores
    # the first that holds decides; what is not a number reaches no threshold
    outcomes = {
        Reason.NO_ANSWER: ~usable(probabilities, digit_scores),
        Reason.SEVERAL_DIGITS: other_digits > 0,
        Reason.NOT_A_DIGIT: ~(sure >= thresholds.digit_score),
        Reason.AMBIGUOUS: np.zeros(len(surest), bool) if doubtful is None else doubtful,
        Reason.MAYBE_NO_DIGIT: ~(sure >= thresholds.sure_digit_score),
        Reason.LOW_CONFIDENCE: ~(surest >= thresholds.confidence),
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
