"""One outcome for every answer."""

import math
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from tasks.errors import InputError
from tasks.inference.decision import (
    Seen,
    Thresholds,
    decide,
    guaranteed,
    guaranteed_or_review,
    possible_strictness,
    usable,
)
from tasks.metrics.promise import NEVER, promise_for
from tasks.outcomes import STATUSES, Reason, Status
from tests.bars import BAR_CALIBRATION

THRESHOLDS = Thresholds(confidence=0.8, digit_score=0.5, sure_digit_score=0.7)


@pytest.mark.parametrize(
    ("confidence", "digit_score", "other_digits", "outcome"),
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
    confidence: float, digit_score: float | None, other_digits: int, outcome: tuple[Status, Reason]
) -> None:
    [reason] = decide(*answer(confidence, digit_score, other_digits), THRESHOLDS)
    assert (STATUSES[reason], reason) == outcome


def test_ways_that_disagree_go_to_review_but_for_what_is_no_single_digit() -> None:
    for digit_score, other_digits, reason in [
        *((0.9, 0, Reason.AMBIGUOUS), (0.6, 0, Reason.AMBIGUOUS), (None, 0, Reason.AMBIGUOUS)),
        *((0.4, 0, Reason.NOT_A_DIGIT), (0.9, 1, Reason.SEVERAL_DIGITS)),
    ]:
        given = answer(0.99, digit_score, other_digits, doubtful=True)
        assert decide(*given, THRESHOLDS) == [reason]
    assert STATUSES[Reason.AMBIGUOUS] == Status.REVIEW


def answer(
    confidence: float,
    digit_score: float | None,
    other_digits: int,
    kind: str = "clean",
    doubtful: bool = False,
) -> tuple[NDArray[np.float32], NDArray[np.float32] | None, Seen]:
    """Return one answer as `decide` takes many."""
    probabilities = np.full((1, 10), (1 - confidence) / 9)
    probabilities[0, 4] = confidence
    scores = None if digit_score is None else np.array([digit_score])
    return probabilities, scores, Seen([kind], np.array([other_digits]), np.array([doubtful]))


def seen_of(other_digits: NDArray[np.int64]) -> Seen:
    """Return that so many other digits were seen, and no doubt."""
    return Seen(["clean"] * len(other_digits), other_digits, np.zeros(len(other_digits), bool))


def test_each_kind_of_picture_is_read_from_a_confidence_of_its_own() -> None:
    thresholds = Thresholds(0.99, by_kind={"clean": 0.8, "ruled paper": 0.95})
    for kind, least in (("clean", 0.8), ("ruled paper", 0.95), ("another", 0.99)):
        assert decide(*answer(least, None, 0, kind), thresholds) == [Reason.OK]
        assert decide(*answer(least - 0.01, None, 0, kind), thresholds) == [Reason.LOW_CONFIDENCE]


@pytest.mark.parametrize("scored", [True, False])
def test_each_of_many_answers_has_the_outcome_it_has_alone(scored: bool) -> None:
    random = np.random.default_rng(1)
    probabilities = random.dirichlet(np.full(10, 0.1), 200)
    scores = random.random(200) if scored else None
    other_digits = random.integers(0, 2, 200)
    together = decide(probabilities, scores, seen_of(other_digits), THRESHOLDS)
    alone = [
        decide(
            probabilities[[n]],
            scores[[n]] if scores is not None else None,
            seen_of(other_digits[[n]]),
            THRESHOLDS,
        )
        for n in range(200)
    ]
    assert together == [reason for [reason] in alone]
    assert len(set(together)) == (5 if scored else 3)


@pytest.mark.parametrize("odd", [math.nan, math.inf, -math.inf, -0.5, 1.5])
def test_what_is_no_probability_is_never_read(odd: float) -> None:
    probabilities, scores, seen = answer(0.9, 0.9, 0)
    for place in range(10):
        other = probabilities.copy()
        other[0, place] = odd
        assert decide(other, scores, seen, THRESHOLDS) == [Reason.NO_ANSWER]
    assert decide(probabilities, np.array([odd]), seen, THRESHOLDS) == [Reason.NO_ANSWER]
    nothing = Thresholds(0.0, -math.inf, -math.inf)
    assert decide(np.full((1, 10), odd), None, seen, nothing) == [Reason.NO_ANSWER]


