"""A printed box wholly inside a picture is told from a 0 and from a cell's open frame."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from tasks.imaging.boxes import box_inside
from tasks.imaging.canonical import canonical

Mask = NDArray[np.uint8]


def empty() -> Mask:
    return np.zeros((112, 100), np.uint8)


@pytest.mark.parametrize("thickness", [1, 2, 5])
@pytest.mark.parametrize("angle", [0.0, 2.0])
def test_what_is_inside_of_a_box_is_found_whatever_its_lines(thickness: int, angle: float) -> None:
    mask = empty()
    cv2.rectangle(mask, (15, 20), (85, 95), 255, thickness)
    turn = cv2.getRotationMatrix2D((50, 56), angle, 1)
    mask = np.asarray(cv2.warpAffine(mask, turn, mask.shape[::-1], flags=cv2.INTER_NEAREST))
    found = box_inside(mask)
    assert found is not None
    x, y, w, h = found
    assert abs(x - 18) <= 4 and abs(y - 23) <= 4
    assert abs(x + w - 83) <= 4 and abs(y + h - 93) <= 4


def test_a_written_zero_however_square_is_no_box() -> None:
    for wide in (20, 30, 35):
        mask = empty()
        cv2.ellipse(mask, (50, 56), (wide, 40), 0, 0, 360, 255, 5)
        assert box_inside(mask) is None
    # a superellipse: as square as hands write a 0
    angles = np.linspace(0, 2 * np.pi, 80)
    x, y = np.cos(angles), np.sin(angles)
    points = np.column_stack(
        (50 + 25 * np.sign(x) * abs(x) ** 0.6, 56 + 35 * np.sign(y) * abs(y) ** 0.6)
    )
    mask = empty()
    cv2.polylines(mask, [points.astype(np.int32)], True, 255, 4)
    assert box_inside(mask) is None


def test_lines_that_run_to_the_edge_or_are_open_are_no_box() -> None:
    mask = empty()
    mask[20:22], mask[90:92], mask[:, 10:12], mask[:, 80:82] = 255, 255, 255, 255
    crossing = box_inside(mask)
    assert crossing is None or min(crossing[2:]) > 0  # a cell of a form has a hole, too
    mask = empty()
    cv2.polylines(mask, [np.array([(15, 95), (15, 20), (85, 20), (85, 95)])], False, 255, 2)
    assert box_inside(mask) is None


def test_of_several_boxes_none_is_meant() -> None:
    mask = empty()
    cv2.rectangle(mask, (5, 20), (45, 90), 255, 2)
    cv2.rectangle(mask, (55, 20), (95, 90), 255, 2)
    assert box_inside(mask) is None


def test_a_digit_in_a_box_has_the_form_it_has_without_and_an_empty_box_is_blank() -> None:
    page = np.full((300, 260), 240, np.uint8)
    boxed = page.copy()
    cv2.rectangle(boxed, (40, 40), (220, 260), 40, 4)
    assert canonical(boxed)[1].blank
    for picture in (page, boxed):
        cv2.line(picture, (90, 100), (170, 100), 30, 10)
        cv2.line(picture, (170, 100), (115, 215), 30, 10)
    (alone, _), (inside, ink) = canonical(page), canonical(boxed)
    assert np.corrcoef(alone.ravel(), inside.ravel())[0, 1] > 0.93
    assert ink.removed == "lines"
    x, y, w, h = ink.box
    assert abs(x - 85) < 6 and abs(y - 95) < 6 and abs(w - 90) < 10 and abs(h - 125) < 10
