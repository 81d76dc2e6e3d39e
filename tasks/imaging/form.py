"""What the canonical form is, for those who handle pictures in it and decode none."""

from enum import StrEnum
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

CANONICAL_VERSION = "7"  # another one wherever a pixel of a form may change
SIDE, BOX = 28, 20  # px: MNIST's frame, and the box that the digit fills in it

DOUBTS = {
    "lines": "a stroke, or a printed line",
    "edge": "ink at the edge is the digit's, or a neighbour's",
    "pieces": "ink beside the digit is a piece of it, or not",
    "faint": "faint ink is the digit's, or the paper's",
    "page": "all of the picture is the digit's, or part of it is the page's",
    "several": "ink at the edge may be another digit",
    "frame": "a 1, or a piece of a frame or shadow",
}
"""What can be seen in two ways, and in words which."""
_UNSETTLED = {"several", "frame"}


def in_words(doubts: str) -> str:
    """Return what can be seen in two ways, as a person says it."""
    return "; ".join(DOUBTS[doubt] for doubt in doubts.split(",") if doubt)


class Kind(StrEnum):
    """What kind a picture is of, as its preparation saw it: the first of these that holds."""

    CLEAN = "clean"  # 28x28 px as MNIST has them: ink on an even page, in its frame
    LINED = "lined"  # printed lines were taken out: ruled or graph paper, a cell, a box
    TINY = "tiny"  # of less than TINY_SIDE px
    SMALL = "small"  # of at most SMALL_SIDE px
    CROPPED = "cropped"  # cut to its ink
    EDGE = "at the edge"  # ink reaches the edge, not on all sides
    FAINT = "faint"
    PLAIN = "plain paper"


TINY_SIDE = 16  # px: a picture whose longer side is less is tiny
SMALL_SIDE = 40  # px: a picture whose longer side is no longer is small
FAINT_CONTRAST = 60  # of 255: fainter ink is faint


def small_kind(side: int) -> Kind:
    """Return what kind a picture is of whose longer side has at most SMALL_SIDE px."""
    return Kind.TINY if side < TINY_SIDE else Kind.SMALL


Box = tuple[int, int, int, int]  # left, top, width, height, px
Polarity = Literal["dark_on_light", "light_on_dark", "canonical", "none"]


class Ink(NamedTuple):
    """What was found out about a picture on the way to its canonical form; lengths in its px."""

    polarity: Polarity
    contrast: int = 0  # share of the background's light that the ink takes or adds, 0..255
    share: float = 0.0  # of the picture's pixels that are ink of the digit, 0..1
    box: Box = (0, 0, 0, 0)  # of that ink
    stroke_width: float = 0.0  # of the strokes, pixels; 0 where it was not measured
    groups: int = 0  # components of ink: pieces of the digit, and other digits
    other_digits: int = 0  # components as large as a digit elsewhere in the picture
    touches_edge: bool = False  # ink of the digit reaches the picture's edge
    removed: str = ""  # what was taken out: "lines", "neighbours", "specks", by commas
    kind: Kind = Kind.CLEAN
    doubts: str = ""  # what can be seen in two ways: some of DOUBTS, by commas

    @property
    def blank(self) -> bool:
        """Tell whether no ink was found."""
        return self.polarity == "none"

    @property
    def unsettled(self) -> bool:
        """Tell whether it has a doubt that no other form settles: a person has to look."""
        return not _UNSETTLED.isdisjoint(self.doubts.split(","))


class Prepared(NamedTuple):
    """A picture on its way to the network: as it is seen, and as it could be seen, too."""

    form: NDArray[np.uint8]  # (28, 28), ink bright on 0; without ink all is 0
    ink: Ink
    others: tuple[NDArray[np.uint8], ...] = ()  # (28, 28) each, where there is doubt
