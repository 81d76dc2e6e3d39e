"""Each kind of damage changes a page as its name says, the same way for the same seed."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from tasks.synthesis import corruptions
from tasks.synthesis.corruptions import CORRUPTIONS

Page = NDArray[np.uint8]
SIDE = 112  # px
KINDS = [*CORRUPTIONS.values(), corruptions.thin_pen, corruptions.thick_pen]


def page() -> Page:
    """Return a two, dark on white."""
    drawn = np.full((SIDE, SIDE), 255, np.uint8)
    points = np.array([(40, 40), (56, 30), (72, 42), (66, 60), (40, 84), (76, 84)], np.int32)
    return np.asarray(cv2.polylines(drawn, [points[:, None]], False, 0, 7, cv2.LINE_AA), np.uint8)


def ink(picture: Page) -> float:
    """Return how much ink a page holds, in black px."""
    return float((255 - picture.astype(float)).sum() / 255)


def centre(picture: Page) -> tuple[float, float]:
    """Return the middle of the ink's mass, x and y."""
    moments = cv2.moments(np.asarray(255 - picture, np.uint8))
    return moments["m10"] / moments["m00"], moments["m01"] / moments["m00"]


def seeds(count: int = 20) -> list[np.random.Generator]:
    return [np.random.default_rng(seed) for seed in range(count)]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_damaged_page_is_another_page_of_that_size_and_the_original_stays(
    kind: corruptions.Callable[[Page, np.random.Generator], Page],
) -> None:
    original = page()
    one, same, other = (kind(original, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(original, page())
    assert (one.shape, one.dtype) == (original.shape, np.uint8)
    assert np.array_equal(one, same)
    assert not np.array_equal(one, original)
    assert not np.array_equal(one, other)


@pytest.mark.parametrize("shape", [(60, 90), (90, 60), (28, 28)])
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_pages_of_any_shape_can_be_damaged(
    kind: corruptions.Callable[[Page, np.random.Generator], Page], shape: tuple[int, int]
) -> None:
    small = np.asarray(cv2.resize(page(), shape[::-1]), np.uint8)
    assert kind(small, np.random.default_rng(3)).shape == shape


def test_single_pixels_are_black_or_white_and_few() -> None:
    for random in seeds():
        noisy = corruptions.impulse_noise(np.full((SIDE, SIDE), 128, np.uint8), random)
        changed = noisy[noisy != 128]
        assert set(changed) == {0, 255}
        assert 0.005 < changed.size / noisy.size < 0.05


def test_grain_is_as_dark_as_the_page_on_average() -> None:
    grey = np.full((SIDE, SIDE), 90, np.uint8)
    for random in seeds(5):
        assert corruptions.shot_noise(grey, random).mean() == pytest.approx(90, abs=2)


@pytest.mark.parametrize("blur", [corruptions.motion_blur, corruptions.defocus_blur])
def test_a_blur_keeps_the_ink_and_softens_its_edges(
    blur: corruptions.Callable[[Page, np.random.Generator], Page],
) -> None:
    for random in seeds():
        soft = blur(page(), random)
        assert ink(soft) == pytest.approx(ink(page()), rel=0.02)
        assert np.abs(np.diff(soft.astype(int))).max() < 250


def test_a_sheet_askew_is_turned_about_its_middle_by_10_to_25_degrees() -> None:
    dot = np.full((SIDE, SIDE), 255, np.uint8)
    cv2.circle(dot, (96, 56), 5, 0, -1, cv2.LINE_AA)  # to the right of the middle
    middle = (SIDE - 1) / 2
    angles = []
    for random in seeds(40):
        x, y = centre(corruptions.rotate(dot, random))
        angles.append(np.degrees(np.arctan2(y - middle, x - middle)))
    assert 9 < np.abs(angles).min() <= np.abs(angles).max() < 26
    assert {np.sign(angle) for angle in angles} == {-1, 1}


def test_a_slanted_digit_keeps_its_height_and_its_ink() -> None:
    for random in seeds():
        slanted = corruptions.shear(page(), random)
        assert ink(slanted) == pytest.approx(ink(page()), rel=0.03)
        rows = [np.flatnonzero(some.min(axis=1) < 128) for some in (page(), slanted)]
        assert abs(int(np.ptp(rows[0])) - int(np.ptp(rows[1]))) <= 1


def test_a_small_digit_keeps_its_middle_and_loses_ink_by_the_square() -> None:
    shares = []
    for random in seeds():
        small = corruptions.scale(page(), random)
        shares.append(ink(small) / ink(page()))
        x, y = ((one + (SIDE - 1) / 2) / 2 for one in centre(page()))
        assert np.hypot(*(np.array(centre(small)) - (x, y))) < 8
    assert 0.45**2 - 0.03 < min(shares) < max(shares) < 0.75**2 + 0.03


def test_a_moved_digit_is_whole_and_somewhere_else() -> None:
    places = set()
    for random in seeds():
        moved = corruptions.translate(page(), random)
        assert ink(moved) == pytest.approx(ink(page()), rel=0.02)
        places.add(tuple(round(one) for one in centre(moved)))
    assert len(places) > 10


def test_light_changes_all_of_the_page_and_keeps_ink_darker_than_paper() -> None:
    for random in seeds():
        for kind in (corruptions.brightness, corruptions.contrast):
            lit = kind(page(), random)
            assert lit[0, 0] - int(lit.min()) >= 30
    assert {bool(corruptions.brightness(page(), random)[0, 0] == 255) for random in seeds()} == {
        True,
        False,
    }


def test_fog_is_uneven_and_hides_no_ink_altogether() -> None:
    for random in seeds():
        misty = corruptions.fog(page(), random)
        blank = misty[page() == 255]
        assert int(blank.max()) - int(blank.min()) > 5
        assert misty[page() == 0].mean() < blank.mean() - 20


@pytest.mark.parametrize("kind", [corruptions.spatter, corruptions.dotted_line])
def test_what_is_drawn_on_a_page_only_adds_ink(
    kind: corruptions.Callable[[Page, np.random.Generator], Page],
) -> None:
    for random in seeds():
        drawn = kind(page(), random)
        assert (drawn <= page()).all()
        assert 0 < ink(drawn) - ink(page()) < 0.05 * SIDE * SIDE


def test_a_dotted_line_runs_from_edge_to_edge() -> None:
    for random in seeds(5):
        marks = corruptions.dotted_line(np.full((SIDE, SIDE), 255, np.uint8), random) < 200
        columns = np.flatnonzero(marks.any(axis=0))
        assert columns[0] <= 2
        assert columns[-1] >= SIDE - 3
        assert 9 <= cv2.connectedComponents(marks.astype(np.uint8))[0] - 1 <= 14


def test_a_thin_pen_leaves_less_ink_in_one_piece_and_a_thick_one_more() -> None:
    for random in seeds(5):
        thin, thick = corruptions.thin_pen(page(), random), corruptions.thick_pen(page(), random)
        assert ink(thin) < 0.6 * ink(page()) < ink(page()) < ink(thick)
        assert (thick <= page()).all()
