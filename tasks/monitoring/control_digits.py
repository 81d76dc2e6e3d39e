"""Control digits: digits with known answers, drawn in the look of a batch's own pictures.

A picture lends its paper: its ink is taken out, and a digit of pen paths is drawn in its place, as
large, as dark, as wide and as soft.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from tasks.imaging.background import odd
from tasks.monitoring.picture_look import Look, Sheet, look_of, sheet_of
from tasks.processes.page_process import DecodedPage
from tasks.synthesis import digit_templates, pen_paths

Random = np.random.Generator
Pixels = NDArray[np.uint8]
Values = NDArray[np.float32]

FINE = 2  # times as large a digit is drawn, before it is brought to its size
TURN, SLANT, STRETCH = 0.06, 0.12, 0.08  # of hands, deviations: radians; px to the side; logarithm
INPAINTED = 3  # px: how far paper is looked at to replace ink on print
PAPER_REACH = 0.3  # of the picture: how far it is looked at where there is no print
WIDEST_ONE = 0.35  # of its height: wider, its flag may be the bar of a 7


@dataclass(frozen=True)
class Sampled:
    """A picture of a batch, taken apart."""

    page: DecodedPage
    sheet: Sheet
    look: Look


def sampled_of(page: DecodedPage) -> Sampled:
    """Take a page apart that was decoded with its thumbnail."""
    sheet = sheet_of(page)
    return Sampled(page, sheet, look_of(sheet))


@dataclass(frozen=True)
class ControlDigit:
    """A picture as a PNG file, and the digit that was drawn."""

    data: bytes
    digit: int


def control_digits(
    models: Sequence[Sampled], mix: Mapping[str, int], count: int, random: Random
) -> Iterator[ControlDigit]:
    """Yield digits in the look of pictures, each of which lends its own as often as others.

    Args:
        models: at least one, unless none is drawn.
        mix: how often each digit is in the batch; where none is, all are drawn as often.
        count: how many are drawn.
        random: decides on the rest.
    """
    weights = np.array([mix.get(str(digit), 0) for digit in range(10)], np.float64)
    weights = weights if weights.any() else np.ones(10)
    order = random.permutation(len(models))
    for number in range(count):
        model = models[order[number % len(models)]]
        digit = int(random.choice(10, p=weights / weights.sum()))
        picture = control_picture(model, digit, random)
        yield ControlDigit(cv2.imencode(".png", picture)[1].tobytes(), digit)


def control_picture(model: Sampled, digit: int, random: Random) -> Pixels:
    """Draw a digit in the look of a picture, uint8 (h, w)."""
    sheet, look, ink = model.sheet, model.look, model.page.ink
    left, top, w, h = (v / sheet.factor for v in ink.box)
    cover = _cover(digit, max(w, h), max(1.0, ink.stroke_width / sheet.factor), random)
    paper = _without_ink(model, random)
    full = np.zeros(paper.shape, np.float32)
    x, y = round(left + (w - cover.shape[1]) / 2), round(top + (h - cover.shape[0]) / 2)
    x0, y0 = max(0, x), max(0, y)
    x1, y1 = min(paper.shape[1], x + cover.shape[1]), min(paper.shape[0], y + cover.shape[0])
    if x1 > x0 and y1 > y0:
        full[y0:y1, x0:x1] = cover[y0 - y : y1 - y, x0 - x : x1 - x]
    full = np.asarray(cv2.GaussianBlur(full, (0, 0), look.blur / sheet.factor), np.float32)
    shown = np.clip(np.rint(paper * (1 - full * look.ink)), 0, 255).astype(np.uint8)
    return 255 - shown if sheet.inverted else shown


def _without_ink(model: Sampled, random: Random) -> Values:
    """Return a picture's paper (h, w), with its print and noise also where ink was."""
    sheet = model.sheet
    wide = np.ones((5, 5), np.uint8)
    mask = np.asarray(cv2.dilate(sheet.inked.astype(np.uint8), wide), np.uint8)
    if "lines" in model.page.ink.removed:
        flat = np.asarray(np.clip(sheet.picture, 0, 255), np.uint8)
        filled = cv2.inpaint(flat, mask, INPAINTED, cv2.INPAINT_TELEA).astype(np.float32)
    else:
        filled = np.where(mask > 0, _paper_around(sheet.picture, mask), sheet.picture)
    filled[mask > 0] += random.normal(0, model.look.noise, int(mask.sum()))
    return np.asarray(filled, np.float32)


def _paper_around(picture: Values, mask: Pixels) -> Values:
    """Return (h, w) of the paper beside a mask, smoothly carried on into it."""
    rest = np.asarray(mask == 0, np.float32)
    reach = (odd(PAPER_REACH * max(picture.shape)),) * 2
    around, weight = cv2.blur(picture * rest, reach), cv2.blur(rest, reach)
    return np.asarray(around / np.maximum(weight, 1e-3), np.float32)


def _cover(digit: int, size: float, pen: float, random: Random) -> Values:
    """Return how much ink covers each px of a digit, (h, w), cut to it."""
    strokes = _clear_paths(digit, random)
    angle, slant = random.normal(0, TURN), random.normal(0.05, SLANT)
    stretch = np.exp(random.normal(0, STRETCH))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    form = turn @ np.array([[stretch, -slant], [0, 1 / stretch]])
    moved = [stroke @ form.T for stroke in strokes]
    every = np.vstack(moved)
    low, extent = every.min(axis=0), np.ptp(every, axis=0)
    scale = FINE * max(size - pen, 1.0) / max(float(extent.max()), 1e-6)
    margin = FINE * (pen / 2 + 1)
    width, height = (FINE * int(np.ceil(v / FINE)) for v in extent * scale + 2 * margin)
    placed = [(stroke - low) * scale + margin for stroke in moved]
    ink = pen_paths.draw(placed, (height, width), FINE * pen)
    small = cv2.resize(ink, (width // FINE, height // FINE), interpolation=cv2.INTER_AREA)
    return np.asarray(small / 255, np.float32)


def _clear_paths(digit: int, random: Random) -> list[pen_paths.Path]:
    """Return the strokes of a digit that nobody takes for another one."""
    while True:
        strokes = digit_templates.digit_paths(digit, random)
        width, height = np.ptp(np.vstack(strokes), axis=0)
        if digit != 1 or width <= WIDEST_ONE * height:
            return strokes
