"""How one picture of a batch looks: its paper, ink, noise and sharpness."""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from tasks.imaging.background import light, shrink
from tasks.imaging.form import Ink
from tasks.processes.page_process import DecodedPage

Grey = NDArray[np.uint8]
Values = NDArray[np.float32]

PAPER_SIDE = 32  # px: paper is smooth, and a median takes its time
PAPER_REACH = 15  # px of those: strokes are narrower
DARKEST = 8.0  # grey: paper is no darker, so that shares of its light can be told
FAINTEST = 0.06  # share of the paper's light: less is no ink
INKED = 0.4  # of the ink's contrast: more is ink
PRINT = 0.1  # share of the paper's light that print takes at least
NOISY = 5.0  # deviations of the noise: darker is print
NORMAL = 1.4826  # of the median deviation: the standard deviation, where values are normal
SHARPEST = 0.4  # px: edges are no sharper than their pixels


class Look(NamedTuple):
    """What is seen in one picture; lengths in px of the file, greys from 0 to 255."""

    side: int  # the longer one
    paper: float  # grey
    ink: float  # share of the paper's light that the ink takes; 0 without ink
    noise: float  # deviation of the paper, grey
    blur: float  # deviation of the edges of the ink; 0 without ink
    printed: float  # share of the picture beside the ink that is darker than its paper


class Sheet(NamedTuple):
    """One picture taken apart, as small as its thumbnail, dark ink on light paper."""

    picture: Values  # (h, w)
    paper: Values  # (h, w): smooth, without ink and noise
    inked: NDArray[np.bool_]  # (h, w): where ink is
    factor: float  # px of the file for each px
    inverted: bool  # its ink is lighter than its paper: all of it was inverted


def sheet_of(page: DecodedPage) -> Sheet:
    """Take a page apart that was decoded with its thumbnail.

    Raises:
        ValueError: it has none.
    """
    if page.thumbnail is None:
        raise ValueError("a page without its thumbnail has no look")
    grey, ink = light(page.thumbnail[..., ::-1]), page.ink
    told = ink.polarity in {"dark_on_light", "light_on_dark"}
    inverted = ink.polarity == "light_on_dark" if told else float(np.median(grey)) < 128
    shown = np.asarray(255 - grey if inverted else grey, np.float32)
    paper = _paper(shown)
    factor = max(page.width, page.height) / max(grey.shape)
    return Sheet(shown, paper, _inked(1 - shown / paper, ink, factor), factor, inverted)


def _inked(dark: Values, ink: Ink, factor: float) -> NDArray[np.bool_]:
    """Return where the ink is that the preparation found, (h, w)."""
    inked = np.zeros(dark.shape, bool)
    left, top, w, h = (round(v / factor) for v in ink.box)
    place = np.s_[max(0, top - 2) : top + h + 2, max(0, left - 2) : left + w + 2]
    if not ink.blank and max(ink.box[2:]) > 0 and dark[place].size:
        level = max(FAINTEST, INKED * float(np.quantile(dark[place], 0.95)))
        inked[place] = dark[place] > level
    return inked


def _paper(shown: Values) -> Values:
    small = shrink(np.asarray(shown, np.uint8), PAPER_SIDE)
    closed = cv2.morphologyEx(small, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    smooth = cv2.medianBlur(closed, PAPER_REACH)
    size = (shown.shape[1], shown.shape[0])
    large = cv2.resize(smooth.astype(np.float32), size, interpolation=cv2.INTER_LINEAR)
    return np.asarray(np.maximum(large, DARKEST), np.float32)


def look_of(sheet: Sheet) -> Look:
    """Return how a picture looks that was taken apart."""
    rest = _off_the_ink(sheet)
    level, ink = float(np.median(sheet.paper)), ink_of(sheet)
    noise = _noise(sheet, rest)
    return Look(
        side=round(max(sheet.picture.shape) * sheet.factor),
        paper=255 - level if sheet.inverted else level,
        ink=ink,
        noise=noise,
        blur=blur_of(sheet, ink) * sheet.factor,
        printed=_printed(sheet, rest, noise / level),
    )


def _noise(sheet: Sheet, rest: NDArray[np.bool_]) -> float:
    if not rest.any():
        return 0.0
    fine = sheet.picture - cv2.blur(sheet.picture, (3, 3))
    # the mean of nine pixels has a ninth of their variance, and holds each of them itself
    return float(NORMAL * np.median(np.abs(fine[rest])) / (8 / 9) ** 0.5)


def _printed(sheet: Sheet, rest: NDArray[np.bool_], noise: float) -> float:
    if not rest.any():
        return 0.0
    dark = 1 - sheet.picture[rest] / sheet.paper[rest]
    return float((dark > max(PRINT, NOISY * noise)).mean())


def _off_the_ink(sheet: Sheet) -> NDArray[np.bool_]:
    near = cv2.dilate(sheet.inked.astype(np.uint8), np.ones((7, 7), np.uint8))
    return np.asarray(near == 0)


def ink_of(sheet: Sheet) -> float:
    """Return the share of the paper's light that the ink takes where it is whole."""
    if not sheet.inked.any():
        return 0.0
    dark = 1 - sheet.picture[sheet.inked] / sheet.paper[sheet.inked]
    return float(np.clip(np.quantile(dark, 0.7), 0.02, 1.0))


def blur_of(sheet: Sheet, ink: float) -> float:
    """Return the deviation of the bell that the edges of the ink are soft by, px."""
    if not sheet.inked.any():
        return 0.0
    share = 1 - sheet.picture / sheet.paper
    across = cv2.Sobel(share, cv2.CV_32F, 1, 0, scale=1 / 8)
    down = cv2.Sobel(share, cv2.CV_32F, 0, 1, scale=1 / 8)
    edge = cv2.dilate(sheet.inked.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    steep = float(np.quantile(np.hypot(across, down)[edge], 0.9))
    # the steepest place of an edge of height `ink` that a bell made soft
    return float(max(SHARPEST, ink / max(steep, 1e-3) / (2 * np.pi) ** 0.5))
