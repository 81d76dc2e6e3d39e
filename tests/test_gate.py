"""A candidate passes when everything was measured and is good enough, and never otherwise."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.evaluate import Metrics, Parity, evaluate
from tasks.gate import MAX_DIFFERENCE, judge
from tasks.settings import TrainSettings

LABELS = np.arange(200, dtype=np.int8) % 10
GOOD = evaluate(np.eye(10, dtype=np.float32)[LABELS], LABELS)
SAME = Parity(count=1000, batch_sizes=[1, 256], same_digits=True, max_difference=1e-6)
NAN = float("nan")


def test_a_good_candidate_is_accepted_with_every_check_told() -> None:
    verdict = judge(GOOD, SAME, TrainSettings())
    assert verdict.accepted
    assert verdict.failures() == ""
    assert [check["measured"] for check in verdict.facts()["checks"]] == [
        "1.0000",
        "1.0000 for 0",
        "0.0000",
        "same on 1,000 pictures in batches of 1 and 256",
        "1.0e-06",
    ]


@pytest.mark.parametrize(
    ("metrics", "parity", "failure"),
    [
        ({"accuracy": 0.98}, {}, "test accuracy 0.9800, required at least 0.9850"),
        ({"accuracy": NAN}, {}, "test accuracy nan, required at least 0.9850"),
        ({"recall": [1.0] * 7 + [0.9, 1, 1]}, {}, "digit 0.9000 for 7, required at least 0.9500"),
        ({"recall": [1.0] * 9 + [NAN]}, {}, "digit missing for 9, required"),
        ({"recall": [1.0] * 8}, {}, "digit missing for 8, 9, required"),
        ({"recall": []}, {}, "digit missing for 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, required"),
        ({"calibration_error": 0.03}, {}, "error 0.0300, required at most 0.0200"),
        ({"calibration_error": NAN}, {}, "calibration error nan, required at most 0.0200"),
        ({}, {"same_digits": False}, "parity of digits different on 1,000"),
        ({}, {"max_difference": 2e-4}, "parity of probabilities 2.0e-04, required within 0.0001"),
        ({}, {"max_difference": NAN}, "parity of probabilities nan, required within 0.0001"),
        ({}, {"count": 0}, "digits missing, required all the same; parity of prob.* missing"),
    ],
)
def test_one_bad_or_missing_measurement_refuses_and_is_named(
    metrics: dict[str, Any], parity: dict[str, Any], failure: str
) -> None:
    verdict = judge(replace(GOOD, **metrics), replace(SAME, **parity), TrainSettings())
    assert not verdict.accepted
    with pytest.raises(AssertionError, match=failure):
        raise AssertionError(verdict.failures())


@pytest.mark.parametrize(("metrics", "parity"), [(None, SAME), (GOOD, None), (None, None)])
def test_nothing_measured_is_refused_even_where_nothing_is_required(
    metrics: Metrics | None, parity: Parity | None
) -> None:
    assert not judge(metrics, parity, TrainSettings(min_accuracy=0, min_recall=0)).accepted


@given(
    st.floats(0, 1) | st.just(NAN),
    st.lists(st.floats(0, 1) | st.just(NAN), max_size=10),
    st.floats(0, 1) | st.just(NAN),
    st.floats(0, 1) | st.just(NAN),
    st.booleans(),
)
def test_acceptance_means_that_every_requirement_holds(
    accuracy: float, recall: list[float], gap: float, difference: float, same: bool
) -> None:
    settings = TrainSettings(min_accuracy=0.5, min_recall=0.25)
    verdict = judge(
        replace(GOOD, accuracy=accuracy, recall=recall, calibration_error=gap),
        replace(SAME, max_difference=difference, same_digits=same),
        settings,
    )
    assert verdict.accepted == (
        accuracy >= 0.5
        and len(recall) == 10
        and all(share >= 0.25 for share in recall)
        and gap <= 0.02
        and difference <= MAX_DIFFERENCE
        and same
    )
    assert verdict.accepted == all(check.passed for check in verdict.checks)
    assert len(verdict.checks) == 5


def test_the_requirements_are_settings() -> None:
    worse = replace(GOOD, accuracy=0.7, recall=[0.6] * 10)
    assert judge(worse, SAME, TrainSettings(min_accuracy=0.7, min_recall=0.6)).accepted
    assert not judge(worse, SAME, TrainSettings(min_accuracy=0.7, min_recall=0.61)).accepted
