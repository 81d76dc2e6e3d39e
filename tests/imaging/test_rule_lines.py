"""Printed lines go, and strokes that cross or touch them stay whole."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from tasks.imaging.rule_lines import (
    count_lines,
    dark_ink,
    find_lines,
    line_ink,
    remove_lines,
)

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
    return remove_lines(mask, found)


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


def test_lines_are_counted_along_both_sides_those_that_fade_with_those_that_do_not() -> None:
    lines = ruled()
    lines[: int(0.8 * HEIGHT), 30:32] = 255
    found = find_lines(lines, lines.astype(np.float32) / 255)
    assert found is not None
    assert found.number == count_lines(lines) == 4
    assert count_lines(digit()) == 0


def test_a_stroke_darker_than_the_line_on_which_it_lies_is_kept() -> None:
    ink = ruled().astype(np.float32) / 255 * 0.3
    ink[59:62, 60:100] = 1.0
    found = find_lines(np.asarray((ink > 0) * 255, np.uint8), ink)
    assert found is not None
    across = found.across
    assert across[60, :50].all()
    assert not across[60, 65:95].any()


def on_lines(lines: float, strokes: float) -> tuple[Mask, NDArray[np.float32], Mask]:
    """Return a 7 whose bar lies on a printed line: its mask and ink, and the 7 alone."""
    seven = empty()
    cv2.line(seven, (60, 35), (100, 35), 255, 5)
    cv2.line(seven, (100, 35), (75, 105), 255, 5)
    ink = np.maximum((ruled() > 0) * np.float32(lines), (seven > 0) * np.float32(strokes))
    return np.asarray((ink > 0) * 255, np.uint8), np.asarray(ink, np.float32), seven


def test_darker_ink_stays_though_it_lies_along_a_line() -> None:
    mask, ink, seven = on_lines(0.2, 0.8)
    lines = find_lines(mask, ink)
    assert lines and lines.number == 3
    assert line_ink(mask, ink, lines) == pytest.approx(0.2)
    dark, clear = dark_ink(mask, ink, lines)
    assert clear
    assert (dark[seven > 0] > 0).all()
    assert not dark[(ruled() > 0) & (cv2.dilate(seven, np.ones((9, 9), np.uint8)) == 0)].any()


def test_ink_that_is_hardly_darker_is_not_clear_and_ink_as_pale_is_not_found() -> None:
    mask, ink, seven = on_lines(0.4, 0.7)
    lines = find_lines(mask, ink)
    assert lines
    dark, clear = dark_ink(mask, ink, lines)
    assert not clear
    assert (dark[seven > 0] > 0).mean() > 0.95
    mask, ink, _ = on_lines(0.4, 0.4)
    lines = find_lines(mask, ink)
    assert lines
    assert not dark_ink(mask, ink, lines)[0].any()


def test_where_two_lines_cross_nothing_is_left_of_their_darker_crossing() -> None:
    squared = empty()
    for x in (20, 50, 110, 140):
        squared[:, x : x + 2] = 255
    ink = ((ruled() > 0) * 0.3 + (squared > 0) * 0.3 + (digit() > 0) * 0.6).astype(np.float32)
    mask = np.asarray((ink > 0) * 255, np.uint8)
    lines = find_lines(mask, ink)
    assert lines
    dark, _ = dark_ink(mask, ink, lines)
    far = cv2.dilate(digit(), np.ones((15, 15), np.uint8)) == 0
    assert not dark[far].any()
