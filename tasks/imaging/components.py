"""Connected components of ink: which are the digit, which neighbours, specks or the table."""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from tasks.imaging.background import centrality

Grey = NDArray[np.uint8]
Box = tuple[int, int, int, int]  # x, y, width, height

MOST_COMPONENTS = 24  # by weight: what comes after is specks
EDGE_WEIGHT = 0.2  # of ink that runs over the picture's edge
REACH = 0.25  # of the digit's size: how far off a piece of it can be
EDGE_REACH = 0.5  # of that size: how far off a piece is that ends at the picture's edge, as it does
TOUCH = 0.1  # of that size: how far off a stroke is that touches it
PIECE = 0.02  # of the digit's ink: less is a speck
CONTRAST = 0.55  # of the digit's contrast: fainter ink is another's
OTHER_DIGIT = 0.12  # of the digit's ink: a component elsewhere with as much may be another digit
LEFT, LEFT_CONTRAST, LEFT_REACH = 0.06, 0.25, 0.75  # of its ink, contrast and size: left over
EDGE_PIECE = 0.06  # of the digit's ink: what is less at the edge is a speck
FEW_SIDES = 2  # of the picture: light that falls off has edges on more
CLEAR_INK = 0.25  # of the light: contrast that light which falls off does not have
EDGE_SIDE = 0.3  # of the digit's longer side: at the edge, where the rest of a digit is cut off
RIM, OUTER = 0.2, 0.35  # of the picture's side: how near to an edge a frame lies; one through it
WHOLE = 0.97  # of the picture's side: what runs so far runs from edge to edge
FAINT = 0.12  # of the light: contrast of shadows without an edge
LONG = 2.5  # times as long as wide: a piece of a frame
SAME_PEN = 1.6  # how often as strong, or as wide, strokes of one pen are
OTHER_SIDE = 0.5  # of the digit's longer side: and as long as this


@dataclass(frozen=True)
class Component:
    """Connected ink: `mass` is its area in px, `weight` how central and whole it is."""

    label: int
    box: Box
    mass: int
    weight: float
    contrast: float
    edge: bool

    @property
    def thickness(self) -> float:
        """Return about how wide its strokes are, px: less than it for those of many turns."""
        return self.mass / (self.box[2] + self.box[3])


@dataclass(frozen=True)
class Digit:
    """The digit's components, their box, and how many other digits and neighbours there are."""

    components: list[Component]
    box: Box
    other_digits: int
    neighbours: int
    touching: bool = False  # a stroke at the edge that was joined touches the others, or nearly


