"""Confidence means what it says, and a promise is kept as often as it claims."""

import json
from dataclasses import replace

import numpy as np
import pytest

from tasks.metrics.calibration import (
    EVERY,
    NO_DIGIT,
    Calibration,
    best_temperature,
    calibrate,
    calibration_error,
    rarely_below,
    sigmoid,
    softmax,
)


def drawn(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return logits, and labels drawn with the very probabilities that the logits say."""
    random = np.random.default_rng(seed)
    logits = random.normal(0, 4, (count, 10))
    edges = softmax(logits).cumsum(1)
    labels = (random.random((count, 1)) > edges).sum(1).clip(0, 9)
    return logits, labels


@pytest.mark.parametrize("scale", [0.3, 1.0, 2.5])
def test_the_temperature_undoes_what_the_logits_were_multiplied_by(scale: float) -> None:
    logits, labels = drawn(20_000, 1)
    assert best_temperature(logits * scale, labels) == pytest.approx(scale, rel=0.03)


def test_an_overconfident_model_is_calibrated_and_answers_the_same() -> None:
    logits, labels = drawn(20_000, 2)
    found = calibrate(3 * logits, labels)
    assert found.error_before > 0.1
    assert found.error_after < 0.01
    assert found == calibrate(3 * logits, labels)


def test_the_calibration_error_is_the_mean_gap_between_confidence_and_truth() -> None:
    probabilities = np.full((100, 10), 0.2 / 9)
    probabilities[:, 3] = 0.8
    labels = np.where(np.arange(100) < 60, 3, 4)
    assert calibration_error(probabilities, labels) == pytest.approx(0.2)
    assert calibration_error(np.eye(10), np.arange(10)) == 0
    assert calibration_error(np.eye(10), (np.arange(10) + 1) % 10) == 1


def test_the_digit_score_keeps_nearly_all_digits() -> None:
    logits, labels = drawn(2_000, 4)
    digit_logits = np.random.default_rng(4).normal(3, 1, 2_000)
    labels[:500] = NO_DIGIT
    digit_logits[:500] -= 6
    found = calibrate(logits, labels, digit_logits)
    kept = sigmoid(digit_logits) >= found.min_digit_score
    sure = sigmoid(digit_logits) >= found.sure_digit_score
    assert 0.99 <= sure[500:].mean() < kept[500:].mean() <= 1
    assert sure[:500].mean() < 0.05
    assert (found.curve.digits, found.no_digits) == (1_500, 500)
    assert found.no_digits_rejected == 1 - kept[:500].mean()
    assert found.no_digits_refused == 1 - sure[:500].mean()
    assert found.curve.accepted[0] == sure[500:].sum()
    assert calibrate(logits, labels).min_digit_score == 0


def test_what_lies_rarely_below_is_known_better_than_by_the_lowest_value() -> None:
    random = np.random.default_rng(11)
    share, samples = 2e-4, random.logistic(5, 2, (300, 5_000))
    found = np.array([rarely_below(values, share) for values in samples])
    true, of_lowest = (sigmoid((low - 5) / 2) for low in (found, samples.min(axis=1)))
    assert np.median(true) == pytest.approx(share, rel=0.3)
    assert np.std(np.log(true)) < 0.5 * np.std(np.log(of_lowest))


@pytest.mark.parametrize("values", [[2.0], [1.0, 2.0], [3.0] * 500])
def test_few_or_equal_values_have_something_that_lies_below(values: list[float]) -> None:
    assert rarely_below(np.array(values), 2e-4) <= min(values)


def test_a_calibration_comes_out_of_json_as_it_went_in() -> None:
    found = calibrate(*drawn(100, 5))
    assert Calibration.from_json(found.to_json()) == found
    assert len(found.to_json()) < 1_000
    assert found.curves == {EVERY: found.curve}
    by_kind = replace(found, kinds={"clean": found.curve, "faint": found.curve})
    assert Calibration.from_json(by_kind.to_json()) == by_kind
    assert by_kind.curves == by_kind.kinds


def test_a_calibration_of_an_earlier_version_tells_no_kinds_apart() -> None:
    facts = calibrate(*drawn(100, 5)).to_dict()
    del facts["kinds"]
    assert Calibration.from_json(json.dumps(facts)).kinds == {}


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"curve": {}}'])
def test_other_json_is_no_calibration(text: str) -> None:
    with pytest.raises((ValueError, TypeError, KeyError)):
        Calibration.from_json(text)


@pytest.mark.parametrize("labels", [[NO_DIGIT], [3]])
def test_without_digits_or_finite_logits_there_is_no_calibration(labels: list[int]) -> None:
    with pytest.raises(ValueError, match="finite"):
        calibrate(np.full((1, 10), np.nan), np.array(labels))
