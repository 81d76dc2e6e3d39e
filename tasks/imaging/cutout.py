"""Ink that was found in a small picture, cut out of a larger one and drawn in canonical form."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from tasks.imaging import background, components
from tasks.imaging.form import BOX
from tasks.imaging.render import FINE, MARGIN, draw
from tasks.imaging.ways import Way

Grey = NDArray[np.uint8]

DUST = 0.025  # of the picture's longer side: smaller ink is none
ALIKE = 0.12  # of the ink of a form: as far as another one of the same ink is from it


@dataclass(frozen=True)
class Drawn:
    """The digit of one way to see a picture, in canonical form."""

    form: Grey
    digit: components.Digit
    box: components.Box  # of its ink, px of the picture at working size
    stroke_width: float  # px of the form


def drawn(
    found: Way, digit: components.Digit, grey: Grey, share: NDArray[np.float32]
) -> Drawn | None:
    """The digit in canonical form; None where what was found is too small for one."""
    box = scaled(digit.box, grey.shape, found.clean.shape)
    left, top, w, h = box
    mask = _mask(found, digit, grey[top : top + h, left : left + w], share)
    if max(w, h) < max(4, DUST * max(grey.shape)) or not cv2.countNonZero(mask):
        return None
    form, stroke_width = draw(mask)
    return Drawn(form, digit, _ink_box(mask, box), stroke_width)


def differs(form: Grey, other: Grey) -> bool:
    """Tell whether two canonical forms are more than a pixel's edge apart."""
    return cv2.norm(form, other, cv2.NORM_L1) > ALIKE * max(1.0, cv2.sumElems(form)[0])


def scaled(box: components.Box, to: tuple[int, ...], of: tuple[int, ...]) -> components.Box:
    """The same box in a picture of another (h, w)."""
    x, y, w, h = box
    across, down = to[1] / of[1], to[0] / of[0]
    left, top = round(x * across), round(y * down)
    return left, top, round((x + w) * across) - left, round((y + h) * down) - top


def _mask(found: Way, digit: components.Digit, grey: Grey, share: NDArray[np.float32]) -> Grey:
    """The chosen ink as a mask whose longer side is 80 fine px, with a margin.

    It was found in a small picture; its edges are those in `grey`, its box in the large one.
    """
    x, y, w, h = digit.box
    part = np.s_[y : y + h, x : x + w]
    parts, labels = found.parts, found.labels
    mine: Grey = found.marked(digit)[labels[part]]
    if found.printed:
        mine[parts.mask[part] != found.clean[part]] = 0
    factor = BOX * FINE / max(grey.shape)
    size = (max(1, round(grey.shape[1] * factor)), max(1, round(grey.shape[0] * factor)))
    mine = np.asarray(cv2.resize(mine, size, interpolation=cv2.INTER_NEAREST), np.uint8)
    full = 1 / parts.level[part]
    if parts.smoothed:  # the picture's own edges are rough
        soft = resized(parts.ink[part] * full, size)
    else:
        # A line thinner than a fine px would be averaged away: it is widened to one first.
        reach = round(1 / factor)
        if reach > 1:
            grey = np.asarray(cv2.erode(grey, np.ones((reach, reach), np.uint8)), np.uint8)
        how = cv2.INTER_LINEAR if factor < 1 else cv2.INTER_CUBIC
        edges = cv2.resize(grey, size, interpolation=how)
        light = resized(share[part] * full, size)
        soft = np.asarray(cv2.multiply(edges, light, dtype=cv2.CV_32F), np.float32)
        soft += resized(full, size)
    mask = cv2.min(background.over(soft, 1), mine)
    if not cv2.countNonZero(mask):
        mask = mine  # so thin and faint that nothing is left of it at this size
    frame = (MARGIN,) * 4
    return np.asarray(cv2.copyMakeBorder(mask, *frame, cv2.BORDER_CONSTANT, value=0), np.uint8)


def resized(smooth: NDArray[np.floating], size: Sequence[int]) -> NDArray[np.float32]:
    """Return something smooth, (h, w), at another size: width and height."""
    return np.asarray(cv2.resize(smooth, size, interpolation=cv2.INTER_LINEAR), np.float32)


def _ink_box(mask: Grey, box: components.Box) -> components.Box:
    """The box of the ink in `mask`, which shows `box` at another size and with a margin."""
    x, y, w, h = cv2.boundingRect(mask)
    left, top, w, h = scaled(
        (x - MARGIN, y - MARGIN, w, h),
        (box[3], box[2]),
        (mask.shape[0] - 2 * MARGIN, mask.shape[1] - 2 * MARGIN),
    )
    return box[0] + left, box[1] + top, w, h