def find_components(
    mask: Grey, ink: NDArray[np.float32], sure: float
) -> tuple[list[Component], int, NDArray[np.uint16]]:
    """Components of ink in (h, w), heaviest first; how many labels there are, and these, (h, w).

    Some ink of each is above `sure`. Gaps of one px are bridged.
    """
    height, width = mask.shape
    # Two by two reaches one px to the right and down, which bridges gaps of one px.
    joined = cv2.dilate(mask, np.ones((2, 2), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(
        joined, connectivity=8, ltype=cv2.CV_16U
    )
    where = np.flatnonzero(mask.ravel().view(np.bool_))
    if not len(where):
        return [], count, np.asarray(labels, np.uint16)
    label, value = labels.ravel()[where], ink.ravel()[where]
    mass = np.bincount(label, minlength=count)
    total = np.bincount(label, value, count)
    weight = np.bincount(label, value * centrality((height, width)).ravel()[where], count)
    strong = np.bincount(label[value > sure], minlength=count) > 0
    x, y, w, h, _ = stats.T
    edge = (x <= 1) | (y <= 1) | (x + w >= width) | (y + h >= height)
    weight[edge] *= EDGE_WEIGHT
    weight[0] = 0  # what is no ink
    first = np.argsort(-weight)[:MOST_COMPONENTS]
    first = first[strong[first] & (first > 0)]
    columns = zip(
        first.tolist(),
        map(tuple, stats[first, :4].tolist()),
        mass[first].tolist(),
        weight[first].tolist(),
        (total[first] / mass[first]).tolist(),
        edge[first].tolist(),
        strict=True,
    )
    return [Component(*values) for values in columns], count, np.asarray(labels, np.uint16)


def _gap(a: Box, b: Box) -> int:
    across = max(a[0] - (b[0] + b[2]), b[0] - (a[0] + a[2]), 0)
    down = max(a[1] - (b[1] + b[3]), b[1] - (a[1] + a[3]), 0)
    return max(across, down)


def _union(a: Box, b: Box) -> Box:
    x, y = min(a[0], b[0]), min(a[1], b[1])
    return x, y, max(a[0] + a[2], b[0] + b[2]) - x, max(a[1] + a[3], b[1] + b[3]) - y


def select_digit(found: list[Component]) -> Digit:
    """The heaviest component, and with it those near it: a bar apart, a broken stroke."""
    main = found[0]
    chosen, box, rest = [main], main.box, found[1:]
    while True:
        reach = REACH * max(box[2:])
        near = [
            component
            for component in rest
            if _gap(box, component.box) <= reach
            and component.contrast >= CONTRAST * main.contrast
            and component.mass >= PIECE * main.mass
            and (main.edge or not component.edge)
        ]
        if not near:
            break
        for component in near:
            box = _union(box, component.box)
        chosen += near
        rest = [component for component in rest if component not in near]
    other_digits = sum(not component.edge and _is_digit(component, main, box) for component in rest)
    return Digit(chosen, box, other_digits, sum(component.edge for component in rest))


def _is_digit(component: Component, main: Component, box: Box) -> bool:
    """Whether a component elsewhere is as large as the digit."""
    return (
        component.mass >= OTHER_DIGIT * main.mass
        and component.contrast >= CONTRAST * main.contrast
        and max(component.box[2:]) >= OTHER_SIDE * max(box[2:])
    )


def edge_strokes(digit: Digit, found: list[Component], shape: tuple[int, ...]) -> list[Component]:
    """Strokes of the digit's pen that run over the picture's edge: its own, or another digit's.

    Shadow, table and print at the edge of a picture, (h, w), are wider, of another contrast, or on
    most sides; beside faint ink they are not told from it.
    """
    main = digit.components[0]
    if main.contrast < FAINT:
        return []
    strokes = [
        component
        for component in found
        if component.edge
        and component not in digit.components
        and component.mass >= EDGE_PIECE * main.mass
        and 1 / SAME_PEN <= component.contrast / main.contrast <= SAME_PEN
        and component.thickness <= SAME_PEN * main.thickness
    ]
    sides = {side for stroke in strokes for side in _sides(stroke.box, shape)}
    return strokes if len(sides) <= FEW_SIDES or main.contrast >= CLEAR_INK else []


def left_over(digit: Digit, found: list[Component]) -> Digit | None:
    """The digit with all ink beside it that may be a piece of it; None if there is none.

    Too far off or too faint to be taken for one, but too much to be a speck.
    """
    mass = sum(component.mass for component in digit.components)
    reach = LEFT_REACH * max(digit.box[2:])
    own = [
        component
        for component in found
        if component not in digit.components
        and not component.edge
        and component.mass >= LEFT * mass
        and component.contrast >= LEFT_CONTRAST * digit.components[0].contrast
        and _gap(digit.box, component.box) <= reach
    ]
    if not own:
        return None
    box = digit.box
    for component in own:
        box = _union(box, component.box)
    return replace(digit, components=[*digit.components, *own], box=box)


def _sides(box: Box, shape: tuple[int, ...]) -> list[int]:
    """The edges of a picture, (h, w), that a box lies at, by number."""
    x, y, w, h = box
    at = (x <= 1, y <= 1, x + w >= shape[1], y + h >= shape[0])
    return [number for number, is_there in enumerate(at) if is_there]


def joined(digit: Digit, strokes: list[Component]) -> Digit | None:
    """The digit with those of some strokes at the edge that may be its own; None if none may.

    What parted them lies beyond the edge, so that they may be farther off than other pieces.
    """
    own: list[Component] = []
    box, touching = digit.box, False
    while True:
        size = max(box[2:])
        near = [s for s in strokes if s not in own and _gap(box, s.box) <= EDGE_REACH * size]
        if not near:
            break
        touching |= any(_gap(box, stroke.box) <= TOUCH * size for stroke in near)
        own += near
        for stroke in near:
            box = _union(box, stroke.box)
    if not own:
        return None
    return replace(digit, components=[*digit.components, *own], box=box, touching=touching)


def another_digit(digit: Digit, strokes: list[Component]) -> bool:
    """Whether one of some strokes at the edge that are not its own may be another digit's."""
    main = digit.components[0]
    return any(
        stroke not in digit.components
        and stroke.mass >= OTHER_DIGIT * main.mass
        and max(stroke.box[2:]) >= EDGE_SIDE * max(digit.box[2:])
        for stroke in strokes
    )


def may_be_frame(digit: Digit, shape: tuple[int, ...]) -> bool:
    """Whether what was found in a picture, (h, w), may be a frame's or a shadow's, and no digit.

    A long stroke near an edge or from edge to edge, faint or off the middle; or one component that
    fills the picture from edge to edge both ways.
    """
    main, (x, y, w, h) = digit.components[0], digit.box
    across_all, down_all = w >= WHOLE * shape[1], h >= WHOLE * shape[0]
    if main.edge and across_all and down_all:
        return True
    upright = h > w
    long, wide, at, side, other = (h, w, x, *shape[::-1]) if upright else (w, h, y, *shape)
    if long < LONG * wide:
        return False
    off = min(at + wide, side - at) / side  # 0 at an edge, over 0.5 in the middle
    through = main.edge and long >= WHOLE * other
    return off <= RIM or (through and (off <= OUTER or main.contrast < FAINT))
