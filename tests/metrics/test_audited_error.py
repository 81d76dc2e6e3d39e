"""The error that answers show is that of all that was drawn from, and its interval holds it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tasks.metrics.audited_error import audited_error, interval
from tasks.metrics.risk_curve import error_bound
from tests.bench.audits import ALIKE, MONTHS_OF_A_TEST, WRONG_OF_BAND, covered

BOOLS = NDArray[np.bool_]


def bools(*values: int) -> BOOLS:
    return np.array(values, bool)


def test_pictures_that_were_drawn_less_probably_weigh_more() -> None:
    found = audited_error(
        np.array([0.01, 0.04, 0.04, 0.04, 0.04]),
        np.zeros(5, np.int64),
        bools(1, 1, 1, 1, 1),
        bools(0, 1, 0, 0, 0),
    )
    assert (found.drawn, found.answers, found.wrong) == (5, 5, 1)
    assert found.error == pytest.approx(25 / 200)
    assert found.low < 25 / 200 < found.high


def test_without_answers_nothing_is_known() -> None:
    none = np.zeros(0)
    for found in (
        audited_error(none, none.astype(np.int64), none.astype(bool), none.astype(bool)),
        audited_error(np.array([0.5]), np.array([0]), bools(0), bools(0)),
    ):
        assert (found.answers, found.error, found.low, found.high) == (0, None, 0.0, 1.0)


def test_what_is_not_answered_counts_as_the_others_of_its_band() -> None:
    probable, bands = np.full(8, 0.1), np.array([0, 0, 0, 0, 1, 1, 1, 1])
    found = audited_error(probable, bands, bools(1, 1, 1, 1, 1, 0, 0, 0), bools(*[1] * 4, *[0] * 4))
    assert found.error == pytest.approx(0.5)  # and not four of five
    assert (found.drawn, found.answers) == (8, 5)


@pytest.mark.parametrize("without", [0, 1, 2])
def test_a_band_without_answers_is_taken_together_with_a_neighbour(without: int) -> None:
    bands = np.repeat([0, 1, 2], 10)
    found = audited_error(np.full(30, 0.1), bands, bands != without, np.arange(30) % 10 == 0)
    assert found.answers == 20
    assert found.error == pytest.approx(0.1)


@given(st.integers(0, 12), st.integers(100, 3_000))
def test_with_equal_weights_it_is_hardly_wider_than_exact_bounds(wrong: int, count: int) -> None:
    weights = np.full(count, 1 / count)
    low, high = interval(weights[:wrong], 1 / count)
    assert low <= wrong / count <= high
    exact = error_bound(wrong, count, 0.025)
    assert exact <= high <= exact * 1.15


def test_as_many_answers_are_enough_as_show_it_without_an_error() -> None:
    of_all = np.ones(738)
    found = audited_error(of_all, np.zeros(738, np.int64), of_all > 0, of_all < 0)
    assert found.high <= 0.005
    assert (found.missing(0.005), found.missing(0.002)) == (0, 1845 - 738)
    one_more = audited_error(of_all[1:], np.zeros(737, np.int64), of_all[1:] > 0, of_all[1:] < 0)
    assert (one_more.missing(0.005), one_more.high > 0.005) == (1, True)
    unequal = audited_error(
        np.tile([0.01, 0.02], 369), np.zeros(738, np.int64), of_all > 0, of_all < 0
    )
    assert unequal.missing(0.005) == 984 - 738


@pytest.mark.parametrize("error", [0.001, 0.005, 0.02])
@pytest.mark.parametrize(("answers", "answered"), [(50, 1.0), (500, 0.2)])
@pytest.mark.parametrize("often", [WRONG_OF_BAND, ALIKE])
def test_the_interval_holds_the_true_error_of_simulated_months(
    error: float, answers: int, answered: float, often: NDArray[np.float64]
) -> None:
    assert covered(error, answers, answered, MONTHS_OF_A_TEST, 1, often).share >= 0.93
