"""What a recipe learns and is calibrated on: the pictures of the data, bent copies, simulations."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from tasks.synthesis.generate import LabelledImages, deformed, simulate

Pairs = tuple[NDArray[np.uint8], NDArray[np.int8]]  # images (N, 28, 28), labels (N,), -1: no digit

CALIBRATION_SEED = 1_000_003  # added to the seed, so that calibration is drawn like nothing learned
CALIBRATION_NO_DIGITS = 0.5  # for each picture of the calibration part


def learned(
    data: Pairs,
    bent: int,
    digits: int,
    no_digits: int,
    seed: int,
    on_progress: Callable[[int], None] | None = None,
) -> Pairs:
    """Return the training part, bent copies of it, and simulated pictures in which ink is found.

    Args:
        data: the training part.
        bent: bent copies of each picture.
        digits: simulated scans and photos of digits.
        no_digits: simulated pictures that are no digit.
        seed: the same seed gives the same pictures.
        on_progress: called with how many are simulated by now.
    """
    images, labels = data
    drawn = simulate(LabelledImages(*data), digits, no_digits, seed, on_progress=on_progress)
    inked = drawn.images.any(axis=(1, 2))
    copies = [deformed(images, seed + number) for number in range(bent)]
    return (
        np.concatenate([images, *copies, drawn.images[inked]]),
        np.concatenate([labels] * (1 + bent) + [drawn.labels[inked]]),
    )


def as_read(data: Pairs, seed: int) -> Pairs:
    """Return clean pictures as reading will see them: some as they are, some in simulated scenes.

    Thresholds that were set on clean digits alone would promise too much for scans and photos.
    """
    images, labels = data
    no_digits = round(CALIBRATION_NO_DIGITS * len(labels))
    drawn = simulate(LabelledImages(*data), len(labels), no_digits, seed + CALIBRATION_SEED)
    inked = drawn.images.any(axis=(1, 2))
    return (
        np.concatenate([images, drawn.images[inked]]),
        np.concatenate([labels, drawn.labels[inked]]),
    )
