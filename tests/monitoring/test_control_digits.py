"""Control digits look like the pictures of a batch, and are read like them."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from tasks.decoding.decode import Picture, decode
from tasks.device import cpu
from tasks.imaging.canonical import prepared
from tasks.inference.decision import Thresholds, guaranteed
from tasks.inference.model_file import model_in
from tasks.inference.session import ModelSession
from tasks.monitoring.control_digits import (
    VIEWS,
    ControlDigit,
    Sampled,
    control_digits,
    control_picture,
    read_control_digits,
    sample_size,
    sampled_of,
    viewed,
    with_sample,
)
from tests.monitoring.batches import profile
from tests.monitoring.pages import page_of

Pixels = np.ndarray
SHIPPED = Path(__file__).parents[2] / "tasks" / "registry" / "bundled_model" / "model.onnx"


@pytest.fixture(scope="module")
def session() -> ModelSession:
    return ModelSession(model_in(SHIPPED), cpu())


@pytest.fixture(scope="module")
def thresholds(session: ModelSession) -> Thresholds:
    return guaranteed(0.005, session.calibration)[1]


def written(text: str, *, ink: int = 60, paper: int = 230, inverted: bool = False) -> Picture:
    """Return a digit of a font on paper, as it was decoded."""
    picture = np.full((120, 100), paper, np.uint8)
    cv2.putText(picture, text, (22, 92), cv2.FONT_HERSHEY_SIMPLEX, 2.8, ink, 8, cv2.LINE_AA)
    noisy = picture + np.random.default_rng(0).normal(0, 2, picture.shape)
    shown = np.clip(noisy, 0, 255).astype(np.uint8)
    return Picture(255 - shown if inverted else shown, 100, 120)


def of(*texts: str) -> list[Sampled]:
    return [sampled_of(page_of(written(text))) for text in texts]


@pytest.mark.parametrize("inverted", [False, True])
def test_a_control_digit_looks_like_the_picture_that_lends_its_paper(inverted: bool) -> None:
    model = sampled_of(page_of(written("3", inverted=inverted)))
    drawn = control_picture(model, 5, np.random.default_rng(1))
    ours, theirs = prepared(drawn).ink, model.page.ink
    look = sampled_of(page_of(Picture(drawn, drawn.shape[1], drawn.shape[0]))).look
    assert drawn.shape == (120, 100)
    assert ours.polarity == theirs.polarity
    assert ours.contrast == pytest.approx(theirs.contrast, rel=0.15)
    assert max(ours.box[2:]) == pytest.approx(max(theirs.box[2:]), rel=0.15)
    assert ours.stroke_width == pytest.approx(theirs.stroke_width, rel=0.35)
    assert look.paper == pytest.approx(model.look.paper, abs=4)
    assert look.noise == pytest.approx(model.look.noise, rel=0.4)


def test_the_ink_that_was_there_is_gone() -> None:
    model = sampled_of(page_of(written("8")))
    drawn = control_picture(model, 1, np.random.default_rng(1))
    assert prepared(drawn).ink.share < 0.75 * model.page.ink.share


def test_the_model_reads_digits_that_were_drawn_like_plain_ones(
    session: ModelSession, thresholds: Thresholds
) -> None:
    drawn = list(control_digits(of("2", "3", "8"), {}, 100, np.random.default_rng(3)))
    found = read_control_digits(drawn, session, thresholds)
    assert found.drawn == 100
    assert found.right >= 93
    assert found.read >= 80


def test_wrong_answers_count_as_wrong(session: ModelSession, thresholds: Thresholds) -> None:
    drawn = list(control_digits(of("2", "3"), {}, 30, np.random.default_rng(3)))
    lied = [ControlDigit(each.data, (each.digit + 1) % 10) for each in drawn]
    assert read_control_digits(lied, session, thresholds).right <= 2


def test_the_mix_of_control_digits_is_that_of_the_batch() -> None:
    drawn = list(control_digits(of("1", "7"), {"7": 3}, 20, np.random.default_rng(3)))
    assert {each.digit for each in drawn} == {7}


def test_the_same_seed_draws_the_same_digits() -> None:
    first, second = (
        list(control_digits(of("1", "7"), {}, 5, np.random.default_rng(3))) for _ in range(2)
    )
    assert first == second


@pytest.mark.parametrize(
    "picture",
    [np.full((50, 50), 255, np.uint8), np.zeros((28, 28), np.uint8), np.full((2, 90), 9, np.uint8)],
)
def test_without_ink_none_is_drawn_and_nothing_is_said(
    picture: Pixels, session: ModelSession, thresholds: Thresholds
) -> None:
    pages = [page_of(Picture(picture, picture.shape[1], picture.shape[0]))] * 3
    found = with_sample(profile(300), pages, 5, session, thresholds, seed=1)
    assert found.control
    assert found.control.drawn == 0
    assert found.views
    assert found.views.pictures == 0
    assert found.measures["paper"].count == 3


def test_a_batch_without_pictures_to_look_at_keeps_its_profile(
    session: ModelSession, thresholds: Thresholds
) -> None:
    plain = profile(300)
    found = with_sample(plain, [], 5, session, thresholds, seed=1)
    assert found.measures == plain.measures


def sample_of(data: bytes, session: ModelSession, thresholds: Thresholds) -> int:
    pages = [page_of(decode(data))] * 2
    found = with_sample(profile(300), pages, 5, session, thresholds, seed=1)
    return found.control.drawn if found.control else 0


@pytest.mark.parametrize("side", [8, 28, 45, 900])
def test_any_size_of_picture_lends_its_look(
    side: int, session: ModelSession, thresholds: Thresholds
) -> None:
    pixels = cv2.resize(written("3").pixels, (side, side), interpolation=cv2.INTER_AREA)
    data = cv2.imencode(".png", pixels)[1].tobytes()
    assert sample_of(data, session, thresholds) == 5


def test_coloured_pictures_lend_their_look(session: ModelSession, thresholds: Thresholds) -> None:
    pixels = np.repeat(written("3").pixels[..., None], 3, axis=2)
    pixels[..., 0] //= 2
    data = cv2.imencode(".jpg", pixels)[1].tobytes()
    assert sample_of(data, session, thresholds) == 5


@pytest.mark.parametrize(
    ("turn", "name"),
    [
        (lambda p: np.rot90(p, 2), "upside down"),
        (lambda p: np.rot90(p, 1), "turned by 90 degrees to the right"),
        (lambda p: np.rot90(p, -1), "turned by 90 degrees to the left"),
        (lambda p: p[:, ::-1], "mirrored"),
    ],
)
def test_turned_pictures_are_clear_when_they_are_turned_back(
    turn: object, name: str, session: ModelSession
) -> None:
    assert callable(turn)
    pictures = [np.ascontiguousarray(turn(written(text).pixels)) for text in "23457" * 4]
    found = viewed([prepared(picture).form for picture in pictures], session)
    assert found.turned[name] >= found.upright + 8
    assert found.turned.keys() == VIEWS.keys()


@pytest.mark.parametrize("pictures", [0, 1, 7, 200, 5000, 1_000_000])
@pytest.mark.parametrize("seconds", [None, 0.0, 0.5, 1e6])
def test_no_more_is_sampled_than_there_is(pictures: int, seconds: float | None) -> None:
    size = sample_size(pictures, seconds)
    assert min(pictures, 4) <= size.controls <= pictures
    assert min(pictures, 8) <= size.pictures <= pictures


def test_of_pictures_that_are_read_quickly_less_is_sampled() -> None:
    slow, quick = sample_size(5000, 15.0), sample_size(5000, 1.0)
    assert slow == sample_size(5000)
    assert quick.pictures < slow.pictures / 2
    assert quick.controls < slow.controls / 2
