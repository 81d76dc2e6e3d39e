"""Simulated pictures for training: digits, and what is none, as scans and photos show them."""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from tasks.imaging.background import over
from tasks.imaging.canonical import canonical, prepared
from tasks.imaging.form import SMALL_SIDE, Box
from tasks.metrics.calibration import NO_DIGIT
from tasks.processes.pool import process_pool
from tasks.synthesis import scene
from tasks.synthesis.digit_scenes import SCENES
from tasks.synthesis.non_digits import non_digit_ink
from tasks.synthesis.rasterize import rasterize_digit

Random = np.random.Generator
Images = NDArray[np.uint8]

LEARNED = {
    "sheet": 0.28,
    "thumbnail": 0.03,
    "noisy thumbnail": 0.03,
    "scan": 0.1,
    "photo": 0.13,
    "faint ink": 0.05,
    "ruled paper": 0.1,
    "graph paper": 0.1,
    "form cell": 0.07,
    "printed box": 0.03,
    "tight crop": 0.08,
}
"""Share of the digits that are learned in each scene."""
FOUND = 0.55  # overlap of boxes from which the digit, not something else, was found
WHOLE, WITH_LINE = 0.9, 1.5  # of the digit's sides: found whole; how large with a piece of a line
FOUND_ALL = 0.8  # overlap from which all of several digits were found
CHUNK = 500  # pictures per piece of work; part of the seed, so it does not depend on the processes


class Labelled(Protocol):
    """Pictures with their labels."""

    @property
    def labels(self) -> NDArray[np.int8]:
        """Return one for each."""


Chunk = TypeVar("Chunk")
Part = TypeVar("Part", bound=Labelled)


@dataclass(frozen=True)
class LabelledImages:
    """Canonical pictures uint8 (N, 28, 28) and labels int8 (N,), -1 where there is no digit."""

    images: Images
    labels: NDArray[np.int8]


def digit_scene(digit: int, picture: Images | None, random: Random) -> tuple[Images, Box]:
    """One digit as a scan (h, w) or a photo (h, w, 3), and its box; each scene as LEARNED says.

    `picture` is a canonical one of it, or None to draw from pen paths alone, as on clean sheets.
    """
    name = str(random.choice(list(LEARNED), p=list(LEARNED.values())))
    picture = None if name == "sheet" else picture
    return SCENES[name](partial(rasterize_digit, digit, picture), random)


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


def found_digit(digit: int, picture: Images | None, random: Random) -> Images:
    """A digit in canonical form as reading finds it, in a scene where it is found.

    Of several ways to see it, it is one of them.
    """
    for _ in range(4):
        shown, box = digit_scene(digit, picture, random)
        image, facts, others = prepared(shown)
        if shown.shape[0] <= SMALL_SIDE or _shows(facts.box, box):
            forms = (image, *others)
            return forms[random.integers(len(forms))] if others else image
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
                images[i] = found_digit(int(labels[k]), pictures[k], random)
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
        chunk
        for count, is_digit in ((wanted.digits, True), (wanted.no_digits, False))
        for chunk in _chunks(source, count, seed, digits=is_digit)
    ]
    parts = drawn(_Chunk.drawn, chunks, processes, on_progress)
    return LabelledImages(
        np.concatenate([part.images for part in parts]),
        np.concatenate([part.labels for part in parts]),
    )


def drawn(
    draw: Callable[[Chunk], Part],
    chunks: Sequence[Chunk],
    processes: int = 0,
    on_progress: Callable[[int], None] | None = None,
) -> list[Part]:
    """Return what is drawn of each chunk, in order.

    Args:
        draw: makes a part of a chunk, with as many `labels` as pictures.
        chunks: each with a seed of its own.
        processes: that draw; 0: one per core, 1: this one.
        on_progress: called with how many pictures are drawn by now.
    """
    if processes == 1:
        return [draw(chunk) for chunk in chunks]
    # read by the processes that are started: numpy's tiny solves are slower with threads
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    parts: list[Part] = []
    with process_pool(processes) as pool:
        for part in pool.map(draw, chunks):
            parts.append(part)
            if on_progress:
                on_progress(sum(len(done.labels) for done in parts))
    return parts


def _chunks(source: LabelledImages, wanted: int, seed: int, *, digits: bool) -> Iterator[_Chunk]:
    for number in range(-(-wanted // CHUNK)):
        pick = np.random.default_rng([seed, number, 7]).integers(0, len(source.images), CHUNK)
        picked = LabelledImages(source.images[pick], source.labels[pick].astype(np.int8))
        yield _Chunk(seed, number, min(CHUNK, wanted - number * CHUNK), digits, picked)
