"""Written digits as ink on an empty canvas: by pen paths, or a given picture bent and redrawn."""

import cv2
import numpy as np
from numpy.typing import NDArray

from tasks.synthesis import digit_templates, pen_paths, writer_variation

Random = np.random.Generator
Images = NDArray[np.uint8]

SWAY = 0.04  # of the height: how far a hand sways
UNEVEN_SHARE = 0.4  # of what is drawn by paths: with a pen that is pressed unevenly
PATH_SHARE = 0.5  # of digits: drawn from pen paths, the others from the given pictures


def _bend(points: NDArray[np.float64], random: Random) -> NDArray[np.float64]:
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


def _sway(strokes: list[pen_paths.Path], random: Random) -> list[pen_paths.Path]:
    """Strokes pushed about by two slow waves, together, as by a hand that does not lie still."""
    waves = random.normal(0, 0.5, (2, 2)), random.uniform(0, 2 * np.pi, 2)
    push = random.normal(0, SWAY, (2, 2))
    return [s + np.sin(2 * np.pi * s @ waves[0] + waves[1]) @ push for s in strokes]


def _place(
    strokes: list[pen_paths.Path], shape: tuple[int, int], size: float, random: Random
) -> list[pen_paths.Path]:
    """Strokes moved so that their box is `size` px along its longer side, somewhere in (h, w)."""
    bent = [_bend(stroke, random) for stroke in strokes]
    every = np.vstack(bent)
    low, extent = every.min(axis=0), np.maximum(np.ptp(every, axis=0), 1e-6)
    scale = size / extent.max()
    room = np.array([shape[1], shape[0]]) - extent * scale
    at = room * np.clip(random.normal(0.5, 0.2, 2), 0.02, 0.98)
    return [(stroke - low) * scale + at for stroke in bent]


def paths_ink(
    strokes: list[pen_paths.Path], shape: tuple[int, int], size: float, random: Random
) -> Images:
    """Strokes bent and drawn `size` px large with some pen, as ink (h, w)."""
    pen = size * np.exp(random.uniform(np.log(0.012), np.log(0.115)))
    placed = _place(_sway(strokes, random), shape, size, random)
    pressure = pen_paths.uneven(placed, random) if random.uniform() < UNEVEN_SHARE else None
    return pen_paths.draw(placed, shape, pen, pressure)


def _picture_ink(picture: Images, shape: tuple[int, int], size: float, random: Random) -> Images:
    """A canonical picture enlarged, bent and drawn with another pen, as ink (h, w)."""
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
        # Cut at another height of the soft stroke, then thinned or thickened: another pen.
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


def canvas(random: Random) -> tuple[int, int]:
    """Height and width of a picture to draw, px."""
    side = int(np.exp(random.uniform(np.log(56), np.log(230))))
    aspect = np.exp(0.22 * np.clip(random.normal(), -2.4, 2.4))
    return max(40, int(side * aspect**0.5)), max(40, int(side / aspect**0.5))


def digit_ink(
    digit: int, picture: Images | None, shape: tuple[int, int], size: float, random: Random
) -> Images:
    """One digit `size` px large as ink (h, w), from `picture` of it or from pen paths."""
    if picture is None or random.uniform() < PATH_SHARE:
        strokes = writer_variation.written(digit_templates.digit_paths(digit, random), random)
        return paths_ink(strokes, shape, size, random)
    return _picture_ink(picture, shape, size, random)


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
