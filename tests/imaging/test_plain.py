"""The rules for pictures on an even page hold for one and for many."""

import numpy as np
import pytest

from tasks.imaging.plain import above_page, is_even_page, is_in_frame, plain_form
from tests.bars import bar

GREYS = np.arange(256).astype(np.uint8)


def test_ink_is_what_differs_from_the_page_on_its_darker_or_brighter_side() -> None:
    pictures = np.broadcast_to(GREYS.reshape(16, 16), (256, 16, 16))
    ink = above_page(pictures, GREYS[:, None, None])
    for page in range(256):
        far = GREYS.reshape(16, 16).astype(int) - page
        expected = np.maximum(-far if page > 127 else far, 0)
        assert np.array_equal(ink[page], expected)
        assert np.array_equal(above_page(pictures[0], page), expected)


def test_rules_answer_for_many_what_they_answer_for_each() -> None:
    assert is_even_page(GREYS).tolist() == [is_even_page(grey) for grey in range(256)]
    sides = np.array([18, 19, 20, 21, 22, 20, 20, 20, 20])
    x = np.array([14, 14, 14, 14, 14, 13.3, 14.7, 14, 14])
    y = np.array([14, 14, 14, 14, 14, 14, 14, 13.3, 14.7])
    found = is_in_frame(sides, x, y).tolist()
    assert found == [False, True, True, True, False, False, False, False, False]
    assert found == [is_in_frame(*each) for each in zip(sides.tolist(), x, y, strict=True)]


@pytest.mark.parametrize("invert", [False, True])
def test_a_digit_in_mnists_frame_passes_as_it_is_or_inverted(invert: bool) -> None:
    found = plain_form(255 - bar(4) if invert else bar(4))
    assert found is not None
    form, ink = found
    assert np.array_equal(form, bar(4))
    assert ink.polarity == ("dark_on_light" if invert else "canonical")


@pytest.mark.parametrize(
    "picture",
    [
        np.full((28, 28), 60, np.uint8),  # blank
        np.maximum(bar(4), 60),  # a grey page
        np.pad(bar(4)[4:24], ((0, 0), (4, 4))) // 4,  # faint, and up to the rim
        bar(4)[:, 8:19],  # narrow
        np.dstack([bar(4), bar(4), bar(5)]),  # coloured
    ],
)
def test_what_needs_more_than_an_even_page_is_left_to_the_search(picture: np.ndarray) -> None:
    assert plain_form(np.ascontiguousarray(picture)) is None
