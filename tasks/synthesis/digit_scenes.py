"""One digit as people's pictures show it, scene by scene: its paper, print, cut and light."""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from tasks.imaging.background import over
from tasks.imaging.form import Box
from tasks.synthesis import scene
from tasks.synthesis.rasterize import canvas_shape, with_neighbour

Random = np.random.Generator
Images = NDArray[np.uint8]
Write = Callable[[tuple[int, int], float, Random], Images]
"""Shape (h, w) of a picture and px of a digit's longer side to its ink (h, w), 0 to 255."""
Draw = Callable[[Write, Random], tuple[Images, Box]]
"""A digit to its scene, a scan (h, w) or a photo (h, w, 3), and its box."""

SHEET = 112  # px: side of clean sheets
SIZES = (0.36, 0.97)  # of a picture's shorter side: how large a digit is
NEIGHBOURS = 0.12  # share of scenes into which a neighbour's strokes reach
FAINT = (0.14, 0.35)  # of full ink
PRINT_ON_SCANS = (0.1, 0.6)  # of full ink
LINED_CROPS = 0.25  # share of crops that are of lined paper
ALL_SIDES, MARGINS = 0.8, (0, 0, 1, 2, 3)  # share of crops cut on all sides; px at most
THUMBNAIL = (16, 40)  # px: their sides


def _inked(write: Write, random: Random, neighbours: float = NEIGHBOURS) -> tuple[Images, Box]:
    """A digit as ink (h, w), and its box."""
    shape = canvas_shape(random)
    size = min(shape) * np.exp(random.uniform(*np.log(SIZES)))
    ink = write(shape, size, random)
    x, y, w, h = cv2.boundingRect(over(ink, 100))
    if random.uniform() < neighbours:
        ink = with_neighbour(ink, random)
    return ink, (x, y, w, h)


def _photo(write: Write, random: Random) -> tuple[Images, Box]:
    ink, box = _inked(write, random)
    return scene.photo(ink, random, np.zeros_like(ink)), box


def _scan(write: Write, random: Random) -> tuple[Images, Box]:
    ink, box = _inked(write, random)
    return scene.scan(ink, random, np.zeros_like(ink)), box


def _lined(ink: Images, random: Random, *, squared: bool | None) -> Images:
    lines = scene.rules(ink.shape, random, squared=squared)
    if random.uniform() < 0.6:
        return scene.photo(ink, random, lines)
    pale = lines * random.uniform(*PRINT_ON_SCANS)
    return scene.scan(ink, random, np.asarray(pale, np.uint8))


def _ruled(write: Write, random: Random) -> tuple[Images, Box]:
    ink, box = _inked(write, random)
    return _lined(ink, random, squared=False), box


def _graph(write: Write, random: Random) -> tuple[Images, Box]:
    ink, box = _inked(write, random)
    return _lined(ink, random, squared=True), box


def _cell(write: Write, random: Random) -> tuple[Images, Box]:
    ink, box = _inked(write, random)
    frame = scene.frame(ink.shape, random)
    if random.uniform() < 0.3:
        return scene.photo(ink, random, frame), box
    return scene.scan(ink, random, frame), box


def _box(write: Write, random: Random) -> tuple[Images, Box]:
    ink, box = _inked(write, random, neighbours=0)
    frame = scene.box_around(ink, random)
    if random.uniform() < 0.5:
        return scene.photo(ink, random, frame), box
    return scene.scan(ink, random, frame), box


def _crop(write: Write, random: Random) -> tuple[Images, Box]:
    ink, box = _inked(write, random, neighbours=0)
    if random.uniform() < LINED_CROPS:
        shown = _lined(ink, random, squared=None)
    else:
        draw = scene.photo if random.uniform() < 0.5 else scene.scan
        shown = draw(ink, random, np.zeros_like(ink))
    # what has no ink to cut to stays whole
    return _cut(shown, box, random) if min(box[2:]) > 2 else (shown, box)


