"""Small grey pictures on an even page: their form without a search for background and lines.

The rules hold for one picture and for many: a number of one may be an array, (N,), of N. So what
`canonical_batch` does at once is decided by the same lines.
"""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from tasks.imaging.form import BOX, SIDE, Box, Ink, Kind, Polarity, small_kind

Pixels = NDArray[np.uint8]
Number = Any  # of one picture, or an array of them

CENTRE = (13.3, 14.7)  # px: where the centre of mass of a canonical picture lies
PAGE = 16  # greys: an even page is that near to black or to white
MOST_INK = 0.6  # of the pixels
LEAST_SIDE = 12  # px
LEAST_PEAK = 140  # greys above the page; fainter ink takes the long way
STROKES = (
    0.04,
    0.45,
)  # of the square of the digit's longer side: full ink of strokes of average width


def is_even_page(page: Number) -> Number:
    """Tell whether a grey is near enough to black or to white for an even page."""
    return (page <= PAGE) | (page >= 255 - PAGE)


def is_dark_ink(page: Number) -> Number:
    """Tell whether ink on a page of this grey is darker than it."""
    return page > 127


def has_ink(inked: Number, pixels: int) -> Number:
    """Tell whether so many inked pixels of all can be those of a digit."""
    return (inked > 0) & (inked <= MOST_INK * pixels)


def is_in_frame(longer: Number, x: Number, y: Number) -> Number:
    """Tell whether ink is in MNIST's frame: 20 px box, centre of mass in the middle of 28x28.

    Args:
        longer: px of the longer side of its box.
        x: px from the left to its centre of mass.
        y: px from the top.
    """
    # a 20 px box that does not start on a whole pixel covers 21
    boxed = abs(longer - BOX) <= 1
    low, high = CENTRE
    return boxed & (low < x) & (x < high) & (low < y) & (y < high)


def above_page(pictures: Pixels, page: Number) -> Pixels:
    """Return the ink above an even page, bright on 0.

    Args:
        pictures: (H, W), or (N, H, W).
        page: its grey, or theirs, uint8 (N, 1, 1).
    """
    inverted = np.uint8(255) * is_dark_ink(page)  # exclusive or with 255 takes from 255
    bright, low = pictures ^ inverted, page ^ inverted
    return np.asarray(np.maximum(bright, low) - low, np.uint8)


def plain_ink(
    page: int, peak: int, inked: int, box: Box, shape: tuple[int, ...], *, in_frame: bool
) -> Ink:
    """Return the facts about a picture with ink above an even page.

    Args:
        page: its grey.
        peak: greys of the strongest ink above the page.
        inked: pixels with ink.
        box: of the ink.
        shape: of the picture, (h, w).
        in_frame: it is in MNIST's frame.
    """
    light: Polarity = "canonical" if in_frame and not page else "light_on_dark"
    (height, width), (x, y, w, h) = shape, box
    return Ink(
        polarity="dark_on_light" if is_dark_ink(page) else light,
        contrast=peak,
        share=inked / (height * width),
        box=box,
        groups=1,
        kind=Kind.CLEAN if in_frame else small_kind(max(shape)),
        touches_edge=min(x, y, width - x - w, height - y - h) < 1,
    )


def plain_form(picture: Pixels) -> tuple[Pixels, Ink] | None:
    """Return the form and facts of a picture, at most 40 px a side, (H, W) or with colours.

    None where its rim is not clean or its strokes are not of usual width.
    """
    grey = _grey(picture)
    if grey is None or min(grey.shape) < LEAST_SIDE:
        return None
    page = int(grey[0, 0])
    bright = above_page(grey, page) if page else grey
    inked = cv2.countNonZero(bright)
    if not is_even_page(page) or not has_ink(inked, bright.size):
        return None
    x, y, w, h = cv2.boundingRect(bright)
    in_frame = bright.shape == (SIDE, SIDE) and is_in_frame(max(w, h), *_centre(bright))
    form = bright if in_frame else _fitted(bright, (x, y, w, h))
    if form is None:
        return None
    peak = int(bright.max())
    return form, plain_ink(page, peak, inked, (x, y, w, h), bright.shape, in_frame=in_frame)


def _grey(picture: Pixels) -> Pixels | None:
    """Return a picture without colours; None where it has some, or is clear in places."""
    if picture.ndim == 2:
        return picture
    first = np.ascontiguousarray(picture[:, :, 0])
    if picture.shape[2] == 3 and all((picture[:, :, other] == first).all() for other in (1, 2)):
        return first
    return None


def _fitted(bright: Pixels, box: Box) -> Pixels | None:
    """Return ink in MNIST's frame, if it has room around it and strokes of average width.

    Thin or faint pens, and noise, take the long way.
    """
    (height, width), (x, y, w, h) = bright.shape, box
    if min(x, y, width - x - w, height - y - h) < 1 or max(w, h) < BOX / 2:
        return None
    peak = int(bright.max())
    least, most = STROKES
    if peak < LEAST_PEAK or not least < cv2.sumElems(bright)[0] / (255 * max(w, h) ** 2) < most:
        return None
    # the darkest ink is full ink, as in MNIST
    full = cv2.convertScaleAbs(bright[y : y + h, x : x + w], alpha=255 / peak)
    return _fit(np.asarray(full, np.uint8))


def _centre(picture: Pixels) -> tuple[float, float]:
    """Return the centre of mass, px from the left and from the top; of a blank picture 0."""
    moments = cv2.moments(picture)
    mass = moments["m00"] or 1.0
    return moments["m10"] / mass, moments["m01"] / mass


def _fit(glyph: Pixels) -> Pixels:
    """Resample ink to a 20 px box whose centre of mass is the middle of 28x28."""
    height, width = glyph.shape
    factor = BOX / max(height, width)
    x, y = (px + 0.5 for px in _centre(glyph))
    left = min(max(SIDE / 2 - x * factor, 0), SIDE - width * factor)
    top = min(max(SIDE / 2 - y * factor, 0), SIDE - height * factor)
    shift = (factor - 1) / 2
    matrix = np.array([[factor, 0, left + shift], [0, factor, top + shift]])
    return np.asarray(cv2.warpAffine(glyph, matrix, (SIDE, SIDE), flags=cv2.INTER_LINEAR), np.uint8)
