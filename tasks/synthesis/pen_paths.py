"""Pen paths: shaken curves and corners, scribbles made of them, and their ink on a canvas."""

import cv2
import numpy as np
from numpy.typing import NDArray

Path = NDArray[np.float64]  # (n, 2) x to the right, y down; a digit is about 1 high
Random = np.random.Generator


def curve(points: list[tuple[float, float]], random: Random, shake: float = 0.022) -> Path:
    """Smooth path through shaken points (centripetal-free Catmull-Rom spline)."""
    knots = np.asarray(points, float) + random.normal(0, shake, (len(points), 2))
    padded = np.vstack((2 * knots[0] - knots[1], knots, 2 * knots[-1] - knots[-2]))
    t = np.linspace(0, 1, 9)[:-1, None]
    pieces = []
    for a, b, c, d in zip(padded, padded[1:], padded[2:], padded[3:], strict=False):
        pieces.append(
            0.5
            * (
                2 * b
                + (c - a) * t
                + (2 * a - 5 * b + 4 * c - d) * t**2
                + (3 * b - a - 3 * c + d) * t**3
            )
        )
    return np.vstack((*pieces, knots[-1:]))


def corner(points: list[tuple[float, float]], random: Random, shake: float = 0.02) -> Path:
    """Straight strokes between shaken points."""
    return np.asarray(points, float) + random.normal(0, shake, (len(points), 2))


def scribble_paths(random: Random) -> list[Path]:
    """Strokes of no meaning: loops, zigzags, crosses, spirals."""
    kind = random.integers(4)
    if kind == 0:
        return [
            curve([tuple(p) for p in random.uniform(0, 1, (random.integers(5, 14), 2))], random)
        ]
    if kind == 1:
        count = int(random.integers(5, 11))
        return [corner([(i / count, float(i % 2)) for i in range(count)], random, 0.08)]
    if kind == 2:
        return [
            corner([tuple(p) for p in random.uniform(0, 1, (2, 2))], random)
            for _ in range(random.integers(4, 8))
        ]
    turns = random.uniform(2.4, 4)
    angles = np.linspace(0, 2 * np.pi * turns, int(turns * 14))
    ring = (
        np.column_stack((np.cos(angles), np.sin(angles)))
        * (np.linspace(0.05, 0.5, len(angles)) ** random.uniform(0.5, 1.2))[:, None]
    )
    return [ring + random.normal(0, 0.02, ring.shape)]


def draw(
    strokes: list[Path], shape: tuple[int, int], pen: float, pressure: list[Path] | None = None
) -> NDArray[np.uint8]:
    """Ink of strokes in px coordinates on an empty (h, w) canvas, `pen` px wide, 0 to 255.

    `pressure` (n,) of each stroke says how many times as wide it is at each of its points.
    """
    canvas = np.zeros(shape, np.uint8)
    level = 255 if pen >= 1 else max(90, int(255 * pen))
    for number, stroke in enumerate(strokes):
        points = np.round(stroke * 16).astype(np.int32)[:, None]
        widths = np.ones(1) if pressure is None else pressure[number]
        widths = np.maximum(np.round(widths * pen), 1).astype(int)
        ends = [*(np.flatnonzero(np.diff(widths)) + 1), len(points)]
        for first, end in zip([0, *ends], ends, strict=False):
            part = points[max(0, first - 1) : end]
            cv2.polylines(canvas, [part], False, level, int(widths[first]), cv2.LINE_AA, shift=4)
    return canvas


def pen_pressure(strokes: list[Path], random: Random) -> list[NDArray[np.float64]]:
    """Pressure along each stroke, (n,) around 1: a pen that is slow here and quick there."""
    strength = random.uniform(0.1, 0.45)
    out = []
    for stroke in strokes:
        knots = max(3, len(stroke) // 12)
        rough = np.exp(random.normal(0, strength, knots))
        out.append(np.interp(np.linspace(0, knots - 1, len(stroke)), np.arange(knots), rough))
    return out
