"""What a recipe learns and is calibrated on: the pictures of the data, bent copies, simulations."""

import numpy as np
from numpy.typing import NDArray

from tasks.simulate import bent, simulate

Pairs = tuple[NDArray[np.uint8], NDArray[np.int8]]  # images (N, 28, 28), labels (N,), -1: no digit

CALIBRATION_SEED = 1_000_003  # added to the seed, so that calibration is drawn like nothing learned
CALIBRATION_NO_DIGITS = 0.5  # for each picture of the calibration part


def learned(data: Pairs, copies: int, digits: int, no_digits: int, seed: int) -> Pairs:
    """Return the training part, bent copies of it, and simulated pictures in which ink is found.

    Args:
        data: the training part.
        copies: bent copies of each picture.
        digits: simulated scans and photos of digits.
        no_digits: simulated pictures that are no digit.
        seed: the same seed gives the same pictures.
    """
    images, labels = data
    drawn = simulate(images, labels, digits, no_digits, seed)
    inked = drawn.images.any(axis=(1, 2))
    parts = [images, *(bent(images, seed + copy) for copy in range(copies)), drawn.images[inked]]
    return np.concatenate(parts), np.concatenate([labels] * (1 + copies) + [drawn.labels[inked]])


def calibration(data: Pairs, seed: int) -> Pairs:
    """Return the calibration part, a simulated picture of each kind beside it, and no-digits.

    Thresholds that were set on clean digits alone would promise too much for scans and photos.
    """
    images, labels = data
    no_digits = round(CALIBRATION_NO_DIGITS * len(labels))
    drawn = simulate(images, labels, len(labels), no_digits, seed + CALIBRATION_SEED)
    inked = drawn.images.any(axis=(1, 2))
    return (
        np.concatenate([images, drawn.images[inked]]),
        np.concatenate([labels, drawn.labels[inked]]),
    )
