"""Quantiles of the gamma distribution, of which exact bounds of counts are made."""

import math

TOLERANCE = 1e-12  # of a probability, and of a quantile in relation to it
MOST_TERMS = 100_000
TINY = 1e-300


def gamma_cdf(shape: float, value: float) -> float:
    """Return the probability that a gamma variable of this shape and scale 1 is at most a value.

    By the series below the mean and the continued fraction above (DLMF 8.11.4 and 8.9.2).
    """
    if value <= 0:
        return 0.0
    scale = math.exp(shape * math.log(value) - value - math.lgamma(shape))
    if value < shape + 1:
        return scale * _series(shape, value)
    return 1.0 - scale * _fraction(shape, value)


def _series(shape: float, value: float) -> float:
    term = total = 1 / shape
    for number in range(1, MOST_TERMS):
        term *= value / (shape + number)
        total += term
        if term < total * TOLERANCE:
            break
    return total


def _fraction(shape: float, value: float) -> float:
    """Return the fraction by Lentz's method, as Thompson and Barnett 1986 have changed it."""
    below = value + 1 - shape
    upper, lower = 1 / TINY, 1 / below
    total = lower
    for number in range(1, MOST_TERMS):
        part, below = -number * (number - shape), below + 2
        lower = 1 / _not_zero(part * lower + below)
        upper = _not_zero(below + part / upper)
        total *= lower * upper
        if abs(lower * upper - 1) < TOLERANCE:
            break
    return total


def _not_zero(value: float) -> float:
    return value if abs(value) > TINY else TINY


def gamma_quantile(shape: float, probability: float) -> float:
    """Return the value that a gamma variable of this shape and scale 1 reaches so probably.

    Args:
        shape: above 0.
        probability: above 0, below 1.
    """
    low, high = 0.0, max(1.0, shape)
    while gamma_cdf(shape, high) < probability:
        low, high = high, 2 * high
    while high - low > TOLERANCE * high:
        middle = (low + high) / 2
        low, high = (middle, high) if gamma_cdf(shape, middle) < probability else (low, middle)
    return high
