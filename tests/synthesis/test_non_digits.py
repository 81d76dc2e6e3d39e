"""What is no digit is ink of many kinds on a sheet, seldom none, whatever digits it is made of."""

import cv2
import numpy as np
import pytest

from tasks.synthesis.non_digits import HALVES, non_digit_ink
from tests.bars import bar

DIGITS = np.stack([bar(digit) for digit in range(10)])
LABELS = np.arange(10, dtype=np.int8)


def drawn(seed: int, pictures: np.ndarray = DIGITS, labels: np.ndarray = LABELS) -> np.ndarray:
    """Return the ink of a seed."""
    return non_digit_ink(pictures, labels, np.random.default_rng(seed))


def test_it_is_ink_on_most_sheets_on_none_of_some_and_covers_no_sheet() -> None:
    shares = []
    for seed in range(200):
        ink = drawn(seed)
        assert (ink.ndim, ink.dtype) == (2, np.uint8)
        assert min(ink.shape) > 20
        shares.append(ink.mean() / 255)
    assert 0 < sum(share == 0 for share in shares) < 20
    assert max(shares) < 0.6
    assert sum(share > 0.02 for share in shares) > 100


def test_the_seed_alone_decides_and_the_digits_that_it_is_made_of_stay_as_they_are() -> None:
    pictures = DIGITS.copy()
    for seed in range(40):
        assert np.array_equal(drawn(seed, pictures), drawn(seed))
    assert np.array_equal(pictures, DIGITS)
    assert not all(np.array_equal(drawn(seed), drawn(seed + 1)) for seed in range(10))


@pytest.mark.parametrize("label", range(10))
def test_a_single_digit_is_enough_to_make_it_of(label: int) -> None:
    labels = np.array([label], np.int8)
    for seed in range(30):
        assert drawn(seed, bar(label)[None], labels).size


def test_several_digits_lie_beside_each_other_on_a_wider_sheet() -> None:
    wide = [ink for ink in map(drawn, range(200)) if ink.shape[1] > 1.3 * ink.shape[0]]
    both = sum(
        bool(ink[:, : ink.shape[1] // 2].any() and ink[:, ink.shape[1] // 2 :].any())
        for ink in wide
    )
    assert both > 20


def test_no_half_is_the_ring_or_the_stem_of_its_digit() -> None:
    upper, right, left = 1, 2, 3
    assert not {0, 1, 7} & set(HALVES)  # whose halves are strokes and bows
    assert {digit: HALVES[digit] for digit in (4, 6, 8, 9)} == {
        4: (upper, left),
        6: (right,),
        8: (left,),
        9: (left,),
    }


def test_no_piece_of_a_frame_is_so_narrow_that_it_is_a_one() -> None:
    narrow = 0
    square = np.pad(np.full((1, 20, 20), 255, np.uint8), ((0, 0), (4, 4), (4, 4)))
    for seed in range(300):
        ink = drawn(seed, square, np.array([2], np.int8))
        strokes, _ = cv2.findContours(ink, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        if len(strokes) == 1:
            _, _, w, h = cv2.boundingRect(strokes[0])
            narrow += w < 0.1 * h
    assert narrow == 0
