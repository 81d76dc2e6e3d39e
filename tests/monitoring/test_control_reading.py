"""Control digits are read as pictures are, and their answers are compared."""

import numpy as np

from tasks.monitoring.control_digits import ControlDigit, control_digits
from tasks.monitoring.control_reading import read_control_digits
from tests.monitoring.pages import sampled, shipped_session, shipped_thresholds


def test_the_model_reads_digits_that_were_drawn_like_plain_ones() -> None:
    drawn = list(control_digits(sampled("2", "3", "8"), {}, 100, np.random.default_rng(3)))
    found = read_control_digits(drawn, shipped_session(), shipped_thresholds())
    assert found.drawn == 100
    assert found.right >= 93
    assert found.read >= 80


def test_wrong_answers_count_as_wrong() -> None:
    drawn = list(control_digits(sampled("2", "3"), {}, 30, np.random.default_rng(3)))
    lied = [ControlDigit(each.data, (each.digit + 1) % 10) for each in drawn]
    assert read_control_digits(lied, shipped_session(), shipped_thresholds()).right <= 2
