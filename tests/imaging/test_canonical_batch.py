"""Many pictures at once come to the same forms and facts as each of them alone."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from tasks.data.snapshot import MNIST_DIGEST, Part, load
from tasks.imaging.canonical import canonical
from tasks.imaging.canonical_batch import in_frame
from tests.bars import bar

Pixels = NDArray[np.uint8]


@pytest.fixture(scope="module")
def digits(mnist_datasets: Path) -> Pixels:
    """Return the test pictures of MNIST."""
    return load(mnist_datasets / "mnist" / MNIST_DIGEST).part(Part.TEST)[0]


def assert_as_alone(pictures: list[Pixels]) -> None:
    """Check which are recognised, and their forms, facts and the types of the facts."""
    for found, picture in zip(in_frame(pictures), pictures, strict=True):
        expected_form, expected_ink = canonical(picture)
        assert (found is not None) == is_ink_alone(picture, expected_form)
        if found is not None:
            form, ink = found
            assert np.array_equal(form, expected_form)
            assert ink == expected_ink
            assert list(map(type, ink)) == list(map(type, expected_ink))


def is_ink_alone(picture: Pixels, form: Pixels) -> bool:
    """Tell whether a form is the ink above a grey picture's page, moved and resampled nowhere."""
    if picture.shape != (28, 28) or not form.any():
        return False
    page = int(picture[0, 0])
    return bool((np.abs(picture.astype(int) - page) == form).all())


CHANGES: dict[str, Callable[[Pixels], Pixels]] = {
    "as they are": lambda digits: digits,
    "inverted": lambda digits: 255 - digits,
    "on a grey page": lambda digits: np.maximum(digits, 9),
    "on a page that is not quite white": lambda digits: 250 - np.minimum(digits, 250),
    "on a page that is too grey": lambda digits: np.maximum(digits, 60),
    "shifted": lambda digits: np.roll(digits, (2, -3), (1, 2)),
    "at the edge": lambda digits: np.roll(digits, 4, 1),
    "faint": lambda digits: digits // 4,
    "smaller": lambda digits: np.pad(digits[:, ::2, ::2], ((0, 0), (7, 7), (7, 7))),
}


@pytest.mark.parametrize("how", CHANGES)
def test_digits_of_mnist_come_to_the_forms_they_come_to_alone(digits: Pixels, how: str) -> None:
    assert_as_alone(list(CHANGES[how](digits[:100])))


@pytest.mark.parametrize("how", ["as they are", "inverted"])
def test_digits_as_mnist_stores_them_are_recognised_at_once(digits: Pixels, how: str) -> None:
    pictures = list(CHANGES[how](digits))
    assert_as_alone(pictures)
    assert sum(form is not None for form in in_frame(pictures)) > 0.9 * len(digits)


def test_blank_full_and_noisy_pictures_come_to_the_forms_they_come_to_alone() -> None:
    random = np.random.default_rng(1)
    assert_as_alone(
        [np.full((28, 28), grey, np.uint8) for grey in (0, 1, 16, 17, 127, 128, 239, 255)]
        + [random.integers(0, 256, (28, 28), np.uint8) for _ in range(10)]
        + [np.eye(28, dtype=np.uint8) * 255]
    )


def test_pictures_of_all_shapes_keep_their_order(digits: Pixels) -> None:
    colour = np.dstack([bar(4)] * 3)
    clear = np.dstack([np.zeros((28, 28, 3), np.uint8), bar(6)])
    large = np.pad(bar(7), 30)
    mixed = [digits[0], colour, bar(1), large, clear, bar(2)[:, :20], 255 - bar(3), digits[1]]
    pictures = [np.ascontiguousarray(picture) for picture in mixed]
    assert_as_alone(pictures)
    assert [form is not None for form in in_frame([None, *pictures, None])] == [
        *(False, True, False, True, False, False, False, True, True),
        False,
    ]
    assert in_frame([colour, large]) == [None, None]
    assert in_frame([]) == []


@st.composite
def strange_pictures(draw: st.DrawFn) -> Pixels:
    """Draw noise, nothing, a frame or a bar, on a page of any grey, in sizes around 28x28."""
    height, width = (draw(st.just(28) | st.integers(24, 32)) for _ in range(2))
    ink = np.zeros((height, width), np.uint8)
    top, left = draw(st.integers(0, 8)), draw(st.integers(0, 8))
    inside = ink[top : top + 20, left : left + 20]
    peak = draw(st.integers(1, 255))
    kind = draw(st.sampled_from(["noise", "nothing", "frame", "bar", "sparse"]))
    if kind == "noise":
        inside[:] = draw(arrays(np.uint8, inside.shape))
    elif kind == "sparse":
        inside[:] = draw(arrays(np.uint8, inside.shape, fill=st.just(0)))
    elif kind == "frame":
        inside[[0, -1]] = inside[:, [0, -1]] = peak
    elif kind == "bar":
        inside[:, draw(st.integers(0, 9)) : draw(st.integers(10, 20))] = peak
    page = draw(st.sampled_from([0, 0, 1, 16, 17, 100]) | st.integers(0, 255))
    picture = np.maximum(ink, page).astype(np.uint8)
    picture = 255 - picture if draw(st.booleans()) else picture
    layers = draw(st.sampled_from([1, 1, 1, 3, 4]))
    return picture if layers == 1 else np.dstack([picture] * layers)


@settings(max_examples=80, deadline=None)
@given(st.lists(strange_pictures(), max_size=4))
def test_any_pictures_come_to_the_forms_they_come_to_alone(pictures: list[Pixels]) -> None:
    assert_as_alone(pictures)
