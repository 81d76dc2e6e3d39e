"""A large picture comes tile by tile, and as the canonical form would have halved it whole."""

from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageOps

from tasks.decoding import pixels
from tasks.decoding.pixels import TURNS, eight_bit
from tasks.imaging import background

MODES = ["1", "L", "P", "LA", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "HSV", "I;16", "I", "F"]
SIZES = [(53, 47), (48, 32), (1, 90), (90, 1), (33, 2), (2, 2), (16, 17)]  # width, height


def picture(mode: str, size: tuple[int, int]) -> Image.Image:
    """Return noise of a mode."""
    random = np.random.default_rng(4)
    shape = size[::-1]
    if mode == "I;16":
        return Image.fromarray(random.integers(0, 3000, shape).astype(np.uint16))
    if mode in ("I", "F"):
        return Image.fromarray(random.integers(-50, 9000, shape).astype(np.int32)).convert(mode)
    bands = {"LAB": 3, "HSV": 3}.get(mode)
    noise = [Image.fromarray(random.integers(0, 256, shape, np.uint8)) for _ in range(bands or 4)]
    if bands:
        return Image.merge(mode, noise)
    return Image.merge("RGBA", noise).convert(mode)


@pytest.fixture
def small_tiles(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Return what lets every picture be a large one."""
    return lambda: monkeypatch.setattr(pixels, "TILE", 16)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("size", SIZES)
def test_a_large_picture_is_the_half_of_the_whole_one(
    mode: str, size: tuple[int, int], small_tiles: Callable[[], None]
) -> None:
    image = picture(mode, size)
    if mode == "P":
        image.info["transparency"] = bytes(range(256))
    whole = eight_bit(image)
    if whole.ndim == 3 and whole.shape[2] == 4:
        whole = background.flatten_alpha(whole)
    small_tiles()
    large = size[0] * size[1] > pixels.TILE**2
    expected = background.halved(whole) if large else eight_bit(image)
    assert np.array_equal(eight_bit(image), expected)


@pytest.mark.parametrize("turn", [1, *TURNS])
@pytest.mark.parametrize("size", SIZES)
def test_a_large_picture_is_turned_as_a_small_one(
    turn: int, size: tuple[int, int], small_tiles: Callable[[], None]
) -> None:
    image = picture("RGB", size)
    image.getexif()[0x0112] = turn
    whole = np.asarray(ImageOps.exif_transpose(image))
    assert np.array_equal(eight_bit(image, turn), whole)
    small_tiles()
    large = size[0] * size[1] > pixels.TILE**2
    assert np.array_equal(eight_bit(image, turn), background.halved(whole) if large else whole)


def test_numbers_of_all_tiles_have_one_scale(small_tiles: Callable[[], None]) -> None:
    values = np.zeros((40, 40), np.float32)
    values[0, 0], values[39, 39], values[20, 20] = -100, 155, np.nan
    small_tiles()
    half = eight_bit(Image.fromarray(values))
    assert half[10, 10] == half[0, 10] == 100
    assert (half[0, 0], half[19, 19]) == (75, 139)
