"""What is drawn is drawn with the probability that is said, and the same again."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.metrics.audit_sample import MOST_FAVOUR, confidence_bands, drawn, probabilities

PICTURES = 20_000
NAMES = [f"{number}.png".encode() for number in range(PICTURES)]


@given(
    st.lists(st.tuples(st.integers(0, 9), st.floats(0, 1)), min_size=1, max_size=60),
    st.floats(0.001, 1),
)
def test_as_many_are_expected_as_are_asked_for_and_none_is_favoured_too_much(
    pictures: list[tuple[int, float]], share: float
) -> None:
    digits, confidences = map(np.array, zip(*pictures, strict=True))
    found = probabilities(digits, confidences, share)
    assert found.dtype == np.float32
    assert found.sum() == pytest.approx(share * len(pictures), rel=1e-4)
    assert ((found > 0) & (found <= 1)).all()
    assert found.max() <= found.min() * MOST_FAVOUR * 1.0001


def test_rare_digits_and_less_sure_ones_are_drawn_more_probably() -> None:
    digits = np.array([1] * 900 + [4] * 100)
    confidences = np.tile([0.95, 0.995, 0.9999, 0.9999, 0.9999], 200)
    found = probabilities(digits, confidences, 0.01)
    assert found[0] > found[1] > found[2]  # by confidence
    assert found[-1] > found[2]  # by digit
    assert confidence_bands(confidences[:3]).tolist() == [0, 1, 2]


def test_all_are_drawn_where_all_are_to_be_checked() -> None:
    digits, confidences = np.arange(100) % 10, np.linspace(0.5, 1, 100)
    assert drawn(NAMES[:100], probabilities(digits, confidences, 1.0), "run").all()


def test_the_same_run_draws_the_same_and_another_one_others() -> None:
    probable = np.full(PICTURES, 0.05, np.float32)
    first = drawn(NAMES, probable, "predict-20261128-101931-013c")
    assert (first == drawn(NAMES, probable, "predict-20261128-101931-013c")).all()
    second = drawn(NAMES, probable, "predict-20261128-101931-013d")
    assert abs(first.mean() - 0.05) < 0.007  # 4.5 standard deviations
    assert (first & second).mean() < 0.007  # 0.0025 by chance
    half = drawn(NAMES, probable / 2, "predict-20261128-101931-013c")
    assert first[half].all()
