"""Pictures that were cut to their ink: how much page to lay around them, so that it can be told."""

import cv2
import numpy as np
from numpy.typing import NDArray

from tasks.imaging import rule_lines
from tasks.imaging.background import SEPARABLE, odd, on_rim
from tasks.imaging.form import SMALL_SIDE, Box
from tasks.imaging.plain import PAGE

Grey = NDArray[np.uint8]

PAGE_SHARE = 0.3  # of a clean picture: at least as much is page
SMOOTH = 0.5  # of the longer side: how far the brightness of the page is averaged
MARGIN = 0.25  # of the longer side: page that is laid around
RIM = 0.03  # of the longer side: how near to the edge ink lies in a picture that was cut to it
FULL_SIDE = 0.9  # of a side: ink along more of it is a frame's, or the bar of a 7 on one side
CONTRAST = 0.25  # of that of the picture: between ink and page at a side
ROOM = 0.06  # of a side: a digit in its cell is as far from the edge
MOST_RIM = 0.4  # of the rim: ink on more of it is a frame or a shadow
OUTER, INNER = 0.08, 0.12  # of the longer side; of the ink: as much lies farther in than that
DARK_RIM = 0.65  # of the rim: so much of it is dark where the page is


def lacking_margin(grey: Grey) -> tuple[int, Grey | None]:
    """Return how much page to lay around a picture that was cut to its ink, px, and its page.

    With ink on the rim there is too little background to tell it by. A picture with enough of its
    own lacks none. The page, (h, w), is as bright as it is near each place: laid around as bright
    everywhere, it would make a stroke of a shadow at the rim.
    """
    small = max(grey.shape) <= SMALL_SIDE and _margin_of_small(grey)
    if small:
        return small, np.full_like(grey, round(rim_grey(grey)))
    page = _page_of_crop(grey)
    return (round(MARGIN * max(grey.shape)), _smooth(grey, page)) if page is not None else (0, None)


def _smooth(grey: Grey, page: Grey) -> Grey:
    """How bright the page is, (h, w), by its pixels nearby; `page` is 255 where they are."""
    reach, outside = odd(SMOOTH * max(grey.shape)), cv2.BORDER_CONSTANT  # nothing is seen there
    seen = cv2.blur(page.astype(np.float32), (reach, reach), borderType=outside)
    light = cv2.blur(cv2.min(grey, page).astype(np.float32), (reach, reach), borderType=outside)
    even = float(np.median(grey[page > 0]))
    return np.asarray(np.where(seen > 1, 255 * light / np.maximum(seen, 1), even), np.uint8)


def laid_around(grey: Grey, page: Grey, margin: int) -> Grey:
    """Return a picture with so many px of its page on all sides."""
    framed = cv2.copyMakeBorder(page, *(margin,) * 4, cv2.BORDER_REPLICATE)
    framed[margin:-margin, margin:-margin] = grey
    return np.asarray(framed, np.uint8)


def rim_grey(picture: Grey) -> float:
    """Return the middle grey of the outermost pixels."""
    return float(np.median(_rim(picture)))


def _rim(picture: Grey) -> Grey:
    return np.concatenate((picture[0], picture[-1], picture[:, 0], picture[:, -1]))


def _margin_of_small(grey: Grey) -> int:
    """How much to lay around a small clean picture.

    Most of the rim and of the picture has to be of one page, so that no frame counts as one.
    """
    rim = _rim(grey)
    page = int(np.median(rim))
    if PAGE < page < 255 - PAGE:
        return 0
    on_page = np.abs(grey.astype(np.int16) - page) <= PAGE
    inked = np.abs(rim.astype(np.int16) - page).max() > 255 / 4
    return round(max(grey.shape) / 4) if inked and on_page.mean() >= PAGE_SHARE else 0


def _page_of_crop(grey: Grey) -> Grey | None:
    """255 on the page of a picture of two tones whose ink reaches all four sides, else None."""
    if not _has_contrast_on_all_sides(grey):
        return None
    bright = np.asarray(
        cv2.threshold(grey, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)[1], np.uint8
    )
    dark = np.asarray(cv2.bitwise_not(bright), np.uint8)
    page, ink = (dark, bright) if on_rim(bright) < 1 - DARK_RIM else (bright, dark)
    if not _reaches_all_sides(ink):
        return None
    share = cv2.mean(page)[0] / 255
    if not PAGE_SHARE <= share < 1:
        return None
    spread = float(cv2.meanStdDev(grey)[1][0, 0]) ** 2
    apart = cv2.mean(grey, page)[0] - cv2.mean(grey, ink)[0]
    if share * (1 - share) * apart**2 < SEPARABLE * spread:
        return None
    if rule_lines.count_lines(ink) >= rule_lines.PATTERN:
        return None
    return page


def _strips(picture: Grey) -> list[Grey]:
    """What lies near each of the four edges."""
    near = max(2, round(RIM * max(picture.shape)))
    return [picture[:near], picture[-near:], picture[:, :near], picture[:, -near:]]


def _has_contrast_on_all_sides(grey: Grey) -> bool:
    """Tell, in little time, whether ink may lie at all four sides."""
    least = CONTRAST * _contrast(grey)
    return all(_contrast(strip) >= least for strip in _strips(grey))


def _contrast(picture: Grey) -> float:
    darkest, brightest, *_ = cv2.minMaxLoc(picture)
    return brightest - darkest


def has_room(box: Box, width: float, height: float) -> bool:
    """Tell whether ink in a box has room on all sides of a picture, as a digit in its cell has."""
    x, y, w, h = box
    across, down = min(x, width - x - w), min(y, height - y - h)
    return across >= ROOM * width and down >= ROOM * height


def _reaches_all_sides(ink: Grey) -> bool:
    """Tell whether ink comes to all sides from within: no frame, no shadow lies along them."""
    strips = _strips(ink)
    if not all(map(cv2.countNonZero, strips)) or on_rim(ink) > MOST_RIM:
        return False
    along = sorted(
        cv2.countNonZero(strip.max(axis)) / strip.shape[1 - axis]
        for strip, axis in zip(strips, (0, 0, 1, 1), strict=True)
    )
    if along[-2] >= FULL_SIDE:
        return False
    inset = max(1, round(OUTER * max(ink.shape)))
    inner = cv2.countNonZero(ink[inset:-inset, inset:-inset]) if min(ink.shape) > 2 * inset else 0
    return inner >= INNER * cv2.countNonZero(ink)
