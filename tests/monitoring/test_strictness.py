"""A source is read more strictly by what people found on it with the model that reads."""

from dataclasses import replace

import pytest

from tasks.monitoring.strictness import strictness_by
from tests.reporting.test_audit_words import FOUND

ABOVE = replace(FOUND, model="m", month="2026-11", error=0.012, low=0.006, high=0.02)


@pytest.mark.parametrize(
    ("error", "strictness"), [(0.0051, 2), (0.01, 2), (0.012, 4), (0.03, 8), (0.5, 128)]
)
def test_it_is_as_much_stricter_as_more_was_found_rounded_up(
    error: float, strictness: float
) -> None:
    assert strictness_by([replace(ABOVE, error=error)], "m") == strictness


def test_the_worst_month_counts_and_only_months_that_are_surely_above() -> None:
    unsure = replace(ABOVE, error=0.04, low=0.004)
    assert strictness_by([unsure], "m") == 1
    assert strictness_by([unsure, ABOVE, replace(ABOVE, error=0.006)], "m") == 4


def test_another_model_begins_anew() -> None:
    assert strictness_by([ABOVE], "n") == 1
    assert strictness_by([], "m") == 1
