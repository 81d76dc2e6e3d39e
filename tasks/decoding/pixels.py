"""Pillow's pixels as upright 8-bit arrays; of a large picture, a tile at a time and at half size.

Several arrays of a whole large picture, one after each step, would take gigabytes. Halving is how
the canonical form begins, so that it stays the same to the last bit.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.ExifTags import Base

from tasks.imaging import background

Pixels = NDArray[np.uint8]
Values = NDArray[Any]
Box = tuple[int, int, int, int]  # left, top, right, bottom, px
ToPixels = Callable[[Image.Image], Pixels]

TILE = 1024  # px, even: side of a tile; a picture of more pixels than one has is large
FULL_SCALES = (1.0, 255.0, 65535.0, float(2**31 - 1))
TRANSPARENT = ("RGBA", "LA", "La", "PA", "RGBa")
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}  # by EXIF's orientation
SIDEWAYS = (5, 6, 7, 8)  # orientations that exchange width and height, before they mirror
MIRROR_X, MIRROR_Y = (2, 3, 7, 8), (3, 4, 6, 7)


def orientation(image: Image.Image) -> int:
    """Return EXIF's orientation, 1 to 8; Pillow knows it for certain once the pixels are loaded."""
    found = image.getexif().get(Base.Orientation)
    return found if found in TURNS else 1


def eight_bit(image: Image.Image, turn: int = 1) -> Pixels:
    """Return upright (H, W) grey, (H, W, 3) RGB or (H, W, 4) RGBA of any of Pillow's modes.

    A large one comes at half its size, and what is transparent in it laid over its page.

    Args:
        image: a loaded picture.
        turn: its orientation.
    """
    convert = _conversion(image)
    if image.width * image.height <= TILE * TILE:
        return convert(image.transpose(TURNS[turn]) if turn in TURNS else image)
    if _has_alpha(image):
        convert = _opaque(image, convert)
    return _halved(image, turn, convert)


def _halved(image: Image.Image, turn: int, convert: ToPixels) -> Pixels:
    """Return the means of two by two pixels, as `paper.halved` gives them for the whole."""
    full = image.size[::-1] if turn in SIDEWAYS else image.size
    width, height = (max(1, side // 2) for side in full)
    half: Pixels | None = None
    # an odd last row or column goes, so no tile begins with it
    for left, top, tile in _tiles(image, turn, (2 * width, 2 * height)):
        part = background.halved(convert(tile))
        if half is None:
            half = np.empty((height, width, *part.shape[2:]), np.uint8)
        x, y = left // 2, top // 2
        half[y : y + part.shape[0], x : x + part.shape[1]] = part
    assert half is not None  # noqa: S101 - the first pixel begins a tile
    return half


def _tiles(
    image: Image.Image, turn: int, within: tuple[int, int]
) -> Iterator[tuple[int, int, Image.Image]]:
    """Yield the upright tiles that begin within a width and height, with their left and top."""
    width, height = image.size[::-1] if turn in SIDEWAYS else image.size
    for top in range(0, within[1], TILE):
        for left in range(0, within[0], TILE):
            box = (left, top, min(left + TILE, width), min(top + TILE, height))
            tile = image.crop(_before(box, turn, image.size))
            yield left, top, tile.transpose(TURNS[turn]) if turn in TURNS else tile


def _before(box: Box, turn: int, size: tuple[int, int]) -> Box:
    """Return where a box of the upright picture lies in the one before it is turned."""
    left, top, right, bottom = box
    if turn in SIDEWAYS:
        left, top, right, bottom = top, left, bottom, right
    if turn in MIRROR_X:
        left, right = size[0] - right, size[0] - left
    if turn in MIRROR_Y:
        top, bottom = size[1] - bottom, size[1] - top
    return left, top, right, bottom


def _converted(image: Image.Image, convert: Callable[[Image.Image], Values]) -> Iterator[Values]:
    """Yield every tile, converted."""
    return (convert(tile) for _, _, tile in _tiles(image, 1, image.size))


def _has_alpha(image: Image.Image) -> bool:
    # where one grey or colour is transparent it is shown all the same
    return image.mode in TRANSPARENT or (image.mode == "P" and "transparency" in image.info)


def _conversion(image: Image.Image) -> ToPixels:
    """Return what turns any part of a picture into 8 bits."""
    mode = image.mode
    if mode in ("L", "RGB", "RGBA"):
        return np.asarray
    if mode.startswith(("I", "F")):
        return _scaling(image)
    if mode == "LAB":
        return lambda part: np.asarray(part.getchannel("L"))
    to = "L" if mode == "1" else "RGBA" if _has_alpha(image) else "RGB"
    return lambda part: np.asarray(part.convert(to))


def _opaque(image: Image.Image, convert: ToPixels) -> ToPixels:
    page = background.page_under(_converted(image, convert))
    return lambda part: background.laid_over(convert(part), page)


def _scaling(image: Image.Image) -> ToPixels:
    """Bring deep pixels to 0..255, by the smallest usual full scale that holds all of them."""
    lowest, highest = 0.0, -np.inf
    for values in _converted(image, _numbers):
        lowest, highest = min(lowest, values.min()), max(highest, values.max())
    most = highest - lowest
    factor = 255.0 / next((scale for scale in FULL_SCALES if most <= scale), most)
    return lambda part: np.round((_numbers(part) - lowest) * factor).astype(np.uint8)


def _numbers(image: Image.Image) -> Values:
    return np.nan_to_num(np.asarray(image, np.float64), nan=0.0, posinf=0.0, neginf=0.0)
