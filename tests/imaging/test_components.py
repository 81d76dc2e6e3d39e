"""Which pieces of ink are the digit, and which are its neighbours, specks or other digits."""

from typing import NamedTuple

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from tasks.imaging.components import PIECE, Component, Digit, find_components, select_digit

SIDE = 100
Box = tuple[int, int, int, int]


class Piece(NamedTuple):
    """A rectangle of ink."""

    box: Box
    ink: float = 1.0


def found(*pieces: Piece, sure: float = 0.2) -> list[Component]:
    """Return the components of a picture of such pieces."""
    ink = np.zeros((SIDE, SIDE), np.float32)
    for (x, y, width, height), strength in pieces:
        ink[y : y + height, x : x + width] = strength
    return find_components(np.asarray((ink > 0) * 255, np.uint8), ink, sure)[0]


def chosen(*pieces: Piece) -> Digit:
    return select_digit(found(*pieces))


DIGIT = Piece((40, 30, 20, 40))


def test_each_piece_is_a_component_with_its_area_and_contrast_weightiest_first() -> None:
    small = Piece((10, 10, 4, 5), 0.5)
    first, second = found(small, DIGIT)
    assert (first.mass, second.mass) == (800, 20)
    assert (first.contrast, second.contrast) == (1.0, 0.5)
    assert first.weight > second.weight > 0
    assert first.box[:2] == (40, 30)


def test_a_gap_of_one_pixel_is_bridged_and_one_of_two_is_not() -> None:
    assert len(found(DIGIT, Piece((61, 30, 5, 40)))) == 1
    assert len(found(DIGIT, Piece((62, 30, 5, 40)))) == 2


def test_ink_that_is_nowhere_sure_is_no_component_and_no_ink_is_none() -> None:
    assert len(found(DIGIT, Piece((10, 10, 9, 9), 0.3), sure=0.4)) == 1
    assert found() == []


def test_labels_tell_which_pixels_are_of_a_component() -> None:
    mask = np.zeros((SIDE, SIDE), np.uint8)
    cv2.circle(mask, (50, 50), 20, 255, 3)
    [ring], count, labels = find_components(mask, mask.astype(np.float32) / 255, 0.5)
    assert count == 2
    assert (labels[mask > 0] == ring.label).all()


@pytest.mark.parametrize("box", [(0, 30, 30, 60), (70, 30, 30, 60), (30, 0, 60, 15)])
def test_a_neighbour_that_reaches_in_over_the_edge_is_not_the_digit(box: Box) -> None:
    one = chosen(DIGIT, Piece(box))
    assert [component.mass for component in one.components] == [800]
    assert (one.other_digits, one.neighbours) == (0, 1)


def test_a_bar_beside_the_digit_and_a_piece_beside_that_belong_to_it() -> None:
    one = chosen(DIGIT, Piece((40, 20, 20, 5)), Piece((40, 12, 20, 4)))
    assert len(one.components) == 3
    assert (one.box[1], one.other_digits) == (12, 0)


@pytest.mark.parametrize(
    "other",
    [
        Piece((40, 20, 20, 5), 0.5),  # too faint
        Piece((45, 22, 3, int(800 * PIECE / 3) - 1)),  # a speck
        Piece((40, 8, 20, 5)),  # too far off
    ],
)
def test_what_is_faint_or_tiny_or_far_off_is_left(other: Piece) -> None:
    assert len(chosen(DIGIT, other).components) == 1


def test_another_digit_in_the_picture_is_counted_and_a_small_mark_is_not() -> None:
    second, mark = Piece((75, 30, 15, 40)), Piece((75, 30, 5, 5))
    assert chosen(DIGIT, second).other_digits == 1
    assert chosen(DIGIT, mark).other_digits == 0


def test_shaken_pictures_of_many_pieces_give_the_same_choice_each_time() -> None:
    random: np.random.Generator = np.random.default_rng(5)
    mask: NDArray[np.uint8] = np.asarray((random.random((SIDE, SIDE)) > 0.9) * 255, np.uint8)
    ink = random.random((SIDE, SIDE)).astype(np.float32)
    one, other = (select_digit(find_components(mask, ink, 0.5)[0]) for _ in range(2))
    assert one == other
    assert len(find_components(mask, ink, 0.5)[0]) <= 24
