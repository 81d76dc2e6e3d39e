"""Metrics say what they say, checked against plain counting."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.metrics.classification import WORST_MISTAKES, evaluate, wilson_interval


@st.composite
def answers(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Return probabilities and labels of some pictures."""
    count, seed = draw(st.integers(1, 60)), draw(st.integers(0, 2**32))
    random = np.random.default_rng(seed)
    probabilities = random.dirichlet(np.ones(10) / 3, count).astype(np.float32)
    return probabilities, random.integers(0, draw(st.integers(1, 10)), count).astype(np.int8)


@given(answers())
def test_metrics_are_what_counting_gives(given: tuple[np.ndarray, np.ndarray]) -> None:
    probabilities, labels = given
    metrics = evaluate(probabilities, labels)
    digits = [int(row.argmax()) for row in probabilities]
    right = [digit == label for digit, label in zip(digits, labels, strict=True)]
    assert (metrics.count, metrics.correct) == (len(labels), sum(right))
    assert metrics.accuracy == sum(right) / len(labels)
    assert metrics.accuracy_low <= metrics.accuracy + 1e-12
    assert metrics.accuracy_high >= metrics.accuracy - 1e-12
    confusion = np.array(metrics.confusion)
    assert confusion.sum(1).tolist() == [int((labels == digit).sum()) for digit in range(10)]
    assert confusion.sum(0).tolist() == [digits.count(digit) for digit in range(10)]
    for digit in range(10):
        shown = (labels == digit).sum()
        expected = confusion[digit, digit] / shown if shown else math.nan
        assert metrics.recall[digit] == pytest.approx(expected, nan_ok=True)


@given(answers())
def test_mistakes_are_the_most_confident_wrong_answers_worst_first(
    given: tuple[np.ndarray, np.ndarray],
) -> None:
    probabilities, labels = given
    metrics = evaluate(probabilities, labels)
    confidences = [mistake.confidence for mistake in metrics.mistakes]
    wrong = probabilities[probabilities.argmax(1) != labels].max(1, initial=0)
    assert len(confidences) == min(WORST_MISTAKES, metrics.count - metrics.correct)
    assert confidences == sorted(wrong.tolist(), reverse=True)[:WORST_MISTAKES]
    for mistake in metrics.mistakes:
        assert labels[mistake.index] == mistake.label != mistake.digit
        assert probabilities[mistake.index].argmax() == mistake.digit


def test_loss_is_the_mean_negative_log_of_the_true_digits_probability() -> None:
    probabilities = np.full((2, 10), 0.05, np.float32)
    probabilities[[0, 1], [3, 4]] = 0.55
    expected = -(math.log(0.55) + math.log(0.05)) / 2
    assert evaluate(probabilities, np.array([3, 3], np.int8)).loss == pytest.approx(expected)


def test_a_wrong_answer_without_any_doubt_has_a_finite_loss() -> None:
    certain = np.eye(10, dtype=np.float32)[[3]]
    assert 80 < evaluate(certain, np.array([4], np.int8)).loss < 100


@pytest.mark.parametrize(
    ("probabilities", "labels"),
    [
        (np.ones((0, 10)), np.ones(0)),
        (np.ones((2, 10)), np.ones(3)),
        (np.ones((2, 9)), np.ones(2)),
        (np.full((1, 10), np.nan), np.ones(1)),
        (np.full((1, 10), np.inf), np.ones(1)),
    ],
)
def test_what_cannot_be_measured_is_an_error(probabilities: np.ndarray, labels: np.ndarray) -> None:
    with pytest.raises(ValueError, match="probabilit"):
        evaluate(probabilities.astype(np.float32), labels.astype(np.int8))


@given(st.data(), st.integers(1, 10**7))
def test_the_interval_lies_in_0_to_1_around_the_share(data: st.DataObject, count: int) -> None:
    correct = data.draw(st.integers(0, count))
    low, high = wilson_interval(correct, count)
    assert 0 <= low <= correct / count + 1e-12
    assert correct / count - 1e-12 <= high <= 1
    assert low < high


@pytest.mark.parametrize(
    ("correct", "count", "expected"),
    [
        (0, 10, (0.0, 0.2775)),  # worked examples of Newcombe 1998, and its limits at n = 10
        (10, 10, (0.7225, 1.0)),
        (81, 263, (0.2553, 0.3662)),
        (15, 148, (0.0624, 0.1605)),
    ],
)
def test_the_interval_is_wilsons(correct: int, count: int, expected: tuple[float, float]) -> None:
    assert wilson_interval(correct, count) == pytest.approx(expected, abs=5e-5)
