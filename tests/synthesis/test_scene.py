"""Scans and photos show the ink they were given, on paper in a light that never hides it."""

import numpy as np
import pytest
from numpy.typing import NDArray

from tasks.imaging.canonical import canonical
from tasks.synthesis import scene
from tasks.synthesis.rasterize import rasterize_digit

SHAPES = [(96, 96), (60, 200), (200, 60), (40, 40)]
SEEDS = range(12)
Ink = NDArray[np.uint8]


def five(random: np.random.Generator, side: int = 120) -> Ink:
    return rasterize_digit(5, None, (side, side), 0.6 * side, random)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_photo_has_three_channels_and_a_scan_has_one(shape: tuple[int, int]) -> None:
    random = np.random.default_rng(1)
    ink = np.zeros(shape, np.uint8)
    for picture, channels in ((scene.photo(ink, random), (3,)), (scene.scan(ink, random), ())):
        assert picture.shape == (*shape, *channels)
        assert picture.dtype == np.uint8


@pytest.mark.parametrize("draw", [scene.photo, scene.scan])
def test_the_seed_alone_decides(draw: object) -> None:
    ink = five(np.random.default_rng(0))
    one, same, other = (draw(ink, np.random.default_rng(seed)) for seed in (1, 1, 2))  # type: ignore[operator]
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


@pytest.mark.parametrize("draw", [scene.photo, scene.scan])
def test_the_ink_of_most_scenes_is_where_it_was_drawn(draw: object) -> None:
    found = []
    for seed in SEEDS:
        random = np.random.default_rng(seed)
        ink = five(random)
        _, facts = canonical(draw(ink, random))  # type: ignore[operator]
        rows, columns = (np.flatnonzero((ink > 100).any(axis=axis)) for axis in (1, 0))
        x, y, width, height = facts.box
        middle = np.array([x + width / 2, y + height / 2])
        truth = np.array([columns.mean(), rows.mean()])
        found.append(np.abs(middle - truth).max() < 0.15 * 120)
    assert np.mean(found) >= 0.75


@pytest.mark.parametrize("shape", SHAPES)
def test_light_is_smooth_and_never_out(shape: tuple[int, int]) -> None:
    for seed in SEEDS:
        lit = scene.light(shape, np.random.default_rng(seed))
        assert lit.shape == shape
        assert lit.min() >= 0.12
        steps = max(float(np.abs(np.diff(lit, axis=axis)).max()) for axis in (0, 1))
        assert steps < 0.5


@pytest.mark.parametrize("shape", SHAPES)
def test_printed_rules_cross_the_picture_and_leave_most_of_it_blank(shape: tuple[int, int]) -> None:
    crossing = 0
    for seed in SEEDS:
        lines = scene.rules(shape, np.random.default_rng(seed))
        assert lines.shape == shape
        assert (lines > 127).mean() < 0.6
        crossing += bool((lines > 0).any(axis=0).all() or (lines > 0).any(axis=1).all())
    assert crossing >= len(SEEDS) * 0.75


@pytest.mark.parametrize("shape", SHAPES)
def test_a_frame_lies_along_edges_and_leaves_the_middle(shape: tuple[int, int]) -> None:
    height, width = shape
    middle = np.s_[height // 3 : 2 * height // 3, width // 3 : 2 * width // 3]
    frames = [scene.frame(shape, np.random.default_rng(seed)) for seed in SEEDS]
    assert not any(drawn[middle].any() for drawn in frames)
    assert sum(bool(drawn.any()) for drawn in frames) >= len(SEEDS) - 2


def test_a_printed_box_lies_around_the_ink_inside_of_the_picture() -> None:
    for seed in SEEDS:
        ink = five(np.random.default_rng(seed), 200)
        box = scene.box_around(ink, np.random.default_rng(seed))
        rows, columns = (np.flatnonzero(box.any(axis=axis)) for axis in (1, 0))
        inked_rows, inked_columns = (np.flatnonzero((ink > 100).any(axis=axis)) for axis in (1, 0))
        assert rows[0] < inked_rows[0] and rows[-1] > inked_rows[-1]
        assert columns[0] < inked_columns[0] and columns[-1] > inked_columns[-1]
        assert not (box[0].any() or box[-1].any() or box[:, 0].any() or box[:, -1].any())
