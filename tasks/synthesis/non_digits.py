"""Ink that is no single digit: scribbles, letters, symbols, stamps, several digits, halves."""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from tasks.synthesis import pen_paths
from tasks.synthesis.greek_letters import letter_paths
from tasks.synthesis.rasterize import canvas_shape, rasterize_digit, rasterize_paths

Random = np.random.Generator
Images = NDArray[np.uint8]

LETTERS = "ABCEFGHJKMNPQRTUWXYacdefhkmnpruvwxy"
SYMBOLS = "#&%@?=*+<>$~^"  # no braces: small, they are a 1 of an unsteady hand
LOWER, UPPER, RIGHT, LEFT = range(4)  # what is left of a digit that was cut
HALVES = {  # of which nobody says that they are another digit: no ring for a 0, no stem for a 1
    2: (LOWER, UPPER, RIGHT, LEFT),
    3: (LOWER, UPPER, LEFT),
    4: (UPPER, LEFT),
    5: (LOWER, UPPER, RIGHT, LEFT),
    6: (RIGHT,),
    8: (LEFT,),
    9: (LEFT,),
}


def _text_ink(text: str, shape: tuple[int, int], random: Random) -> Images:
    font = int(random.choice([0, 1, 2, 3, 4, 5, 6, 7]))
    height = min(shape) * random.uniform(0.3, 0.85)
    scale = min(height / 21, shape[1] * 0.9 / (18 * len(text)))
    thick = max(1, round(scale * random.uniform(0.8, 3.5)))
    (w, h), _ = cv2.getTextSize(text, font, scale, thick)
    ink = np.zeros(shape, np.uint8)
    place = (int((shape[1] - w) / 2), int((shape[0] + h) / 2))
    cv2.putText(ink, text, place, font, scale, 255, thick, cv2.LINE_AA)
    angle = random.normal(0, 10)
    matrix = cv2.getRotationMatrix2D((shape[1] / 2, shape[0] / 2), angle, 1)
    return np.asarray(cv2.warpAffine(ink, matrix, shape[::-1]), np.uint8)


