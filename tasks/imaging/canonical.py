"""Any decoded picture to the 28x28 canonical form: MNIST's frame, ink bright on 0, with facts."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from tasks.imaging import background, binarize, components, rule_lines
from tasks.imaging.form import BOX, SIDE
from tasks.imaging.render import FINE, MARGIN, draw

Pixels = NDArray[np.uint8]  # any picture
Grey = Pixels  # (h, w)
Polarity = Literal["dark_on_light", "light_on_dark", "canonical", "none"]
Colour = Callable[[], Pixels | None]
"""Gives the same picture in colour, (h, w, 3) RGB; None if that cannot be had."""

CENTRE = (13.3, 14.7)  # px: where the centre of mass of a canonical picture lies
PAGE = 16  # greys: an even page is that near to black or to white
PAGE_SHARE = 0.3  # of a small clean picture: at least as much is page
LOOK_SIDE = 112  # px: the digit is looked for in a picture this small, and drawn from a larger one
SMALL = 40  # px: sides up to which a clean picture needs no search for paper and lines
DUST = 0.025  # of the picture's longer side: smaller ink is none
PALE = 20  # contrast of 255: where the light alone shows no more, the colours are looked at


class Ink(NamedTuple):
    """What was found out about a picture on the way to its canonical form; lengths in its px."""

    polarity: Polarity
    contrast: int = 0  # share of the paper's light that the ink takes or adds, 0..255
    share: float = 0.0  # of the picture's pixels that are ink of the digit, 0..1
    box: tuple[int, int, int, int] = (0, 0, 0, 0)  # left, top, width, height of that ink
    stroke_width: float = 0.0  # of the pen, pixels; 0 where it was not measured
    groups: int = 0  # stroke groups: pieces of the digit, and rivals
    rivals: int = 0  # groups as large as a digit elsewhere in the picture
    touches_edge: bool = False  # ink of the digit reaches the picture's edge
    removed: str = ""  # what was taken out: "lines", "neighbours", "specks", by commas

    @property
    def blank(self) -> bool:
        """Tell whether no ink was found."""
        return self.polarity == "none"


def canonical(
    picture: Pixels, side: int | None = None, colour: Colour | None = None
) -> tuple[Grey, Ink]:
    """Bring uint8 (H, W), (H, W, 3) RGB or (H, W, 4) RGBA to uint8 (28, 28), ink bright on 0.

    What already is in MNIST's frame passes unchanged, or inverted. Without ink all is 0.

    Args:
        picture: any picture.
        side: px of its longer side in the file, if it was decoded smaller: facts are told in those.
        colour: gives it in colour, if `picture` is the light alone of a coloured one.
    """
    if max(picture.shape[:2]) <= SMALL:
        plain = _plain(picture)
        if plain is not None:
            return plain
    if picture.ndim == 3 and picture.shape[2] == 4:
        picture = background.flatten_alpha(picture)
    side = side or max(picture.shape[:2])
    work = background.shrink(picture, background.WORK_SIDE)
    if work.ndim == 2:
        found = _in_grey(work, side)
    else:
        found = _in_grey(background.light(work), side)
        colour = lambda: work  # noqa: E731
    if not colour or found[1].contrast >= PALE:
        return found
    # A pen as bright as the paper differs in colour alone.
    coloured = colour()
    if coloured is None:
        return found
    mixed = background.mix_channels(background.shrink(coloured, background.WORK_SIDE))
    again = _in_grey(mixed, side)
    return found if again[1].blank else again


def _in_grey(grey: Grey, side: int) -> tuple[Grey, Ink]:
    """Find the digit in a grey picture, at most WORK_SIDE wide; `side`: its longer one before."""
    margin = _lacking_margin(grey) if max(grey.shape) <= SMALL else 0
    if not margin:
        return _search(background.enlarge(grey), side)
    page = int(np.median(_rim(grey)))
    framed = cv2.copyMakeBorder(grey, *(margin,) * 4, cv2.BORDER_CONSTANT, value=page)
    image, facts = _search(background.enlarge(np.asarray(framed, np.uint8)), max(framed.shape))
    left, top, width, height = facts.box
    return image, facts._replace(
        box=(left - margin, top - margin, width, height),
        share=facts.share * framed.size / grey.size,
        touches_edge=not facts.blank,
    )


def _rim(grey: Grey) -> Grey:
    return np.concatenate((grey[0], grey[-1], grey[:, 0], grey[:, -1]))


def _lacking_margin(grey: Grey) -> int:
    """How much even page to lay around a small clean picture that was cut to its ink, px.

    With ink on the rim there is too little paper to tell it by. Most of the rim and of the picture
    has to be of one page, so that no frame counts as one.
    """
    rim = _rim(grey)
    page = int(np.median(rim))
    if PAGE < page < 255 - PAGE:
        return 0
    on_page = np.abs(grey.astype(np.int16) - page) <= PAGE
    inked = np.abs(rim.astype(np.int16) - page).max() > 255 / 4
    return round(max(grey.shape) / 4) if inked and on_page.mean() >= PAGE_SHARE else 0


def is_canonical(picture: Grey) -> bool:
    """Whether a (28, 28) picture is in MNIST's frame: 20 px box, centre of mass in the middle."""
    _, _, width, height = cv2.boundingRect(picture)
    # A 20 px box that does not start on a whole pixel covers 21.
    if not BOX - 1 <= max(width, height) <= BOX + 1:
        return False
    moments = cv2.moments(picture)
    return all(CENTRE[0] < moments[m] / moments["m00"] < CENTRE[1] for m in ("m10", "m01"))


