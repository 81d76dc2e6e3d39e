"""One answer for a picture that can be seen in several ways: as sure as the ways agree."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tasks.inference.session import Answers

FIRST = 1.25  # how much more the first way weighs, which is right more often


def agreed(
    answers: Answers, ways: Sequence[int], least_score: float
) -> tuple[Answers, NDArray[np.bool_]]:
    """Return one answer for each of N pictures, and whether its ways disagree, (N,).

    A way weighs as much as the model is sure that it shows one digit. Ways disagree where they show
    different digits, or one shows none and another does.

    Args:
        answers: of all ways of all pictures, one after the other.
        ways: how many each picture has.
        least_score: digit score below which the model sees no digit.
    """
    starts = np.cumsum([0, *ways[:-1]], dtype=np.int64) if ways else np.empty(0, np.int64)
    probabilities = answers.probabilities[starts]
    scores = None if answers.digit_scores is None else answers.digit_scores[starts]
    disagree = np.zeros(len(ways), bool)
    for number in (n for n, several in enumerate(ways) if several > 1):
        part = slice(starts[number], starts[number] + ways[number])
        each = answers.probabilities[part]
        sure = np.ones(len(each)) if answers.digit_scores is None else answers.digit_scores[part]
        is_digit = sure >= least_score
        weights = sure * np.where(np.arange(len(each)) == 0, FIRST, 1.0)
        if is_digit.any():
            weights = weights * is_digit
        probabilities[number] = weights @ each / weights.sum() if weights.sum() else each[0]
        digits = set(each[is_digit].argmax(axis=1).tolist())
        disagree[number] = is_digit.any() and (not is_digit.all() or len(digits) > 1)
        if scores is not None:
            # a way without a digit is told as a doubt, not as a picture without one
            scores[number] = sure.max() if disagree[number] else sure.min()
    return Answers(probabilities, scores), disagree
