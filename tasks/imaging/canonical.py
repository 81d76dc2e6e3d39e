"""Any decoded picture to the 28x28 canonical form: MNIST's frame, ink bright on 0, with facts."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from tasks.imaging import background, binarize, components, rule_lines
from tasks.imaging.form import BOX, SIDE, Ink
from tasks.imaging.plain import PAGE, plain_form
from tasks.imaging.render import FINE, MARGIN, draw

Pixels = NDArray[np.uint8]  # any picture
Grey = Pixels  # (h, w)
Colour = Callable[[], Pixels | None]
"""Gives the same picture in colour, (h, w, 3) RGB; None if that cannot be had."""

PAGE_SHARE = 0.3  # of a small clean picture: at least as much is page
LOOK_SIDE = 112  # px: the digit is looked for in a picture this small, and drawn from a larger one
SMALL = 40  # px: sides up to which a clean picture needs no search for background and lines
DUST = 0.025  # of the picture's longer side: smaller ink is none
PALE = 20  # contrast of 255: where the light alone shows no more, the colours are looked at


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
        plain = plain_form(picture)
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
    # Ink as bright as the background differs in colour alone.
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

    With ink on the rim there is too little background to tell it by. Most of the rim and of the
    picture has to be of one page, so that no frame counts as one.
    """
    rim = _rim(grey)
    page = int(np.median(rim))
    if PAGE < page < 255 - PAGE:
        return 0
    on_page = np.abs(grey.astype(np.int16) - page) <= PAGE
    inked = np.abs(rim.astype(np.int16) - page).max() > 255 / 4
    return round(max(grey.shape) / 4) if inked and on_page.mean() >= PAGE_SHARE else 0


@dataclass(frozen=True)
class _Found:
    """Components of a picture's ink, heaviest first, and what they were found in."""

    components: list[components.Component]
    count: int  # of all labels
    labels: NDArray[np.uint16]  # (h, w)
    parts: binarize.BinaryInk
    clean: Grey  # mask without printed lines, (h, w)
    printed: bool


def _components(parts: binarize.BinaryInk) -> _Found:
    """The components of ink without printed lines."""
    printed = rule_lines.find_lines(parts.mask, parts.ink)
    clean = rule_lines.remove_lines(parts.mask, *printed) if printed else parts.mask
    pieces, count, labels = components.find_components(clean, parts.ink, parts.sure)
    return _Found(pieces, count, labels, parts, clean, printed is not None)


def _search(grey: Grey, side: int) -> tuple[Grey, Ink]:
    """Find the digit in a grey picture at working size; `side`: the longer one before.

    It is looked for in a smaller picture, and drawn from this one.
    """
    if max(grey.shape) <= LOOK_SIDE:
        # Averaging smooths a larger one.
        grey = np.asarray(cv2.GaussianBlur(grey, (3, 3), 0), np.uint8)
    below, dark = background.estimate_background(grey)
    if not dark:
        grey = 255 - grey
    look = background.shrink(grey, LOOK_SIDE)
    share = _resized(-1 / below, look.shape[::-1])
    rough = np.asarray(cv2.multiply(look, share, dtype=cv2.CV_32F), np.float32)
    rough += 1
    found = _components(binarize.threshold(rough))
    if not found.components:
        faint = binarize.faint_threshold(rough)
        found = _components(faint) if faint else found
    if not found.components:
        removed = "lines" if found.printed else ""
        return np.zeros((SIDE, SIDE), np.uint8), Ink("none", removed=removed)
    digit = components.select_digit(found.components)
    box = _scaled(digit.box, grey.shape, look.shape)
    left, top, w, h = box
    mask = _mask(found, digit, grey[top : top + h, left : left + w], share)
    if max(w, h) < max(4, DUST * max(grey.shape)) or not cv2.countNonZero(mask):
        return np.zeros((SIDE, SIDE), np.uint8), Ink("none", removed="specks")
    image, stroke_width = draw(mask)
    x, y, w, h = _ink_box(mask, box)
    factor = side / max(grey.shape)
    removed = ",".join(["lines"] * found.printed + ["neighbours"] * bool(digit.neighbours))
    facts = Ink(
        polarity="dark_on_light" if dark else "light_on_dark",
        contrast=min(255, round(255 * digit.components[0].contrast)),
        share=sum(piece.mass for piece in digit.components) / look.size,
        stroke_width=stroke_width * max(w, h) / BOX * factor,
        box=(round(x * factor), round(y * factor), round(w * factor), round(h * factor)),
        groups=len(digit.components) + digit.other_digits,
        other_digits=digit.other_digits,
        touches_edge=any(piece.edge for piece in digit.components),
        removed=removed,
    )
    return image, facts


def _scaled(box: components.Box, to: tuple[int, ...], of: tuple[int, ...]) -> components.Box:
    """The same box in a picture of another (h, w)."""
    x, y, w, h = box
    across, down = to[1] / of[1], to[0] / of[0]
    left, top = round(x * across), round(y * down)
    return left, top, round((x + w) * across) - left, round((y + h) * down) - top


def _mask(found: _Found, digit: components.Digit, grey: Grey, share: NDArray[np.float32]) -> Grey:
    """The chosen ink as a mask whose longer side is 80 fine px, with a margin.

    It was found in a small picture; its edges are those in `grey`, its box in the large one.
    """
    x, y, w, h = digit.box
    part = np.s_[y : y + h, x : x + w]
    parts, labels = found.parts, found.labels
    wanted = np.zeros(found.count, np.uint8)
    wanted[[piece.label for piece in digit.components]] = 255
    mine: Grey = wanted[labels[part]]
    if found.printed:
        mine[parts.mask[part] != found.clean[part]] = 0
    factor = BOX * FINE / max(grey.shape)
    size = (max(1, round(grey.shape[1] * factor)), max(1, round(grey.shape[0] * factor)))
    mine = np.asarray(cv2.resize(mine, size, interpolation=cv2.INTER_NEAREST), np.uint8)
    full = 1 / parts.level[part]
    if parts.smoothed:  # the picture's own edges are rough
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
