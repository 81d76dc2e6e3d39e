"""Light and shadow go, ink stays: shrinking, laying over a page, the background under the ink."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from tasks.imaging.background import (
    LEAST_SIDE,
    centrality,
    enlarge,
    estimate_background,
    flatten_alpha,
    halved,
    laid_over,
    light,
    mix_channels,
    over,
    page_under,
    shrink,
)

Pixels = NDArray[np.uint8]


def stroke(page: Pixels, ink: object) -> Pixels:
    """Return a page with a thick stroke of some ink from its upper left to its lower right."""
    height, width = page.shape[:2]
    ends = (width // 4, height // 4), (3 * width // 4, 3 * height // 4)
    return np.asarray(cv2.line(page.copy(), *ends, ink, max(2, height // 16)), np.uint8)  # type: ignore[call-overload]


@pytest.mark.parametrize(("ink", "page"), [(0, 255), (255, 0)])
def test_ink_on_nothing_is_laid_over_a_page_from_which_it_stands_out(ink: int, page: int) -> None:
    picture = np.zeros((40, 60, 4), np.uint8)
    picture[10:30, 20:40] = (ink, ink, ink, 255)
    flat = flatten_alpha(picture)
    assert (flat[10:30, 20:40] == ink).all()
    assert (flat[:10] == page).all()


def test_a_bright_picture_with_few_holes_lies_on_white() -> None:
    picture = np.full((40, 60, 4), 250, np.uint8)
    picture[:2, :, 3] = 0
    assert (flatten_alpha(picture)[:2] == 255).all()


def test_half_transparent_ink_is_mixed_with_the_page() -> None:
    picture = np.zeros((1, 1, 4), np.uint8)
    picture[..., 3] = 51  # a fifth
    assert laid_over(picture, 255.0).ravel().tolist() == [204, 204, 204]


def test_a_picture_in_parts_has_the_page_of_the_whole() -> None:
    random = np.random.default_rng(1)
    for bright in (60, 200):
        whole = random.integers(0, bright, (30, 20, 4), np.uint8)
        assert page_under([whole]) == page_under([whole[:7], whole[7:8], whole[8:]])


@pytest.mark.parametrize("shape", [(300, 500), (500, 300, 3), (1, 900), (900, 1), (97, 101)])
def test_a_picture_is_averaged_down_to_a_side_and_keeps_its_mean(shape: tuple[int, ...]) -> None:
    picture = np.random.default_rng(2).integers(0, 256, shape, np.uint8)
    small = shrink(picture, 64)
    assert max(small.shape[:2]) == 64
    assert small.shape[2:] == picture.shape[2:]
    expected = max(1, round(64 * min(shape[:2]) / max(shape[:2])))
    assert min(small.shape[:2]) == pytest.approx(expected, abs=1)
    assert small.mean() == pytest.approx(picture.mean(), abs=3)


def test_a_small_picture_stays_as_it_is_when_shrunk() -> None:
    picture = np.random.default_rng(3).integers(0, 256, (20, 64), np.uint8)
    assert shrink(picture, 64) is picture


def test_halving_gives_the_means_of_two_by_two_and_drops_an_odd_end() -> None:
    picture = np.array([[0, 4, 99], [8, 12, 99], [99, 99, 99]], np.uint8)
    assert halved(picture).tolist() == [[6]]
    assert halved(np.full((1, 9), 7, np.uint8)).tolist() == [[7, 7, 7, 7]]


@pytest.mark.parametrize("shape", [(28, 28), (1, 50), (50, 1), (8, 8), (3, 100)])
def test_a_small_picture_is_doubled_until_strokes_have_an_inside(shape: tuple[int, int]) -> None:
    large = enlarge(np.full(shape, 77, np.uint8))
    assert (large == 77).all()
    assert LEAST_SIDE <= max(large.shape) < 2 * max(LEAST_SIDE, *shape)
    assert min(large.shape) * 10 >= max(large.shape) - 9


def test_both_ways_of_comparing_give_one_mask() -> None:
    values = np.arange(256, dtype=np.uint8).reshape(16, 16)
    expected = np.where(values > 100, 255, 0)
    for mask in (over(values, 100), over(values.astype(np.float32), 100.0)):
        assert mask.dtype == np.uint8
        assert np.array_equal(mask, expected)


@pytest.mark.parametrize("ink", [(200, 60, 60), (0, 160, 200), (60, 60, 200), (90, 90, 90)])
def test_ink_of_any_colour_stands_out_at_least_as_far_as_in_the_luma(
    ink: tuple[int, int, int],
) -> None:
    page = np.full((120, 120, 3), 230, np.uint8)
    picture, clean = stroke(page, ink), light(page)[0, 0]
    gap = int(clean) - int(light(picture).min())
    mixed = mix_channels(picture)
    assert int(mixed[0, 0]) - int(mixed.min()) >= gap - 2
    assert mixed[0, 0] == pytest.approx(230, abs=2)


def slope(low: int, high: int) -> Pixels:
    """Return light (128, 128) that changes evenly from left to right."""
    return np.tile(np.linspace(low, high, 128).astype(np.uint8), (128, 1))


@pytest.mark.parametrize(("low", "high"), [(220, 220), (120, 240), (240, 150)])
@pytest.mark.parametrize("dark", [True, False])
def test_the_background_is_found_under_ink_of_either_kind(low: int, high: int, dark: bool) -> None:
    page = slope(low, high) if dark else np.asarray(255 - slope(low, high), np.uint8)
    background, is_dark = estimate_background(stroke(page, 20 if dark else 235))
    expected = shrink(slope(low, high), background.shape[0]).astype(np.float32)
    assert is_dark == dark
    assert np.abs(background - expected).max() < 0.08 * 255


def test_a_shadow_over_half_of_the_picture_is_light_and_not_ink() -> None:
    page = np.full((128, 128), 220, np.uint8)
    page[:, 70:] = 120
    background, dark = estimate_background(stroke(page, 10))
    left, right = (
        background[:, : background.shape[1] // 3],
        background[:, -background.shape[1] // 4 :],
    )
    assert dark
    assert np.median(left) == pytest.approx(220, abs=20)
    assert np.median(right) == pytest.approx(120, abs=20)


@pytest.mark.parametrize("shape", [(64, 64), (20, 64), (1, 5)])
def test_the_middle_counts_most_and_the_edges_a_tenth(shape: tuple[int, int]) -> None:
    weight = centrality(shape)
    assert weight.shape == shape
    assert np.array_equal(weight, weight[::-1, ::-1])
    assert weight.max() == weight[shape[0] // 2, shape[1] // 2] <= 1
    assert weight.min() >= 0.01
