"""Connected components of ink: which are the digit, which neighbours, specks or the table."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from tasks.imaging.background import centrality

Grey = NDArray[np.uint8]
Box = tuple[int, int, int, int]  # x, y, width, height

MOST_COMPONENTS = 24  # by weight: what comes after is specks
EDGE_WEIGHT = 0.2  # of ink that runs over the picture's edge
REACH = 0.25  # of the digit's size: how far off a piece of it can be
PIECE = 0.02  # of the digit's ink: less is a speck
CONTRAST = 0.55  # of the digit's contrast: fainter ink is another's
OTHER_DIGIT = 0.3  # of the digit's ink: a component as big as this elsewhere is another digit


@dataclass(frozen=True)
class Component:
    """Connected ink: `mass` is its area in px, `weight` how central and whole it is."""

    label: int
    box: Box
    mass: int
    weight: float
    contrast: float
    edge: bool


@dataclass(frozen=True)
class Digit:
    """The digit's components, their box, and how many other digits and neighbours there are."""

    components: list[Component]
    box: Box
    other_digits: int
    neighbours: int


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
    other_digits = sum(
        not component.edge
        and component.mass >= OTHER_DIGIT * main.mass
        and component.contrast >= CONTRAST * main.contrast
        and max(component.box[2:]) >= REACH * max(box[2:])
        for component in rest
    )
    return Digit(chosen, box, other_digits, sum(component.edge for component in rest))
