"""Ink that is written lies on its canvas, and canvases are of sizes that can be photographed."""

import numpy as np
import pytest

from tasks.imaging.background import over
from tasks.synthesis import scene
from tasks.synthesis.rasterize import canvas_shape, rasterize_digit

SEVERAL = 2.1  # times as wide as high: the canvas of three digits


def test_scenes_of_the_largest_canvases_can_be_drawn() -> None:
    random = np.random.default_rng(1)
    shapes = [canvas_shape(random) for _ in range(3_000)]
    high, wide = max(h for h, _ in shapes), max(w for _, w in shapes)
    for shape in ((high, wide), (high, int(SEVERAL * high))):
        blank = np.zeros(shape, np.uint8)
        assert scene.photo(blank, random).shape == (*shape, 3)
        assert scene.scan(blank, random).shape == shape


@pytest.mark.parametrize("digit", range(10))
def test_a_digit_of_pen_paths_is_as_large_as_asked_and_inside(digit: int) -> None:
    ink = rasterize_digit(digit, None, (160, 200), 120, np.random.default_rng(digit))
    rows, columns = (np.flatnonzero(over(ink, 100).any(axis=axis)) for axis in (1, 0))
    longer = max(np.ptp(rows), np.ptp(columns)) + 1
    assert 0.7 * 120 < longer < 1.3 * 120
    assert ink.dtype == np.uint8
