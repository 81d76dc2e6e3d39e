"""Habits of a hand change how a digit is written, not which one it is."""

import numpy as np
import pytest

from tasks.imaging.canonical import canonical
from tasks.synthesis import digit_templates, pen_paths, writer_variation

ZIGZAG = np.array([(0.0, 0.0), (0.5, 0.0), (0.5, 1.0)])


def form(strokes: list[pen_paths.Path]) -> np.ndarray:
    """Canonical form of strokes drawn large."""
    return canonical(255 - pen_paths.draw([s * 120 + 60 for s in strokes], (260, 320), 8))[0]


def test_an_even_path_keeps_its_ends_and_its_steps_are_alike() -> None:
    path = writer_variation.resampled(ZIGZAG)
    steps = np.hypot(*np.diff(path, axis=0).T)
    assert np.allclose(path[[0, -1]], ZIGZAG[[0, -1]])
    assert steps.max() < 1.1 * writer_variation.STEP


def test_a_quick_pen_cuts_the_corner_and_ends_where_a_slow_one_does() -> None:
    path = writer_variation.resampled(ZIGZAG)
    quick = writer_variation.rounded(path, 0.05)
    assert np.allclose(quick[[0, -1]], path[[0, -1]], atol=1e-6)
    assert np.hypot(*(quick - (0.5, 0.0)).T).min() > 0.02


@pytest.fixture(scope="module")
def plain() -> np.ndarray:
    """Return the mean form of each digit without any habits, (10, 28 * 28)."""
    random = np.random.default_rng(0)
    forms = [[form(digit_templates.digit_paths(d, random)) for _ in range(20)] for d in range(10)]
    return np.mean(forms, axis=1).reshape(10, -1)


@pytest.mark.parametrize("digit", range(10))
def test_a_digit_stays_nearer_to_itself_than_to_others(digit: int, plain: np.ndarray) -> None:
    random = np.random.default_rng(digit)
    paths = (digit_templates.digit_paths(digit, random) for _ in range(20))
    written = [form(writer_variation.vary_writing(strokes, random)) for strokes in paths]
    likeness = np.corrcoef(np.mean(written, axis=0).ravel(), plain)[0, 1:]
    assert likeness.argmax() == digit


def test_the_seed_alone_decides() -> None:
    one, two = (
        writer_variation.vary_writing([ZIGZAG], np.random.default_rng(4)),
        writer_variation.vary_writing([ZIGZAG], np.random.default_rng(4)),
    )
    assert all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))
