"""A picture cut to its ink gets page around it; a frame, a shadow and lined paper do not."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from tasks.imaging.canonical import canonical, prepared
from tasks.imaging.crops import lacking_margin, laid_around

Grey = NDArray[np.uint8]
DARK, BRIGHT = 30, 235


def strokes(height: int, pen: int) -> Grey:
    """Return a mask of a 2 with loops, cut to its ink."""
    mask = np.zeros((2 * height, 2 * height), np.uint8)
    s = height / 100
    top = (round(80 * s), round(70 * s))
    cv2.ellipse(mask, top, (round(35 * s), round(30 * s)), 0, 180, 380, 255, pen)
    cv2.line(mask, (round(112 * s), round(82 * s)), (round(45 * s), round(140 * s)), 255, pen)
    cv2.line(mask, (round(45 * s), round(140 * s)), (round(118 * s), round(132 * s)), 255, pen)
    x, y, w, h = cv2.boundingRect(mask)
    return np.asarray(mask[y : y + h, x : x + w])


def picture(mask: Grey, page: int, ink: int) -> Grey:
    return np.where(mask > 0, np.uint8(ink), np.uint8(page)).astype(np.uint8)


@pytest.mark.parametrize("margin", [0, 1, 2])
@pytest.mark.parametrize(("page", "ink"), [(BRIGHT, DARK), (DARK, BRIGHT)])
@pytest.mark.parametrize(("height", "pen"), [(60, 5), (110, 12), (220, 9)])
def test_ink_that_was_cut_out_has_the_form_it_has_on_its_page(
    margin: int, page: int, ink: int, height: int, pen: int
) -> None:
    mask = strokes(height, pen)
    cut = picture(np.pad(mask, margin), page, ink)
    whole = picture(np.pad(mask, height // 2), page, ink)
    (form, facts, others), (expected, _) = prepared(cut), canonical(whole)
    # a straight foot from edge to edge is seen as a printed line as well
    forms = (form, *others)
    assert max(np.corrcoef(each.ravel(), expected.ravel())[0, 1] for each in forms) > 0.9
    assert facts.polarity == ("dark_on_light" if page > ink else "light_on_dark")
    if margin == 0:
        assert facts.touches_edge


def test_the_margin_is_of_the_grey_of_the_page() -> None:
    margin, page = lacking_margin(picture(strokes(110, 12), 201, DARK))
    assert margin > 10
    assert page is not None
    assert np.abs(page.astype(int) - 201).max() <= 1


def test_the_margin_of_a_shaded_crop_is_as_bright_as_the_page_near_it() -> None:
    even = picture(strokes(110, 12), 220, DARK)
    crop = np.asarray(even * np.linspace(1, 0.6, len(even))[:, None], np.uint8)
    margin, page = lacking_margin(crop)
    assert page is not None
    framed = laid_around(crop, page, margin)
    assert framed.shape == tuple(side + 2 * margin for side in crop.shape)
    assert (framed[margin:-margin, margin:-margin] == crop).all()
    top, bottom = framed[0, 0], framed[-1, -1]
    assert top > 190
    assert bottom < 165


def test_what_has_room_around_it_gets_no_margin() -> None:
    assert lacking_margin(picture(np.pad(strokes(110, 12), 20), BRIGHT, DARK)) == (0, None)


def test_a_frame_a_shadow_and_lined_paper_are_no_ink_that_was_cut() -> None:
    frame = np.full((120, 120), BRIGHT, np.uint8)
    frame[:4], frame[-4:], frame[:, :4], frame[:, -4:] = DARK, DARK, DARK, DARK
    assert lacking_margin(frame) == (0, None)
    squared = np.full((120, 120), BRIGHT, np.uint8)
    squared[10::24], squared[:, 10::24] = DARK, DARK
    assert lacking_margin(squared) == (0, None)
    y, x = np.mgrid[-1:1:120j, -1:1:120j]
    vignette = np.asarray(240 - 190 * (np.maximum(abs(x), abs(y)) > 0.9), np.uint8)
    cv2.circle(vignette, (60, 60), 20, DARK, 4)
    assert lacking_margin(vignette) == (0, None)
