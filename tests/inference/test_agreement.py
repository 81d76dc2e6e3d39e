"""A picture that can be seen in several ways is answered once, and for sure only if they agree."""

from typing import Any

import numpy as np
import pytest

from tasks.inference.agreement import agreed
from tasks.inference.session import Answers

LEAST = 0.2  # digit score


def said(*ways: tuple[int, float, float | None]) -> Answers:
    """Return answers: a digit, its probability and the digit score of each way."""
    probabilities = np.zeros((len(ways), 10), np.float32)
    for row, (digit, sure, _) in zip(probabilities, ways, strict=True):
        row[:] = (1 - sure) / 9
        row[digit] = sure
    scores: list[Any] = [score for *_, score in ways]
    return Answers(probabilities, None if None in scores else np.array(scores, np.float32))


def test_pictures_that_can_be_seen_in_one_way_keep_their_answers() -> None:
    answers = said((3, 0.9, 0.8), (4, 0.7, 0.1))
    same, disagree = agreed(answers, [1, 1], LEAST)
    assert np.array_equal(same.probabilities, answers.probabilities)
    assert np.array_equal(same.digit_scores, answers.digit_scores)
    assert not disagree.any()


def test_no_pictures_have_no_answers() -> None:
    none, disagree = agreed(Answers(np.empty((0, 10), np.float32), None), [], LEAST)
    assert (none.probabilities.shape, disagree.shape) == ((0, 10), (0,))


def test_ways_that_agree_are_as_sure_as_they_are_together_and_one_digit_as_the_least_says() -> None:
    one, disagree = agreed(said((4, 0.9, 0.9), (4, 0.6, 0.5)), [2], LEAST)
    assert not disagree[0]
    assert one.probabilities[0].argmax() == 4
    assert 0.6 < one.probabilities[0].max() < 0.9
    assert one.digit_scores == pytest.approx([0.5])


def test_ways_that_show_different_digits_disagree_and_both_are_candidates() -> None:
    one, disagree = agreed(said((4, 0.99, 0.9), (1, 0.99, 0.9), (4, 0.9, 0.9)), [2, 1], LEAST)
    assert disagree.tolist() == [True, False]
    assert one.probabilities[0].argmax() == 4  # the first way weighs more
    assert one.probabilities[0, 1] > 0.3
    assert np.allclose(one.probabilities.sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("order", [1, -1])
def test_where_one_way_shows_no_digit_the_other_is_a_doubt_and_no_rejection(order: int) -> None:
    one, disagree = agreed(said(*[(7, 0.99, 0.9), (2, 0.9, 0.05)][::order]), [2], LEAST)
    assert disagree[0]
    assert one.probabilities[0].argmax() == 7
    assert one.digit_scores is not None and one.digit_scores[0] > LEAST


def test_where_no_way_shows_a_digit_it_is_none() -> None:
    one, disagree = agreed(said((7, 0.9, 0.1), (2, 0.9, 0.05)), [2], LEAST)
    assert not disagree[0]
    assert one.digit_scores is not None and one.digit_scores[0] < LEAST


def test_a_model_without_digit_scores_is_asked_for_its_digits_alone() -> None:
    one, disagree = agreed(said((7, 0.9, None), (2, 0.9, None)), [2], LEAST)
    assert disagree[0]
    assert one.digit_scores is None


def test_what_is_no_number_stays_none() -> None:
    answers = said((7, 0.9, 0.9), (7, 0.9, 0.9))
    answers.probabilities[1, 3] = np.nan
    one, _ = agreed(answers, [2], LEAST)
    assert np.isnan(one.probabilities[0]).any()
