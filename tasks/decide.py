"""From a model's answer and the facts about a picture to its outcome."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tasks.canonical import Ink
from tasks.reasons import Reason, Status


@dataclass(frozen=True)
class Thresholds:
    """From which confidence and digit score a digit is read, and from which score it may be one."""

    confidence: float
    digit_score: float = 0.0
    sure_digit_score: float = 0.0


def decide(
    probabilities: NDArray[np.float32], digit_score: float | None, ink: Ink, thresholds: Thresholds
) -> tuple[Status, Reason]:
    """Return status and reason of a picture with ink.

    Args:
        probabilities: float32 (10,).
        digit_score: how sure the model is that this is one digit; None if it cannot tell.
        ink: what was found out about the picture.
        thresholds: of this run.
    """
    if ink.rivals:
        return Status.REJECTED, Reason.SEVERAL_DIGITS
    if digit_score is not None and digit_score < thresholds.digit_score:
        return Status.REJECTED, Reason.NOT_A_DIGIT
    if digit_score is not None and digit_score < thresholds.sure_digit_score:
        return Status.REVIEW, Reason.MAYBE_NO_DIGIT
    if probabilities.max() < thresholds.confidence:
        return Status.REVIEW, Reason.LOW_CONFIDENCE
    return Status.READ, Reason.OK
