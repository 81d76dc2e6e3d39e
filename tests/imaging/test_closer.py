"""A small digit on a large page is found and looked at from near; what else lies there is told."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from tasks.imaging.canonical import prepared
from tasks.imaging.closer import around, small_ink

Grey = NDArray[np.uint8]


def page_with(
    *places: tuple[int, int], size: int = 60, shape: tuple[int, int] = (1500, 2000)
) -> Grey:
    """Return a page with a 7 at each place."""
    page = np.full(shape, 240, np.uint8)
    for x, y in places:
        pen = max(2, size // 10)
        cv2.line(page, (x, y), (x + size // 2, y), 40, pen)
        cv2.line(page, (x + size // 2, y), (x + size // 6, y + size), 40, pen)
    return page


@pytest.mark.parametrize("size", [30, 60, 95])
@pytest.mark.parametrize("place", [(1200, 300), (300, 1000)])
def test_a_small_digit_has_the_form_of_a_large_one(size: int, place: tuple[int, int]) -> None:
    large = page_with((60, 40), size=120, shape=(200, 200))
    small = prepared(page_with(place, size=size))
    assert np.corrcoef(small.form.ravel(), prepared(large).form.ravel())[0, 1] > 0.9
    x, y, _, h = small.ink.box
    assert abs(x - place[0]) < 10 and abs(y - place[1]) < 10 and abs(h - size) < 0.25 * size
    assert small.ink.other_digits == 0


def test_several_small_things_on_a_page_are_counted() -> None:
    assert prepared(page_with((300, 300), (1500, 900))).ink.other_digits == 1


def test_a_picture_decoded_smaller_is_looked_at_as_large_as_it_is_in_the_file() -> None:
    page = page_with((1200, 300), size=40)
    reduced = np.asarray(cv2.resize(page, (250, 188), interpolation=cv2.INTER_AREA), np.uint8)
    calls = []
    found = prepared(reduced, 2000, whole=lambda: calls.append(1) or page)
    assert calls == [1]
    assert np.array_equal(found.form, prepared(page).form)


def test_an_empty_page_and_a_page_with_large_ink_hold_nothing_small() -> None:
    assert small_ink(np.full((900, 1200), 235, np.uint8)) is None
    large = page_with((300, 300), size=600)
    assert small_ink(large) is None
    specks = np.full((900, 1200), 235, np.uint8)
    specks[300:303, 500:503] = 20
    assert small_ink(specks) is None


def test_the_part_to_look_at_stays_on_the_page() -> None:
    assert around((0, 5, 30, 40), (100, 60)) == (0, 0, 60, 85)
    assert around((500, 500, 20, 40), (1000, 1000)) == (460, 460, 100, 120)
