"""The answers of a reading are sorted into slices; what cannot be measured is said, not raised."""

import numpy as np
import pytest

from tasks.gate.evidence import SliceAnswers, by_slice
from tasks.gate.slices import SliceFiles
from tasks.inference.evaluate_files import NO_ANSWER, FileAnswers
from tasks.metrics.calibration import NO_DIGIT
from tasks.not_measured import NotMeasured

PAGES = ["a/1.png", "a/2.png", "b/1.tif", "b/1.tif"]
ANSWERS = FileAnswers(
    paths=PAGES,
    reasons=["ok", "low_confidence", "ok", "blank"],
    digits=np.array([1, 7, 3, NO_ANSWER], np.int8),
    read=np.array([True, False, True, False]),
    confidences=np.array([0.9, 0.4, 0.8, np.nan], np.float32),
)


def files(name: str, *labelled: tuple[str, int]) -> SliceFiles:
    """Return a slice of such files, whose sources are numbered."""
    paths, labels = zip(*labelled, strict=True)
    return SliceFiles(
        name, list(paths), np.array(labels, np.int8), np.arange(len(paths), dtype=np.int64)
    )


def test_answers_come_in_the_order_of_the_slice_with_its_labels() -> None:
    found = by_slice([files("a", ("a/2.png", 2), ("a/1.png", 1))], ANSWERS)["a"]
    assert isinstance(found, SliceAnswers)
    assert found.labels.tolist() == [2, 1]
    assert found.digits.tolist() == [7, 1]
    assert found.read.tolist() == [False, True]
    assert found.sources.tolist() == [0, 1]


def test_each_page_of_a_file_counts_with_the_label_of_the_file() -> None:
    found = by_slice([files("b", ("b/1.tif", 3))], ANSWERS)["b"]
    assert isinstance(found, SliceAnswers)
    assert found.labels.tolist() == [3, 3]
    assert found.right.tolist() == [True, False]


def test_a_file_may_be_in_several_slices() -> None:
    slices = [files("a", ("a/1.png", 1)), files("other", ("a/1.png", 5))]
    first, second = by_slice(slices, ANSWERS).values()
    assert isinstance(first, SliceAnswers)
    assert isinstance(second, SliceAnswers)
    assert (first.right.tolist(), second.right.tolist()) == ([True], [False])


def test_a_slice_with_a_file_that_has_no_answer_is_not_measured_and_the_others_are() -> None:
    slices = [files("gone", ("a/1.png", 1), ("a/3.png", 1)), files("a", ("a/1.png", 1))]
    found = by_slice(slices, ANSWERS)
    assert isinstance(found["gone"], NotMeasured)
    assert "a/3.png" in found["gone"].reason
    assert isinstance(found["a"], SliceAnswers)


@pytest.mark.parametrize("digit", [0, 5, NO_ANSWER])
def test_a_picture_without_a_digit_is_never_answered_right(digit: int) -> None:
    one = np.array([0])
    found = SliceAnswers(
        labels=np.array([NO_DIGIT], np.int8),
        digits=np.array([digit], np.int8),
        read=one > 0,
        confidences=one.astype(np.float32),
        sources=one,
    )
    assert not found.right.any()
