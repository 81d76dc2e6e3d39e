"""A training set holds the data, deformations and simulations, the same for the same seed."""

import numpy as np
import pytest

from tasks.metrics.calibration import NO_DIGIT
from tasks.training.recipes import Simulation
from tasks.training.training_set import Pairs, calibration_no_digits, training_set
from tests.bars import bar


@pytest.fixture(scope="module")
def data() -> Pairs:
    """Return two pictures of each digit."""
    labels = np.repeat(np.arange(10, dtype=np.int8), 2)
    return np.stack([bar(int(label)) for label in labels]), labels


def test_the_data_comes_first_then_its_deformations_then_simulations(data: Pairs) -> None:
    done: list[int] = []
    images, labels = training_set(data, Simulation(2, 30, 10), 1, done.append)
    assert np.array_equal(images[:20], data[0])
    assert np.array_equal(labels[:60], np.tile(data[1], 3))
    assert not np.array_equal(images[20:40], images[40:60])
    assert 60 + 20 < len(labels) <= 60 + 40  # some scenes show no ink
    assert 0 < (labels[60:] == NO_DIGIT).sum() <= 10
    assert images[60:].any(axis=(1, 2)).all()
    assert done[-1] == 40


def test_the_same_seed_draws_the_same_and_calibration_draws_something_else(data: Pairs) -> None:
    first, again = (calibration_no_digits(data, seed=7) for _ in range(2))
    assert np.array_equal(first, again)
    drawn = training_set(data, Simulation(0, 20, 10), 7)[0][20:]
    assert not any((picture == drawn).all(axis=(1, 2)).any() for picture in first)
