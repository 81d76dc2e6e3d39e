"""Pictures that are in canonical form already, recognised all at once.

Answers what `canonical` answers for each; it is a fifth of the price for digits that were stored
as MNIST stores them.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from tasks.imaging.canonical import CENTRE, PAGE, Ink, Polarity
from tasks.imaging.form import BOX, SIDE

Pixels = NDArray[np.uint8]
Form = tuple[Pixels, Ink]

MOST_INK = 0.6  # of the pixels
_Y, _X = np.mgrid[:SIDE, :SIDE].reshape(2, -1)
_MOMENTS = np.stack([np.ones(SIDE * SIDE), _X, _Y]).astype(np.float32)


def in_frame(pictures: Sequence[Pixels | None]) -> list[Form | None]:
    """Return the canonical form, uint8 (28, 28), of each picture in MNIST's frame, and its facts.

    What `canonical` has to look at has None, and so has what is no picture.
    """
    found: list[Form | None] = [None] * len(pictures)
    same = [
        (number, picture)
        for number, picture in enumerate(pictures)
        if picture is not None and picture.shape == (SIDE, SIDE)
    ]
    if same:
        forms = _ready(np.stack([picture for _, picture in same]))
        for (number, _), form in zip(same, forms, strict=True):
            found[number] = form
    return found


def _ready(stack: Pixels) -> list[Form | None]:
    """Return the form of each picture of (N, 28, 28) that is in MNIST's frame, else None."""
    page = stack[:, 0, 0]
    dark = page > 127
    above = _above(stack, page, dark)
    # pictures last: numpy is slow along short rows
    values = np.asarray(cv2.transpose(above.reshape(len(above), -1)), np.uint8)
    by_row = values.reshape(SIDE, SIDE, -1)
    columns, rows = by_row.max(axis=0), by_row.max(axis=1)
    left, width = _extent(columns > 0)
    top, height = _extent(rows > 0)
    count = (values > 0).sum(axis=0, dtype=np.int16)
    mass, x, y = _MOMENTS @ values.astype(np.float32)
    longer = np.maximum(width, height)
    # what is blank has no centre of mass
    middle_x, middle_y = x / np.maximum(mass, 1), y / np.maximum(mass, 1)
    ready = (
        ((page <= PAGE) | (page >= 255 - PAGE))
        & (count > 0)
        & (count <= MOST_INK * SIDE * SIDE)
        & (np.abs(longer - BOX) <= 1)
        & (CENTRE[0] < middle_x)
        & (middle_x < CENTRE[1])
        & (CENTRE[0] < middle_y)
        & (middle_y < CENTRE[1])
    )
    edge = np.minimum.reduce([left, top, SIDE - left - width, SIDE - top - height]) < 1
    facts = zip(
        ready.tolist(),
        above,
        dark.tolist(),
        page.tolist(),
        rows.max(axis=0).tolist(),
        (count / (SIDE * SIDE)).tolist(),
        left.tolist(),
        top.tolist(),
        width.tolist(),
        height.tolist(),
        edge.tolist(),
        strict=True,
    )
    return [_form(*each) if is_ready else None for is_ready, *each in facts]


def _form(
    form: Pixels,
    dark: bool,
    page: int,
    contrast: int,
    share: float,
    left: int,
    top: int,
    width: int,
    height: int,
    edge: bool,
) -> Form:
    polarity: Polarity = "dark_on_light" if dark else "light_on_dark" if page else "canonical"
    box = (left, top, width, height)
    return form, Ink(polarity, contrast, share, box, groups=1, touches_edge=edge)


def _above(stack: Pixels, page: Pixels, dark: NDArray[np.bool_]) -> Pixels:
    """Ink above each picture's even page, bright on 0."""
    if not page.any():
        return stack
    pages = page[:, None, None]
    bright = np.maximum(stack, pages) - pages
    return np.where(dark[:, None, None], pages - np.minimum(stack, pages), bright)


def _extent(inked: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return where the ink of (28, N) begins, and how far it reaches."""
    first = inked.argmax(axis=0)
    return first, SIDE - inked[::-1].argmax(axis=0) - first
