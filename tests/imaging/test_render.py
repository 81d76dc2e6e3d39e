"""A mask of ink gets MNIST's frame: its box, its centre of mass, and pens between its own two."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from tasks.imaging.form import BOX, SIDE
from tasks.imaging.render import FINE, STROKE_LEAST, STROKE_MOST, draw

Mask = NDArray[np.uint8]
PX = BOX * FINE  # fine px that the longer side of the ink has when it is drawn


def seven(pen: int) -> Mask:
    """Return an open seven with strokes of so many fine px."""
    mask = np.zeros((PX + 2 * pen, PX + 2 * pen), np.uint8)
    cv2.line(mask, (pen, pen), (PX, pen), 255, pen)
    cv2.line(mask, (PX, pen), (PX // 2, PX), 255, pen)
    return mask


@pytest.mark.parametrize("pen", [3, 8, 12, 20, 26])
def test_the_form_is_in_the_box_with_its_mass_in_the_middle(pen: int) -> None:
    form, _ = draw(seven(pen))
    assert (form.shape, form.dtype) == ((SIDE, SIDE), np.uint8)
    rows, columns = (np.flatnonzero(form.max(axis=axis)) for axis in (1, 0))
    assert max(np.ptp(rows), np.ptp(columns)) + 1 == pytest.approx(BOX, abs=2)
    mass = form.astype(float)
    y, x = (np.average(np.arange(SIDE), weights=mass.sum(axis)) for axis in (1, 0))
    assert (y, x) == (pytest.approx(13.5, abs=0.6), pytest.approx(13.5, abs=0.6))


@pytest.mark.parametrize("pen", [6, 10, 14, 20])
def test_the_pen_is_measured_in_pixels_of_the_form(pen: int) -> None:
    assert draw(seven(pen))[1] == pytest.approx(pen / FINE, abs=0.4)


def test_thin_and_thick_pens_come_near_to_those_of_mnist() -> None:
    thinnest, thickest = (round(pen * FINE) for pen in (STROKE_LEAST, STROKE_MOST))
    ink = {pen: int(draw(seven(pen))[0].sum()) for pen in (3, thinnest, thickest, 30)}
    assert ink[thinnest] < ink[thickest]
    assert 0.7 < ink[3] / ink[thinnest] < 1.3
    assert ink[30] / ink[thickest] < 1.5


def test_a_stroke_that_is_thinned_does_not_break() -> None:
    mask = np.zeros((PX, PX), np.uint8)
    cv2.circle(mask, (PX // 2, PX // 2), 28, 255, 16)
    cv2.circle(mask, (PX // 2, 4), 9, 0, -1)  # half of its width is gone here
    form, _ = draw(mask)
    parts = cv2.connectedComponents(np.asarray((form > 60) * 255, np.uint8))[0] - 1
    holes = cv2.connectedComponents(np.asarray((form <= 60) * 255, np.uint8), connectivity=4)[0] - 1
    assert (parts, holes) == (1, 2)  # a ring: one piece of ink, paper inside and outside


@pytest.mark.parametrize("shape", [(1, 1), (1, 60), (60, 1), (2, 200)])
def test_a_dot_and_a_line_are_drawn_too(shape: tuple[int, int]) -> None:
    mask = np.pad(np.full(shape, 255, np.uint8), 20)
    form, pen = draw(mask)
    assert form.max() > 100
    assert np.isfinite(pen)
