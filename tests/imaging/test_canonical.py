"""One form for every picture: what goes in may differ, what comes out may not."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tasks.data.snapshot import MNIST_DIGEST, Part, load
from tasks.imaging.canonical import canonical
from tests.bars import bar

ANY_SHAPE = st.tuples(st.integers(1, 70), st.integers(1, 70)) | st.tuples(
    st.integers(1, 30), st.integers(1, 30), st.sampled_from([3, 4])
)


@pytest.fixture(scope="module")
def digits(mnist_datasets: Path) -> np.ndarray:
    """Return the test pictures of MNIST."""
    return np.asarray(load(mnist_datasets / "mnist" / MNIST_DIGEST).part(Part.TEST)[0])


def drawn(form: np.ndarray, side: int) -> np.ndarray:
    """Return a picture in canonical form as dark ink on a white sheet of another size."""
    enlarged = cv2.resize(form, (side, side), interpolation=cv2.INTER_CUBIC)
    return 255 - np.pad(enlarged, side // 3)


def likeness(one: np.ndarray, other: np.ndarray) -> float:
    """Return the correlation of two pictures whose strokes may lie a pixel apart, 0 to 1."""
    smooth = [cv2.GaussianBlur(p.astype(np.float32), (0, 0), 1.5).ravel() for p in (one, other)]
    return float(smooth[0] @ smooth[1] / np.sqrt(smooth[0] @ smooth[0] * (smooth[1] @ smooth[1])))


@given(hnp.arrays(np.uint8, ANY_SHAPE))
def test_any_picture_gives_28_by_28_the_same_each_time_and_stays_as_it_was(
    picture: np.ndarray,
) -> None:
    before = picture.copy()
    form, ink = canonical(picture)
    assert (form.shape, form.dtype) == ((28, 28), np.uint8)
    assert ink.blank == (not form.any())
    again, ink_again = canonical(picture)
    assert np.array_equal(form, again)
    assert ink == ink_again
    assert np.array_equal(picture, before)


@pytest.mark.parametrize("shape", [(1, 1), (1, 90_000), (90_000, 1), (3000, 4000), (2, 900, 3)])
def test_odd_sizes_have_a_form_too(shape: tuple[int, ...]) -> None:
    picture = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    assert canonical(picture)[0].shape == (28, 28)


def test_pictures_of_mnist_pass_unchanged(digits: np.ndarray) -> None:
    unchanged = [np.array_equal(canonical(picture)[0], picture) for picture in digits]
    assert np.mean(unchanged) > 0.999


@given(st.integers(0, 18))
def test_a_canonical_picture_passes_unchanged_and_its_ink_is_told(halves: int) -> None:
    picture = bar(halves / 2)
    form, ink = canonical(picture)
    columns = np.nonzero(picture.any(0))[0]
    assert np.array_equal(form, picture)
    assert ink.box == (columns[0], 4, len(columns), 20)
    assert ink.contrast == 255
    assert ink.share == pytest.approx(len(columns) * 20 / 28**2)


@given(st.integers(0, 255), ANY_SHAPE)
def test_an_even_picture_is_blank(grey: int, shape: tuple[int, ...]) -> None:
    form, ink = canonical(np.full(shape, grey, np.uint8))
    assert ink.blank
    assert not form.any()


@pytest.mark.parametrize("side", [28, 64, 200, 700])
def test_a_drawn_digit_comes_back_near_its_form_at_any_size(digits: np.ndarray, side: int) -> None:
    alike = [likeness(canonical(drawn(form, side))[0], form) for form in digits[:50]]
    others = [likeness(canonical(drawn(form, side))[0], digits[50]) for form in digits[:50]]
    assert np.mean(alike) > 0.9
    assert np.mean(alike) > 1.3 * np.mean(others)


def test_facts_are_told_in_pixels_of_the_file(digits: np.ndarray) -> None:
    picture = drawn(digits[0], 300)
    whole, reduced = canonical(picture), canonical(picture, 4 * max(picture.shape))
    assert np.array_equal(whole[0], reduced[0])
    assert reduced[1].box == pytest.approx([4 * length for length in whole[1].box], abs=2)
    assert reduced[1].stroke_width == pytest.approx(4 * whole[1].stroke_width)
    assert reduced[1].share == whole[1].share


def test_polarity_makes_no_difference_and_is_told(digits: np.ndarray) -> None:
    for form in digits[:50]:
        picture = drawn(form, 100)
        dark, light = canonical(picture), canonical(255 - picture)
        assert likeness(dark[0], light[0]) > 0.98
        assert (dark[1].polarity, light[1].polarity) == ("dark_on_light", "light_on_dark")


def test_colour_makes_no_difference_where_the_brightness_is_the_same(digits: np.ndarray) -> None:
    picture = drawn(digits[0], 100)
    assert np.array_equal(canonical(np.stack([picture] * 3, 2))[0], canonical(picture)[0])


@pytest.mark.parametrize("ink", [0, 255])
def test_what_shows_through_a_transparent_sheet_is_no_ink(digits: np.ndarray, ink: int) -> None:
    picture = drawn(digits[0], 100)
    layers = [np.full_like(picture, ink)] * 3 + [255 - picture]
    form, facts = canonical(np.stack(layers, 2))
    assert facts.polarity == ("light_on_dark" if ink else "dark_on_light")
    assert likeness(form, canonical(picture)[0]) > 0.98


def test_drawn_digits_are_boxed_and_centred(digits: np.ndarray) -> None:
    for picture in digits[:100]:
        form, ink = canonical(drawn(picture, 90))
        rows, columns = np.nonzero(form.any(1))[0], np.nonzero(form.any(0))[0]
        longer = max(rows[-1] - rows[0], columns[-1] - columns[0]) + 1
        moments = cv2.moments(form)
        centre = moments["m01"] / moments["m00"], moments["m10"] / moments["m00"]
        assert longer in (19, 20, 21)
        assert centre == pytest.approx((13.5, 13.5), abs=1.5)
        assert form.max() > 200
        assert 30 <= ink.box[0] + ink.box[2] / 2 <= 120


@pytest.mark.parametrize("inverted", [False, True])
def test_a_small_picture_that_was_cut_to_its_ink_is_as_one_with_a_margin(inverted: bool) -> None:
    eight = np.zeros((16, 12), np.uint8)
    cv2.ellipse(eight, (6, 4), (4, 3), 0, 0, 360, 255, 2)
    cv2.ellipse(eight, (6, 11), (5, 4), 0, 0, 360, 255, 2)
    page = 255 if inverted else 0
    cut = 255 - eight if inverted else eight
    image, ink = canonical(cut)
    with_margin, expected = canonical(np.pad(cut, 4, constant_values=page))
    assert np.array_equal(image, with_margin)
    assert ink.touches_edge
    assert ink.box == (expected.box[0] - 4, expected.box[1] - 4, *expected.box[2:])
