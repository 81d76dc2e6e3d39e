"""Control digits look like the pictures of a batch."""

import numpy as np
import pytest

from tasks.decoding.decode import Picture
from tasks.imaging.canonical import prepared
from tasks.monitoring.control_digits import control_digits, control_picture, sampled_of
from tests.monitoring.pages import page_of, sampled, written


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


def test_the_mix_of_control_digits_is_that_of_the_batch() -> None:
    drawn = list(control_digits(sampled("1", "7"), {"7": 3}, 20, np.random.default_rng(3)))
    assert {each.digit for each in drawn} == {7}


def test_the_same_seed_draws_the_same_digits() -> None:
    first, second = (
        list(control_digits(sampled("1", "7"), {}, 5, np.random.default_rng(3))) for _ in range(2)
    )
    assert first == second
