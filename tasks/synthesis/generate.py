"""Simulated pictures for training: digits, and what is none, as scans and photos show them."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from tasks.imaging.background import over
from tasks.imaging.canonical import canonical, prepared
from tasks.imaging.form import Box
from tasks.metrics.calibration import NO_DIGIT
from tasks.processes.pool import process_pool
from tasks.synthesis import scene
from tasks.synthesis.non_digits import non_digit_ink
from tasks.synthesis.rasterize import canvas_shape, rasterize_digit, with_neighbour

Random = np.random.Generator
Images = NDArray[np.uint8]

SHEETS, SHEET = 0.3, 112  # share of pictures that are clean sheets of pen paths; their side, px
THUMBNAILS, PHOTOS = 0.06, 0.42  # shares of the other scenes; what is left is scans
BOXED, CUT = 0.06, 0.12  # shares of them: in a printed box; cut to the ink
FOUND = 0.55  # overlap of boxes from which the digit, not something else, was found
WHOLE, WITH_LINE = 0.9, 1.5  # of the digit's sides: found whole; how large with a piece of a line
FOUND_ALL = 0.8  # overlap from which all of several digits were found
CHUNK = 500  # pictures per piece of work; part of the seed, so it does not depend on the processes


@dataclass(frozen=True)
class LabelledImages:
    """Canonical pictures uint8 (N, 28, 28) and labels int8 (N,), -1 where there is no digit."""

    images: Images
    labels: NDArray[np.int8]


def digit_scene(digit: int, picture: Images | None, random: Random) -> tuple[Images, Box]:
    """One digit as a scan (h, w), a photo (h, w, 3) or on a clean sheet, and its box (x, y, w, h).

    `picture` is a canonical one of the digit, or None to draw from pen paths alone.
    """
    if random.uniform() < SHEETS:
        return _sheet(digit, random)
    shape = canvas_shape(random)
    size = min(shape) * np.exp(random.uniform(np.log(0.36), np.log(0.97)))
    ink = rasterize_digit(digit, picture, shape, size, random)
    box = cv2.boundingRect(over(ink, 100))
    if random.uniform() < 0.12:
        ink = with_neighbour(ink, random)
    kind = random.uniform()
    if kind < THUMBNAILS:
        shown = _thumbnail(ink, random)
        return shown, (0, 0, *shown.shape)
    if random.uniform() < BOXED:
        ink = np.asarray(cv2.max(ink, scene.box_around(ink, random)), np.uint8)
    photo = scene.photo if kind < THUMBNAILS + PHOTOS else scene.scan
    shown = photo(ink, random)
    if random.uniform() < CUT and min(box[2:]) > 2:  # ink enough to cut to
        return _cut(shown, (box[0], box[1], box[2], box[3]), random)
    return shown, (box[0], box[1], box[2], box[3])


def _cut(shown: Images, box: Box, random: Random) -> tuple[Images, Box]:
    """Cut a picture to the ink in `box`, on all sides or on one, with 0 to 3 px of margin."""
    x, y, w, h = box
    ends = [x, y, x + w, y + h]
    rim = [0, 0, shown.shape[1], shown.shape[0]]
    sides = range(4) if random.uniform() < 0.7 else [int(random.integers(4))]
    for side in sides:
        margin = int(random.integers(0, 4)) * (-1 if side < 2 else 1)
        rim[side] = int(np.clip(ends[side] + margin, 0, shown.shape[1 - side % 2]))
    left, top, right, bottom = rim
    return np.ascontiguousarray(shown[top:bottom, left:right]), (x - left, y - top, w, h)


def _sheet(digit: int, random: Random) -> tuple[Images, Box]:
    """Dark pen paths on clean white, and their box: pen paths alone, which cost little."""
    ink = rasterize_digit(digit, None, (SHEET, SHEET), 0.85 * SHEET, random)
    x, y, w, h = cv2.boundingRect(over(ink, 100))
    return np.asarray(255 - ink, np.uint8), (x, y, w, h)


def _thumbnail(ink: Images, random: Random) -> Images:
    """Ink on clean white or black, averaged down to 16 to 40 px a side, as drawing boxes give."""
    side = int(random.integers(16, 41))
    square = max(ink.shape)
    page = np.zeros((square, square), np.uint8)
    top, left = (square - ink.shape[0]) // 2, (square - ink.shape[1]) // 2
    page[top : top + ink.shape[0], left : left + ink.shape[1]] = ink
    small = cv2.resize(page, (side, side), interpolation=cv2.INTER_AREA)
    small = cv2.convertScaleAbs(small, alpha=random.uniform(0.6, 1.6))
    return np.asarray(255 - small if random.uniform() < 0.7 else small, np.uint8)


def _overlap(a: Box, b: Box) -> float:
    """Intersection over union of two boxes."""
    width = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    height = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    shared = max(0, width) * max(0, height)
    return shared / max(1, a[2] * a[3] + b[2] * b[3] - shared)


def _shows(found: Box, digit: Box) -> bool:
    """Whether what was found is the digit, perhaps with pieces of a printed line."""
    if _overlap(digit, found) >= FOUND:
        return True
    width = min(digit[0] + digit[2], found[0] + found[2]) - max(digit[0], found[0])
    height = min(digit[1] + digit[3], found[1] + found[3]) - max(digit[1], found[1])
    whole = digit[2] > 0 and width >= WHOLE * digit[2] and height >= WHOLE * digit[3]
    return whole and max(found[2:]) <= WITH_LINE * max(digit[2:])


def found_digit(
    digit: int, picture: Images | None, random: Random, *, without_doubt: bool = False
) -> Images:
    """A digit in canonical form as reading finds it, in a scene where it is found.

    Without doubt: in a scene that can be seen in one way alone.
    """
    for _ in range(4):
        shown, box = digit_scene(digit, picture, random)
        image, facts, others = prepared(shown)
        if without_doubt and (others or facts.doubts):
            continue
        if shown.shape[0] <= 40 or _shows(facts.box, box):
            return image
    return canonical(255 - picture)[0] if picture is not None else image


def non_digit_scene(
    pictures: Images, labels: NDArray[np.int8], random: Random
) -> tuple[Images, Box]:
    """A scan or photo without a single digit, and the box of its ink.

    The ink is that of `non_digits`; under it lie paper and light as under a digit.
    """
    ink = non_digit_ink(pictures, labels, random)
    box = cv2.boundingRect(over(ink, 100))
    photo = scene.photo if random.uniform() < 0.5 else scene.scan
    return photo(ink, random), (box[0], box[1], box[2], box[3])


def found_non_digit(pictures: Images, labels: NDArray[np.int8], random: Random) -> Images:
    """What reading finds where no single digit is; one digit found among several does not count."""
    if random.uniform() < 0.06:
        return _texture(random)
    while True:
        shown, box = non_digit_scene(pictures, labels, random)
        image, facts = canonical(shown)
        if box[2] == 0 or _overlap(box, facts.box) >= FOUND_ALL:
            return image


def _texture(random: Random) -> Images:
    """Noise in the canonical frame, as blank paper turns out when its texture is all there is."""
    rough = random.random((28, 28)) < random.uniform(0.02, 0.5)
    soft = cv2.GaussianBlur(rough.astype(np.float32), (0, 0), random.uniform(0.4, 1.5))
    soft[:4], soft[-4:], soft[:, :4], soft[:, -4:] = 0, 0, 0, 0
    return np.asarray(soft / max(float(soft.max()), 1e-3) * 255, np.uint8)


@dataclass(frozen=True)
class _Chunk:
    """Pictures that one process draws, by a seed of their own."""

    seed: int
    number: int
    count: int
    digits: bool  # else pictures without one
    source: LabelledImages  # from which it picks
    without_doubt: bool = False  # only digits that can be seen in one way

    def drawn(self) -> LabelledImages:
        """Draw them."""
        cv2.setNumThreads(1)
        random = np.random.default_rng([self.seed, self.number, self.digits])
        pictures, labels = self.source.images, self.source.labels
        images = np.zeros((self.count, 28, 28), np.uint8)
        out = np.full(self.count, NO_DIGIT, np.int8)
        for i in range(self.count):
            if self.digits:
                k = int(random.integers(len(pictures)))
                images[i] = found_digit(
                    int(labels[k]), pictures[k], random, without_doubt=self.without_doubt
                )
                out[i] = labels[k]
            else:
                images[i] = found_non_digit(pictures, labels, random)
        return LabelledImages(images, out)


def deformed(images: Images, seed: int) -> Images:
    """Return canonical pictures, (N, 28, 28), a little rotated, sheared, zoomed and warped.

    Affine and elastic deformations, as in Simard et al., "Best practices for convolutional neural
    networks applied to visual document analysis", 2003.
    """
    random = np.random.default_rng([seed, 28])
    rows, columns = np.mgrid[:28, :28].astype(np.float32)
    out = np.empty_like(images)
    for i, image in enumerate(images):
        angle, slant = random.normal(0, 0.1), random.normal(0, 0.1)
        grow = np.exp(random.normal(0, 0.06, 2))
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        back = turn @ np.array([[grow[0], slant], [0, grow[1]]])
        shift = random.normal(0, 0.5, 2)
        wave = cv2.resize(
            random.normal(0, 0.7, (5, 5, 2)).astype(np.float32),
            (28, 28),
            interpolation=cv2.INTER_CUBIC,
        )
        x, y = (
            back[axis, 0] * (columns - 13.5)
            + back[axis, 1] * (rows - 13.5)
            + 13.5
            + shift[axis]
            + wave[..., axis]
            for axis in (0, 1)
        )
        out[i] = cv2.remap(image, x.astype(np.float32), y.astype(np.float32), cv2.INTER_LINEAR)
    return out


@dataclass(frozen=True)
class Wanted:
    """What is to be simulated."""

    digits: int  # pictures with one
    no_digits: int  # pictures without
    without_doubt: bool = False  # no digits that can be seen in several ways


def simulate(
    source: LabelledImages,
    wanted: Wanted,
    seed: int,
    processes: int = 0,
    on_progress: Callable[[int], None] | None = None,
) -> LabelledImages:
    """Simulate scenes from the given canonical digits, and some without a digit after them.

    The same seed gives the same pictures, however many processes draw them. Pictures in which no
    ink is found stay: they are all 0.

    Args:
        source: canonical digits.
        wanted: how many of each.
        seed: of all of them.
        processes: that draw; 0: one per core, 1: this one.
        on_progress: called with how many are drawn by now.
    """
    chunks = [
        replace(chunk, without_doubt=wanted.without_doubt)
        for count, is_digit in ((wanted.digits, True), (wanted.no_digits, False))
        for chunk in _chunks(source, count, seed, digits=is_digit)
    ]
    if processes == 1:
        parts = [chunk.drawn() for chunk in chunks]
    else:
        # read by the processes that are started: numpy's tiny solves are slower with threads
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
        with process_pool(processes) as pool:
            parts = []
            for part in pool.map(_Chunk.drawn, chunks):
                parts.append(part)
                if on_progress:
                    on_progress(sum(len(done.labels) for done in parts))
    return LabelledImages(
        np.concatenate([part.images for part in parts]),
        np.concatenate([part.labels for part in parts]),
    )


def _chunks(source: LabelledImages, wanted: int, seed: int, *, digits: bool) -> Iterator[_Chunk]:
    for number in range(-(-wanted // CHUNK)):
        pick = np.random.default_rng([seed, number, 7]).integers(0, len(source.images), CHUNK)
        picked = LabelledImages(source.images[pick], source.labels[pick].astype(np.int8))
        yield _Chunk(seed, number, min(CHUNK, wanted - number * CHUNK), digits, picked)
