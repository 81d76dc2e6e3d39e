"""The least error that a picture is read at, by its confidence and its model's guarantees."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.metrics.risk_curve import Threshold


@dataclass(frozen=True)
class ErrorBounds:
    """From which confidence on which error is guaranteed; an accepted error is compared with it."""

    confidences: NDArray[np.float32]  # (T,), ascending
    bounds: NDArray[np.float64]  # (T,), descending: the least bound up to there

    @classmethod
    def of(cls, guarantees: Sequence[Threshold]) -> "ErrorBounds":
        """Return the bounds of guarantees, the lowest threshold first."""
        return cls(
            np.array([guarantee.confidence for guarantee in guarantees], np.float32),
            np.minimum.accumulate([guarantee.bound for guarantee in guarantees]),
        )

    def times(self, factor: float) -> "ErrorBounds":
        """Return the bounds of a model that is wrong so many times as often as calibration says."""
        return ErrorBounds(self.confidences, np.minimum(self.bounds * factor, 1.0))

    def at(self, confidences: NDArray[Any]) -> NDArray[np.float64]:
        """Return the least accepted error at which pictures of these confidences (N,) are read.

        It is the bound of the lowest-risk threshold that the confidence reaches, so that comparing
        with it decides as `promise_for` does; 1 below every threshold.
        """
        reached = np.searchsorted(self.confidences, confidences.astype(np.float32), side="right")
        return np.concatenate([[1.0], self.bounds])[reached]
