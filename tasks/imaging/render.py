"""A mask of ink drawn as MNIST draws its digits: its frame, its stroke widths, its soft edges."""

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from tasks.imaging.background import over
from tasks.imaging.form import BOX, SIDE

Grey = NDArray[np.uint8]

FINE = 4  # fine px per px of the canonical form: strokes are normalised at that size
MARGIN = 8  # fine px around the ink while its strokes grow
STROKE_LEAST, STROKE_MOST = 2.2, 4.0  # px: MNIST's strokes, from their first to their ninth tenth


def draw(mask: Grey) -> tuple[Grey, float]:
    """Draw the ink of a mask, (h, w) fine px, in MNIST's frame, (28, 28), with MNIST's strokes.

    Returns its own stroke width, too, in px. A stroke of width w has a mean distance from its edge
    of w / 4.
    """
    depth = cv2.distanceTransform(mask, cv2.DIST_L2, 3)
    stroke_width = 4 * (cv2.mean(depth, mask)[0] - 0.25)
    if stroke_width < STROKE_LEAST * FINE:
        radius = min(MARGIN, round((STROKE_LEAST * FINE - stroke_width) / 2))
        mask = np.asarray(cv2.dilate(mask, _disc(radius)) if radius else mask, np.uint8)
    elif stroke_width > STROKE_MOST * FINE:
        mask = _thin(mask, np.asarray(depth, np.float32), (stroke_width - STROKE_MOST * FINE) / 2)
    x, y, w, h = cv2.boundingRect(mask)
    return _frame(mask[y : y + h, x : x + w]), stroke_width / FINE


@lru_cache(maxsize=64)
def _disc(radius: int) -> Grey:
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1,) * 2), np.uint8)


def _thin(mask: Grey, depth: NDArray[np.float32], by: float) -> Grey:
    """Erode by `by`, but nowhere more than half of a stroke's own radius: nothing breaks."""
    local = cv2.dilate(depth, _disc(max(1, int(by))))
    thinner = over(depth, np.minimum(0.5 * local, by))
    return np.asarray(thinner if cv2.countNonZero(thinner) else mask, np.uint8)


def _frame(mask: Grey) -> Grey:
    """Scale ink to an 80 fine px box, centre its mass, average down to 28x28."""
    height, width = mask.shape
    factor = BOX * FINE / max(height, width)
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    glyph = cv2.resize(mask, size, interpolation=cv2.INTER_LINEAR)
    moments = cv2.moments(glyph)
    mass = max(moments["m00"], 1e-6)
    full = SIDE * FINE
    left = min(max(round(full / 2 - 0.5 - moments["m10"] / mass), 0), full - size[0])
    top = min(max(round(full / 2 - 0.5 - moments["m01"] / mass), 0), full - size[1])
    fine = np.zeros((full, full), np.uint8)
    fine[top : top + size[1], left : left + size[0]] = glyph
    return np.asarray(cv2.resize(fine, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.uint8)
