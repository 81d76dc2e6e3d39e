"""Simulated pictures are reproducible and what their labels say."""

import numpy as np

from tasks.imaging.canonical import canonical
from tasks.metrics.calibration import NO_DIGIT
from tasks.synthesis import digit_templates, pen_paths
from tasks.synthesis.generate import bent, simulate


def some_digits() -> tuple[np.ndarray, np.ndarray]:
    """Twenty canonical digits."""
    random = np.random.default_rng(1)
    forms = []
    for digit in range(20):
        strokes = [s * 120 + 60 for s in digit_templates.digit_paths(digit % 10, random)]
        forms.append(canonical(255 - pen_paths.draw(strokes, (260, 320), 8))[0])
    return np.stack(forms), (np.arange(20) % 10).astype(np.int8)


def test_the_seed_alone_decides_however_many_processes_draw() -> None:
    images, labels = some_digits()
    one = simulate(images, labels, 12, 6, seed=5, processes=1)
    two = simulate(images, labels, 12, 6, seed=5, processes=2)
    other = simulate(images, labels, 12, 6, seed=6, processes=1)
    assert (one.images == two.images).all()
    assert (one.labels == two.labels).all()
    assert (one.images != other.images).any()


def test_labels_tell_digits_from_no_digits() -> None:
    images, labels = some_digits()
    made = simulate(images, labels, 12, 6, seed=5, processes=1)
    assert (made.labels[:12] >= 0).all()
    assert (made.labels[12:] == NO_DIGIT).all()
    assert made.images[:12].reshape(12, -1).any(axis=1).all()


def test_bending_keeps_shape_and_most_of_the_ink() -> None:
    images, _ = some_digits()
    changed = bent(images, 3)
    assert changed.shape == images.shape
    assert 0.6 < changed.mean() / images.mean() < 1.5
