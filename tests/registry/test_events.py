"""Who is registered, serves or is in use, and against the gate, follows from the history."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tasks.registry.events import (
    asked,
    asked_by,
    named_within,
    overridden,
    registered,
    removed,
    served,
)

NOW = datetime(2026, 1, 31, tzinfo=UTC)
DAY = timedelta(days=1)


def entries(story: str, **facts: Any) -> list[dict[str, Any]]:
    """Return entries of a story as `register a, promote a`, each with the same further facts."""
    pairs = (step.split() for step in filter(None, story.split(", ")))
    return [
        {"action": action, "version": version, "reason": f"{number}", **facts}
        for number, (action, version) in enumerate(pairs)
    ]


@pytest.mark.parametrize(
    ("story", "names", "gone"),
    [
        ("", [], set()),
        ("register a, register b", ["a", "b"], set()),
        ("register a, register b, remove a", ["b"], {"a"}),
        ("register a, register b, remove a, register a", ["b", "a"], set()),
        ("register a, register b, register a", ["b", "a"], set()),
        ("promote a, refuse b, judge c", [], set()),
        ("remove a", [], {"a"}),
    ],
)
def test_what_was_deleted_is_not_registered_until_it_is_registered_again(
    story: str, names: list[str], gone: set[str]
) -> None:
    assert list(registered(entries(story))) == names
    assert removed(entries(story)) == gone


def test_a_version_has_the_card_of_its_last_registration() -> None:
    first = entries("register a", evidence={"card_sha256": "1"})
    second = entries("remove a, register a", evidence={"card_sha256": "2"})
    assert registered([*first, *second]) == {"a": "2"}


@pytest.mark.parametrize(
    ("story", "names"),
    [
        ("", ["shipped"]),
        ("promote a, refuse b, promote b", ["shipped", "a", "b"]),
        ("promote a, promote b, rollback a", ["shipped", "a"]),
        ("promote a, promote b, promote c, rollback a", ["shipped", "a"]),
        ("promote a, promote b, promote a, rollback b", ["shipped", "a", "b"]),
        ("promote a, rollback shipped, promote b", ["shipped", "b"]),
        ("promote a, rollback never-promoted", []),
    ],
)
def test_a_rollback_takes_back_what_came_after_its_version(story: str, names: list[str]) -> None:
    assert served(entries(story), "shipped") == names


def test_a_rollback_to_what_shipped_then_leads_to_what_ships_today() -> None:
    story = [*entries("promote a"), *entries("rollback shipped-then", shipped=True)]
    assert served(story, "shipped-today") == ["shipped-today"]
    assert served(story, None) == []


def test_an_override_stays_known_with_its_last_reason() -> None:
    story = [
        *entries("promote a", override=True),
        *entries("promote b, promote a", override=False),
        *entries("refuse c, promote b", override=True),
    ]
    assert overridden(story) == {"a": "0", "b": "1"}


@pytest.mark.parametrize(
    ("time", "lately"),
    [
        ((NOW - DAY).isoformat(), False),
        ((NOW - DAY + timedelta(seconds=1)).isoformat(), True),
        ("2026-01-30T01:00:00+02:00", False),
        ("2026-01-30T23:00:00-02:00", True),
        ((NOW + 9 * DAY).isoformat(), True),  # the clock of another machine is ahead
        ("2020-01-01T00:00:00", True),  # in a zone that nobody knows
        ("yesterday", True),
        ("", True),
    ],
)
def test_who_was_in_use_lately_is_named_and_a_time_that_says_nothing_counts_as_lately(
    time: str, lately: bool
) -> None:
    story = entries("promote new", time=time, replaced="old") + entries("refuse x", time=time)
    assert named_within(story, DAY, NOW) == ({"new", "old", "x"} if lately else set())


@pytest.mark.parametrize("replaced", [None, 7, ["old"]])
def test_a_promotion_that_replaced_nothing_names_its_version_alone(replaced: object) -> None:
    story = entries("promote new", time=NOW.isoformat(), replaced=replaced)
    assert named_within(story, DAY, NOW) == {"new"}


@pytest.mark.parametrize(
    ("story", "waits", "with_a_time"),
    [
        ("ask a", ["a"], ["a"]),
        ("ask a, ask b", ["a", "b"], ["a", "b"]),
        ("ask a, promote a", [], []),
        ("ask a, refuse a, judge a", [], []),
        ("ask a, remove a", [], []),
        ("ask a, refuse a, ask a", ["a"], ["a"]),
        ("ask a, promote b", [], ["a"]),
        ("ask a, rollback b, ask c", ["c"], ["a", "c"]),
    ],
)
def test_a_version_waits_until_it_is_answered_or_its_time_is_over(
    story: str, waits: list[str], with_a_time: list[str]
) -> None:
    endless = entries(story, time=NOW.isoformat())
    assert [each.version for each in asked(endless)] == waits
    timed = entries(story, time=NOW.isoformat(), evidence={"until": NOW.isoformat()})
    found = asked(timed)
    assert [each.version for each in found] == with_a_time
    assert all(each.is_over(NOW + DAY) and not each.is_over(NOW - DAY) for each in found)


def test_a_flow_run_finds_what_it_has_asked_whatever_became_of_it() -> None:
    told = [
        {"action": "ask", "version": name, "time": "", "evidence": {"flow_run": run}}
        for name, run in (("a", "1"), ("b", None))
    ]
    answered = [*told, {"action": "promote", "version": "a", "time": ""}]
    found = asked_by(answered, "1")
    assert found is not None
    assert found.version == "a"
    assert asked_by(answered, "2") is None
