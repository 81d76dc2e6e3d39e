"""Ink on lined paper is seen in one way where that is clear, and in two where it is not."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from tasks.imaging.canonical import prepared

Grey = NDArray[np.uint8]
SIDE = 300


def seven_on(lines: int, strokes: int, *, period: int = 40, pen: int = 9) -> Grey:
    """Return a 7 whose bar lies on a ruled line, of these greys; 255: no lines."""
    page = np.full((SIDE, SIDE), 240, np.uint8)
    for y in range(20, SIDE, period):
        cv2.line(page, (0, y), (SIDE, y), min(lines, 240), 2)
    cv2.line(page, (95, 100), (195, 100), strokes, pen)
    cv2.line(page, (195, 100), (130, 240), strokes, pen)
    return np.asarray(cv2.GaussianBlur(page, (0, 0), 0.8), np.uint8)


def likeness(a: Grey, b: Grey) -> float:
    return float(np.corrcoef(a.ravel(), b.ravel())[0, 1])


def test_a_stroke_along_a_line_stays_where_it_is_clearly_darker() -> None:
    alone, lined = prepared(seven_on(255, 40)), prepared(seven_on(170, 40))
    assert likeness(alone.form, lined.form) > 0.9
    assert (lined.ink.removed, lined.ink.doubts, lined.others) == ("lines", "", ())


def test_a_stroke_that_is_hardly_darker_is_seen_with_and_without_the_line() -> None:
    seen = prepared(seven_on(140, 90, pen=5))
    assert seen.ink.doubts == "lines"
    assert seen.others
    alone = prepared(seven_on(255, 90, pen=5))
    assert max(likeness(alone.form, form) for form in (seen.form, *seen.others)) > 0.85


@pytest.mark.parametrize("shift", [0, 12])
def test_lines_beside_the_digit_are_no_doubt(shift: int) -> None:
    page = seven_on(255, 90)
    cv2.line(page, (0, 15 + shift), (SIDE, 15 + shift), 60, 3)
    cv2.line(page, (12, 0), (12, SIDE), 60, 3)
    seen = prepared(page)
    assert (seen.ink.removed, seen.others) == ("lines", ())
    assert likeness(seen.form, prepared(seven_on(255, 90)).form) > 0.9


def test_a_stroke_that_the_edge_parts_from_the_digit_is_seen_as_part_of_it() -> None:
    page = np.full((220, 110), 235, np.uint8)
    cv2.line(page, (0, 110), (18, 50), 50, 7)  # the slanted stroke of a 4
    cv2.line(page, (0, 128), (40, 126), 50, 7)  # its bar
    cv2.line(page, (56, 40), (52, 190), 50, 9)  # its stem, a gap away
    seen = prepared(page)
    assert "edge" in seen.ink.doubts
    assert seen.ink.touches_edge
    widths = [int(np.ptp(np.flatnonzero(form.any(axis=0)))) for form in (seen.form, *seen.others)]
    assert widths[0] > 2 * min(widths[1:])  # the whole digit first, the stem alone as well


def test_another_digit_at_the_edge_is_a_doubt_that_no_form_settles() -> None:
    page = np.full((160, 300), 235, np.uint8)
    cv2.line(page, (70, 40), (68, 125), 50, 8)
    cv2.line(page, (290, 40), (299, 120), 50, 8)
    assert prepared(page).ink.doubts == "several"


@pytest.mark.parametrize("turned", [False, True])
def test_a_long_stroke_at_a_rim_may_be_a_frame_and_in_the_middle_is_none(turned: bool) -> None:
    def page(x: int) -> Grey:
        drawn = np.full((150, 150), 225, np.uint8)
        cv2.line(drawn, (x, 10), (x + 2, 140), 90, 5)
        return np.ascontiguousarray(drawn.T) if turned else drawn

    assert prepared(page(9)).ink.doubts == "frame"
    assert prepared(page(141)).ink.doubts == "frame"
    assert prepared(page(75)).ink.doubts == ""