def _faint(write: Write, random: Random) -> tuple[Images, Box]:
    ink, box = _inked(write, random)
    draw = scene.photo if random.uniform() < 0.5 else scene.scan
    return draw(ink, random, np.zeros_like(ink), random.uniform(*FAINT)), box


def _thumbnail(write: Write, random: Random) -> tuple[Images, Box]:
    """Ink on clean white or black, averaged down, as drawing boxes give it; the digit is all."""
    ink, _ = _inked(write, random)
    side = int(random.integers(THUMBNAIL[0], THUMBNAIL[1] + 1))
    square = max(ink.shape)
    page = np.zeros((square, square), np.uint8)
    top, left = (square - ink.shape[0]) // 2, (square - ink.shape[1]) // 2
    page[top : top + ink.shape[0], left : left + ink.shape[1]] = ink
    small = cv2.resize(page, (side, side), interpolation=cv2.INTER_AREA)
    small = cv2.convertScaleAbs(small, alpha=random.uniform(0.6, 1.6))
    shown = np.asarray(255 - small if random.uniform() < 0.7 else small, np.uint8)
    return shown, (0, 0, side, side)


def _noisy_thumbnail(write: Write, random: Random) -> tuple[Images, Box]:
    """The same of poor sensors and lines: single pixels black or white, grain, or shaken ones."""
    shown, box = _thumbnail(write, random)
    return _noisy(shown, random), box


def _noisy(picture: Images, random: Random) -> Images:
    kind = random.integers(3)
    if kind == 0:
        hit = random.random(picture.shape) < random.uniform(0.02, 0.2)
        noise = np.uint8(255) * (random.random(picture.shape) < 0.5)
        return np.where(hit, noise, picture).astype(np.uint8)
    if kind == 1:
        photons = random.uniform(2, 12)
        grain = random.poisson(picture / 255 * photons) / photons * 255
        return np.asarray(np.clip(grain, 0, 255), np.uint8)
    rows, columns = np.mgrid[: picture.shape[0], : picture.shape[1]].astype(np.float32)
    reach = 0.06 * max(picture.shape)
    shift = random.uniform(-reach, reach, (2, *picture.shape)).astype(np.float32)
    return np.asarray(
        cv2.remap(picture, columns + shift[0], rows + shift[1], cv2.INTER_LINEAR), np.uint8
    )


def _sheet(write: Write, random: Random) -> tuple[Images, Box]:
    """Dark ink on clean white, which costs little."""
    ink = write((SHEET, SHEET), 0.85 * SHEET, random)
    x, y, w, h = cv2.boundingRect(over(ink, 100))
    return np.asarray(255 - ink, np.uint8), (x, y, w, h)


def _cut(shown: Images, box: Box, random: Random) -> tuple[Images, Box]:
    """Cut a picture to the ink in `box`, on all sides or on one, with few px of margin."""
    x, y, w, h = box
    ends = [x, y, x + w, y + h]
    rim = [0, 0, shown.shape[1], shown.shape[0]]
    sides = range(4) if random.uniform() < ALL_SIDES else [int(random.integers(4))]
    widest = int(random.choice(MARGINS))
    for side in sides:
        margin = int(random.integers(0, widest + 1)) * (-1 if side < 2 else 1)
        rim[side] = int(np.clip(ends[side] + margin, 0, shown.shape[1 - side % 2]))
    left, top, right, bottom = rim
    return np.ascontiguousarray(shown[top:bottom, left:right]), (x - left, y - top, w, h)


SCENES: dict[str, Draw] = {
    "sheet": _sheet,
    "thumbnail": _thumbnail,
    "noisy thumbnail": _noisy_thumbnail,
    "scan": _scan,
    "photo": _photo,
    "faint ink": _faint,
    "ruled paper": _ruled,
    "graph paper": _graph,
    "form cell": _cell,
    "printed box": _box,
    "tight crop": _crop,
}
"""By name; what is learned, calibrated and judged is drawn by these."""
