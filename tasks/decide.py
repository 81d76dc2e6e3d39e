"""From a model's answers and the facts about pictures to their outcomes."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tasks.error_bounds import ErrorBounds
from tasks.reasons import Reason


@dataclass(frozen=True)
class Thresholds:
    """From which confidence and digit score a digit is read, and from which score it may be one."""

    confidence: float
    digit_score: float = 0.0
    sure_digit_score: float = 0.0
    bounds: ErrorBounds | None = None  # for rows that are kept: at which other errors they are read


def decide(
    probabilities: NDArray[np.float32],
    digit_scores: NDArray[np.float32] | None,
    rivals: NDArray[np.int64],
    thresholds: Thresholds,
) -> list[Reason]:
    """Return the reason code of each picture with ink; it says the status, too.

    Args:
        probabilities: float32 (N, 10).
        digit_scores: float32 (N,), how sure the model is that this is one digit; None if it
            cannot tell.
        rivals: (N,), groups as large as a digit elsewhere in the picture.
        thresholds: of this run.
    """
    surest = probabilities.max(axis=1, initial=0)
    sure = np.inf if digit_scores is None else digit_scores
    # the first that holds decides
    outcomes = {
        Reason.SEVERAL_DIGITS: rivals > 0,
        Reason.NOT_A_DIGIT: sure < np.full_like(surest, thresholds.digit_score),
        Reason.MAYBE_NO_DIGIT: sure < np.full_like(surest, thresholds.sure_digit_score),
        Reason.LOW_CONFIDENCE: surest < thresholds.confidence,
    }
    codes = np.select(list(outcomes.values()), range(len(outcomes)), len(outcomes))
    named = (*outcomes, Reason.OK)
    return [named[code] for code in codes]
