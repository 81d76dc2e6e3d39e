"""Printed boxes that lie wholly inside a picture: what is written is inside of them."""

import cv2
import numpy as np
from numpy.typing import NDArray

from tasks.imaging.form import Box

Grey = NDArray[np.uint8]

RECTANGLE = 0.93  # of its least rectangle that a box fills: a round 0 fills 0.79, a square one 0.9
HOLLOW = 0.55  # of a box: what is inside its lines
LEAST = 0.12  # of the picture's longer side: smaller boxes are no place to write in


def box_inside(mask: Grey) -> Box | None:
    """Return what is inside the lines of the one printed box in a mask of ink, else None.

    Of boxes within boxes it is the outermost; where several lie beside each other none is meant.
    """
    contours, tree = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    if tree is None:
        return None
    least = LEAST * max(mask.shape)
    # of each contour: the next, the one before, its first hole, what it is in
    family = tree[0].tolist()
    found = []
    for contour, (_, _, first_hole, within) in zip(contours, family, strict=True):
        if within >= 0 or first_hole < 0 or min(cv2.boundingRect(contour)[2:]) < least:
            continue
        area, (across, down) = cv2.contourArea(contour), cv2.minAreaRect(contour)[1]
        if area < RECTANGLE * across * down:
            continue
        holes, hole = [], first_hole
        while hole >= 0:
            holes.append(contours[hole])
            hole = family[hole][0]
        inside = max(holes, key=cv2.contourArea)
        if cv2.contourArea(inside) >= HOLLOW * area:
            found.append(inside)
    if len(found) != 1:
        return None
    x, y, w, h = cv2.boundingRect(found[0])
    return x + 2, y + 2, w - 4, h - 4  # the contour of a hole lies on the ink around it
