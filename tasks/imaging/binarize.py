"""Ink and background apart: from a map of ink to its mask, however strong the paper's texture."""

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from tasks.imaging.background import SEPARABLE, Grey, odd, over

SIGMAS = (0.6, 1.0)  # px: how far rough paper is smoothed
SAMPLE = 1024  # px, about: so many tell the texture
QUANTUM = 0.003  # of the light: no paper is smoother than the rounding to 256 greys
CLEAR_INK = 3.5  # deviations: the strongest hundredth of mere noise is at 2.3
CLEAR = 10.0  # deviations of that texture: ink this strong needs no smoothing
LOWER = 0.7  # of a threshold: so much lower is another that is tried on faint ink
NOISE_FLOOR = 3.2  # deviations of the paper's texture: what is ink has to be above
NOISE_SURE = 5.5  # and this, somewhere in each stroke (hysteresis, Canny 1986)


class _Texture(NamedTuple):
    """Middle and deviation of the paper's texture, and the ink of the strongest hundredth."""

    middle: float
    noise: float
    top: float


def _texture(ink: NDArray[np.float32]) -> _Texture:
    """The texture of the paper under a map of ink.

    Of two robust estimates the lower one counts: the median absolute deviation bears a tenth of
    the picture too bright beside a dark frame; the 10 and 30 % quantiles bear a third of it as ink.
    """
    sample = np.sort(ink.ravel()[:: max(1, ink.size // SAMPLE)])
    count = len(sample)
    low, high, middle, top = sample[[int(count * q) for q in (0.1, 0.3, 0.5, 0.99)]].tolist()
    by_quantiles = (high - low) / 0.757  # distance of those quantiles of a normal distribution
    by_median = 1.4826 * float(np.partition(np.abs(sample - middle), count // 2)[count // 2])
    if by_median <= by_quantiles:
        return _Texture(middle, by_median + QUANTUM, top)
    return _Texture(high + 0.524 * by_quantiles, by_quantiles + QUANTUM, top)


def _smoothed(rough: NDArray[np.float32]) -> tuple[NDArray[np.float32], _Texture]:
    """Ink smoothed until its strongest hundredth stands out of the paper's texture; the latter."""
    ink, texture = rough, _texture(rough)
    for sigma in SIGMAS:
        if texture.top - texture.middle > CLEAR * texture.noise:
            break
        ink = np.asarray(cv2.GaussianBlur(rough, (0, 0), sigma), np.float32)
        texture = _texture(ink)
    return ink, texture


@dataclass(frozen=True)
class BinaryInk:
    """A binarized map of ink: `ink` as it was smoothed, (h, w), its mask, and its threshold."""

    ink: NDArray[np.float32]
    mask: Grey
    level: NDArray[np.float32]  # (h, w), the threshold
    sure: float  # what some of each stroke has to reach
    smoothed: bool  # whether ink had to be smoothed


def threshold(rough: NDArray[np.float32]) -> BinaryInk:
    """Binarize a map of ink.

    The level is half the highest contrast nearby (Bernsen 1986), never below the paper's texture:
    some deviations of it, or Otsu's level where that separates the picture well.
    """
    ink, (middle, noise, top) = _smoothed(rough)
    floor, sure = middle + NOISE_FLOOR * noise, middle + NOISE_SURE * noise
    # Light that was not quite removed counts as texture: clear ink is found in spite of it.
    if top - middle > CLEAR_INK * noise:
        floor = min(floor, middle + 0.5 * (top - middle))
        sure = min(sure, middle + 0.75 * (top - middle))
    small = _halved(ink)
    otsu_level = _otsu_level(small)
    if otsu_level > middle + 2 * noise:
        floor, sure = min(floor, otsu_level), min(sure, otsu_level)
    return _binarized(ink, small, floor, sure, smoothed=ink is not rough)


def faint_threshold(rough: NDArray[np.float32]) -> BinaryInk | None:
    """Binarize ink that the other way takes for texture; None if texture is all there is.

    Ink, and light that was not quite removed, lie above the background; so the paper's texture is
    what its darker, lower half tells.
    """
    ink = np.asarray(cv2.GaussianBlur(rough, (0, 0), SIGMAS[0]), np.float32)
    sample = np.sort(ink.ravel()[:: max(1, ink.size // SAMPLE)])
    low, middle, top = (float(sample[int(len(sample) * q)]) for q in (0.02, 0.5, 0.99))
    noise = (middle - low) / 2.05 + QUANTUM  # the lowest fiftieth of a normal distribution
    if top - middle < CLEAR_INK * noise:
        return None
    floor, sure = middle + 0.4 * (top - middle), middle + 0.7 * (top - middle)
    return _binarized(ink, _halved(ink), floor, sure, smoothed=True)


def lower_threshold(parts: BinaryInk) -> BinaryInk:
    """Return ink with what is a little fainter than its threshold."""
    level, sure = LOWER * parts.level, LOWER * parts.sure
    return BinaryInk(parts.ink, over(parts.ink, level), level, sure, parts.smoothed)


def _halved(ink: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(
        cv2.resize(ink, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.float32
    )


def _binarized(
    ink: NDArray[np.float32],
    small: NDArray[np.float32],
    floor: float,
    sure: float,
    *,
    smoothed: bool,
) -> BinaryInk:
    """Binarize `ink`, of which `small` is half as large, at half the local peak, above `floor`."""
    reach = odd(max(small.shape) * 0.12)
    peak = cv2.dilate(small, np.ones((reach, reach), np.uint8))
    local = np.maximum(0.5 * cv2.blur(peak, (reach, reach)), floor, dtype=np.float32)
    level = np.asarray(cv2.resize(local, (ink.shape[1], ink.shape[0])), np.float32)
    return BinaryInk(ink, over(ink, level), level, sure, smoothed)


def _otsu_level(ink: NDArray[np.float32]) -> float:
    """Otsu's level where it leaves a quarter of the variance, else 0."""
    grey = cv2.convertScaleAbs(np.maximum(ink, 0), alpha=255)
    level, binary = cv2.threshold(grey, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    share = cv2.mean(binary)[0] / 255
    if not 0.002 < share < 0.5:
        return 0.0
    gap = cv2.mean(grey, binary)[0] - cv2.mean(grey, cv2.bitwise_not(binary))[0]
    spread = float(cv2.meanStdDev(grey)[1][0, 0]) ** 2
    return float(level) / 255 if share * (1 - share) * gap**2 > SEPARABLE * spread else 0.0
