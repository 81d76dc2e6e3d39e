"""Confidence means what it says, and a promise is kept as often as it claims."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.errors import InputError
from tasks.metrics.calibration import (
    GRID,
    NO_DIGIT,
    Calibration,
    RiskCurve,
    best_temperature,
    calibrate,
    calibration_error,
    error_bound,
    rarely_below,
    risk_curve,
    sigmoid,
    softmax,
    threshold_for,
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


@pytest.mark.parametrize(
    ("wrong", "count", "bound"),
    [
        (0, 10, 1 - 0.05 ** (1 / 10)),
        (0, 5000, 1 - 0.05 ** (1 / 5000)),
        (1, 10, 0.394163),  # tables of Clopper and Pearson's one-sided 95 % bound
        (5, 10, 0.777559),
        (9, 10, 0.95 ** (1 / 10)),
        (10, 10, 1.0),
        (0, 0, 1.0),
    ],
)
def test_the_error_bound_is_the_exact_one(wrong: int, count: int, bound: float) -> None:
    assert error_bound(wrong, count) == pytest.approx(bound, rel=1e-4)


@given(st.integers(1, 5000), st.floats(0, 1), st.floats(0.001, 0.5))
def test_the_error_bound_leaves_the_risk_and_no_more(count: int, share: float, risk: float) -> None:
    wrong = int(share * (count - 1))
    bound = error_bound(wrong, count, risk)
    at_most = sum(
        math.exp(
            math.lgamma(count + 1)
            - math.lgamma(k + 1)
            - math.lgamma(count - k + 1)
            + k * math.log(bound)
            + (count - k) * math.log1p(-bound)
        )
        for k in range(wrong + 1)
    )
    assert at_most == pytest.approx(risk, rel=0.02)
    assert wrong / count < bound < 1


def test_the_curve_counts_what_each_threshold_lets_through() -> None:
    probabilities = np.full((4, 10), 0.0)
    probabilities[np.arange(4), [1, 2, 3, 4]] = 0.96, 0.96, 0.55, 0.97
    labels = np.array([1, 5, 3, 6])
    kept = np.array([True, True, True, True])
    curve = risk_curve(probabilities, labels, kept)
    assert curve.digits == 4
    at = dict(zip(GRID, zip(curve.accepted, curve.wrong, strict=True), strict=True))
    assert (at[0.0], at[0.5], at[0.6], at[0.97], at[0.98]) == (
        (4, 2),
        (4, 2),
        (3, 2),
        (1, 1),
        (0, 0),
    )
    refused = risk_curve(probabilities, labels, np.array([True, True, True, False]))
    assert (refused.accepted[0], refused.wrong[0]) == (3, 1)


def curve(*counts: tuple[float, int, int], digits: int = 4000) -> RiskCurve:
    thresholds, accepted, wrong = zip(*counts, strict=True)
    return RiskCurve(digits, thresholds, accepted, wrong)


def test_the_lowest_threshold_that_keeps_the_promise_is_chosen() -> None:
    some = curve((0.0, 4000, 100), (0.6, 3900, 5), (0.9, 3000, 0))
    assert threshold_for(0.05, some).confidence == 0
    chosen = threshold_for(0.005, some)
    assert (chosen.confidence, chosen.accepted, chosen.wrong) == (0.6, 3900, 5)
    assert chosen.bound == error_bound(5, 3900, 0.05 / 3) <= 0.005
    assert chosen.coverage == 3895 / 4000
    assert threshold_for(0.002, some).confidence == 0.9


def test_an_error_that_the_pictures_cannot_support_is_refused_with_the_lowest_they_can() -> None:
    some = curve((0.0, 4000, 100), (0.9, 3000, 0))
    with pytest.raises(InputError) as refusal:
        threshold_for(0.0001, some)
    words = str(refusal.value)
    assert "--max-error 0.0001 is less than this model can guarantee" in words
    assert "3,000 of 4,000 calibration digits reach confidence 0.9, 0 of them wrong" in words
    supported = float(words.split("It supports --max-error ")[1].split(";", maxsplit=1)[0])
    assert threshold_for(supported, some).confidence == 0.9
    with pytest.raises(InputError):
        threshold_for(supported - 0.0001, some)


@pytest.mark.slow
def test_every_promise_holds_at_once_as_often_as_it_claims() -> None:
    logits, labels = drawn(400_000, 3)
    probabilities = softmax(logits)
    confidence, wrong = probabilities.max(1), probabilities.argmax(1) != labels
    true_errors = [wrong[confidence >= threshold].mean() for threshold in GRID]
    broken, trials = 0, 300
    for trial in range(trials):
        some = np.random.default_rng(trial).integers(0, len(labels), 500)
        found = risk_curve(probabilities[some], labels[some], np.ones(500, bool))
        bounds = [guarantee.bound for guarantee in found.guarantees()]
        broken += any(true > bound for true, bound in zip(true_errors, bounds, strict=True))
    assert broken / trials <= 0.05


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


def test_temperature_and_digit_score_are_those_of_clean_digits() -> None:
    clean, simulated = drawn(2_000, 6), drawn(2_000, 7)
    logits = np.concatenate([clean[0], 3 * simulated[0]])
    labels = np.concatenate([clean[1], simulated[1]])
    scores = np.concatenate([np.full(2_000, 4.0), np.full(2_000, 1.0)])
    alone = calibrate(*clean, scores[:2_000])
    both = calibrate(logits, labels, scores, np.arange(4_000) < 2_000)
    assert (both.temperature, both.min_digit_score) == (alone.temperature, alone.min_digit_score)
    assert both.curve.digits == 4_000


def test_a_calibration_comes_out_of_json_as_it_went_in() -> None:
    found = calibrate(*drawn(100, 5))
    assert Calibration.from_json(found.to_json()) == found
    assert len(found.to_json()) < 1_000


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"curve": {}}'])
def test_other_json_is_no_calibration(text: str) -> None:
    with pytest.raises((ValueError, TypeError, KeyError)):
        Calibration.from_json(text)


def test_a_promise_is_told_in_one_sentence() -> None:
    guarantee = threshold_for(0.005, curve((0.83, 3900, 0)))
    told = replace(guarantee, bound=0.005, coverage=0.97, digits=9000).sentence()
    assert told == (
        "Threshold 0.83: at most 0.50 % errors among what is read (95 % sure), measured on 9,000 "
        "calibration digits; expects to read 97.0 %"
    )


@pytest.mark.parametrize("labels", [[NO_DIGIT], [3]])
def test_without_digits_or_finite_logits_there_is_no_calibration(labels: list[int]) -> None:
    with pytest.raises(ValueError, match="finite"):
        calibrate(np.full((1, 10), np.nan), np.array(labels))