def _plain(picture: Grey) -> tuple[Grey, Ink] | None:
    """A small grey picture whose rim is clean and whose ink needs no other pen; else None."""
    if picture.ndim == 3:
        first = np.ascontiguousarray(picture[:, :, 0])
        if (
            picture.shape[2] != 3
            or (picture[:, :, 1] != first).any()
            or (picture[:, :, 2] != first).any()
        ):
            return None
        picture = first
    page = int(picture[0, 0])
    dark = page > 127
    bright = _above(picture, page, dark)
    height, width = bright.shape
    if min(height, width) < 12 or PAGE < page < 255 - PAGE:
        return None
    box = cv2.boundingRect(bright)
    inked = cv2.countNonZero(bright)
    if not inked or inked > 0.6 * bright.size:
        return None
    if (height, width) == (SIDE, SIDE) and is_canonical(bright):
        image = bright
    else:
        x, y, w, h = box
        if min(x, y, width - x - w, height - y - h) < 1 or max(w, h) < BOX / 2:
            return None
        peak = int(bright.max())
        # An average pen; thin or faint ones, and noise, take the long way.
        if peak < 140 or not 0.04 < cv2.sumElems(bright)[0] / (255 * max(w, h) ** 2) < 0.45:
            return None
        # The darkest ink is full ink, as in MNIST.
        full = cv2.convertScaleAbs(bright[y : y + h, x : x + w], alpha=255 / peak)
        image = _fit(np.asarray(full, np.uint8))
    x, y, w, h = box
    polarity: Polarity = (
        "dark_on_light" if dark else "canonical" if image is picture else "light_on_dark"
    )
    edge = min(x, y, width - x - w, height - y - h) < 1
    facts = Ink(
        polarity, int(bright.max()), inked / bright.size, (x, y, w, h), groups=1, touches_edge=edge
    )
    return image, facts


def _above(picture: Grey, page: int, dark: bool) -> Grey:
    """Ink above an even page, bright on 0; unchanged where the page is 0."""
    if page == 0:
        return picture
    paged = np.full_like(picture, page)
    return np.asarray(
        cv2.subtract(paged, picture) if dark else cv2.subtract(picture, paged), np.uint8
    )


def _fit(glyph: Grey) -> Grey:
    """Resample ink to a 20 px box whose centre of mass is the middle of 28x28."""
    height, width = glyph.shape
    factor = BOX / max(height, width)
    moments = cv2.moments(glyph)
    x, y = moments["m10"] / moments["m00"] + 0.5, moments["m01"] / moments["m00"] + 0.5
    left = min(max(SIDE / 2 - x * factor, 0), SIDE - width * factor)
    top = min(max(SIDE / 2 - y * factor, 0), SIDE - height * factor)
    shift = (factor - 1) / 2
    matrix = np.array([[factor, 0, left + shift], [0, factor, top + shift]])
    return np.asarray(cv2.warpAffine(glyph, matrix, (SIDE, SIDE), flags=cv2.INTER_LINEAR), np.uint8)


@dataclass(frozen=True)
class _Found:
    """Stroke groups of a picture, weightiest first, and what they were found in."""

    groups: list[components.Group]
    count: int  # of all labels
    labels: NDArray[np.uint16]  # (h, w)
    parts: binarize.Cut
    clean: Grey  # mask without printed lines, (h, w)
    printed: bool


def _groups(parts: binarize.Cut) -> _Found:
    """Ink without printed lines, in groups."""
    printed = rule_lines.find_lines(parts.mask, parts.ink)
    clean = rule_lines.remove_lines(parts.mask, *printed) if printed else parts.mask
    groups, count, labels = components.groups(clean, parts.ink, parts.sure)
    return _Found(groups, count, labels, parts, clean, printed is not None)


