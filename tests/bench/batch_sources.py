"""Simulated sources of pictures, each with its own paper, pens and hands, whole or broken.

A source is a scanner, a phone, a form: its look is drawn once and stays, its writers and conditions
(light, focus, how hard a pen is pressed) vary, and each batch has some of them. Digits are those of
MNIST, enlarged here; nothing is shared with the simulation that models are trained on.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from tests.bench.letters import CAPITALS, GREEK, SMALL, by_hand
from tests.bench.letters import cover_of as letter_cover
from tests.bench.papers import LINES, camera

Random = np.random.Generator
Cover = NDArray[np.float32]  # (h, w) 0 to 1: how much ink covers a place
Pixels = NDArray[np.uint8]

WRITERS = 30
CONDITIONS = 8
FINE = 160  # px: the longer side of a digit before it is brought to its size
KINDS = ("scans", "photos", "thin pen", "forms", "pencil")


@dataclass(frozen=True)
class Digits:
    """Canonical pictures uint8 (N, 28, 28) and their labels, of which a source's hands are."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int8]


@dataclass(frozen=True)
class Condition:
    """How some pictures of a source are taken; factors of what the source has."""

    light: float = 1.0
    pressed: float = 1.0
    blur: float = 1.0
    noise: float = 1.0
    size: float = 1.0


@dataclass(frozen=True)
class Writer:
    """One hand of a source."""

    slant: float
    pen: float  # factor of the source's pens
    size: float


@dataclass(frozen=True)
class Source:
    """Where batches come from: what all its pictures have in common."""

    kind: str
    seed: int
    side: int  # px of a picture
    paper: float  # grey
    fade: float  # share of the paper's light that its ink takes
    size: float  # of the picture's side: a digit's longer one
    pen: float  # of a digit's longer side: width of strokes
    noise: float  # grey levels
    blur: float  # px
    uneven: float  # share of the light that is lost from one side to the other
    printed: str  # "none", "frame", "ruled", "box"
    inverted: bool
    blank: float  # share of pictures with nothing on them
    odd: float  # share with a letter
    mix: tuple[float, ...]  # shares of the digits
    conditions: tuple[Condition, ...]
    writers: tuple[Writer, ...]


def source_of(kind: str, seed: int) -> Source:
    """Return a source of one of KINDS, by chance."""
    random = np.random.default_rng([seed, KINDS.index(kind)])
    uniform = random.uniform
    mix = random.dirichlet(np.full(10, 1.2)) * 0.9 + 0.01
    plain = Source(
        kind=kind,
        seed=seed,
        side=int(uniform(56, 150)),
        paper=uniform(225, 250),
        fade=uniform(0.65, 0.9),
        size=uniform(0.5, 0.75),
        pen=uniform(0.07, 0.12),
        noise=uniform(0.5, 2.5),
        blur=uniform(0.4, 0.8),
        uneven=0.0,
        printed="none",
        inverted=random.random() < 0.1,
        blank=uniform(0, 0.05),
        odd=uniform(0, 0.02),
        mix=tuple(float(share) for share in mix),
        conditions=tuple(
            Condition(
                float(random.normal(1, 0.02)),
                float(np.clip(random.normal(1, 0.08), 0.75, 1.1)),
                *(float(np.exp(random.normal(0, by))) for by in (0.15, 0.2, 0.05)),
            )
            for _ in range(CONDITIONS)
        ),
        writers=tuple(
            Writer(
                float(random.normal(0.05, 0.12)),
                *(float(np.exp(random.normal(0, by))) for by in (0.15, 0.08)),
            )
            for _ in range(WRITERS)
        ),
    )
    changes: dict[str, dict[str, float | str]] = {
        "scans": {},
        "photos": {
            "side": int(uniform(140, 220)),
            "paper": uniform(150, 210),
            "noise": uniform(2, 5),
            "blur": uniform(0.7, 1.4),
            "uneven": uniform(0.1, 0.35),
            "size": uniform(0.42, 0.6),
        },
        "thin pen": {"pen": uniform(0.03, 0.05), "fade": uniform(0.6, 0.8)},
        "forms": {
            "printed": str(random.choice(["frame", "ruled", "box"])),
            "size": uniform(0.45, 0.6),
            "side": int(uniform(80, 150)),
        },
        "pencil": {"fade": uniform(0.2, 0.35), "pen": uniform(0.05, 0.08)},
    }
    return replace(plain, **changes[kind])


