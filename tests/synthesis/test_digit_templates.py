"""A template is a digit about 1 high that can be drawn, in one of the styles of its digit."""

import numpy as np
import pytest

from tasks.synthesis.digit_templates import digit_paths

SEEDS = range(60)
IN_ONE_STROKE_OR_TWO = (0, 1, 4, 5, 7, 9)


@pytest.mark.parametrize("digit", range(10))
def test_every_stroke_can_be_drawn_and_the_digit_is_about_one_high(digit: int) -> None:
    for seed in SEEDS:
        strokes = digit_paths(digit, np.random.default_rng(seed))
        assert strokes
        for stroke in strokes:
            assert (stroke.ndim, stroke.shape[1]) == (2, 2)
            assert len(stroke) >= 2
            assert np.isfinite(stroke).all()
        low, high = np.vstack(strokes).min(axis=0), np.vstack(strokes).max(axis=0)
        assert 0.6 < (high - low)[1] < 1.4
        assert (high - low)[0] < 2
        assert np.abs([low[1], high[1] - 1]).max() < 0.4  # from the top of the line to its foot


@pytest.mark.parametrize("digit", range(10))
def test_the_seed_alone_decides_and_two_seeds_write_differently(digit: int) -> None:
    first, again, other = (digit_paths(digit, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert len(first) == len(again)
    assert all(np.array_equal(one, two) for one, two in zip(first, again, strict=True))
    assert len(first) != len(other) or any(
        not np.array_equal(one, two) for one, two in zip(first, other, strict=True)
    )


@pytest.mark.parametrize("digit", IN_ONE_STROKE_OR_TWO)
def test_a_digit_that_some_people_write_with_a_further_stroke_comes_in_both_ways(
    digit: int,
) -> None:
    strokes = {len(digit_paths(digit, np.random.default_rng(seed))) > 1 for seed in range(200)}
    assert strokes == {False, True}


def test_there_is_no_eleventh_digit() -> None:
    with pytest.raises(IndexError):
        digit_paths(10, np.random.default_rng(0))


def test_a_seven_with_a_foot_is_crossed_so_that_it_is_no_one() -> None:
    strokes = [digit_paths(7, np.random.default_rng(seed)) for seed in range(300)]
    footed = [paths for paths in strokes if len(paths) == 3]
    assert 10 < len(footed) < 100
    for _, cross, foot in footed:
        assert cross[:, 1].max() < 0.85 < foot[:, 1].min()


def test_a_one_is_often_a_single_straight_stroke() -> None:
    ones = [digit_paths(1, np.random.default_rng(seed)) for seed in range(300)]
    assert 30 < sum(len(strokes) == 1 and len(strokes[0]) == 2 for strokes in ones) < 100
