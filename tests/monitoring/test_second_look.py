"""A second look tells of any pictures what can be told, and looks at few."""

import cv2
import numpy as np
import pytest

from tasks.decoding.decode import Picture, decode
from tasks.monitoring.second_look import sample_size, with_sample
from tests.monitoring.batches import profile
from tests.monitoring.pages import page_of, shipped_session, shipped_thresholds, written

Pixels = np.ndarray


@pytest.mark.parametrize(
    "picture",
    [np.full((50, 50), 255, np.uint8), np.zeros((28, 28), np.uint8), np.full((2, 90), 9, np.uint8)],
)
def test_without_ink_none_is_drawn_and_nothing_is_said(picture: Pixels) -> None:
    pages = [page_of(Picture(picture, picture.shape[1], picture.shape[0]))] * 3
    found = with_sample(profile(300), pages, 5, shipped_session(), shipped_thresholds(), seed=1)
    assert found.control
    assert found.control.drawn == 0
    assert found.views
    assert found.views.pictures == 0
    assert found.measures["paper"].count == 3


def test_a_batch_without_pictures_to_look_at_keeps_its_profile() -> None:
    plain = profile(300)
    found = with_sample(plain, [], 5, shipped_session(), shipped_thresholds(), seed=1)
    assert found.measures == plain.measures


def controls_like(data: bytes) -> int:
    pages = [page_of(decode(data))] * 2
    found = with_sample(profile(300), pages, 5, shipped_session(), shipped_thresholds(), seed=1)
    return found.control.drawn if found.control else 0


@pytest.mark.parametrize("side", [8, 28, 45, 900])
def test_any_size_of_picture_lends_its_look(side: int) -> None:
    pixels = cv2.resize(written("3").pixels, (side, side), interpolation=cv2.INTER_AREA)
    data = cv2.imencode(".png", pixels)[1].tobytes()
    assert controls_like(data) == 5


def test_coloured_pictures_lend_their_look() -> None:
    pixels = np.repeat(written("3").pixels[..., None], 3, axis=2)
    pixels[..., 0] //= 2
    data = cv2.imencode(".jpg", pixels)[1].tobytes()
    assert controls_like(data) == 5


@pytest.mark.parametrize("pictures", [0, 1, 7, 200, 5000, 1_000_000])
@pytest.mark.parametrize("seconds", [None, 0.0, 0.5, 1e6])
def test_no_more_is_sampled_than_there_is(pictures: int, seconds: float | None) -> None:
    size = sample_size(pictures, seconds)
    assert min(pictures, 4) <= size.controls <= pictures
    assert min(pictures, 12) <= size.pictures <= pictures


def test_of_pictures_that_are_read_quickly_less_is_sampled() -> None:
    slow, quick = sample_size(5000, 15.0), sample_size(5000, 1.0)
    assert slow == sample_size(5000)
    assert quick.pictures < slow.pictures / 2
    assert quick.controls < slow.controls / 2
