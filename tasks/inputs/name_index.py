"""Names by the million without holding them: which of them repeat, and where each one is."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

INDEXED = np.dtype([("hash", np.int64), ("position", np.int64)])


class Occurrences:
    """Counts how often each name came before; only the names that repeat are kept."""

    def __init__(self, hashes: NDArray[np.int64]) -> None:
        """Take the hashes of all names, in order; names with one hash alone never repeat."""
        self._repeated = frozenset(hashes[1:][hashes[1:] == hashes[:-1]].tolist())
        self._seen: dict[bytes, int] = {}

    def before(self, name: bytes) -> int:
        """Return how often this was called with the name before."""
        if hash(name) not in self._repeated:
            return 0
        count = self._seen.get(name, 0)
        self._seen[name] = count + 1
        return count


def occurrences(names: Iterable[bytes]) -> Occurrences:
    """Return a counter for names that come a second time; these take 8 bytes each meanwhile."""
    hashes = np.fromiter(map(hash, names), np.int64)
    hashes.sort()
    return Occurrences(hashes)


class NameIndex:
    """Where each name is, in 16 bytes for each; of this process alone, as its hashes are."""

    def __init__(self, named: Iterable[tuple[bytes, int]]) -> None:
        """Take every name with its position, in the order that its repetitions count in."""
        pairs = np.fromiter(((hash(name), position) for name, position in named), INDEXED)
        order = np.argsort(pairs["hash"], kind="stable")
        self._hashes, self._positions = pairs["hash"][order], pairs["position"][order]

    def positions(self, name: bytes) -> list[int]:
        """Return where the name may be: its own positions, rarely one of another name."""
        left = self._hashes.searchsorted(hash(name))
        right = self._hashes.searchsorted(hash(name), "right")
        positions: list[int] = self._positions[left:right].tolist()
        return positions

    def occurrences(self) -> Occurrences:
        """Return a counter for the same names."""
        return Occurrences(self._hashes)
