"""One outcome for every answer."""

import numpy as np
import pytest

from tasks.canonical import Ink
from tasks.decide import Thresholds, decide
from tasks.reasons import Reason, Status

THRESHOLDS = Thresholds(confidence=0.8, digit_score=0.5, sure_digit_score=0.7)


@pytest.mark.parametrize(
    ("confidence", "digit_score", "rivals", "outcome"),
    [
        (0.9, 0.9, 0, (Status.READ, Reason.OK)),
        (0.9, None, 0, (Status.READ, Reason.OK)),
        (0.8, 0.7, 0, (Status.READ, Reason.OK)),
        (0.9, 0.6, 0, (Status.REVIEW, Reason.MAYBE_NO_DIGIT)),
        (0.7, 0.5, 0, (Status.REVIEW, Reason.MAYBE_NO_DIGIT)),
        (0.7, 0.9, 0, (Status.REVIEW, Reason.LOW_CONFIDENCE)),
        (0.7, None, 0, (Status.REVIEW, Reason.LOW_CONFIDENCE)),
        (0.9, 0.4, 0, (Status.REJECTED, Reason.NOT_A_DIGIT)),
        (0.7, 0.4, 0, (Status.REJECTED, Reason.NOT_A_DIGIT)),
        (0.9, 0.4, 1, (Status.REJECTED, Reason.SEVERAL_DIGITS)),
        (0.9, 0.9, 1, (Status.REJECTED, Reason.SEVERAL_DIGITS)),
        (0.9, None, 2, (Status.REJECTED, Reason.SEVERAL_DIGITS)),
    ],
)
def test_several_digits_come_before_no_digit_and_that_before_doubt(
    confidence: float, digit_score: float | None, rivals: int, outcome: tuple[Status, Reason]
) -> None:
    probabilities = np.full(10, 0.01, np.float32)
    probabilities[4] = confidence
    ink = Ink("dark_on_light", contrast=200, share=0.1, box=(0, 0, 9, 9), rivals=rivals)
    assert decide(probabilities, digit_score, ink, THRESHOLDS) == outcome
