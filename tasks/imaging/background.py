"""The background under the ink of an upright picture, as a map of its light and shadow."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Grey = NDArray[np.uint8]

WORK_SIDE = 224  # px: longer sides are averaged down first
LEAST_SIDE = 80  # px: smaller pictures are enlarged first
BACKGROUND_SIDE = 64  # px: it is smooth, so it is estimated in a picture this small
MEDIAN_SIDE = 32  # px: a median takes its time, so it is taken in a picture smaller still
COLOUR_SIDE = 48  # px: large enough for the ink's colour
STROKE_SHARE = 0.12  # of the shorter side: narrower marks are strokes, not light
DARKEST = 16  # grey: a background is no darker, so that noise is not taken for ink
BRIGHT_BACKGROUND = 2.0  # odds of dark ink on what is not black, and of bright ink on black
DARK_BACKGROUND = 70  # grey: a darker background is black
STROKE_WIDEST = 0.22  # of the shorter side: darker patches at least this wide are in shadow
NEAR = (0.16, 0.08, 0.04)  # of the light: how near to the surface the background lies, step by step
EVEN = 0.03  # of the light: as much as an even background varies
EVEN_SHARE = 0.4  # of the picture: what has to be even background to go by it
RIM_AREA = 0.05  # of the rim: areas off the background that cover more of it are shadow
STRONG = 0.3  # of the strongest ink: less may be the soft edge of a line
SHADOW = 0.01  # of the picture: weak areas that cover more of it are shadow
SEPARABLE = 0.75  # of the variance: what two tones have to explain for the rest to be noise
RIDGE = 1e-2 * np.eye(6, dtype=np.float32)  # keeps the fit of the light solvable


def flatten_alpha(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Lay (H, W, 4) over white where its visible part is dark, over black where it is bright."""
    if picture[:, :, 3].min() == 255:
        return np.ascontiguousarray(picture[:, :, :3])
    return laid_over(picture, page_under([picture]))


def page_under(parts: Iterable[NDArray[np.uint8]]) -> float:
    """Return the grey, 0 or 255, to lay under a picture that is given as parts, (h, w, 4)."""
    visible = bright = size = 0.0
    for part in parts:
        weight = part[:, :, 3].astype(np.float32) / 255
        visible += float(weight.sum())
        bright += float((part[:, :, :3].mean(axis=2) * weight).sum())
        size += weight.size
    # Bright ink on nothing was drawn for a dark page, unless almost all of the picture is opaque.
    is_bright = visible == 0 or bright > 127.5 * visible
    return 0.0 if is_bright and visible < 0.9 * size else 255.0


def laid_over(picture: NDArray[np.uint8], page: float) -> NDArray[np.uint8]:
    """Return (h, w, 3): a picture or a part of one, (h, w, 4), laid over a page of one grey."""
    weight = picture[:, :, 3].astype(np.float32) / 255
    flat = picture[:, :, :3] * weight[:, :, None] + page * (1 - weight[:, :, None])
    return np.asarray(flat + 0.5, np.uint8)


