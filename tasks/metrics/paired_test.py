"""Two models on the same pictures: exact tests on the pictures that only one of them answers right.

Pictures that both answer right, or both wrong, say nothing about which is better (McNemar 1947).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import comb

import numpy as np
from numpy.typing import NDArray

from tasks.metrics.risk_curve import error_bound

RISK = 0.05  # of calling a model good enough that is worse by the margin
LUCK = 0.001  # of calling an equal model better: a schedule asks often


@dataclass(frozen=True)
class Paired:
    """How two models answered the same pictures."""

    count: int
    only_candidate: int  # pictures that the candidate alone answers right
    only_champion: int

    @property
    def difference(self) -> float:
        """Return by how much the candidate's share of right answers is higher."""
        return (self.only_candidate - self.only_champion) / self.count

    @property
    def lower_bound(self) -> float:
        """Return the least that the difference may be, one-sided, at the risk above.

        Exact and conditional on the number of pictures that only one model answers right: among
        them the candidate's share has a Clopper-Pearson bound.
        """
        unequal = self.only_candidate + self.only_champion
        if not unequal:
            return 0.0
        share = 1 - error_bound(self.only_champion, unequal, RISK)
        return (2 * share - 1) * unequal / self.count

    @property
    def chance(self) -> float:
        """Return how likely an equal model is to look so much better: McNemar's exact test."""
        unequal = self.only_candidate + self.only_champion
        ways = sum(comb(unequal, right) for right in range(self.only_candidate, unequal + 1))
        return float(ways / 2**unequal)


def paired(candidate: NDArray[np.bool_], champion: NDArray[np.bool_]) -> Paired:
    """Return the counts of two models' right answers to the same pictures, bool (N,) each.

    Raises:
        ValueError: there are no pictures, or not the same.
    """
    if candidate.shape != champion.shape or not len(candidate):
        raise ValueError(f"{candidate.shape} and {champion.shape} answers cannot be paired")
    return Paired(
        count=len(candidate),
        only_candidate=int((candidate & ~champion).sum()),
        only_champion=int((champion & ~candidate).sum()),
    )


def each_once(sources: Iterable[NDArray[np.int64]]) -> list[NDArray[np.bool_]]:
    """Return which pictures of each slice show a digit that no slice before it shows.

    Several pictures of one digit are no independent evidence, so it counts where it comes first.

    Args:
        sources: of each slice, int64 (N,): which digit a picture was drawn from, once at most.
    """
    seen = np.array([], np.int64)
    chosen = []
    for digits in sources:
        chosen.append(~np.isin(digits, seen) & (digits >= 0))
        seen = np.union1d(seen, digits)
    return chosen
