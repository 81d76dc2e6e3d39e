"""The ways to see the ink of a picture: with which of its strokes taken for printed lines."""

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from tasks.imaging import binarize, rule_lines
from tasks.imaging.components import Component, Digit, find_components, select_digit

Grey = NDArray[np.uint8]

DARKER = 1.2  # times the ink of printed lines: from then on strokes can be told by their ink
THIN = 0.07  # of the picture's longer side: what is left of a line is no wider
LONG = 3.0  # times as long as wide
BESIDE = 0.4  # of its length: as much of the line is beside it
HOLDS = 0.85  # of the ink of one way: as much of it is there in another that has the same digit


@dataclass(frozen=True)
class Way:
    """Components of a picture's ink, heaviest first, and what they were found in."""

    components: list[Component]
    count: int  # of all labels
    labels: NDArray[np.uint16]  # (h, w)
    parts: binarize.BinaryInk
    clean: Grey  # mask without printed lines, (h, w)
    printed: bool

    @cached_property
    def digit(self) -> Digit:
        """Return what of it is the digit; there has to be some ink."""
        return select_digit(self.components)

    def marked(self, digit: Digit) -> Grey:
        """Return 255 for each label of a digit, (count,), and 0 for all others."""
        wanted = np.zeros(self.count, np.uint8)
        wanted[[piece.label for piece in digit.components]] = 255
        return wanted


def is_residue(way: Way, piece: Component) -> bool:
    """Whether a thin piece of ink is left of a printed line, or one more along the edge."""
    x, y, w, h = piece.box
    if not way.printed or min(w, h) > THIN * max(way.clean.shape):
        return False
    along, across, at, side = (h, w, x, way.clean.shape[1]) if h > w else (w, h, y, len(way.clean))
    if along >= LONG * across and (at <= 1 or at + across >= side - 1):
        return True  # it runs along the edge
    near = np.s_[max(0, y - 2) : y + h + 2, max(0, x - 2) : x + w + 2]
    removed = np.count_nonzero(way.parts.mask[near] != way.clean[near])
    return bool(removed >= BESIDE * max(w, h))


def ways_to_see(parts: binarize.BinaryInk) -> list[Way]:
    """Ways to see the ink of a picture without its printed lines, the best first, all with ink.

    Two ways that fail on different pictures: lines go where ink is no wider than they are, or where
    it is no darker. Where no line runs through the digit, one is enough.
    """
    lines = rule_lines.find_lines(parts.mask, parts.ink)
    if not lines:
        return [_way(parts, parts.mask, printed=False)]
    narrow = _way(parts, rule_lines.remove_lines(parts.mask, lines), printed=True)
    if not _crossed(narrow):
        return [narrow]
    ways = [narrow]
    if lines.number < rule_lines.PATTERN:  # no lined paper, perhaps a stroke
        ways.append(_way(parts, parts.mask, printed=True))
    line = rule_lines.line_ink(parts.mask, parts.ink, lines)
    if not narrow.components or narrow.components[0].contrast > DARKER * line:
        dark, clear = rule_lines.dark_ink(parts.mask, parts.ink, lines)
        written = _way(parts, dark, printed=True)
        if clear and written.components and _holds(written, narrow):
            return [written]
        ways.insert(0, written)
    return [way for way in ways if way.components] or [narrow]


def _way(parts: binarize.BinaryInk, clean: Grey, *, printed: bool) -> Way:
    found = find_components(clean, parts.ink, parts.sure)
    return Way(*found, parts, clean, printed)


def _holds(found: Way, other: Way) -> bool:
    """Whether nearly all ink of the digit of another way is there in this one."""
    if not other.components:
        return True
    ink = cv2.min(other.marked(other.digit)[other.labels], other.clean)
    return cv2.countNonZero(cv2.min(ink, found.clean)) >= HOLDS * cv2.countNonZero(ink)


def _crossed(found: Way) -> bool:
    """Whether a line was taken out of the digit or from beside it."""
    if not found.components:
        return True
    x, y, w, h = found.digit.box
    reach = max(2, max(w, h) // 8)
    near = np.s_[max(0, y - reach) : y + h + reach, max(0, x - reach) : x + w + reach]
    return not np.array_equal(found.parts.mask[near], found.clean[near])
