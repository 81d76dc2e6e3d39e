"""The error of a model on what really came, as people's answers to a random sample show it.

Pictures are drawn with unequal probabilities (tasks/metrics/audit_sample.py), and so they weigh
unequally. Errors are rare: of hundreds of answers none to five are wrong, where no interval by the
normal distribution holds.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tasks.metrics.gamma import gamma_quantile

RISK = 0.05  # that the interval does not hold the error


@dataclass(frozen=True)
class AuditedError:
    """The share of wrong ones among what was read, from those of a sample that were answered."""

    drawn: int
    answers: int
    wrong: int  # of the answers
    error: float | None  # the estimate; None without answers
    low: float  # of the 95 % interval
    high: float
    heaviest: float = 1.0  # how much more the heaviest answer weighs than one in the mean

    def missing(self, accepted: float) -> int:
        """Return how many answers are missing until they can show that an error is kept.

        So many show it if none of them is wrong.
        """
        enough = math.ceil(-math.log(RISK / 2) * self.heaviest / accepted)
        return max(0, enough - self.answers)


def audited_error(
    probable: NDArray[np.floating],
    bands: NDArray[np.int64],
    answered: NDArray[np.bool_],
    wrong: NDArray[np.bool_],
) -> AuditedError:
    """Return what the answers to a sample say of all that it was drawn from.

    Args:
        probable: float (N,), how probably each picture of the sample was drawn.
        bands: int (N,), of confidence: those without an answer count as the others of their band.
        answered: bool (N,).
        wrong: bool (N,), where answered.
    """
    weights = _weights(probable.astype(np.float64), bands, answered)
    of_wrong = weights[wrong[answered]]
    low, high = interval(of_wrong, float(weights.max(initial=0)))
    return AuditedError(
        drawn=len(probable),
        answers=len(weights),
        wrong=len(of_wrong),
        error=float(of_wrong.sum()) if len(weights) else None,
        low=low,
        high=high,
        heaviest=float(weights.max() * len(weights)) if len(weights) else 1.0,
    )


def _weights(
    probable: NDArray[np.float64], bands: NDArray[np.int64], answered: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return how much each answer weighs (A,): the inverse of its probability, with the sum 1.

    The answers of a band weigh as much as all of it that was drawn, as if those that are missing
    were missing at random in it. A band without answers is taken together with the one above it,
    the last ones with that below.
    """
    inverse = 1 / probable
    together = _together(bands, answered)
    weights = np.zeros(len(probable))
    for band in np.unique(together):
        of_band = together == band
        given = of_band & answered
        if given.any():
            weights[given] = inverse[given] * inverse[of_band].sum() / inverse[given].sum()
    shares: NDArray[np.float64] = weights[answered] / max(inverse.sum(), 1.0)
    return shares


def _together(bands: NDArray[np.int64], answered: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return numbers of bands (N,), where those without answers have that of another one."""
    known = np.unique(bands[answered])
    if not len(known):
        return bands
    return known[np.minimum(np.searchsorted(known, bands), len(known) - 1)]


def interval(of_wrong: NDArray[np.float64], heaviest: float) -> tuple[float, float]:
    """Return the 95 % interval of a share whose estimate is a sum of unequal weights.

    The gamma interval of Fay and Feuer ("Confidence intervals for directly standardized rates: a
    method based on the gamma distribution", Statistics in Medicine 16, 1997): exact where weights
    are equal and errors rare (Garwood 1936), and held to be wide elsewhere.

    Args:
        of_wrong: float (W,), the weights of the wrong ones, of all weights with the sum 1.
        heaviest: the largest of all weights; 0: there are no answers.
    """
    if not heaviest:
        return 0.0, 1.0
    total, variance = float(of_wrong.sum()), float((of_wrong**2).sum())
    low = 0.0
    if total:
        low = variance / total * gamma_quantile(total**2 / variance, RISK / 2)
    total, variance = total + heaviest, variance + heaviest**2
    high = variance / total * gamma_quantile(total**2 / variance, 1 - RISK / 2)
    return low, min(1.0, high)