def shrink(picture: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Average `picture` down until no side is longer than `side` px; smaller ones stay."""
    while max(picture.shape[:2]) > 2 * side:
        picture = halved(picture)
    height, width = picture.shape[:2]
    factor = side / max(height, width)
    if factor >= 1:
        return picture
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    # Down to half size the four pixels around a place are the area that it stands for.
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_LINEAR), np.uint8)


def halved(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Means of two by two pixels, which is several times as fast as any other factor.

    An odd last row or column goes; a strip one pixel wide stays as wide.
    """
    height, width = (max(1, side // 2) for side in picture.shape[:2])
    even = picture[: min(2 * height, picture.shape[0]), : min(2 * width, picture.shape[1])]
    return np.asarray(cv2.resize(even, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


def enlarge(grey: Grey) -> Grey:
    """Double a picture until its longer side has LEAST_SIDE px: strokes of one pixel get an inside.

    Strips are widened to a tenth of their length by repeating their border.
    """
    lack = [max(0, max(grey.shape) // 10 - side, 4 - side) for side in grey.shape[:2]]
    if any(lack):
        down, right = lack
        grey = np.asarray(
            cv2.copyMakeBorder(grey, 0, down, 0, right, cv2.BORDER_REPLICATE), np.uint8
        )
    factor = 1
    while max(grey.shape) * factor < LEAST_SIDE:
        factor *= 2
    if factor == 1:
        return grey
    how = cv2.INTER_CUBIC
    return np.asarray(cv2.resize(grey, None, fx=factor, fy=factor, interpolation=how), np.uint8)


def odd(value: float, least: int = 3) -> int:
    """Return the side of a box with a middle: an odd number of px."""
    return max(least, int(value) | 1)


def over(values: NDArray[Any], level: NDArray[Any] | float) -> Grey:
    """Mask, 0 or 255, of the values above a level."""
    if values.dtype == np.uint8 and isinstance(level, (int, float)):
        return np.asarray(cv2.threshold(values, level, 255, cv2.THRESH_BINARY)[1], np.uint8)
    return np.asarray(np.greater(values, level).view(np.uint8) * np.uint8(255), np.uint8)


def light(picture: NDArray[np.uint8]) -> Grey:
    """Return the luma of (h, w, 3) RGB (ITU-R BT.601), which is what JPEG keeps as its first part.

    A JPEG decoder that is asked for no more takes two thirds of the time.
    """
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.uint8)


def mix_channels(picture: NDArray[np.uint8]) -> Grey:
    """Grey with the most contrast between ink and background.

    The weights are the main axis of the differences from the local background, so that red, cyan
    and pencil are all as dark as they can be (first principal component).
    """
    factor = min(1.0, COLOUR_SIDE / max(picture.shape[:2]))
    size = (max(3, int(picture.shape[1] * factor)), max(3, int(picture.shape[0] * factor)))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_LINEAR)
    around = (odd(min(small.shape[:2]) * 0.4),) * 2
    local = cv2.blur(small, around)
    some = (small.astype(np.float32) - local).reshape(-1, 3)[::3]
    _, _, axes = cv2.eigen(some.T @ some)  # the main one first
    axis = axes[0].tolist()
    sign = 1 if sum(axis) >= 0 else -1
    red, green, blue = (max(sign * share, 1e-6) for share in axis)
    whole = red + green + blue
    first, second, third = cv2.split(picture)
    # Two weighted sums are half the time of cv2.transform.
    both = cv2.addWeighted(first, red / (red + green), second, green / (red + green), 0)
    return np.asarray(
        cv2.addWeighted(both, (red + green) / whole, third, blue / whole, 0), np.uint8
    )


@dataclass(frozen=True)
class _Plane:
    """Design matrix of a quadratic surface."""

    full: NDArray[np.float32]  # (h * w, 6)
    some: NDArray[np.float32]  # (n, 6): every seventh place
    products: NDArray[np.float32]  # (n, 36): each of its rows times itself


@lru_cache(maxsize=64)
def _plane(shape: tuple[int, int]) -> _Plane:
    y, x = (
        np.mgrid[-1 : 1 : shape[0] * 1j, -1 : 1 : shape[1] * 1j].reshape(2, -1).astype(np.float32)
    )
    full = np.column_stack((np.ones_like(x), x, y, x * y, x * x, y * y))
    some = np.ascontiguousarray(full[::7])
    return _Plane(full, some, (some[:, :, None] * some[:, None]).reshape(-1, 36))


def _mode(counts: NDArray[np.float32]) -> float:
    """The grey about which most of a picture lies, by 32 counts."""
    return 8.0 * float((counts[:-2] + counts[1:-1] + counts[2:]).argmax()) + 12


def _smooth_background(small: Grey) -> NDArray[np.float32]:
    """Quadratic surface through the background: least squares of what lies near the commonest grey.

    What counts as near narrows from step to step, so that ink and frames soon stop counting.
    """
    plane = _plane((small.shape[0], small.shape[1]))
    grey = small.reshape(-1)[::7].astype(np.float32)
    counts = cv2.calcHist([small], [0], None, [32], [0, 256]).ravel()
    surface: NDArray[np.float32] | float = _mode(np.asarray(counts, np.float32))
    fit = np.zeros((6, 1), np.float32)
    for near in NEAR:
        chosen = np.abs(grey - surface) <= near * np.maximum(surface, 40)
        weight = chosen.astype(np.float32)
        squares = (weight @ plane.products).reshape(6, 6) + RIDGE
        if squares[0, 0] < 12:
            break
        _, fit = cv2.solve(squares, (weight * grey) @ plane.some, flags=cv2.DECOMP_CHOLESKY)
        surface = plane.some @ fit[:, 0]
    return np.asarray(np.clip(plane.full @ fit[:, 0], 8, 255).reshape(small.shape), np.float32)


def _otsu_ink(small: Grey) -> Grey | None:
    """Mask of the ink where two tones explain the picture and its rim is of one; else None.

    Otsu's measure of separability (1979) says how far two tones explain the picture.
    """
    binary = cv2.threshold(small, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)[1]
    share = cv2.mean(binary)[0] / 255
    spread = float(cv2.meanStdDev(small)[1][0, 0]) ** 2
    if not 0 < share < 1 or spread < 1:
        return None
    above, below = cv2.mean(small, binary)[0], cv2.mean(small, cv2.bitwise_not(binary))[0]
    if share * (1 - share) * (above - below) ** 2 < SEPARABLE * spread:
        return None
    # Just inside the rim, where a printed frame does not outweigh the background.
    inset = max(1, min(binary.shape) // 10)
    inner = binary[inset:-inset, inset:-inset]
    if not inner.size:
        inner = binary
    rim = np.concatenate((inner[0], inner[-1], inner[:, 0], inner[:, -1]))
    bright_rim = float(rim.mean()) / 255
    ink = cv2.bitwise_not(binary) if bright_rim > 0.5 else binary
    ink_rim, ink_share = min(bright_rim, 1 - bright_rim), cv2.mean(ink)[0] / 255
    return np.asarray(ink, np.uint8) if ink_rim < 0.25 and ink_share < 0.5 else None


def _off_background(flat: Grey) -> Grey | None:
    """Mask of what is off the even background, 128 in `flat`; None where most is off it."""
    by = np.asarray(cv2.convertScaleAbs(flat, alpha=1, beta=-128), np.uint8)
    off = over(by, 128 * EVEN)
    if cv2.countNonZero(off) > (1 - EVEN_SHARE) * off.size:
        return None
    # Ink and print are strokes; areas off the surface that come in from the rim are shadow.
    wide = min(off.shape) * STROKE_WIDEST
    if _wide_on_rim(off, wide) <= RIM_AREA:
        return off
    # Lines of a frame that lie close together look like an area until their soft edges go.
    strong = over(
        by,
        max(128 * EVEN, STRONG * float(np.partition(by.ravel(), -by.size // 50)[-by.size // 50])),
    )
    if _wide_on_rim(strong, wide) > RIM_AREA:
        return None
    weak = np.asarray(cv2.subtract(off, cv2.dilate(strong, np.ones((5, 5), np.uint8))), np.uint8)
    shadow = _areas(weak, 0.5 * wide)
    return off if cv2.countNonZero(shadow) <= SHADOW * off.size else None


def _areas(mask: Grey, wide: float) -> Grey:
    """What of a mask is wide in both directions."""
    side = odd(wide)
    return np.asarray(
        cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((side, side), np.uint8)), np.uint8
    )


def _wide_on_rim(mask: Grey, wide: float) -> float:
    """Share of the picture's outermost pixels that wide areas of a mask cover; 0 is all below."""
    return on_rim(_areas(mask, wide)) if on_rim(mask) > RIM_AREA else 0.0


def on_rim(mask: Grey) -> float:
    """Share of the picture's outermost pixels that a mask covers."""
    sides = (mask[0], mask[-1], mask[:, 0], mask[:, -1])
    return sum(map(cv2.countNonZero, sides)) / sum(map(len, sides))


def _background(small: Grey) -> tuple[NDArray[np.float32], bool]:
    """The background under the ink, and whether ink is darker than it.

    Two tones under even light: the mean of the background around. Else: the median of a
    window wider than two strokes; dark or bright ink is told by its strokes.
    """
    shorter = min(small.shape)
    surface = _smooth_background(small)
    flat = np.asarray(cv2.convertScaleAbs(small / surface, alpha=128), np.uint8)
    ink = _off_background(flat)
    if ink is None:
        ink = _otsu_ink(flat)
    if ink is not None:
        blank = cv2.bitwise_not(cv2.dilate(ink, np.ones((3, 3), np.uint8)))
        if cv2.countNonZero(blank) > 0.1 * blank.size:
            weight = blank.astype(np.float32) / 255
            reach = odd(shorter * 0.3)
            rest = weight * (small - surface)
            mean = float(rest.sum() / weight.sum())
            near = (cv2.blur(rest, (reach, reach)) + 0.1 * mean) / (
                cv2.blur(weight, (reach, reach)) + 0.1
            )
            difference = (small - (surface + near)) * centrality((small.shape[0], small.shape[1]))
            return np.asarray(surface + near, np.float32), float(
                (difference * (ink > 0)).sum()
            ) <= 0
    return _median_background(small), _dark_strokes(small)


def _median_background(small: Grey) -> NDArray[np.float32]:
    """Median of a window wider than two strokes, smoothed."""
    little = shrink(small, MEDIAN_SIDE)
    shorter = min(little.shape)
    window = odd(shorter * STROKE_WIDEST * 1.6)
    # Mirrored, because a line along the rim would outweigh the background if it were repeated.
    pad = window // 2 if shorter > 3 else 0
    wide = cv2.copyMakeBorder(little, pad, pad, pad, pad, cv2.BORDER_REFLECT)
    median = cv2.medianBlur(wide, window)[pad : pad + little.shape[0], pad : pad + little.shape[1]]
    full = cv2.resize(median, (small.shape[1], small.shape[0]), interpolation=cv2.INTER_LINEAR)
    return np.asarray(cv2.blur(full.astype(np.float32), (5, 5)), np.float32)


def _dark_strokes(small: Grey) -> bool:
    """Whether dark strokes stand out more than bright ones: black hats against top hats, cubed.

    Both are blind to light and shadow, which change over more than a stroke's width. A background
    is far oftener bright than dark: what is not black has to show clearly that its ink is bright.
    """
    weight = centrality((small.shape[0], small.shape[1]))
    smooth = cv2.GaussianBlur(small, (3, 3), 0)
    kernel = np.ones((odd(min(small.shape) * STROKE_SHARE),) * 2, np.uint8)
    below = cv2.morphologyEx(smooth, cv2.MORPH_BLACKHAT, kernel).astype(np.float32)
    above = cv2.morphologyEx(smooth, cv2.MORPH_TOPHAT, kernel).astype(np.float32)
    # a power of numpy's takes ten times as long
    dark = float((weight * (below * below * below)).sum())
    bright = float((weight * (above * above * above)).sum())
    bright_paper = 2 * cv2.countNonZero(over(small, DARK_BACKGROUND)) > small.size
    odds = BRIGHT_BACKGROUND if bright_paper else 1 / BRIGHT_BACKGROUND
    return bright <= odds * dark


@lru_cache(maxsize=64)
def centrality(shape: tuple[int, int]) -> NDArray[np.float32]:
    """Weight of a place, (h, w): 1 in the middle, 0.1 at the edges (raised cosine)."""
    y, x = (0.55 - 0.45 * np.cos(2 * np.pi * (np.arange(n) + 0.5) / n) for n in shape)
    return np.outer(y, x).astype(np.float32)


def estimate_background(grey: Grey) -> tuple[NDArray[np.float32], bool]:
    """The background's light under the ink, at most BACKGROUND_SIDE wide; whether ink is darker.

    Where ink is brighter, the light is that of the inverted picture.
    """
    below, dark = _background(shrink(grey, BACKGROUND_SIDE))
    return np.maximum(below if dark else 255 - below, DARKEST), dark
