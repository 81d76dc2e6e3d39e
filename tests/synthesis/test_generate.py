"""Simulated pictures are reproducible and what their labels say."""

import numpy as np
import pytest

from tasks.imaging.canonical import canonical
from tasks.metrics.calibration import NO_DIGIT
from tasks.synthesis import digit_templates, pen_paths
from tasks.synthesis.generate import LabelledImages, Wanted, deformed, digit_scene, simulate


def some_digits() -> LabelledImages:
    """Twenty canonical digits."""
    random = np.random.default_rng(1)
    forms = []
    for digit in range(20):
        strokes = [s * 120 + 60 for s in digit_templates.digit_paths(digit % 10, random)]
        forms.append(canonical(255 - pen_paths.draw(strokes, (260, 320), 8))[0])
    return LabelledImages(np.stack(forms), (np.arange(20) % 10).astype(np.int8))


@pytest.mark.processes
def test_the_seed_alone_decides_however_many_processes_draw() -> None:
    digits = some_digits()
    one = simulate(digits, Wanted(12, 6), seed=5, processes=1)
    two = simulate(digits, Wanted(12, 6), seed=5, processes=2)
    other = simulate(digits, Wanted(12, 6), seed=6, processes=1)
    assert (one.images == two.images).all()
    assert (one.labels == two.labels).all()
    assert (one.images != other.images).any()


def test_labels_tell_digits_from_no_digits() -> None:
    digits = some_digits()
    made = simulate(digits, Wanted(12, 6), seed=5, processes=1)
    assert (made.labels[:12] >= 0).all()
    assert (made.labels[12:] == NO_DIGIT).all()
    assert made.images[:12].reshape(12, -1).any(axis=1).all()


def test_a_deformed_digit_is_another_picture_of_the_same_digit_in_the_same_place() -> None:
    images = some_digits().images
    changed = deformed(images, 3)
    assert (changed.shape, changed.dtype) == (images.shape, np.uint8)
    assert np.array_equal(changed, deformed(images, 3))
    for before, after, other in zip(images, changed, deformed(images, 4), strict=True):
        assert not np.array_equal(before, after)
        assert not np.array_equal(other, after)
        assert np.hypot(*(centre(after) - centre(before))) < 3


def test_scenes_are_of_pictures_that_people_have_and_say_where_the_digit_is() -> None:
    """Cut to the ink, in boxes and on lined paper among them; none is empty."""
    at_edges = 0
    for seed in range(150):
        shown, (x, y, w, h) = digit_scene(seed % 10, None, np.random.default_rng(seed))
        height, width = shown.shape[:2]
        assert min(height, width) > 2
        if not w:  # a pen so thin that no pixel is half covered
            continue
        assert x >= 0 and y >= 0 and x + w <= width and y + h <= height
        at_edges += min(x, y, width - x - w, height - y - h) <= 3 and max(shown.shape[:2]) > 40
    assert at_edges > 10


def centre(picture: np.ndarray) -> np.ndarray:
    """Return the centre of mass, rows and columns."""
    return np.argwhere(picture > 0).T @ picture[picture > 0] / picture.sum()