@pytest.mark.parametrize(
    ("total", "fine"), [(1.009, True), (0.991, True), (1.02, False), (0, False)]
)
def test_probabilities_have_the_sum_of_one_as_far_as_low_precision_goes(
    total: float, fine: bool
) -> None:
    assert usable(np.full((1, 10), total / 10), None).tolist() == [fine]


def test_a_threshold_that_is_not_a_number_lets_nothing_through() -> None:
    for thresholds in (Thresholds(math.nan), Thresholds(0.0, 0.0, math.nan)):
        [reason] = decide(*answer(0.9, 0.9, 0), thresholds)
        assert STATUSES[reason] == Status.REVIEW


def test_no_answers_have_no_outcomes() -> None:
    assert decide(np.empty((0, 10)), None, seen_of(np.array([], np.int64)), THRESHOLDS) == []
    assert decide(np.empty((0, 10)), np.empty(0), seen_of(np.array([], np.int64)), THRESHOLDS) == []


CAREFUL = replace(BAR_CALIBRATION, min_digit_score=0.3, sure_digit_score=0.6)
BY_KIND = replace(
    CAREFUL,
    kinds={
        "clean": BAR_CALIBRATION.curve,
        "ruled paper": replace(
            BAR_CALIBRATION.curve, wrong=(100, 30, 0), accepted=(4000, 3900, 2500)
        ),
        "faint": replace(BAR_CALIBRATION.curve, wrong=(100, 30, 5)),
    },
)


def test_thresholds_are_the_guaranteed_ones_and_the_digit_scores_of_the_calibration() -> None:
    promise, thresholds = guaranteed(0.005, BY_KIND)
    assert promise.confidences == promise_for(0.005, BY_KIND.curves).confidences
    assert thresholds.by_kind == {"clean": 0.6, "ruled paper": 0.999, "faint": NEVER}
    assert thresholds.confidence == NEVER  # of what is of no kind that is known
    assert (thresholds.digit_score, thresholds.sure_digit_score) == (0.3, 0.6)
    assert guaranteed_or_review(0.005, BY_KIND) == replace(thresholds, bounds=None)


def test_where_kinds_are_not_told_apart_all_are_read_alike() -> None:
    _, thresholds = guaranteed(0.005, CAREFUL)
    assert thresholds.confidences(["clean", "faint"]).tolist() == [0.6, 0.6]


def test_rows_keep_the_error_at_which_their_kind_is_read() -> None:
    _, thresholds = guaranteed(0.005, BY_KIND)
    kinds = ["clean", "ruled paper", "faint", "another"]
    bounds = thresholds.error_bounds(kinds, np.full(4, 0.7, np.float32))
    assert (bounds <= 0.005).tolist() == [True, False, False, False]
    assert bounds[3] == bounds.max()  # as the strictest of those that are known
    assert np.isnan(guaranteed_or_review(0.005, BY_KIND).error_bounds(kinds, np.full(4, 1.0))).all()


def test_an_error_that_cannot_be_guaranteed_is_refused_or_sends_every_answer_to_review() -> None:
    with pytest.raises(InputError, match="less than this model can guarantee"):
        guaranteed(1e-6, CAREFUL)
    [reason] = decide(*answer(1.0, 1.0, 0), guaranteed_or_review(1e-6, CAREFUL))
    assert reason == Reason.LOW_CONFIDENCE


def test_what_is_read_more_strictly_stays_so_when_it_is_decided_again_by_the_same_error() -> None:
    usual = guaranteed(0.02, BAR_CALIBRATION)[1]
    promise, strict = guaranteed(0.02, BAR_CALIBRATION, strictness=8.0)
    assert promise.whole.bound <= 0.02 / 8
    confidences = np.linspace(0, 1, 101, dtype=np.float32)
    kinds = [""] * len(confidences)
    read = confidences >= np.float32(strict.confidence)
    assert ((strict.error_bounds(kinds, confidences) <= 0.02) == read).all()
    assert (strict.error_bounds(kinds, confidences) >= usual.error_bounds(kinds, confidences)).all()
    assert strict.error_bounds(kinds, confidences).max() <= 1


def test_a_model_is_read_as_strictly_as_leaves_something_to_read() -> None:
    assert possible_strictness(1.0, 0.005, BAR_CALIBRATION) == 1.0
    assert possible_strictness(2.0, 0.005, BAR_CALIBRATION) == 2.0
    assert possible_strictness(64.0, 0.005, BAR_CALIBRATION) == 2.0  # it guarantees 0.0014
    assert possible_strictness(2.0, 0.0014, BAR_CALIBRATION) == 1.0
