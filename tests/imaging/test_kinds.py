"""The preparation tells what kind of picture it saw, and what of it could be seen otherwise."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from tasks.imaging.canonical import prepared
from tasks.imaging.form import DOUBTS, Kind
from tests.imaging.test_canonical_scenes import PLAIN, alike, five

Pixels = NDArray[np.uint8]


def on_paper(darkness: float = 1.0) -> Pixels:
    """A 5 on white paper, 200x200, as dark as said."""
    return np.asarray(255 - darkness * five(), np.uint8)


def lined(*, across: bool, down: bool, every: int = 40) -> Pixels:
    picture = on_paper()
    if across:
        picture[every // 2 :: every] = np.minimum(picture[every // 2 :: every], 190)
    if down:
        picture[:, every // 2 :: every] = np.minimum(picture[:, every // 2 :: every], 190)
    return picture


def framed() -> Pixels:
    picture = on_paper()
    cv2.rectangle(picture, (20, 20), (180, 180), 90, 3)
    return picture


def cropped() -> Pixels:
    x, y, w, h = cv2.boundingRect(five())
    return on_paper()[y : y + h, x : x + w]


@pytest.mark.parametrize(
    ("kind", "picture"),
    [
        (Kind.CLEAN, lambda: PLAIN),
        (Kind.CLEAN, lambda: 255 - PLAIN),
        (Kind.SMALL, lambda: cv2.resize(PLAIN, (36, 36))),
        (Kind.SMALL, lambda: cv2.resize(on_paper(), (24, 24), interpolation=cv2.INTER_AREA)),
        (Kind.TINY, lambda: cv2.resize(PLAIN[3:25, 3:25], (14, 14), interpolation=cv2.INTER_AREA)),
        (Kind.TINY, lambda: cv2.resize(cropped(), (8, 8), interpolation=cv2.INTER_AREA)),
        (Kind.PLAIN, on_paper),
        (Kind.FAINT, lambda: on_paper(0.15)),
        (Kind.CROPPED, cropped),
        (Kind.EDGE, lambda: on_paper()[:, : cv2.boundingRect(five())[0] + 60]),
        (Kind.LINED, framed),
        (Kind.LINED, lambda: lined(across=True, down=False)),
        (Kind.LINED, lambda: lined(across=False, down=True)),
        (Kind.LINED, lambda: lined(across=True, down=True)),
    ],
)
def test_each_kind_is_told(kind: Kind, picture: Callable[[], Pixels]) -> None:
    assert prepared(np.asarray(picture(), np.uint8)).ink.kind == kind


def test_a_piece_too_far_off_for_the_digit_is_seen_with_it_too() -> None:
    picture = on_paper()
    x, y, w, _ = cv2.boundingRect(five())
    cv2.line(picture, (x + w + 36, y + 10), (x + w + 36, y + 40), 0, 8)
    found = prepared(picture)
    assert found.ink.doubts == "pieces"
    assert alike(found.form, PLAIN) > 0.9 > alike(found.others[0], PLAIN)
    speck = on_paper()
    cv2.circle(speck, (x + w + 36, y + 10), 2, 0, -1)
    assert prepared(speck).others == ()


def test_the_faintest_ink_is_looked_for_by_a_lower_threshold_too() -> None:
    picture = on_paper(0.09).astype(np.float32)
    half = np.s_[: picture.shape[0] // 2]
    picture[half] = 255 - 0.45 * (255 - picture[half])  # the upper half is fainter still
    noisy = picture + np.random.default_rng(1).normal(0, 1.5, picture.shape)
    found = prepared(np.asarray(np.clip(noisy, 0, 255), np.uint8))
    assert found.ink.kind == Kind.FAINT
    assert "faint" in found.ink.doubts
    assert max(alike(other, PLAIN) for other in found.others) > alike(found.form, PLAIN)


def test_a_picture_of_28x28_is_seen_as_it_is_where_its_page_is_disturbed() -> None:
    striped = PLAIN.copy()
    striped[:, :5] = 255 - striped[:, :5]
    found = prepared(striped)
    assert "page" in found.ink.doubts
    assert np.array_equal(found.others[-1], striped)
    assert prepared(PLAIN).others == ()
    bright = np.asarray(np.minimum(PLAIN.astype(int) + 100, 255), np.uint8)
    assert prepared(bright).others == ()  # its page is no MNIST's


def test_every_doubt_has_its_words() -> None:
    assert {"pieces", "faint", "page"} <= DOUBTS.keys()
    assert len(set(DOUBTS.values())) == len(DOUBTS)
