"""Any decoded picture to the 28x28 canonical form: MNIST's frame, ink bright on 0, with facts."""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from tasks.imaging import background, binarize, boxes, closer, components, crops
from tasks.imaging.cutout import Drawn, differs, drawn, resized, scaled
from tasks.imaging.form import (
    BOX,
    FAINT_CONTRAST,
    SIDE,
    SMALL_SIDE,
    Ink,
    Kind,
    Polarity,
    Prepared,
    small_kind,
)
from tasks.imaging.plain import is_even_page, plain_form
from tasks.imaging.ways import is_residue, ways_to_see

Pixels = NDArray[np.uint8]  # any picture
Grey = Pixels  # (h, w)
Again = Callable[[], Pixels | None]
"""Decodes the same picture again; None if that cannot be done."""

LOOK_SIDE = 112  # px: the digit is looked for in a picture this small, and drawn from a larger one
FAINTEST = 40  # contrast of 255: below it ink is also looked for by a lower threshold
PALE = 20  # contrast of 255: where the light alone shows no more, the colours are looked at


def canonical(
    picture: Pixels, side: int | None = None, colour: Again | None = None
) -> tuple[Grey, Ink]:
    """Return the form that `prepared` sees first, and its facts."""
    return prepared(picture, side, colour)[:2]


def prepared(
    picture: Pixels,
    side: int | None = None,
    colour: Again | None = None,
    whole: Again | None = None,
) -> Prepared:
    """Bring uint8 (H, W), (H, W, 3) RGB or (H, W, 4) RGBA to uint8 (28, 28), ink bright on 0.

    What already is in MNIST's frame passes unchanged, or inverted. Without ink all is 0.

    Args:
        picture: any picture.
        side: px of its longer side in the file, if it was decoded smaller: facts are told in those.
        colour: gives it in colour, (h, w, 3), if `picture` is the light alone of a coloured one.
        whole: gives it as large as in the file, if it was decoded smaller.
    """
    if max(picture.shape[:2]) <= SMALL_SIDE:
        plain = plain_form(picture)
        if plain is not None:
            return Prepared(*plain)
    if picture.ndim == 3 and picture.shape[2] == 4:
        picture = background.flatten_alpha(picture)
    side = side or max(picture.shape[:2])
    found = _whole_page(picture, side, colour)
    if side >= closer.LARGE and max(found.ink.box[2:]) <= closer.SMALL_INK * side:
        found = _from_near(found, picture, side, whole)
    if picture.shape == (SIDE, SIDE):
        found = _or_as_it_is(found, picture)
    return found._replace(ink=found.ink._replace(kind=_kind(found.ink, side)))


def _or_as_it_is(found: Prepared, grey: Grey) -> Prepared:
    """See a picture of MNIST's size also as it is: its frame may be right, its page disturbed."""
    if found.ink.blank:
        return found
    page = crops.rim_grey(grey)
    form = np.asarray(255 - grey if page > 127 else grey, np.uint8)
    if not is_even_page(page) or not differs(form, found.form):
        return found
    ink = found.ink._replace(doubts=_listed(found.ink.doubts, "page"))
    return found._replace(ink=ink, others=(*found.others, form))


def _kind(ink: Ink, side: int) -> Kind:
    """The kind of a picture, of which is known if it has lines or was cut to its ink."""
    if ink.kind == Kind.LINED:
        return ink.kind
    if side <= SMALL_SIDE:
        return small_kind(side)
    if ink.touches_edge:
        return ink.kind if ink.kind == Kind.CROPPED else Kind.EDGE
    return Kind.FAINT if ink.contrast < FAINT_CONTRAST else Kind.PLAIN


def _whole_page(picture: Pixels, side: int, colour: Again | None) -> Prepared:
    """Find the digit in a picture that is seen as a whole."""
    work = background.shrink(picture, background.WORK_SIDE)
    if work.ndim == 2:
        found = _in_grey(work, side)
    else:
        found = _in_grey(background.light(work), side)
        colour = lambda: work  # noqa: E731
    if not colour or found.ink.contrast >= PALE:
        return found
    # Ink as bright as the background differs in colour alone.
    coloured = colour()
    if coloured is None:
        return found
    mixed = background.mix_channels(background.shrink(coloured, background.WORK_SIDE))
    again = _in_grey(mixed, side)
    return found if again.ink.blank else again


def _from_near(found: Prepared, picture: Pixels, side: int, whole: Again | None) -> Prepared:
    """Look again at a page on which little ink was found, or none: at the part that has it."""
    large = whole() if whole else None
    large = picture if large is None else large
    grey = large if large.ndim == 2 else background.light(large)
    scale = side / max(grey.shape)
    small = closer.small_ink(grey)
    if not small or max(small[0][2:]) * scale < closer.LEAST_SIDE:
        return found
    left, top, w, h = closer.around(small[0], grey.shape)
    part = background.shrink(grey[top : top + h, left : left + w], background.WORK_SIDE)
    near = _in_grey(part, round(max(w, h) * scale))
    if near.ink.blank:
        return found
    x, y, *size = near.ink.box
    ink = near.ink._replace(
        box=(x + round(left * scale), y + round(top * scale), size[0], size[1]),
        share=near.ink.share * w * h / grey.size,
        other_digits=near.ink.other_digits + small[1],
        groups=near.ink.groups + small[1],
    )
    return near._replace(ink=ink)


