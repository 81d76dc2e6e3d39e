"""Pictures as small as a report shows them."""

import cv2
import numpy as np
from numpy.typing import NDArray

SIDE = 144  # px: longer side at most
BACKGROUND = 192  # grey behind transparent pixels: black ink and white ink both show


def thumbnail(picture: NDArray[np.uint8], side: int = SIDE) -> NDArray[np.uint8]:
    """Return a picture (grey, RGB or RGBA) as (H, W, 3) in OpenCV's order, small enough to show.

    Args:
        picture: of any size; one that is small stays as it is.
        side: px of its longer side at most.
    """
    factor = side / max(picture.shape[:2])
    if factor < 1:
        size = (max(1, round(picture.shape[1] * factor)), max(1, round(picture.shape[0] * factor)))
        picture = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
    if picture.ndim == 2:
        return np.asarray(cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR), np.uint8)
    colour = picture[..., 2::-1]
    if picture.shape[2] == 3:
        return colour
    alpha = picture[..., 3:] / 255
    return np.round(colour * alpha + BACKGROUND * (1 - alpha)).astype(np.uint8)
