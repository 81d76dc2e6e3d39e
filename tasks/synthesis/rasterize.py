"""Digits rasterized as ink: from pen paths, or from a given picture, deformed and redrawn."""

import cv2
import numpy as np
from numpy.typing import NDArray

from tasks.synthesis import digit_templates, pen_paths, writer_variation

Random = np.random.Generator
Images = NDArray[np.uint8]

WAVE = 0.04  # of the height: how far slow waves push strokes
PRESSURE_SHARE = 0.4  # of what is drawn by paths: with uneven pen pressure
TURN, SLANT = 0.05, 0.08  # of real hands, standard deviations: radians; px to the side for each up
CUT_AT = (70, 150)  # of 255: height of a soft stroke at which its edge is drawn
# of digits: drawn from pen paths; from the given pictures, as they were written; the rest changed
PATH_SHARE, WRITTEN_SHARE = 0.4, 0.3


def _random_transform(points: NDArray[np.float64], random: Random) -> NDArray[np.float64]:
    """Slant, turn, stretch and perspective of (n, 2) points about their middle."""
    angle, slant, stretch = (
        random.normal(0, 0.12),
        random.normal(0.14, 0.28),
        np.exp(random.normal(0, 0.18)),
    )
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved = (points - 0.5) @ (turn @ np.array([[stretch, -slant], [0, 1 / stretch]])).T
    depth = 1 + moved @ random.normal(0, 0.08, 2)
    return np.asarray(moved / np.maximum(depth, 0.5)[:, None])


def _wave_distortion(strokes: list[pen_paths.Path], random: Random) -> list[pen_paths.Path]:
    """Strokes pushed about by two slow waves, together, as by an unsteady hand."""
    waves = random.normal(0, 0.5, (2, 2)), random.uniform(0, 2 * np.pi, 2)
    push = random.normal(0, WAVE, (2, 2))
    return [s + np.sin(2 * np.pi * s @ waves[0] + waves[1]) @ push for s in strokes]


def _place(
    strokes: list[pen_paths.Path], shape: tuple[int, int], size: float, random: Random
) -> list[pen_paths.Path]:
    """Strokes moved so that their box is `size` px along its longer side, somewhere in (h, w)."""
    moved = [_random_transform(stroke, random) for stroke in strokes]
    every = np.vstack(moved)
    low, extent = every.min(axis=0), np.maximum(np.ptp(every, axis=0), 1e-6)
    scale = size / extent.max()
    room = np.array([shape[1], shape[0]]) - extent * scale
    at = room * np.clip(random.normal(0.5, 0.2, 2), 0.02, 0.98)
    return [(stroke - low) * scale + at for stroke in moved]


def rasterize_paths(
    strokes: list[pen_paths.Path], shape: tuple[int, int], size: float, random: Random
) -> Images:
    """Strokes deformed and drawn `size` px large with some pen width, as ink (h, w)."""
    pen = size * np.exp(random.uniform(np.log(0.012), np.log(0.115)))
    placed = _place(_wave_distortion(strokes, random), shape, size, random)
    pressure = pen_paths.pen_pressure(placed, random) if random.uniform() < PRESSURE_SHARE else None
    return pen_paths.draw(placed, shape, pen, pressure)


def as_written(picture: Images, shape: tuple[int, int], size: float, random: Random) -> Images:
    """A canonical picture enlarged to `size` px and put somewhere in (h, w), as ink.

    It is turned and slanted a little, and of a somewhat other stroke width: so little that whoever
    wrote it would take it for his own.
    """
    x, y, w, h = cv2.boundingRect(picture)
    turn, slant = random.normal(0, TURN), random.normal(0, SLANT)
    scale = size / max(w, h)
    forward = scale * np.array([[1, -slant - turn], [turn, 1]])
    corners = np.array([(0, 0), (w, 0), (w, h), (0, h)]) @ forward.T
    low, extent = corners.min(axis=0), np.ptp(corners, axis=0)
    room = np.array([shape[1], shape[0]]) - extent
    at = room * np.clip(random.normal(0.5, 0.2, 2), 0.02, 0.98) - low
    # pixels are squares: their middles move, not their corners
    matrix = np.column_stack((forward, at + (scale - 1) / 2))
    matrix[:, 2] -= forward @ (x, y)
    ink = cv2.warpAffine(picture, matrix, shape[::-1], flags=cv2.INTER_CUBIC)
    soft = cv2.GaussianBlur(ink, (0, 0), max(0.5, size * 0.012)).astype(np.float32)
    return np.asarray(np.clip((soft - random.uniform(*CUT_AT)) * 6, 0, 255), np.uint8)


