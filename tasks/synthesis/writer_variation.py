"""Variation between writers: what turns one template of a digit into many people's digits.

Paths are those of `digit_templates`, one 1 high; whatever is done to them, the digit stays the
same.
"""

import numpy as np
from numpy.typing import NDArray

from tasks.synthesis.pen_paths import Path, Random

Values = NDArray[np.float64]  # (n,)

STEP = 0.02  # of the height: distance of the points of an even path
PROPORTION = 0.22  # deviation of the logarithm of the power that moves waists and loops up or down
CURVATURE = 0.06  # of the height: how far a bow bends a digit
ROUND = (0.01, 0.055)  # of the height: how far quick writing cuts corners
WOBBLE = 0.022  # of the height: how far an unsteady pen leaves its path
HOOK = (0.03, 0.13)  # of the height: length of what a pen adds where it lands or leaves
SKIP = (0.03, 0.09)  # of the height: how long a ball pen gives no ink


def vary_writing(strokes: list[Path], random: Random) -> list[Path]:
    """Strokes as one writer draws them: proportions, corners, hooks, skips, twice drawn parts."""
    strokes = _reproportioned(strokes, random)
    quick = random.uniform(*ROUND) if random.uniform() < 0.55 else 0.0
    unsteady = abs(random.normal(0, WOBBLE))
    out = []
    for stroke in strokes:
        path = resampled(stroke)
        if quick:
            path = rounded(path, quick)
        path = _wobbled(path, unsteady, random)
        for flip in (False, True):
            if random.uniform() < 0.16:
                path = _hooked(path[::-1] if flip else path, random)
                path = path[::-1] if flip else path
        if random.uniform() < 0.05:
            out.append(_retraced(path, random))
        out += _skipped(path, random) if random.uniform() < 0.05 else [path]
    return out


def resampled(path: Path) -> Path:
    """Points (n, 2) along the same path, about STEP apart."""
    lengths = np.concatenate(([0.0], np.cumsum(np.hypot(*np.diff(path, axis=0).T))))
    count = max(3, int(lengths[-1] / STEP) + 1)
    at = np.linspace(0, lengths[-1], count)
    return np.column_stack([np.interp(at, lengths, path[:, axis]) for axis in (0, 1)])


def rounded(path: Path, by: float) -> Path:
    """An even path whose corners are cut about `by` of the height; its ends stay."""
    return np.column_stack([_smooth(path[:, axis], by / STEP) for axis in (0, 1)])


def _smooth(values: Values, deviation: float) -> Values:
    """Values averaged with a bell of that deviation; mirrored about the ends, which stay."""
    reach = min(len(values) - 1, int(3 * deviation) + 1)
    bell = np.exp(-0.5 * (np.arange(-reach, reach + 1) / deviation) ** 2)
    before = 2 * values[0] - values[reach:0:-1]
    after = 2 * values[-1] - values[-2 : -reach - 2 : -1]
    whole = np.concatenate((before, values, after))
    return np.asarray(np.convolve(whole, bell / bell.sum(), "valid"))


def _reproportioned(strokes: list[Path], random: Random) -> list[Path]:
    """Strokes with their waists and loops moved up or down, sideways, and bowed."""
    every = np.vstack(strokes)
    low, extent = every.min(axis=0), np.maximum(np.ptp(every, axis=0), 1e-6)
    power, bow = (
        np.exp(random.normal(0, [0.6 * PROPORTION, PROPORTION])),
        random.normal(0, CURVATURE),
    )
    out = []
    for stroke in strokes:
        moved = low + ((stroke - low) / extent) ** power * extent
        moved[:, 0] += bow * 4 * (moved[:, 1] - 0.5) ** 2
        out.append(moved)
    return out


def _wobbled(path: Path, far: float, random: Random) -> Path:
    """An even path pushed about by slow noise along it."""
    knots = max(3, int(len(path) * STEP * 4))
    at = np.linspace(0, knots - 1, len(path))
    push = random.normal(0, far, (2, knots))
    slow = np.column_stack([np.interp(at, np.arange(knots), row) for row in push])
    return path + np.column_stack([_smooth(slow[:, axis], 4) for axis in (0, 1)])


def _hooked(path: Path, random: Random) -> Path:
    """A path that ends in a short stroke to another direction."""
    ahead = path[-1] - path[max(-4, -len(path))]
    angle = np.arctan2(ahead[1], ahead[0]) + random.choice([-1, 1]) * random.uniform(0.4, 2.6)
    length = random.uniform(*HOOK)
    way = np.linspace(0, 1, 5)[1:, None] * length * np.array([np.cos(angle), np.sin(angle)])
    return np.vstack((path, path[-1] + way))


def _retraced(path: Path, random: Random) -> Path:
    """A part of the path drawn once more, a little beside it."""
    first, last = np.sort(random.integers(0, len(path), 2))
    part = path[first : max(last, first + 3)]
    drift = np.linspace(0, 1, len(part))[:, None] * random.normal(0, 0.04, 2)
    return part + random.normal(0, 0.015, 2) + drift


def _skipped(path: Path, random: Random) -> list[Path]:
    """The path with a short gap somewhere, or without its beginning."""
    gap = max(1, int(random.uniform(*SKIP) / STEP))
    at = int(random.integers(0, max(1, len(path) - gap)))
    return [part for part in (path[:at], path[at + gap :]) if len(part) > 1] or [path]
