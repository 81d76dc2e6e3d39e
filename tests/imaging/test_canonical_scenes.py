"""What the canonical form promises for pictures as people have them."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from tasks.imaging.background import light
from tasks.imaging.canonical import canonical
from tasks.synthesis import digit_templates, pen_paths, scene

Pixels = NDArray[np.uint8]


def five(size: int = 200, pen: float = 6) -> Pixels:
    """Ink of a 5 in the middle of a square canvas."""
    strokes = digit_templates.digit_paths(5, np.random.default_rng(3))
    every = np.vstack(strokes)
    scale = 0.5 * size / np.ptp(every, axis=0).max()
    middle = (every.max(axis=0) + every.min(axis=0)) / 2
    return pen_paths.draw([(s - middle) * scale + size / 2 for s in strokes], (size, size), pen)


def alike(a: Pixels, b: Pixels) -> float:
    """Correlation of two canonical forms."""
    return float(np.corrcoef(a.ravel(), b.ravel())[0, 1])


PLAIN = canonical(255 - five())[0]


def test_the_form_is_mnists_frame() -> None:
    assert canonical(PLAIN)[1].polarity == "canonical"


def test_a_canonical_picture_passes_unchanged_and_inverted() -> None:
    assert (canonical(PLAIN)[0] == PLAIN).all()
    assert (canonical(255 - PLAIN)[0] == PLAIN).all()


@pytest.mark.parametrize("size", [48, 100, 200, 448, 1500])
@pytest.mark.parametrize("pen", [0.015, 0.03, 0.06])
def test_size_and_pen_hardly_matter(size: int, pen: float) -> None:
    form, ink = canonical(255 - five(size, max(1.0, pen * size)))
    assert alike(form, PLAIN) > 0.7
    assert not ink.blank


def test_uneven_light_and_shadow_are_not_ink() -> None:
    light = scene.light((200, 200), np.random.default_rng(5))
    paper = np.clip(200 * light, 0, 255) * (1 - 0.6 * five() / 255.0)
    assert alike(canonical(np.asarray(paper, np.uint8))[0], PLAIN) > 0.9


def test_coloured_ink_of_the_papers_brightness_is_found() -> None:
    picture = np.full((200, 200, 3), (150, 150, 150), np.uint8)
    picture[five() > 127] = (235, 120, 130)
    form, ink = canonical(picture)
    assert alike(form, PLAIN) > 0.9
    assert canonical(light(picture))[1].contrast < ink.contrast


@pytest.mark.parametrize(("ink", "looked"), [((235, 120, 130), 1), ((90, 20, 30), 0)])
def test_colours_are_looked_at_where_the_light_alone_shows_little(
    ink: tuple[int, int, int], looked: int
) -> None:
    picture = np.full((200, 200, 3), 150, np.uint8)
    picture[five() > 127] = ink
    looks = []

    def in_colour() -> Pixels:
        looks.append(picture)
        return picture

    form, facts = canonical(light(picture), colour=in_colour)
    expected, expected_facts = canonical(picture)
    assert np.array_equal(form, expected)
    assert facts == expected_facts
    assert len(looks) == looked


def test_a_picture_whose_colours_cannot_be_had_keeps_the_form_of_its_light() -> None:
    grey = np.full((200, 200), 150, np.uint8)
    grey[five() > 127] = 145
    form, ink = canonical(grey)
    again, same = canonical(grey, colour=lambda: None)
    assert np.array_equal(form, again)
    assert ink == same


@pytest.mark.parametrize("dark", [True, False])
def test_transparent_pages_take_the_background_their_ink_needs(dark: bool) -> None:
    ink = np.full((200, 200, 4), 0 if dark else 255, np.uint8)
    ink[..., 3] = five()
    assert alike(canonical(ink)[0], PLAIN) > 0.95


def test_frame_and_ruled_lines_go_and_the_digit_stays() -> None:
    picture = 255 - five()
    for at in (6, 193):
        cv2.line(picture, (0, at), (199, at), 0, 3)
        cv2.line(picture, (at, 0), (at, 199), 0, 3)
    cv2.line(picture, (0, 110), (199, 112), 120, 2)
    form, ink = canonical(picture)
    assert alike(form, PLAIN) > 0.85
    assert "lines" in ink.removed


@pytest.mark.parametrize("pen", [2, 4, 7])
@pytest.mark.parametrize("grey", [0, 150])
def test_frames_of_two_lines_go_however_thick(pen: int, grey: int) -> None:
    picture = 255 - five()
    for at in (4, 4 + 2 * pen, 199 - 4 - 2 * pen, 195):
        cv2.line(picture, (0, at), (199, at + 1), grey, pen, cv2.LINE_AA)
        cv2.line(picture, (at, 0), (at - 1, 199), grey, pen, cv2.LINE_AA)
    form, ink = canonical(cv2.GaussianBlur(picture, (0, 0), 0.8))
    assert alike(form, PLAIN) > 0.85
    assert "lines" in ink.removed


def test_a_stem_that_stands_on_a_frame_is_no_line_of_it() -> None:
    picture = np.full((160, 160), 255, np.uint8)
    cv2.line(picture, (60, 70), (85, 36), 40, 9, cv2.LINE_AA)
    cv2.line(picture, (85, 36), (82, 150), 40, 9, cv2.LINE_AA)
    without = canonical(picture)[0]
    for at in (8, 151):
        cv2.line(picture, (0, at), (159, at), 40, 3)
        cv2.line(picture, (at, 0), (at, 159), 40, 3)
    assert alike(canonical(picture)[0], without) > 0.85


def test_a_large_pale_digit_in_a_vignette_is_found() -> None:
    y, x = np.mgrid[-1:1:109j, -1:1:119j]
    light = 110 * (1 - 0.35 * (x**2 + y**2))
    ink = cv2.resize(five(200, 9)[30:170, 30:170], (119, 109), interpolation=cv2.INTER_AREA)
    picture = np.asarray(light * (1 - 0.3 * ink / 255.0), np.uint8)
    assert not canonical(picture)[1].blank


def test_a_neighbours_stroke_at_the_edge_is_left_out() -> None:
    picture = 255 - five()
    cv2.line(picture, (192, 60), (199, 150), 0, 6)
    form, ink = canonical(picture)
    assert alike(form, PLAIN) > 0.95
    assert "neighbours" in ink.removed


def test_two_digits_are_told() -> None:
    assert canonical(255 - np.hstack((five(), five())))[1].other_digits == 1


@pytest.mark.parametrize("grey", [0, 128, 255])
def test_a_blank_picture_has_no_ink(grey: int) -> None:
    form, ink = canonical(np.full((200, 300), grey, np.uint8))
    assert ink.blank
    assert not form.any()


@pytest.mark.parametrize(
    "shape", [(1, 1), (1, 400), (3, 3, 3), (8, 8), (2, 900, 4), (5, 7, 3), (3000, 2)]
)
def test_no_shape_fails(shape: tuple[int, ...]) -> None:
    noise = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    assert canonical(noise)[0].shape == (28, 28)