def cover_of(image: Pixels, size: float, slant: float, pen: float) -> Cover:
    """Return a canonical digit `size` px along its longer side, its strokes `pen` px wide."""
    x, y, w, h = cv2.boundingRect(image)
    factor = FINE / max(w, h)
    rim = FINE // 4
    lean = slant * h * factor
    forward = np.array(
        [
            [factor, -slant * factor, rim + max(lean, 0) - factor * (x - slant * y)],
            [0, factor, rim - factor * y],
        ]
    )
    shape = (int(w * factor + abs(lean)) + 2 * rim, int(h * factor) + 2 * rim)
    large = cv2.warpAffine(image, forward, shape, flags=cv2.INTER_CUBIC)
    ink = np.asarray(cv2.GaussianBlur(large, (0, 0), factor / 2) > 110, np.uint8)
    depth = cv2.distanceTransform(ink, cv2.DIST_L2, 5)
    had = 4 * float(depth.sum()) / max(1, int(ink.sum()))
    wanted = pen / size * FINE
    if wanted > had:
        wide = cv2.distanceTransform(1 - ink, cv2.DIST_L2, 5)
        ink = np.asarray(wide <= (wanted - had) / 2, np.uint8)
    else:
        ridge = (depth > 2) & (depth >= cv2.dilate(depth, np.ones((5, 5))) - 1.2)
        away = cv2.distanceTransform(np.asarray(~ridge, np.uint8), cv2.DIST_L2, 5)
        inner = depth > (had - wanted) / 2 + 1
        ink = np.asarray(((away <= wanted / 2) | inner) & (ink > 0), np.uint8)
        ink = cv2.morphologyEx(ink, cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8))
    x, y, w, h = cv2.boundingRect(ink)
    whole = ink[y : y + h, x : x + w].astype(np.float32)
    scale = size / max(w, h)
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return np.asarray(
        cv2.resize(whole, (max(1, round(w * scale)), max(1, round(h * scale))), interpolation=how),
        np.float32,
    )


def _printed(source: Source, paper: NDArray[np.float32], random: Random) -> None:
    """Print on paper (h, w) what a source's form has."""
    side = paper.shape[0]
    own = np.random.default_rng([source.seed, 5])
    tone = float(np.mean(LINES[own.integers(len(LINES))])) * own.uniform(0.6, 1.0) / 255
    thick, shift = int(own.integers(1, 3)), random.normal(0, 0.015, 2) * side
    lines = np.zeros(paper.shape, np.uint8)
    if source.printed == "ruled":
        period = own.uniform(0.2, 0.45) * side
        for at in np.arange(own.uniform(0, period), side, period):
            cv2.line(lines, (0, int(at + shift[0])), (side, int(at + shift[0])), 255, thick)
    elif source.printed != "none":
        inset = (0.02 if source.printed == "frame" else 0.12) * side
        low, high = (round(float(v)) for v in (inset, side - 1 - inset))
        left, top = (round(float(v)) for v in shift)
        cv2.rectangle(lines, (low + left, low + top), (high + left, high + top), 255, thick)
    paper *= 1 - lines.astype(np.float32) / 255 * (1 - tone)


def _laid(paper: NDArray[np.float32], cover: Cover, random: Random, fade: float) -> None:
    """Lay ink on paper, about its middle; what is beyond its rim is cut off."""
    height, width = paper.shape
    h, w = cover.shape
    left = round((width - w) / 2 + random.normal(0, 0.04) * width)
    top = round((height - h) / 2 + random.normal(0, 0.04) * height)
    x0, y0, x1, y1 = max(0, left), max(0, top), min(width, left + w), min(height, top + h)
    grain = np.clip(1 - abs(random.normal(0, 0.12, (y1 - y0, x1 - x0))), 0, 1)
    paper[y0:y1, x0:x1] *= 1 - cover[y0 - top : y1 - top, x0 - left : x1 - left] * fade * grain


