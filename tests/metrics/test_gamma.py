"""Quantiles of the gamma distribution agree with what is known of it otherwise."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.metrics.gamma import gamma_cdf, gamma_quantile


@given(st.integers(1, 60), st.floats(0.01, 150))
def test_a_whole_shape_is_the_waiting_time_for_so_many_events(shape: int, value: float) -> None:
    fewer = sum(
        math.exp(count * math.log(value) - value - math.lgamma(count + 1)) for count in range(shape)
    )
    assert gamma_cdf(shape, value) == pytest.approx(1 - fewer, abs=1e-9)


@given(st.floats(0.05, 200), st.floats(0.001, 0.999))
def test_a_quantile_is_where_the_probability_is_reached(shape: float, probability: float) -> None:
    assert gamma_cdf(shape, gamma_quantile(shape, probability)) == pytest.approx(
        probability, abs=1e-8
    )


@pytest.mark.parametrize(
    ("shape", "probability", "value"),  # half of what tables of chi squared have
    [(1, 0.975, 7.3777589 / 2), (2.5, 0.025, 0.8312116 / 2), (5, 0.95, 18.3070381 / 2)],
)
def test_quantiles_are_those_of_tables(shape: float, probability: float, value: float) -> None:
    assert gamma_quantile(shape, probability) == pytest.approx(value, rel=1e-6)


def test_the_normal_square_has_half_a_degree() -> None:
    assert gamma_cdf(0.5, 1.959963984540054**2 / 2) == pytest.approx(0.95, abs=1e-9)