def _search(grey: Grey, side: int) -> tuple[Grey, Ink]:
    """Find the digit in a grey picture at working size; `side`: the longer one before.

    It is looked for in a smaller picture, and drawn from this one.
    """
    if max(grey.shape) <= LOOK_SIDE:
        # Averaging smooths a larger one.
        grey = np.asarray(cv2.GaussianBlur(grey, (3, 3), 0), np.uint8)
    below, dark = background.find_paper(grey)
    if not dark:
        grey = 255 - grey
    look = background.shrink(grey, LOOK_SIDE)
    share = _resized(-1 / below, look.shape[::-1])
    rough = np.asarray(cv2.multiply(look, share, dtype=cv2.CV_32F), np.float32)
    rough += 1
    found = _groups(binarize.threshold(rough))
    if not found.groups:
        faint = binarize.faint_threshold(rough)
        found = _groups(faint) if faint else found
    if not found.groups:
        removed = "lines" if found.printed else ""
        return np.zeros((SIDE, SIDE), np.uint8), Ink("none", removed=removed)
    chosen = components.choose(found.groups)
    box = _scaled(chosen.box, grey.shape, look.shape)
    left, top, w, h = box
    mask = _mask(found, chosen, grey[top : top + h, left : left + w], share)
    if max(w, h) < max(4, DUST * max(grey.shape)) or not cv2.countNonZero(mask):
        return np.zeros((SIDE, SIDE), np.uint8), Ink("none", removed="specks")
    image, pen = draw(mask)
    x, y, w, h = _ink_box(mask, box)
    factor = side / max(grey.shape)
    removed = ",".join(["lines"] * found.printed + ["neighbours"] * bool(chosen.neighbours))
    facts = Ink(
        polarity="dark_on_light" if dark else "light_on_dark",
        contrast=min(255, round(255 * chosen.groups[0].contrast)),
        share=sum(group.mass for group in chosen.groups) / look.size,
        stroke_width=pen * max(w, h) / BOX * factor,
        box=(round(x * factor), round(y * factor), round(w * factor), round(h * factor)),
        groups=len(chosen.groups) + chosen.rivals,
        rivals=chosen.rivals,
        touches_edge=any(group.edge for group in chosen.groups),
        removed=removed,
    )
    return image, facts


def _scaled(box: components.Box, to: tuple[int, ...], of: tuple[int, ...]) -> components.Box:
    """The same box in a picture of another (h, w)."""
    x, y, w, h = box
    across, down = to[1] / of[1], to[0] / of[0]
    left, top = round(x * across), round(y * down)
    return left, top, round((x + w) * across) - left, round((y + h) * down) - top


def _mask(found: _Found, chosen: components.Chosen, grey: Grey, share: NDArray[np.float32]) -> Grey:
    """The chosen ink as a mask whose longer side is 80 fine px, with a margin.

    It was found in a small picture; its edges are those in `grey`, its box in the large one.
    """
    x, y, w, h = chosen.box
    part = np.s_[y : y + h, x : x + w]
    parts, labels = found.parts, found.labels
    wanted = np.zeros(found.count, np.uint8)
    wanted[[group.label for group in chosen.groups]] = 255
    mine: Grey = wanted[labels[part]]
    if found.printed:
        mine[parts.mask[part] != found.clean[part]] = 0
    factor = BOX * FINE / max(grey.shape)
    size = (max(1, round(grey.shape[1] * factor)), max(1, round(grey.shape[0] * factor)))
    mine = np.asarray(cv2.resize(mine, size, interpolation=cv2.INTER_NEAREST), np.uint8)
    full = 1 / parts.level[part]
    if parts.calmed:  # the picture's own edges are rough
        soft = _resized(parts.ink[part] * full, size)
    else:
        # A line thinner than a fine px would be averaged away: it is widened to one first.
        reach = round(1 / factor)
        if reach > 1:
            grey = np.asarray(cv2.erode(grey, np.ones((reach, reach), np.uint8)), np.uint8)
        how = cv2.INTER_LINEAR if factor < 1 else cv2.INTER_CUBIC
        edges = cv2.resize(grey, size, interpolation=how)
        light = _resized(share[part] * full, size)
        soft = np.asarray(cv2.multiply(edges, light, dtype=cv2.CV_32F), np.float32)
        soft += _resized(full, size)
    mask = cv2.min(background.over(soft, 1), mine)
    if not cv2.countNonZero(mask):
        mask = mine  # so thin and faint that nothing is left of it at this size
    frame = (MARGIN,) * 4
    return np.asarray(cv2.copyMakeBorder(mask, *frame, cv2.BORDER_CONSTANT, value=0), np.uint8)


def _resized(smooth: NDArray[np.floating], size: Sequence[int]) -> NDArray[np.float32]:
    """Return something smooth, (h, w), at another size: width and height."""
    return np.asarray(cv2.resize(smooth, size, interpolation=cv2.INTER_LINEAR), np.float32)


def _ink_box(mask: Grey, box: components.Box) -> components.Box:
    """The box of the ink in `mask`, which shows `box` at another size and with a margin."""
    x, y, w, h = cv2.boundingRect(mask)
    left, top, w, h = _scaled(
        (x - MARGIN, y - MARGIN, w, h),
        (box[3], box[2]),
        (mask.shape[0] - 2 * MARGIN, mask.shape[1] - 2 * MARGIN),
    )
    return box[0] + left, box[1] + top, w, h