@dataclass(frozen=True)
class Wish:
    """Which picture of a source is to be drawn."""

    condition: int
    writer: int
    digit: int | None  # None: nothing is written


def drawn(
    source: Source, wish: Wish, digits: Digits, random: Random, *, letter: bool = False
) -> Pixels:
    """Draw one picture of a source, (h, w)."""
    now, hand = source.conditions[wish.condition], source.writers[wish.writer]
    y, x = np.mgrid[0 : 1 : source.side * 1j, 0 : 1 : source.side * 1j]
    lit = 1 - source.uneven * (x * 0.7 + y * 0.3) * random.uniform(0.7, 1.3)
    paper = np.asarray(np.minimum(source.paper * now.light, 254) * lit, np.float32)
    _printed(source, paper, random)
    size = source.size * source.side * now.size * hand.size * float(np.exp(random.normal(0, 0.06)))
    pen = source.pen * hand.pen * size
    if letter:
        glyphs = list((CAPITALS | SMALL | GREEK).values())
        strokes = by_hand(glyphs[random.integers(len(glyphs))], random)
        _laid(paper, letter_cover(strokes, size, max(1.0, pen)), random, source.fade * now.pressed)
    elif wish.digit is not None:
        some = np.flatnonzero(digits.labels == wish.digit)
        image = digits.images[some[random.integers(len(some))]]
        slant = hand.slant + random.normal(0, 0.04)
        cover = cover_of(image, size, slant, pen)
        _laid(paper, cover, random, source.fade * now.pressed)
    soft = cv2.GaussianBlur(paper, (0, 0), source.blur * now.blur)
    seen = camera(np.asarray(soft, np.float32), random, source.noise * now.noise)
    return 255 - seen if source.inverted else seen


def _striped(picture: Pixels, random: Random) -> Pixels:
    period, width = random.uniform(0.04, 0.12) * picture.shape[1], random.uniform(0.3, 0.6)
    at = (np.arange(picture.shape[1]) + random.uniform(0, period)) % period < width * period
    return np.asarray(picture * np.where(at, 0.35, 1.0), np.uint8)


def _blurred(picture: Pixels, random: Random) -> Pixels:
    by = random.uniform(0.035, 0.05) * max(picture.shape)
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), by), np.uint8)


def _dark(picture: Pixels, random: Random) -> Pixels:
    dim = picture * 0.2 + random.normal(0, 2, picture.shape)
    return np.asarray(np.clip(dim, 0, 255), np.uint8)


def _other_form(picture: Pixels, random: Random) -> Pixels:
    """Print a grid of another form and a caption over a picture."""
    out = picture.copy()
    ink = 255 - int(np.median(picture)) if np.median(picture) < 100 else 60
    side = picture.shape[0]
    period, start = side * 0.3, random.normal(0.1, 0.02) * side
    for at in np.arange(start, side, period):
        cv2.line(out, (0, int(at)), (side, int(at)), ink, 1)
        cv2.line(out, (int(at), 0), (int(at), side), ink, 1)
    cv2.putText(out, "No.", (2, side - 3), cv2.FONT_HERSHEY_SIMPLEX, side / 150, ink, 1)
    return np.asarray(out, np.uint8)


def _cut(picture: Pixels, random: Random) -> Pixels:
    """Leave half of the pictures whole, and cut the others through their middle."""
    if random.random() < 0.5:
        return picture
    width = picture.shape[1]
    at = round(random.uniform(0.4, 0.5) * width)
    return np.ascontiguousarray(
        picture[:, at:] if random.random() < 0.5 else picture[:, : width - at]
    )


DAMAGES: dict[str, Callable[[Pixels, Random], Pixels]] = {
    "inverted": lambda picture, _: 255 - picture,
    "turned left": lambda picture, _: np.ascontiguousarray(np.rot90(picture)),
    "upside down": lambda picture, _: np.ascontiguousarray(np.rot90(picture, 2)),
    "mirrored": lambda picture, _: np.ascontiguousarray(picture[:, ::-1]),
    "striped": _striped,
    "blurred": _blurred,
    "dark": _dark,
    "another form": _other_form,
    "half cut": _cut,
}
"""What a picture becomes when something is wrong with its batch."""
