"""Any picture of a digit into the 28x28 canonical form that training, gate and reading all see."""

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]

CANONICAL_VERSION = "1"
SIDE = 28  # of the canonical form, pixels
BOX = 20  # the longer side of the ink, as in MNIST (LeCun, Cortes, Burges)
WORKING_SIDE = 256  # larger pictures are first reduced to this longer side
MIN_CONTRAST = 24  # grey levels between ink and paper; less is called blank
FAINTEST_INK = 0.12  # of the darkest ink; weaker traces are paper


@dataclass(frozen=True)
class Ink:
    """What was found out about a picture on the way to its canonical form."""

    polarity: Literal["dark_on_light", "light_on_dark", "canonical", "none"]
    contrast: int  # grey levels between ink and paper, 0..255
    share: float  # of the picture's pixels that are ink, 0..1
    box: tuple[int, int, int, int]  # left, top, width, height of the ink in the picture, pixels
    stroke_width: float = 0.0  # of the pen, pixels; 0 where it was not measured
    groups: int = 0  # stroke groups
    rivals: int = 0  # groups as large as a digit elsewhere in the picture
    touches_edge: bool = False  # ink of the digit reaches the picture's edge
    removed: str = ""  # what was taken out, by commas

    @property
    def blank(self) -> bool:
        """Tell whether no ink was found."""
        return self.polarity == "none"


def canonical(picture: Pixels) -> tuple[Pixels, Ink]:
    """Return the canonical form of a picture, and facts about the picture.

    The form is MNIST's: ink bright on 0, its longer side scaled to 20 pixels, its centre of mass
    in the middle of 28x28. A picture that has this form already passes through unchanged. Without
    ink the form is all zero.

    Args:
        picture: uint8, upright: (H, W) grey, (H, W, 3) RGB or (H, W, 4) RGBA.

    Returns:
        uint8 (28, 28), and the facts.
    """
    if is_canonical(picture):
        rows, columns = np.nonzero(picture.any(1))[0], np.nonzero(picture.any(0))[0]
        left, top = int(columns[0]), int(rows[0])
        box = (left, top, int(columns[-1]) - left + 1, int(rows[-1]) - top + 1)
        share = float(np.count_nonzero(picture >= 128) / picture.size)
        return picture, Ink("canonical", int(picture.max()), share, box)
    grey = _reduced(_flattened(picture))
    ink, polarity = _ink(grey)
    contrast = int(ink.max())
    if contrast < MIN_CONTRAST:
        return np.zeros((SIDE, SIDE), np.uint8), Ink("none", contrast, 0.0, (0, 0, 0, 0))
    mask = _ink_mask(ink)
    left, top, width, height = cv2.boundingRect(mask)
    strokes = np.where(mask > 0, ink, 0)[top : top + height, left : left + width]
    scale = max(picture.shape[:2]) / max(grey.shape)
    box = tuple(round(v * scale) for v in (left, top, width, height))
    share = float(np.count_nonzero(mask) / mask.size)
    facts = Ink(polarity, contrast, share, (box[0], box[1], box[2], box[3]))
    return _centred(_boxed(strokes, contrast)), facts


def is_canonical(picture: Pixels) -> bool:
    """Tell whether a picture has the canonical form already: 28x28, boxed, centred, on black."""
    if picture.shape != (SIDE, SIDE) or picture.max() < 128:
        return False
    rows, columns = np.nonzero(picture.any(1))[0], np.nonzero(picture.any(0))[0]
    height, width = rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1
    if max(height, width) > BOX + 1 or min(rows[0], columns[0]) < 1:
        return False
    y, x = _centre_of_mass(picture)
    return bool(abs(y - SIDE / 2) <= 1.5 and abs(x - SIDE / 2) <= 1.5)


def _flattened(picture: Pixels) -> Pixels:
    """Return grey: transparent pixels over white, or over black where the ink itself is light."""
    if picture.ndim == 2:
        return picture
    grey = np.asarray(cv2.cvtColor(picture[..., :3], cv2.COLOR_RGB2GRAY), np.uint8)
    if picture.shape[2] == 3:
        return grey
    alpha = picture[..., 3].astype(np.float32) / 255
    opaque = alpha.sum()
    paper = 0.0 if opaque and (grey * alpha).sum() / opaque > 127 and alpha.min() < 0.5 else 255.0
    return np.round(grey * alpha + paper * (1 - alpha)).astype(np.uint8)


def _reduced(grey: Pixels) -> Pixels:
    longer = max(grey.shape)
    if longer <= WORKING_SIDE:
        return grey
    factor = WORKING_SIDE / longer
    size = (max(1, round(grey.shape[1] * factor)), max(1, round(grey.shape[0] * factor)))
    return np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), np.uint8)


def _ink(grey: Pixels) -> tuple[Pixels, Literal["dark_on_light", "light_on_dark", "none"]]:
    """Return the ink as brightness above the local paper, and which way round it was.

    The paper is the picture with everything thinner than a third of it closed over (morphological
    closing, for dark ink; opening, for light ink). The paper is what most of the border shows.
    """
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    dark_ink = float(np.median(border)) >= float(grey.min()) / 2 + float(grey.max()) / 2
    upright = grey if dark_ink else 255 - grey
    smooth = cv2.GaussianBlur(upright, (3, 3), 0) if min(grey.shape) > 2 * SIDE else upright
    side = max(3, max(grey.shape) // 3 | 1)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    paper = cv2.morphologyEx(smooth, cv2.MORPH_CLOSE, kernel, borderType=cv2.BORDER_REPLICATE)
    ink = np.asarray(cv2.subtract(paper, smooth), np.uint8)
    if ink.max() < MIN_CONTRAST:
        return ink, "none"
    return ink, "dark_on_light" if dark_ink else "light_on_dark"


def _ink_mask(ink: Pixels) -> Pixels:
    """Return 255 where there is ink (Otsu 1979), with specks of paper left out."""
    floor = FAINTEST_INK * float(ink.max())
    otsu, _ = cv2.threshold(ink, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    mask = np.where(ink > max(floor, otsu * 0.8), 255, 0).astype(np.uint8)
    count, groups, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    if count <= 2:
        return mask
    areas = stats[1:, cv2.CC_STAT_AREA]
    kept = 1 + np.nonzero(areas >= 0.05 * areas.max())[0]
    return np.where(np.isin(groups, kept), 255, 0).astype(np.uint8)


def _boxed(strokes: Pixels, contrast: int) -> Pixels:
    """Return the strokes at full brightness, their longer side scaled to 20 pixels."""
    height, width = strokes.shape
    factor = BOX / max(height, width)
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    method = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    scaled = cv2.resize(strokes, size, interpolation=method).astype(np.float32)
    full = scaled * (255.0 / max(float(scaled.max()), contrast * 0.5))
    return np.asarray(np.clip(full, 0, 255), np.uint8)


def _centred(strokes: Pixels) -> Pixels:
    """Return 28x28 with the centre of mass of the strokes in the middle, as far as they fit."""
    y, x = _centre_of_mass(strokes)
    height, width = strokes.shape
    top = min(max(round(SIDE / 2 - y), 0), SIDE - height)
    left = min(max(round(SIDE / 2 - x), 0), SIDE - width)
    form = np.zeros((SIDE, SIDE), np.uint8)
    form[top : top + height, left : left + width] = strokes
    return form


def _centre_of_mass(picture: Pixels) -> tuple[float, float]:
    moments = cv2.moments(picture)
    mass = moments["m00"] or 1.0
    return moments["m01"] / mass + 0.5, moments["m10"] / mass + 0.5
