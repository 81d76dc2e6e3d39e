"""Greek letters are drawn, each another, and none as a digit."""

import numpy as np

from tasks.synthesis.greek_letters import LETTERS, letter_paths


def test_letters_are_strokes_about_as_high_as_digits_and_differ_from_hand_to_hand() -> None:
    drawn = [letter_paths(np.random.default_rng(seed)) for seed in range(200)]
    for strokes in drawn:
        every = np.vstack(strokes)
        assert np.isfinite(every).all()
        assert every.min() > -0.5 and every.max() < 1.8
    assert len({strokes[0].tobytes() for strokes in drawn}) == len(drawn)


def test_what_people_take_for_a_digit_is_left_out() -> None:
    assert not {"theta", "omicron", "iota", "sigma", "zeta", "Theta", "Omicron"} & set(LETTERS)
