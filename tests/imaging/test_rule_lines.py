"""Printed lines go, and strokes that cross or touch them stay whole."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from tasks.imaging.rule_lines import find_lines, remove_lines

Mask = NDArray[np.uint8]
HEIGHT, WIDTH = 120, 160


def empty() -> Mask:
    return np.zeros((HEIGHT, WIDTH), np.uint8)


def digit() -> Mask:
    """Return a one with a foot, (HEIGHT, WIDTH), thicker than any line here."""
    mask = empty()
    cv2.line(mask, (80, 20), (80, 100), 255, 9)
    cv2.line(mask, (60, 100), (100, 100), 255, 9)
    return mask


def ruled(slope: float = 0.0, bend: float = 0.0) -> Mask:
    """Return three lines across, 2 px thick."""
    mask, x = empty(), np.arange(-5, WIDTH + 5)
    for y in (35, 60, 80):
        curve = y + slope * (x - WIDTH / 2) + bend * (2 * x / WIDTH - 1) ** 2
        points = np.column_stack((x, curve)).round().astype(np.int32)
        cv2.polylines(mask, [points[:, None]], False, 255, 2)
    return mask


def removed(mask: Mask) -> Mask:
    """Return the mask without the lines that are found in it, which there have to be."""
    found = find_lines(mask, mask.astype(np.float32) / 255)
    assert found is not None
    return remove_lines(mask, *found)


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(("slope", "bend"), [(0, 0), (0.03, 0), (-0.03, 0), (0, 2)])
def test_lines_across_or_down_go_and_the_digit_on_them_stays(
    turned: bool, slope: float, bend: float
) -> None:
    lines, strokes = ruled(slope, bend), digit()
    mask = np.maximum(lines, strokes)
    left = removed(np.ascontiguousarray(mask.T)).T if turned else removed(mask)
    assert (left[strokes > 0] > 0).mean() > 0.97
    alone = (lines > 0) & (cv2.dilate(strokes, np.ones((9, 9), np.uint8)) == 0)
    assert not left[alone].any()


def test_squared_paper_goes_in_both_directions() -> None:
    lines, strokes = ruled(), digit()
    for x in (20, 50, 110, 140):
        lines[:, x : x + 2] = 255
    left = removed(np.maximum(lines, strokes))
    assert (left[strokes > 0] > 0).mean() > 0.97
    away = cv2.dilate(strokes, np.ones((9, 9), np.uint8)) == 0
    assert (left[away] > 0).mean() < 0.01


def test_a_line_that_fades_goes_with_one_that_crosses_the_picture_and_not_alone() -> None:
    partial = empty()
    partial[60:62, : int(0.8 * WIDTH)] = 255
    assert find_lines(partial, partial.astype(np.float32) / 255) is None
    both = partial.copy()
    both[30:32] = 255
    assert not removed(both).any()


@pytest.mark.parametrize(
    "strokes",
    [
        digit(),
        empty(),
        cv2.line(empty(), (0, 10), (WIDTH, 110), 255, 3),  # a slash is no print
        cv2.circle(empty(), (80, 60), 50, 255, 4),
    ],
)
def test_what_no_printer_draws_is_no_line(strokes: Mask) -> None:
    assert find_lines(strokes, strokes.astype(np.float32) / 255) is None


def test_a_stroke_darker_than_the_line_on_which_it_lies_is_kept() -> None:
    ink = ruled().astype(np.float32) / 255 * 0.3
    ink[59:62, 60:100] = 1.0
    found = find_lines(np.asarray((ink > 0) * 255, np.uint8), ink)
    assert found is not None
    across, _ = found
    assert across[60, :50].all()
    assert not across[60, 65:95].any()
