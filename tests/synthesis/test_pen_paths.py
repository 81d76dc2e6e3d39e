"""Pen paths go through their points, and their ink is as wide as the pen."""

import numpy as np
import pytest

from tasks.synthesis import pen_paths

POINTS = [(0.0, 0.0), (0.4, 0.9), (1.0, 0.2)]


@pytest.mark.parametrize("path", [pen_paths.curve, pen_paths.corner])
def test_a_path_without_shaking_goes_through_its_points(path: object) -> None:
    drawn = path(POINTS, np.random.default_rng(1), 0.0)  # type: ignore[operator]
    for point in POINTS:
        assert np.hypot(*(drawn - point).T).min() < 1e-9
    assert np.allclose(drawn[[0, -1]], [POINTS[0], POINTS[-1]])


def test_a_curve_has_no_corner_where_straight_strokes_have_one() -> None:
    def sharpest(path: np.ndarray) -> float:
        steps = np.diff(path, axis=0)
        angles = np.unwrap(np.arctan2(*steps.T))
        return float(np.abs(np.diff(angles)).max())

    random = np.random.default_rng(1)
    smooth, straight = (path(POINTS, random, 0.0) for path in (pen_paths.curve, pen_paths.corner))
    assert sharpest(smooth) < 0.6 * sharpest(straight)


def test_a_hand_shakes_as_much_as_it_is_told() -> None:
    random = np.random.default_rng(2)
    off = [pen_paths.corner(POINTS, random, 0.05) - POINTS for _ in range(300)]
    assert np.std(off) == pytest.approx(0.05, rel=0.1)


@pytest.mark.parametrize("pen", [1.0, 4.0, 9.0])
def test_a_stroke_is_as_wide_as_the_pen(pen: float) -> None:
    ink = pen_paths.draw([np.array([(20.0, 50.0), (180.0, 50.0)])], (100, 200), pen)
    assert (ink[:, 100] > 127).sum() == pytest.approx(pen, abs=2)
    assert not ink[:, :10].any()


def test_a_pen_finer_than_a_pixel_is_fainter() -> None:
    stroke = [np.array([(20.0, 50.0), (180.0, 50.0)])]
    fine, full = (pen_paths.draw(stroke, (100, 200), pen) for pen in (0.5, 1.0))
    assert 0 < fine.max() < 0.7 * full.max()


def test_pressure_widens_a_stroke_where_it_is_higher() -> None:
    path = np.column_stack((np.linspace(20, 180, 40), np.full(40, 50.0)))
    pressure = [np.where(np.arange(40) < 20, 1.0, 3.0)]
    ink = pen_paths.draw([path], (100, 200), 4.0, pressure) > 127
    assert 3 * ink[:, 50].sum() == pytest.approx(ink[:, 150].sum(), abs=4)


def test_an_uneven_pen_presses_around_one_all_along_each_stroke() -> None:
    strokes = [np.zeros((count, 2)) for count in (5, 40, 400)]
    for seed in range(20):
        pressure = pen_paths.pen_pressure(strokes, np.random.default_rng(seed))
        assert [one.shape for one in pressure] == [(5,), (40,), (400,)]
        assert all((one > 0.15).all() and (one < 7).all() for one in pressure)


def test_scribbles_are_of_several_kinds_and_about_as_large_as_a_digit() -> None:
    kinds = set()
    for seed in range(40):
        strokes = pen_paths.scribble_paths(np.random.default_rng(seed))
        every = np.vstack(strokes)
        assert 0.3 < np.ptp(every, axis=0).max() < 2
        kinds.add((len(strokes) > 1, len(every) > 60))
    assert len(kinds) >= 3
