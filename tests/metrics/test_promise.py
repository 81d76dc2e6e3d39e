"""A promise is kept for each kind of picture, or nothing of it is read."""

from dataclasses import replace

import pytest

from tasks.errors import InputError
from tasks.metrics.calibration import EVERY
from tasks.metrics.promise import NEVER, promise_for, strictest
from tasks.metrics.risk_curve import KINDS as KINDS_AT_MOST
from tasks.metrics.risk_curve import RiskCurve, Threshold, error_bound


def alone(max_error: float, some: RiskCurve) -> Threshold:
    return promise_for(max_error, {EVERY: some}).whole


def curve(*counts: tuple[float, int, int], digits: int = 4000) -> RiskCurve:
    thresholds, accepted, wrong = zip(*counts, strict=True)
    return RiskCurve(digits, thresholds, accepted, wrong)


def test_the_lowest_threshold_that_keeps_the_promise_is_chosen() -> None:
    some = curve((0.0, 4000, 100), (0.6, 3900, 5), (0.9, 3000, 0))
    assert alone(0.05, some).confidence == 0
    chosen = alone(0.005, some)
    assert (chosen.confidence, chosen.accepted, chosen.wrong) == (0.6, 3900, 5)
    assert chosen.bound == error_bound(5, 3900, 0.05 / KINDS_AT_MOST) <= 0.005
    assert chosen.coverage == 3895 / 4000
    assert alone(0.002, some).confidence == 0.9


def test_an_error_that_the_pictures_cannot_support_is_refused_with_the_lowest_they_can() -> None:
    some = curve((0.0, 4000, 100), (0.9, 3000, 0))
    with pytest.raises(InputError) as refusal:
        alone(0.0001, some)
    words = str(refusal.value)
    assert "--max-error 0.0001 is less than this model can guarantee" in words
    assert "3,000 of 4,000 calibration digits reach confidence 0.9, 0 of them wrong" in words
    supported = float(words.split("It supports --max-error ")[1].split(";", maxsplit=1)[0])
    assert alone(supported, some).confidence == 0.9
    with pytest.raises(InputError):
        alone(supported - 0.0001, some)


def test_a_promise_is_told_in_one_sentence() -> None:
    guarantee = alone(0.005, curve((0.83, 3900, 0)))
    told = replace(guarantee, bound=0.005, coverage=0.97, digits=9000).sentence()
    assert told == (
        "Threshold 0.83: at most 0.50 % errors among what is read (95 % sure), measured on 9,000 "
        "calibration digits; expects to read 97.0 %"
    )


GOOD = curve((0.0, 4000, 100), (0.6, 3900, 0), (0.9, 3000, 0))
HARD = curve((0.0, 4000, 300), (0.6, 3900, 40), (0.9, 3000, 0))
HOPELESS = curve((0.0, 4000, 300), (0.6, 3900, 90), (0.9, 3000, 60))
KINDS = {"clean": GOOD, "ruled paper": HARD, "faint": HOPELESS}


def test_each_kind_has_the_lowest_threshold_that_keeps_its_own_error() -> None:
    promise = promise_for(0.005, KINDS)
    assert promise.confidences == {"clean": 0.6, "ruled paper": 0.9, "faint": NEVER}
    assert (promise.unread, promise.strictest) == (("faint",), NEVER)
    for kind, threshold in promise.thresholds.items():
        assert threshold.bound == error_bound(0, 3000, 0.05 / KINDS_AT_MOST) <= 0.005, kind
    assert promise.expectation() == "clean 98 %, ruled paper 75 %, faint none"
    whole = promise.whole
    assert (whole.accepted, whole.wrong, whole.digits) == (6900, 0, 8000)
    assert whole.bound == promise.thresholds["ruled paper"].bound
    assert promise.sentence().startswith(f"At most {100 * whole.bound:.2f} % errors among what is")
    assert (
        "of each kind of picture (95 % sure), measured on 8,000 calibration" in promise.sentence()
    )


def test_a_mixture_would_have_hidden_the_hard_kind() -> None:
    both = {"clean": GOOD, "ruled paper": HARD}
    mixed = alone(0.008, RiskCurve.pooled(both.values()))
    assert mixed.confidence == 0.6
    assert promise_for(0.008, both).confidences["ruled paper"] == 0.9


def test_what_no_kind_can_keep_is_refused() -> None:
    with pytest.raises(InputError, match="It supports --max-error"):
        promise_for(1e-5, KINDS)


def test_for_programs_that_cannot_tell_kinds_apart_the_worst_counts() -> None:
    found = strictest(KINDS)
    assert [each.confidence for each in found] == [0.0, 0.6, 0.9]
    assert [each.wrong for each in found] == [300, 90, 60]
    worst = HOPELESS.guarantees()
    assert [each.bound for each in found] == [each.bound for each in worst]
    assert [each.bound for each in strictest({"clean": GOOD})] == [
        each.bound for each in GOOD.guarantees()
    ]