def _in_grey(grey: Grey, side: int) -> Prepared:
    """Find the digit in a grey picture, at most WORK_SIDE wide; `side`: its longer one before."""
    margin, page = crops.lacking_margin(grey)
    if page is None:
        return _search(background.enlarge(grey), side)
    factor = side / max(grey.shape)
    frame = False
    if max(grey.shape) > SMALL_SIDE:
        uncut = _search(background.enlarge(grey), side)
        height, width = (length * factor for length in grey.shape)
        if "lines" in uncut.ink.removed and crops.has_room(uncut.ink.box, width, height):
            return uncut  # a digit in a cell whose frame reaches the edges
        frame = uncut.ink.blank
    framed = crops.laid_around(grey, page, margin)
    found = _search(
        background.enlarge(background.shrink(framed, background.WORK_SIDE)),
        round(max(framed.shape) * factor),
    )
    left, top, width, height = found.ink.box
    shift = round(margin * factor)
    return found._replace(
        ink=found.ink._replace(
            box=(left - shift, top - shift, width, height),
            share=found.ink.share * framed.size / grey.size,
            touches_edge=not found.ink.blank,
            kind=found.ink.kind if found.ink.kind == Kind.LINED else Kind.CROPPED,
            doubts=_listed(found.ink.doubts, *["frame"] * frame),
        )
    )


def _search(grey: Grey, side: int) -> Prepared:
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
    share = resized(-1 / below, look.shape[::-1])
    rough = np.asarray(cv2.multiply(look, share, dtype=cv2.CV_32F), np.float32)
    rough += 1
    parts = binarize.threshold(rough)
    inside = boxes.box_inside(parts.mask)
    if inside:
        return _inside(inside, grey if dark else 255 - grey, look.shape, side)
    ways = ways_to_see(parts)
    if not ways[0].components:
        faint = binarize.faint_threshold(rough)
        ways = ways_to_see(faint) if faint else ways
    if not ways[0].components:
        return _blank("lines" if ways[0].printed else "")
    found = [each for way in ways if (each := drawn(way, way.digit, grey, share)) is not None]
    if not found:
        return _blank("specks")
    first = found[0]
    others = {"lines": [each.form for each in found[1:] if differs(each.form, first.form)]}
    pieces = [piece for piece in ways[0].components if not is_residue(ways[0], piece)]
    strokes = components.edge_strokes(first.digit, pieces, look.shape)
    whole = components.joined(first.digit, strokes)
    if whole and (joined := drawn(ways[0], whole, grey, share)):
        if whole.touching or first.digit.components[0].edge:
            first, joined = joined, first
        others["edge"] = [joined.form]
    # what is left of printed lines is no piece of a digit
    more = None if ways[0].printed else components.left_over(first.digit, pieces)
    if more and (with_more := drawn(ways[0], more, grey, share)):
        others["pieces"] = [with_more.form]
    if 255 * first.digit.components[0].contrast < FAINTEST:
        others["faint"] = [
            each.form
            for way in ways_to_see(binarize.lower_threshold(parts))[:1]
            if way.components
            and (each := drawn(way, way.digit, grey, share))
            and differs(each.form, first.form)
        ]
    doubts = [
        *(doubt for doubt, forms in others.items() if forms),
        *["several"] * components.another_digit(whole or first.digit, strokes),
        *["frame"] * components.may_be_frame(first.digit, look.shape),
    ]
    polarity: Polarity = "dark_on_light" if dark else "light_on_dark"
    facts = _facts(first, polarity, look.shape, side / max(grey.shape))._replace(
        other_digits=min(each.digit.other_digits for each in found),
        kind=Kind.LINED if ways[0].printed else Kind.PLAIN,
        removed=_listed(
            *["lines"] * ways[0].printed, *["neighbours"] * bool(first.digit.neighbours)
        ),
        doubts=_listed(*doubts),
    )
    facts = facts._replace(groups=facts.groups + facts.other_digits)
    return Prepared(first.form, facts, tuple(form for forms in others.values() for form in forms))


def _listed(*facts: str) -> str:
    """Facts as one, by commas, each once."""
    named = ",".join(facts).split(",")
    return ",".join(dict.fromkeys(fact for fact in named if fact))


def _blank(removed: str) -> Prepared:
    return Prepared(np.zeros((SIDE, SIDE), np.uint8), Ink("none", removed=removed, kind=Kind.PLAIN))


def _facts(found: Drawn, polarity: Polarity, shape: tuple[int, ...], factor: float) -> Ink:
    """What is known of a digit alone.

    Args:
        found: the digit.
        polarity: of its picture.
        shape: (h, w) of the picture that it was found in.
        factor: px of the file for each px of the picture that it was drawn from.
    """
    x, y, w, h = found.box
    pieces = found.digit.components
    return Ink(
        polarity=polarity,
        contrast=min(255, round(255 * pieces[0].contrast)),
        share=sum(piece.mass for piece in pieces) / (shape[0] * shape[1]),
        stroke_width=found.stroke_width * max(w, h) / BOX * factor,
        box=(round(x * factor), round(y * factor), round(w * factor), round(h * factor)),
        groups=len(pieces),
        touches_edge=any(piece.edge for piece in pieces),
    )


def _inside(box: components.Box, grey: Grey, of: tuple[int, ...], side: int) -> Prepared:
    """Find the digit inside of a box that was found in a smaller picture, `of` (h, w)."""
    left, top, w, h = scaled(box, grey.shape, of)
    factor = side / max(grey.shape)
    crop = background.enlarge(grey[top : top + h, left : left + w])
    found = _search(crop, round(max(w, h) * factor))
    x, y, *size = found.ink.box
    shifted, ink = (x + round(left * factor), y + round(top * factor), *size), found.ink
    ink = ink._replace(
        box=shifted if any(size) else ink.box,
        share=ink.share * w * h / grey.size,
        removed=_listed("lines", ink.removed),
        kind=Kind.LINED,
    )
    return found._replace(ink=ink)