def _stamp_ink(shape: tuple[int, int], random: Random) -> Images:
    ink = _text_ink(
        "".join(random.choice(list(LETTERS), int(random.integers(2, 6)))), shape, random
    )
    pen = max(1, min(shape) // 30)
    middle = (shape[1] // 2, shape[0] // 2)
    if random.uniform() < 0.5:
        cv2.ellipse(
            ink,
            middle,
            (int(shape[1] * 0.46), int(shape[0] * 0.4)),
            0,
            0,
            360,
            255,
            pen,
            cv2.LINE_AA,
        )
    else:
        half = (int(shape[1] * 0.47), int(shape[0] * random.uniform(0.25, 0.45)))
        cv2.rectangle(
            ink,
            (middle[0] - half[0], middle[1] - half[1]),
            (middle[0] + half[0], middle[1] + half[1]),
            255,
            pen,
        )
    return ink


def _half_ink(digit: int, picture: Images | None, shape: tuple[int, int], random: Random) -> Images:
    """Less than half of a digit of HALVES, cut off straight."""
    ink = rasterize_digit(digit, picture, shape, min(shape) * random.uniform(0.5, 0.95), random)
    x, y, w, h = cv2.boundingRect(ink)
    cut, kept = random.uniform(0.55, 0.75), int(random.choice(HALVES[digit]))
    if kept == LOWER:
        ink[y : y + int(h * cut)] = 0
    elif kept == UPPER:
        ink[y + int(h * (1 - cut)) :] = 0
    elif kept == RIGHT:
        ink[:, x : x + int(w * cut)] = 0
    else:
        ink[:, x + int(w * (1 - cut)) :] = 0
    return ink


def _crossed_out_ink(
    digit: int, picture: Images | None, shape: tuple[int, int], random: Random
) -> Images:
    """A digit that its writer crossed out, by two or more strokes of the same pen."""
    ink = rasterize_digit(digit, picture, shape, min(shape) * random.uniform(0.45, 0.85), random)
    x, y, w, h = cv2.boundingRect(ink)
    middle, size = np.array([x + w / 2, y + h / 2]), 0.6 * max(w, h)
    pen = max(1, round(random.uniform(0.02, 0.09) * max(w, h)))
    turn, crossing = random.uniform(0, np.pi), random.uniform() < 0.5
    for number in range(int(random.integers(2, 5))):
        angle = turn + (np.pi / 2 * (number % 2) if crossing else 0) + random.normal(0, 0.12)
        along = size * np.array([np.cos(angle), np.sin(angle)])
        at = middle + random.normal(0, 0.16, 2) * max(w, h)
        start, end = (
            tuple(np.round(16 * point).astype(int).tolist()) for point in (at - along, at + along)
        )
        cv2.line(ink, start, end, 255, pen, cv2.LINE_AA, shift=4)
    return ink


def _several_ink(
    pictures: Images, labels: NDArray[np.int8], shape: tuple[int, int], random: Random
) -> Images:
    """Two or three digits that touch or nearly do."""
    count = 2 if random.uniform() < 0.8 else 3
    wide = (shape[0], int(shape[0] * (0.45 + 0.55 * count)))
    ink = np.zeros(wide, np.uint8)
    at = 0
    for _ in range(count):
        k = int(random.integers(len(pictures)))
        size = wide[0] * random.uniform(0.6, 0.8)
        digit = rasterize_digit(int(labels[k]), pictures[k], (wide[0], wide[0]), size, random)
        x, _, w, _ = cv2.boundingRect(digit)
        w = min(w, wide[1] - at)
        if w <= 0:
            break
        ink[:, at : at + w] = cv2.max(ink[:, at : at + w], digit[:, x : x + w])
        at += max(1, int(w + random.uniform(-0.12, 0.06) * wide[0]))
    return np.roll(ink, max(0, (wide[1] - at) // 2), axis=1)


def _corner_ink(shape: tuple[int, int], random: Random) -> Images:
    """Two to four printed lines that meet, as a cell of a form leaves them that was cut."""
    ink = np.zeros(shape, np.uint8)
    pen = max(1, round(min(shape) * random.uniform(0.01, 0.07)))
    starts, lengths = random.uniform(0.04, 0.7, 2), random.uniform(0.25, 0.92, 2)  # no 1 in between
    left, top = starts * shape[::-1]
    right, bottom = np.minimum(starts + lengths, 0.96) * shape[::-1]
    slope = random.normal(0, 0.015) * min(shape)
    ends = [(left, top), (left + slope, bottom), (right + slope, bottom - slope), (right, top)]
    ends = ends[int(random.integers(2)) :] if random.uniform() < 0.5 else [*ends, (left, top)]
    ends = ends[: int(random.integers(3, len(ends) + 1))]  # at least two sides: one may be a 1
    points = np.round(np.array(ends)[:, None]).astype(np.int32)
    cv2.polylines(ink, [points], False, 255, pen, cv2.LINE_AA)
    return ink


def _blot_ink(shape: tuple[int, int], random: Random) -> Images:
    ink = np.zeros(shape, np.uint8)
    radius = int(min(shape) * random.uniform(0.1, 0.4))
    axes = (radius, max(2, int(radius * random.uniform(0.55, 1))))
    middle = (shape[1] // 2, shape[0] // 2)
    cv2.ellipse(ink, middle, axes, random.uniform(0, 180), 0, 360, 255, -1, cv2.LINE_AA)
    return ink


def non_digit_ink(pictures: Images, labels: NDArray[np.int8], random: Random) -> Images:
    """Ink (h, w) that is no single digit; sometimes none at all.

    pictures: uint8 (N, 28, 28) digits to make several and halves of; labels: int8 (N,).
    """
    shape = canvas_shape(random)
    k = int(random.integers(len(pictures)))
    digit, picture = int(labels[k]), pictures[k]
    size = min(shape) * random.uniform(0.4, 0.95)
    letters = "".join(random.choice(list(LETTERS), int(random.choice([1, 1, 1, 2, 3]))))
    halved = digit if digit in HALVES else 2
    made: list[tuple[float, Callable[[], Images]]] = [
        (0.06, lambda: _crossed_out_ink(digit, picture, shape, random)),
        (0.09, lambda: rasterize_paths(pen_paths.scribble_paths(random), shape, size, random)),
        (0.13, lambda: _text_ink(letters, shape, random)),
        (0.12, lambda: rasterize_paths(letter_paths(random), shape, size, random)),
        (0.10, lambda: _text_ink(str(random.choice(list(SYMBOLS))), shape, random)),
        (0.06, lambda: _stamp_ink(shape, random)),
        (0.07, lambda: _corner_ink(shape, random)),
        (0.21, lambda: _several_ink(pictures, labels, shape, random)),
        (0.10, lambda: _half_ink(halved, picture if halved == digit else None, shape, random)),
        (0.04, lambda: _blot_ink(shape, random)),
        (0.02, lambda: np.zeros(shape, np.uint8)),
    ]
    kind = int(random.choice(len(made), p=[share for share, _ in made]))
    return made[kind][1]()
