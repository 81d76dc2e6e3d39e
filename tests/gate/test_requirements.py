"""Requirements become checks with their figures, and checks a verdict that is read as written."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.contracts.verdict import SHOWN_FAILURES, Check, Verdict
from tasks.gate.requirements import (
    Baseline,
    Limits,
    at_least,
    at_most,
    failed,
    holds,
    verdict_of,
    within,
)
from tasks.metrics.classification import Share

GOOD = holds("parity", "all the same", "the same", True, "text")
BAD = failed("speed", "no device answered")


@given(st.floats(), st.floats(allow_nan=False), st.floats(allow_nan=False))
def test_a_number_passes_between_its_limits_alone(
    value: float, lowest: float, highest: float
) -> None:
    check = within("x", value, Limits(lowest, highest), explanation="text")
    assert check.passed == (lowest <= value <= highest)
    assert bool(check.finding) != check.passed


def test_a_finding_names_the_limit_that_was_missed() -> None:
    limits = Limits(lowest=0.5, highest=1, form=".1f")
    findings = [within("x", v, limits, explanation="").finding for v in (0.4, 1.2, math.nan)]
    assert findings == ["x 0.4 < 0.5", "x 1.2 > 1.0", "x is not a number"]
    assert limits.requirement() == "at least 0.5 and at most 1.0"


@given(st.integers(0, 3_000), st.integers(1, 3_000), st.floats(0, 1))
def test_a_share_passes_when_its_lower_bound_reaches_the_floor(
    right: int, count: int, floor: float
) -> None:
    share = Share(min(right, count), count)
    check = at_least("accuracy", share, floor, "text")
    assert check.passed == (share.low >= floor)
    assert bool(check.finding) != check.passed


def test_too_few_pictures_are_told_with_how_many_it_takes() -> None:
    check = at_least("accuracy", Share(50, 50), 0.985, "text")
    assert check.explanation == (
        "text; 50 pictures are too few: even all right would not do, 253 are needed"
    )
    assert check.finding.endswith(" < 0.9850, 203 pictures are missing")
    assert at_least("accuracy", Share(50, 50), 1.0, "text").finding.endswith(" < 1.0000")
    assert at_least("accuracy", Share(253, 253), 0.985, "text").passed
    assert not at_least("accuracy", Share(252, 252), 0.985, "text").passed
    assert at_least("accuracy", Share(200, 300), 0.985, "text").explanation == "text"


def test_a_verdict_accepts_what_passed_everything_if_there_was_anything() -> None:
    verdicts = [verdict_of(checks, None, {}, "0" * 64) for checks in ([GOOD], [GOOD, BAD], [])]
    assert [verdict.accepted for verdict in verdicts] == [True, False, False]
    assert [verdict.sentence for verdict in verdicts] == [
        "Accepted: all 1 checks passed",
        "Refused: speed missing (no device answered)",
        "Refused: nothing was checked",
    ]


def test_a_verdict_names_some_failures_and_counts_the_others() -> None:
    checks = [failed(str(number), "gone") for number in range(SHOWN_FAILURES + 2)]
    words = verdict_of(checks, None, {}, "0" * 64).failures()
    assert words.endswith(f"{SHOWN_FAILURES - 1} missing (gone); and 2 more")


def test_a_verdict_says_what_it_was_compared_with() -> None:
    for compared, words in ((True, "compared with v1"), (False, "not compared with v1, which")):
        verdict = verdict_of([GOOD], Baseline("v1", compared), {"mine": "ab"}, "0" * 64)
        assert (verdict.against, verdict.compared) == ("v1", compared)
        assert verdict.comparison.startswith(words)


def test_a_verdict_is_read_as_it_was_written() -> None:
    share = at_least("accuracy", Share(3, 4), 0.9, "text")
    verdict = verdict_of([GOOD, BAD, share], Baseline("v1", True), {"mine": "ab"}, "0" * 64)
    written = json.loads(json.dumps(verdict.to_dict()))
    assert Verdict.from_dict(written) == verdict
    assert all(set(check) == set(Check.model_fields) for check in written["checks"])


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"accepted": "yes"}, "accepted"),
        ({"checks": [{"name": "x"}]}, "checks.0.requirement"),
        ({"acceptance": {"mine": 7}}, "acceptance.mine"),
        ({"sha256": "ab"}, "sha256"),
        ({"against": 7}, "against"),
    ],
)
def test_what_is_no_verdict_is_an_error_that_names_the_key(
    change: dict[str, object], where: str
) -> None:
    written = verdict_of([GOOD], None, {}, "0" * 64).to_dict()
    with pytest.raises(ValueError, match=f"^{where}: [^\n]*$"):
        Verdict.from_dict(written | change)


@pytest.mark.parametrize(
    ("wrong", "count", "passed"),
    [(0, 1000, True), (5, 1000, True), (8, 1000, True), (12, 1000, False), (0, 0, False)],
)
def test_a_share_is_too_large_where_that_is_no_chance(wrong: int, count: int, passed: bool) -> None:
    check = at_most("errors", Share(wrong, count), 0.005)
    assert check.passed == passed == (not check.finding)
