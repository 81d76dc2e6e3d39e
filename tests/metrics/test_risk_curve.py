"""Bounds of the error are exact, and hold all at once as often as they claim."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.metrics.risk_curve import GRID, KINDS, RiskCurve, error_bound, risk_curve


@pytest.mark.parametrize(
    ("wrong", "count", "bound"),
    [
        (0, 10, 1 - 0.05 ** (1 / 10)),
        (0, 5000, 1 - 0.05 ** (1 / 5000)),
        (1, 10, 0.394163),  # tables of Clopper and Pearson's one-sided 95 % bound
        (5, 10, 0.777559),
        (9, 10, 0.95 ** (1 / 10)),
        (10, 10, 1.0),
        (0, 0, 1.0),
    ],
)
def test_the_error_bound_is_the_exact_one(wrong: int, count: int, bound: float) -> None:
    assert error_bound(wrong, count) == pytest.approx(bound, rel=1e-4)


@given(st.integers(1, 5000), st.floats(0, 1), st.floats(0.001, 0.5))
def test_the_error_bound_leaves_the_risk_and_no_more(count: int, share: float, risk: float) -> None:
    wrong = int(share * (count - 1))
    bound = error_bound(wrong, count, risk)
    at_most = sum(
        math.exp(
            math.lgamma(count + 1)
            - math.lgamma(k + 1)
            - math.lgamma(count - k + 1)
            + k * math.log(bound)
            + (count - k) * math.log1p(-bound)
        )
        for k in range(wrong + 1)
    )
    assert at_most == pytest.approx(risk, rel=0.02)
    assert wrong / count < bound < 1


def test_the_curve_counts_what_each_threshold_lets_through() -> None:
    confidences = np.array([0.96, 0.96, 0.55, 0.98])
    wrong = np.array([False, True, False, True])
    curve = risk_curve(confidences, wrong, np.ones(4, bool))
    assert curve.digits == 4
    at = dict(zip(GRID, zip(curve.accepted, curve.wrong, strict=True), strict=True))
    assert (at[0.0], at[0.6], at[0.95], at[0.98]) == (
        (4, 2),
        (3, 2),
        (3, 2),
        (1, 1),
    )
    refused = risk_curve(confidences, wrong, np.array([True, True, True, False]))
    assert (refused.accepted[0], refused.wrong[0]) == (3, 1)


@pytest.mark.slow
@pytest.mark.parametrize("max_error", [0.05, 0.1, 0.15])
@pytest.mark.parametrize("worse", [1.0, 1.6])
def test_a_promise_is_broken_as_rarely_as_it_claims(max_error: float, worse: float) -> None:
    random = np.random.default_rng(3)
    confidence = random.beta(8, 0.3, 400_000)
    wrong = random.random(len(confidence)) < worse * (1 - confidence)
    broken, kept, trials = 0, 0, 300
    for trial in range(trials):
        some = np.random.default_rng(trial).integers(0, len(wrong), 600)
        found = risk_curve(confidence[some], wrong[some], np.ones(600, bool)).guarantees()
        chosen = next((each for each in found if each.bound <= max_error), None)
        if chosen:
            kept += 1
            broken += bool(wrong[confidence >= chosen.confidence].mean() > max_error)
    assert kept > trials / 2
    assert broken / trials <= 0.05


def test_a_bound_is_the_worst_from_the_first_threshold_down() -> None:
    curve = RiskCurve(
        1000, (0.0, 0.5, 0.9, 0.95, 0.99), (1000, 900, 800, 600, 300), (90, 1, 9, 0, 3)
    )
    bounds = [each.bound for each in curve.guarantees()]
    alone = [
        error_bound(w, a, 0.05 / KINDS) for w, a in zip(curve.wrong, curve.accepted, strict=True)
    ]
    # 0.99 is reached by too few to begin there; 0.5 is no better than 0.9, which was tested before
    assert bounds == [alone[0], alone[2], alone[2], alone[3], alone[3]]


def test_curves_are_pooled_count_by_count() -> None:
    one = RiskCurve(10, (0.0, 0.9), (9, 5), (2, 1))
    other = RiskCurve(20, (0.0, 0.9), (19, 7), (1, 0))
    assert RiskCurve.pooled([one, other]) == RiskCurve(30, (0.0, 0.9), (28, 12), (3, 1))
    with pytest.raises(ValueError, match="2 sets of thresholds"):
        RiskCurve.pooled([one, RiskCurve(1, (0.5,), (1,), (0,))])
    with pytest.raises(ValueError, match="0 curves"):
        RiskCurve.pooled([])
