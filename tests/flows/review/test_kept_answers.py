"""Answers as corrections: kept, changed, taken back."""

from pathlib import Path
from typing import Any

import numpy as np

from flows.review.kept_answers import keeping
from tasks.corrections.store import Corrections
from tests.bars import bar

ROW: dict[str, Any] = {
    "answered_by": "ada",
    "root": "/scans",
    "path": "a.png",
    "page": 0,
    "model_version": "m",
    "model_status": "review",
    "model_digit": 1,
}


def test_the_last_answer_to_a_picture_counts_and_says_who_gave_it(home: Path) -> None:
    corrections = Corrections(home)
    keep, page = keeping(corrections), np.asarray(bar(7), np.uint8)
    for digit in (1, 7):
        keep(page, digit, ROW)
    [kept] = corrections.kept()
    assert (kept.digit, kept.by, kept.source) == (7, "ada", "/scans")
    assert kept.answer and kept.answer.model_digit == 1


def test_an_answer_that_is_taken_back_is_no_correction_and_others_stay(home: Path) -> None:
    corrections = Corrections(home)
    keep = keeping(corrections)
    for digit in (1, 7):
        keep(np.asarray(bar(digit), np.uint8), digit, ROW)
    keep(np.asarray(bar(1), np.uint8), None, ROW)
    keep(np.asarray(bar(2), np.uint8), None, ROW)  # never was one
    assert [kept.digit for kept in corrections.kept()] == [7]
