"""Paper, ink, noise and sharpness are found as they were drawn."""

import cv2
import numpy as np
import pytest

from tasks.decoding.decode import Picture
from tasks.monitoring.picture_look import Look, look_of, sheet_of
from tests.monitoring.pages import page_of

Pixels = np.ndarray


def drawn(
    paper: float = 230, dark: float = 0.7, noise: float = 3.0, blur: float = 1.5, side: int = 140
) -> Pixels:
    """Draw a 0 of known look."""
    random = np.random.default_rng(1)
    cover = np.zeros((side, side), np.float32)
    cv2.ellipse(cover, (side // 2, side // 2), (side // 5, side // 3), 0, 0, 360, 1.0, side // 16)
    soft = cv2.GaussianBlur(cover, (0, 0), blur)
    shown = paper * (1 - dark * soft) + random.normal(0, noise, cover.shape)
    return np.clip(shown, 0, 255).astype(np.uint8)


def look(picture: Pixels, side: int | None = None) -> Look:
    height, width = picture.shape[:2]
    factor = (side or max(height, width)) / max(height, width)
    return look_of(
        sheet_of(page_of(Picture(picture, round(factor * width), round(factor * height))))
    )


@pytest.mark.parametrize("paper", [40, 120, 230])
def test_paper_and_ink_are_measured_apart(paper: float) -> None:
    found = look(drawn(paper=paper, noise=1))
    assert found.paper == pytest.approx(paper, abs=6)
    assert found.ink == pytest.approx(0.7, abs=0.1)


def test_an_inverted_picture_has_dark_paper_and_as_much_ink() -> None:
    found = look(255 - drawn(paper=235))
    assert found.paper == pytest.approx(20, abs=6)
    assert found.ink == pytest.approx(0.7, abs=0.1)


@pytest.mark.parametrize("noise", [2.0, 6.0, 12.0])
def test_noise_is_that_of_the_paper(noise: float) -> None:
    assert look(drawn(noise=noise, paper=200)).noise == pytest.approx(noise, rel=0.3)


@pytest.mark.parametrize("blur", [1.0, 2.0, 4.0])
def test_softness_is_that_of_the_edges(blur: float) -> None:
    assert look(drawn(blur=blur)).blur == pytest.approx(blur, rel=0.35)


@pytest.mark.parametrize("noise", [1.0, 8.0])
def test_print_is_told_from_noise_and_from_the_digit(noise: float) -> None:
    plain, printed = drawn(noise=noise), drawn(noise=noise)
    printed[::20] = 120
    assert look(plain).printed < 0.005
    assert look(printed).printed == pytest.approx(1 / 20, abs=0.02)


def test_lengths_are_those_of_the_file() -> None:
    found = look(drawn(), side=280)
    assert found.side == 280
    assert found.blur == pytest.approx(2 * look(drawn()).blur, rel=0.1)


@pytest.mark.parametrize(
    "picture",
    [
        np.full((90, 90), 240, np.uint8),
        np.zeros((28, 28), np.uint8),
        np.full((1, 300), 200, np.uint8),
        np.full((40, 40, 3), 128, np.uint8),
        np.zeros((30, 30, 4), np.uint8),
    ],
)
def test_a_picture_without_ink_has_a_look(picture: Pixels) -> None:
    found = look(picture)
    assert found.ink == 0
    assert np.isfinite(found).all()


def test_a_large_picture_looks_as_it_does_small() -> None:
    large = cv2.resize(drawn(blur=3), None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC)
    found, small = look(large), look(drawn(blur=3))
    assert found.side == 560
    assert found.paper == pytest.approx(small.paper, abs=3)
    assert found.blur == pytest.approx(4 * small.blur, rel=0.2)


def test_a_page_without_its_thumbnail_is_refused() -> None:
    page = page_of(Picture(drawn(), 140, 140))._replace(thumbnail=None)
    with pytest.raises(ValueError, match="thumbnail"):
        sheet_of(page)
