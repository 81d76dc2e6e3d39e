"""Small ink on a large page: where it is, so that it can be looked at from near."""

import cv2
import numpy as np
from numpy.typing import NDArray

from tasks.imaging import background
from tasks.imaging.form import Box

Grey = NDArray[np.uint8]

SEARCH_SIDE = 672  # px: small ink is looked for in a picture so large
LARGE = 400  # px: on a page smaller than this nothing is small
SMALL_INK = 0.13  # of the page's longer side: ink smaller than this is looked at from near
LEAST_INK = 0.008  # of it: smaller ink is a speck
LEAST_SIDE = 10  # px of the file: too few to read
AROUND = 1.0  # times the ink's longer side: page that is shown around it
JOINED = 0.006  # of the page's longer side: strokes as near are of one piece
CLEAR, RELATIVE = 0.2, 0.45  # of the light; of the strongest ink: what ink takes at least
ANOTHER = 0.5  # of the longer side of the largest: another thing on the page


def small_ink(grey: Grey) -> tuple[Box, int] | None:
    """Return the box of the largest small piece of ink on a page, and how many others there are.

    Args:
        grey: the page, (h, w).

    Returns:
        The box in px of `grey`; None where there is no ink, or some that is not small.
    """
    look = background.shrink(grey, SEARCH_SIDE)
    below, dark = background.estimate_background(look)
    ink = np.asarray(cv2.resize(below, look.shape[::-1]), np.float32)
    # the light becomes what the ink takes of it, without one more page of memory
    np.divide(look if dark else 255 - look, ink, out=ink)
    np.subtract(1, ink, out=ink)
    ink = np.asarray(cv2.GaussianBlur(ink, (0, 0), 0.7), np.float32)
    level = max(CLEAR, RELATIVE * float(ink.max()))
    mask = background.over(ink, level)
    side = max(look.shape)
    reach = background.odd(JOINED * side)
    thick = cv2.dilate(mask, np.ones((reach, reach), np.uint8))
    _, _, stats, _ = cv2.connectedComponentsWithStats(thick, ltype=cv2.CV_16U)
    boxes = stats[1:, :4]
    sizes = boxes[:, 2:].max(axis=1) - reach + 1
    if not len(boxes) or not LEAST_INK * side <= sizes.max() <= SMALL_INK * side:
        return None
    largest = int(sizes.argmax())
    others = int(np.count_nonzero(sizes >= ANOTHER * sizes[largest])) - 1
    x, y, w, h = boxes[largest].tolist()
    factor = max(grey.shape) / side
    return (
        (round(x * factor), round(y * factor), round(w * factor), round(h * factor)),
        others,
    )


def around(box: Box, shape: tuple[int, ...]) -> Box:
    """Return the part of a page, (h, w), to look at: a box and some page around it."""
    x, y, w, h = box
    margin = round(AROUND * max(w, h))
    left, top = max(0, x - margin), max(0, y - margin)
    right, bottom = min(shape[1], x + w + margin), min(shape[0], y + h + margin)
    return left, top, right - left, bottom - top
