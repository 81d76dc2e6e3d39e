"""Which of the pictures that were read are drawn for the audit, and how probably each was.

A Poisson sample: each picture by itself, with a probability of its own (Hájek 1964), which its row
keeps. So what is estimated from the answers is unbiased however unequal the probabilities are.
"""

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

# from which confidence on pictures belong to the next band; most errors are in the first two
BAND_EDGES = (0.99, 0.998)
BAND_FAVOUR = (4.0, 2.0, 1.0)  # how much more probably a picture of each band is drawn
RARITY_FAVOUR = 1.5  # at most: of a digit that is rarer than others
MOST_FAVOUR = 4.0  # of both together: what is favoured less weighs so much more in the estimate
KEY_BYTES = 64  # of BLAKE2b, at most


def confidence_bands(confidences: NDArray[Any]) -> NDArray[np.int64]:
    """Return the number of the band (N,) that each confidence (N,) is in, the lowest first."""
    return np.searchsorted(BAND_EDGES, confidences, side="right")


def probabilities(
    digits: NDArray[Any], confidences: NDArray[Any], share: float
) -> NDArray[np.float32]:
    """Return how probably each of some pictures is drawn, float32 (N,), in (0, 1].

    Pictures of digits that are rare among these, and such of lower confidence, more probably.

    Args:
        digits: int (N,), 0 to 9, as they were read.
        confidences: float (N,).
        share: of all that is drawn, in the mean; above 0.
    """
    counts = np.bincount(digits, minlength=10)[digits]
    rarity = np.sqrt(len(digits) / np.count_nonzero(np.bincount(digits)) / np.maximum(counts, 1))
    favour = np.array(BAND_FAVOUR)[confidence_bands(confidences)]
    favour = np.minimum(favour * np.clip(rarity, 1.0, RARITY_FAVOUR), MOST_FAVOUR)
    return _scaled(favour, share * len(digits)).astype(np.float32)


def _scaled(favour: NDArray[np.float64], expected: float) -> NDArray[np.float64]:
    """Return probabilities in proportion to what is favoured, where 1 allows it, with their sum."""
    certain = np.zeros(len(favour), bool)
    while True:
        rest = favour[~certain].sum()
        factor = (expected - certain.sum()) / rest if rest else 0.0
        above = ~certain & (favour * factor >= 1)
        if not above.any():
            return np.where(certain, 1.0, favour * factor)
        certain |= above


def drawn(names: Sequence[bytes], probable: NDArray[np.float32], key: str) -> NDArray[np.bool_]:
    """Return which pictures are drawn (N,): the same again for the same names and the same key.

    Args:
        names: of the pictures: what they are called and what is in them.
        probable: float32 (N,), how probably each is drawn.
        key: the id of the run: nobody knows it who names a file.
    """
    keyed = hashlib.blake2b(digest_size=8, key=key.encode()[-KEY_BYTES:])
    hashes = b"".join(_hash(keyed.copy(), name) for name in names)
    return np.frombuffer(hashes, "<u8") / 2.0**64 < probable


def _hash(keyed: "hashlib.blake2b", name: bytes) -> bytes:
    keyed.update(name)
    return keyed.digest()
