"""Ink is parted from paper whatever texture the paper has, and texture alone is no ink."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from tasks.imaging.binarize import faint_threshold, threshold

SIDE = 160
NOISES = [0.0, 0.01, 0.04]  # deviation of the paper's texture, of the light


def strokes() -> NDArray[np.bool_]:
    """Where a ring and a bar are, (SIDE, SIDE)."""
    canvas = np.zeros((SIDE, SIDE), np.uint8)
    cv2.circle(canvas, (60, 80), 30, 255, 9)
    cv2.line(canvas, (120, 40), (120, 120), 255, 9)
    return canvas > 0


def texture(noise: float) -> NDArray[np.float32]:
    return np.random.default_rng(1).normal(0, noise, (SIDE, SIDE)).astype(np.float32)


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("strength", [0.3, 0.8])
def test_strokes_are_cut_out_of_paper_with_any_texture(noise: float, strength: float) -> None:
    truth = strokes()
    found = threshold(texture(noise) + np.float32(strength) * truth)
    mask = found.mask > 0
    assert set(np.unique(found.mask)) <= {0, 255}
    assert (mask & truth).sum() / (mask | truth).sum() > 0.85
    assert np.array_equal(mask, found.ink > found.level)


@pytest.mark.parametrize("noise", NOISES)
def test_each_stroke_reaches_what_is_surely_ink(noise: float) -> None:
    found = threshold(texture(noise) + np.float32(0.6) * strokes())
    for part in (np.s_[:, :100], np.s_[:, 100:]):
        assert found.ink[part].max() > found.sure


def test_faint_strokes_count_beside_strong_ones_where_they_are_the_local_ink() -> None:
    truth = strokes()
    strength = np.where(np.arange(SIDE) < 100, 0.9, 0.35).astype(np.float32)
    mask = threshold(texture(0.01) + strength * truth).mask > 0
    assert mask[60:100, 118:123].mean() > 0.95
    assert mask[~truth].mean() < 0.03


def test_clean_ink_is_not_smoothed_and_rough_paper_is() -> None:
    clean = np.float32(0.8) * strokes()
    assert not threshold(clean).smoothed
    assert threshold(texture(0.15) + clean).smoothed


@pytest.mark.parametrize("noise", [0.0, 0.02, 0.1])
def test_texture_alone_holds_no_faint_ink(noise: float) -> None:
    assert faint_threshold(texture(noise)) is None


def test_faint_ink_is_found_that_is_weaker_than_three_deviations_of_the_texture() -> None:
    truth = strokes()
    found = faint_threshold(texture(0.03) + np.float32(0.09) * truth)
    assert found is not None
    mask = found.mask > 0
    assert mask[truth].mean() > 0.7
    assert mask[~truth].mean() < 0.1
