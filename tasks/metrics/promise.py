"""What a model guarantees for an error that is accepted, kind by kind of picture."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from tasks.errors import InputError
from tasks.metrics.error_bounds import ErrorBounds
from tasks.metrics.risk_curve import SURE, RiskCurve, Threshold

NEVER = 1.01  # a confidence that no answer has: everything goes to review


@dataclass(frozen=True)
class Promise:
    """From which confidence on pictures of each kind are read.

    Of a kind whose error cannot be bound so, nothing is read: it goes to review.
    """

    thresholds: Mapping[str, Threshold]  # by kind, of those that keep it; at least one
    unread: tuple[str, ...]  # kinds that cannot keep it
    bounds: Mapping[str, ErrorBounds]  # by kind, of all

    @property
    def confidences(self) -> dict[str, float]:
        """Return from which confidence on each kind is read."""
        read = {kind: threshold.confidence for kind, threshold in self.thresholds.items()}
        return read | dict.fromkeys(self.unread, NEVER)

    @property
    def strictest(self) -> float:
        """Return the highest of them, for kinds that were not told apart."""
        return max(self.confidences.values())

    @property
    def whole(self) -> Threshold:
        """Return what holds for all kinds together: their counts, and the highest of the bounds."""
        kept = self.thresholds.values()
        digits = sum(threshold.digits for threshold in kept)
        accepted, wrong = (
            sum(counts)
            for counts in zip(*((each.accepted, each.wrong) for each in kept), strict=True)
        )
        return Threshold(
            confidence=self.strictest,
            accepted=accepted,
            wrong=wrong,
            bound=max(threshold.bound for threshold in kept),
            coverage=(accepted - wrong) / digits,
            digits=digits,
        )

    def sentence(self) -> str:
        """Return the guarantee in words."""
        if len(self.thresholds) == 1 and not self.unread:
            return self.whole.sentence()
        return (
            f"At most {100 * self.whole.bound:.2f} % errors among what is read of each kind of "
            f"picture ({100 * SURE:.0f} % sure), measured on {self.whole.digits:,} calibration "
            "digits"
        )

    def expectation(self) -> str:
        """Return in words how much of each kind is read, the most first."""
        ordered = sorted(self.thresholds.items(), key=lambda each: -each[1].coverage)
        words = [f"{kind} {100 * each.coverage:.0f} %" for kind, each in ordered]
        return ", ".join([*words, *(f"{kind} none" for kind in self.unread)])


def promise_for(max_error: float, curves: Mapping[str, RiskCurve]) -> Promise:
    """Return the lowest thresholds whose bounds are not above the error that the user accepts.

    The bounds of all kinds hold at once.

    Args:
        max_error: the error that is accepted among what is read, of each kind.
        curves: by kind of picture, at least one.

    Raises:
        InputError: no kind can keep it, as far as the calibration pictures can tell.
    """
    guarantees = {kind: curve.guarantees() for kind, curve in curves.items()}
    found = {
        kind: next((each for each in some if each.bound <= max_error), None)
        for kind, some in guarantees.items()
    }
    thresholds = {kind: threshold for kind, threshold in found.items() if threshold}
    if not thresholds:
        raise InputError(_too_little(max_error, guarantees))
    return Promise(
        thresholds,
        tuple(kind for kind, threshold in found.items() if threshold is None),
        {kind: ErrorBounds.of(some) for kind, some in guarantees.items()},
    )


def _too_little(max_error: float, guarantees: Mapping[str, list[Threshold]]) -> str:
    every = [each for some in guarantees.values() for each in some]
    best = min(every, key=lambda each: each.bound)
    supported = math.ceil(best.bound * 10_000) / 10_000
    return (
        f"--max-error {max_error:g} is less than this model can guarantee: {best.accepted:,} of "
        f"{best.digits:,} calibration digits reach confidence "
        f"{best.confidence:g}, {best.wrong:,} of them wrong, so the error may be "
        f"{100 * best.bound:.2f} % ({100 * SURE:.0f} % sure). It supports --max-error "
        f"{supported:g}; more calibration pictures or a better model would support less"
    )


def strictest(curves: Mapping[str, RiskCurve]) -> list[Threshold]:
    """Return, at each threshold, the guarantee of the kind with the highest bound.

    For programs that cannot tell kinds apart.

    Args:
        curves: by kind of picture, with the same thresholds.
    """
    guarantees = [curve.guarantees() for curve in curves.values()]
    return [
        max(same, key=lambda each: (each.bound, -each.coverage))
        for same in zip(*guarantees, strict=True)
    ]