def _redraw_picture(picture: Images, shape: tuple[int, int], size: float, random: Random) -> Images:
    """A canonical picture enlarged, deformed and drawn with another stroke width, as ink (h, w)."""
    x, y, w, h = cv2.boundingRect(picture)
    corners = np.array([(x, y), (x + w, y), (x + w, y + h), (x, y + h)], np.float32)
    unit = (corners - (x, y)) / max(w, h)
    target = np.vstack(_place([unit], shape, size, random)).astype(np.float32)
    matrix = cv2.getPerspectiveTransform(corners, target)
    ink = cv2.warpPerspective(picture, matrix, shape[::-1], flags=cv2.INTER_CUBIC)
    if random.uniform() < 0.5:
        reach = size * 0.05
        shift = [
            cv2.resize(
                random.normal(0, reach, (4, 4)).astype(np.float32),
                shape[::-1],
                interpolation=cv2.INTER_CUBIC,
            )
            for _ in "xy"
        ]
        rows, columns = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
        ink = cv2.remap(ink, columns + shift[0], rows + shift[1], cv2.INTER_LINEAR)
    ink = cv2.GaussianBlur(ink, (0, 0), max(0.5, size * 0.012))
    if random.uniform() < 0.7:
        # Cut at another height of the soft stroke, then thinned or thickened: another stroke width.
        ink = np.asarray(
            np.clip((ink.astype(np.float32) - random.uniform(70, 150)) * 6, 0, 255), np.uint8
        )
        radius = int(random.uniform(-0.02, 0.03) * size)
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * abs(radius) + 1,) * 2)
        ink = (
            cv2.dilate(ink, kernel)
            if radius > 0
            else cv2.erode(ink, kernel)
            if radius < 0 and ink.mean() > 12
            else ink
        )
    return np.asarray(ink, np.uint8)


def canvas_shape(random: Random) -> tuple[int, int]:
    """Height and width of a picture to draw, px."""
    side = int(np.exp(random.uniform(np.log(56), np.log(230))))
    aspect = np.exp(0.22 * np.clip(random.normal(), -2.4, 2.4))
    return max(40, int(side * aspect**0.5)), max(40, int(side / aspect**0.5))


def rasterize_digit(
    digit: int, picture: Images | None, shape: tuple[int, int], size: float, random: Random
) -> Images:
    """One digit `size` px large as ink (h, w), from `picture` of it or from pen paths."""
    how = random.uniform()
    if picture is None or how < PATH_SHARE:
        strokes = writer_variation.vary_writing(digit_templates.digit_paths(digit, random), random)
        return rasterize_paths(strokes, shape, size, random)
    if how < PATH_SHARE + WRITTEN_SHARE:
        return as_written(picture, shape, size, random)
    return _redraw_picture(picture, shape, size, random)


def with_neighbour(ink: Images, random: Random) -> Images:
    """Strokes of a neighbouring cell that reach over an edge."""
    shape = ink.shape
    size = min(shape) * random.uniform(0.3, 0.7)
    strokes = _place(
        digit_templates.digit_paths(int(random.integers(10)), random), shape, size, random
    )
    side = int(random.integers(4))
    every = np.vstack(strokes)
    reach = random.uniform(0.03, 0.12) * min(shape)
    axis, far = side // 2, side % 2
    move = np.zeros(2)
    move[axis] = (
        (shape[1 - axis] - reach - every[:, axis].min()) if far else (reach - every[:, axis].max())
    )
    return np.asarray(
        cv2.max(ink, pen_paths.draw([s + move for s in strokes], shape, size * 0.05)), np.uint8
    )
