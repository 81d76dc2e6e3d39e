"""A test part that no candidate can pass with is known before any training."""

import re

import pytest

from tasks.gate.checks import judge
from tasks.gate.shortfall import shortfalls
from tasks.gate.slices import TEST, required
from tasks.settings.training import GateSettings
from tests.gate.test_checks import EVIDENCE, GOOD, answers

CLEAN = GateSettings(judge_on="clean")


def told(each: int, settings: GateSettings = CLEAN) -> list[str]:
    """Return what a test part of so many pictures of each digit lacks."""
    return list(shortfalls([each] * 10, required(settings, {})))


def test_missing_pictures_are_counted_for_accuracy_and_for_each_digit() -> None:
    assert told(100) == []
    assert told(5) == [
        "the test part has 50 pictures, the gate needs at least 253 for test part: 203 are missing",
        "for the recall of each digit it needs at least 73 pictures of each: "
        + ", ".join(f"68 of {digit}" for digit in range(10))
        + " are missing",
    ]
    [one] = shortfalls([100] * 9 + [70], required(CLEAN, {}))
    assert one.endswith("73 pictures of each: 3 of 9 are missing")


def test_lower_floors_take_fewer_and_drawn_slices_may_take_more() -> None:
    lower = {"min_accuracy": 0.5, "min_recall": 0.1, "min_slice_pictures": 20}
    assert told(5, GateSettings(judge_on="clean", **lower)) == []
    [drawn] = told(5, GateSettings(**lower))
    assert "at least 125 for translate: 75 are missing" in drawn
    assert told(100, GateSettings(judge_on="clean", min_accuracy=1, min_recall=1)) == []


@pytest.mark.parametrize("count", [240, 252, 253])
def test_what_is_told_beforehand_is_what_the_verdict_says(count: int) -> None:
    slices = required(GateSettings(judge_on="clean", min_recall=0), {})
    tested = answers(count)
    evidence = EVIDENCE.__class__(
        **{**vars(EVIDENCE), "slices": slices, "answers": {"cpu": GOOD | {TEST: tested}}}
        | {"serving": None}
    )
    verdict = judge(evidence, GateSettings())
    failed = [check.finding for check in verdict.checks if check.name == "accuracy on test part"]
    before = list(shortfalls([int((tested.labels == k).sum()) for k in range(10)], slices))
    missing = [int(re.findall(r"(\d+) (?:pictures )?are missing", one)[0]) for one in before]
    assert missing == ([253 - count] if count < 253 else [])
    assert [one for one in failed if one] == [
        f"accuracy on test part {tested.right.sum() / (count + 1.959964**2):.4f} < 0.9850, "
        f"{253 - count} pictures are missing"
    ] * len(missing)
