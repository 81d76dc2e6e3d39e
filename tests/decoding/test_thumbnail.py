"""A thumbnail is small, and shows whatever the original is drawn with."""

import numpy as np
import pytest

from tasks.decoding.thumbnail import SIDE, thumbnail


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((28, 28), (28, 28, 3)),
        ((300, 600), (72, 144, 3)),
        ((3000, 1000, 3), (144, 48, 3)),
        ((5000, 1, 4), (144, 1, 3)),
    ],
)
def test_a_thumbnail_is_small_and_has_the_shape_of_the_original(
    shape: tuple[int, ...], expected: tuple[int, ...]
) -> None:
    found = thumbnail(np.full(shape, 200, np.uint8))
    assert (found.shape, found.dtype) == (expected, np.uint8)
    assert max(found.shape) <= SIDE


def test_a_thumbnail_keeps_its_colours_and_shows_black_and_white_ink_on_nothing() -> None:
    red = np.zeros((2, 2, 3), np.uint8)
    red[..., 0] = 250
    assert thumbnail(red)[0, 0].tolist() == [0, 0, 250]
    clear = np.zeros((1, 3, 4), np.uint8)
    clear[0, 0], clear[0, 1] = (0, 0, 0, 255), (255, 255, 255, 255)
    black, white, none = thumbnail(clear)[0, :, 0].astype(int)
    assert (black, white) == (0, 255)
    assert min(none - black, white - none) > 50
