"""Comparing a row's error bound decides as the threshold of a run does."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.errors import InputError
from tasks.metrics.calibration import EVERY
from tasks.metrics.error_bounds import ErrorBounds
from tasks.metrics.promise import promise_for
from tasks.metrics.risk_curve import RiskCurve
from tests.bars import BAR_CALIBRATION, bar_threshold

DIGITS = 4_000
CURVES = st.lists(
    st.tuples(st.integers(0, 60), st.integers(0, DIGITS)), min_size=3, max_size=6
).map(
    lambda counts: RiskCurve(
        digits=DIGITS,
        thresholds=tuple(number / len(counts) for number in range(len(counts))),
        accepted=tuple(accepted for _, accepted in counts),
        wrong=tuple(min(wrong, accepted) for wrong, accepted in counts),
    )
)


@given(CURVES, st.floats(1e-4, 0.999))
def test_both_decide_alike_at_every_confidence(curve: RiskCurve, max_error: float) -> None:
    edges = np.array(curve.thresholds, np.float32)
    confidences = np.concatenate([edges, np.nextafter(edges, np.float32(0)), np.float32([0.1, 1])])
    bounds = ErrorBounds.of(curve.guarantees()).at(confidences)
    try:
        threshold = promise_for(max_error, {EVERY: curve}).strictest
    except InputError:
        assert not (bounds <= max_error).any()
    else:
        assert ((bounds <= max_error) == (confidences >= np.float32(threshold))).all()


def test_a_surer_picture_is_never_read_at_a_larger_error_only() -> None:
    bounds = ErrorBounds.of(BAR_CALIBRATION.curve.guarantees()).at(np.linspace(0, 1, 101))
    assert (np.diff(bounds) <= 0).all()
    assert bounds[60] == pytest.approx(bar_threshold().bound)
