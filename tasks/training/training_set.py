"""What a recipe learns and is calibrated on: the data, elastic deformations of it, simulations."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from tasks.synthesis.generate import LabelledImages, Wanted, deformed, simulate
from tasks.training.recipes import Simulation

Pairs = tuple[NDArray[np.uint8], NDArray[np.int8]]  # images (N, 28, 28), labels (N,), -1: no digit

CALIBRATION_SEED = 1_000_003  # added to the seed, so that calibration is drawn like nothing learned
CALIBRATION_NO_DIGITS = 0.5  # for each picture of the calibration part


def training_set(
    data: Pairs,
    simulation: Simulation,
    seed: int,
    on_progress: Callable[[int], None] | None = None,
) -> Pairs:
    """Return the training part, elastic deformations of it, and simulations in which ink is found.

    Args:
        data: the training part: canonical pictures, uint8 (N, 28, 28), ink bright on 0, and their
            digits, int8 (N,).
        simulation: how many of each.
        seed: the same seed gives the same pictures.
        on_progress: called with how many are simulated by now.

    Returns:
        uint8 (M, 28, 28) and int8 (M,), -1 for no digit; the training part comes first.
    """
    images, labels = data
    source, wanted = LabelledImages(*data), Wanted(simulation.digits, simulation.no_digits)
    drawn = simulate(source, wanted, seed, on_progress=on_progress)
    inked = drawn.images.any(axis=(1, 2))
    copies = [deformed(images, seed + number) for number in range(simulation.elastic_copies)]
    return (
        np.concatenate([images, *copies, drawn.images[inked]]),
        np.concatenate([labels] * (1 + len(copies)) + [drawn.labels[inked]]),
    )


def calibration_no_digits(data: Pairs, seed: int) -> NDArray[np.uint8]:
    """Return simulated pictures of no digit, (N, 28, 28), drawn as none that is learned.

    Args:
        data: the calibration part, as `training_set` takes it.
        seed: that of the training.
    """
    wanted = Wanted(0, round(CALIBRATION_NO_DIGITS * len(data[1])))
    images = simulate(LabelledImages(*data), wanted, seed + CALIBRATION_SEED).images
    return np.asarray(images[images.any(axis=(1, 2))], np.uint8)
