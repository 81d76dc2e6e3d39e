"""Stroke groups: which pieces of ink are the digit, which are neighbours, specks or the table."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from tasks.imaging.background import centrality

Grey = NDArray[np.uint8]
Box = tuple[int, int, int, int]  # x, y, width, height

MOST_GROUPS = 24  # by weight: what comes after is specks
EDGE_WEIGHT = 0.2  # of ink that runs over the picture's edge
REACH = 0.25  # of the digit's size: how far off a piece of it can be
PIECE = 0.02  # of the digit's ink: less is a speck
CONTRAST = 0.55  # of the digit's contrast: fainter ink is another's
RIVAL = 0.3  # of the digit's ink: a group as big as this elsewhere is another digit


@dataclass(frozen=True)
class Group:
    """Connected ink: `mass` is its area in px, `weight` how central and whole it is."""

    label: int
    box: Box
    mass: int
    weight: float
    contrast: float
    edge: bool


@dataclass(frozen=True)
class Chosen:
    """The groups that are the digit, their box, and how many rivals and neighbours were left."""

    groups: list[Group]
    box: Box
    rivals: int
    neighbours: int


def groups(
    mask: Grey, ink: NDArray[np.float32], sure: float
) -> tuple[list[Group], int, NDArray[np.uint16]]:
    """Groups of ink in (h, w), weightiest first; how many labels there are, and the labels, (h, w).

    Some ink of each group is above `sure`. Gaps of one px are bridged.
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
    first = np.argsort(-weight)[:MOST_GROUPS]
    first = first[strong[first] & (first > 0)]
    each = zip(
        first.tolist(),
        map(tuple, stats[first, :4].tolist()),
        mass[first].tolist(),
        weight[first].tolist(),
        (total[first] / mass[first]).tolist(),
        edge[first].tolist(),
        strict=True,
    )
    return [Group(*one) for one in each], count, np.asarray(labels, np.uint16)


def _gap(a: Box, b: Box) -> int:
    across = max(a[0] - (b[0] + b[2]), b[0] - (a[0] + a[2]), 0)
    down = max(a[1] - (b[1] + b[3]), b[1] - (a[1] + a[3]), 0)
    return max(across, down)


def _union(a: Box, b: Box) -> Box:
    x, y = min(a[0], b[0]), min(a[1], b[1])
    return x, y, max(a[0] + a[2], b[0] + b[2]) - x, max(a[1] + a[3], b[1] + b[3]) - y


def choose(found: list[Group]) -> Chosen:
    """The weightiest group, and with it the pieces near it: a bar apart, a broken stroke."""
    main = found[0]
    chosen, box, rest = [main], main.box, found[1:]
    while True:
        reach = REACH * max(box[2:])
        near = [
            group
            for group in rest
            if _gap(box, group.box) <= reach
            and group.contrast >= CONTRAST * main.contrast
            and group.mass >= PIECE * main.mass
            and (main.edge or not group.edge)
        ]
        if not near:
            break
        for group in near:
            box = _union(box, group.box)
        chosen += near
        rest = [group for group in rest if group not in near]
    rivals = sum(
        not group.edge
        and group.mass >= RIVAL * main.mass
        and group.contrast >= CONTRAST * main.contrast
        and max(group.box[2:]) >= REACH * max(box[2:])
        for group in rest
    )
    return Chosen(chosen, box, rivals, sum(group.edge for group in rest))
