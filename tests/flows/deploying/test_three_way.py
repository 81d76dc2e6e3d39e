"""What nobody has changed follows the declaration; what somebody has changed stays."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.deploying.three_way import MISSING, Leaf, digest_of, merged, with_changes

VALUES = st.sampled_from([None, 0, 1, "a", ["b"], True])
TREES = st.dictionaries(
    st.sampled_from(["one", "two"]),
    VALUES | st.dictionaries(st.sampled_from(["x", "y"]), VALUES, min_size=1),
    max_size=2,
)


def applied(tree: dict[str, Any]) -> dict[str, str]:
    return merged({}, {}, tree, force=True).applied


@pytest.mark.parametrize(
    ("last", "there", "declared", "after", "kept"),
    [
        ({"a": 1}, {"a": 1}, {"a": 2}, {"a": 2}, []),  # declared anew
        ({"a": 1}, {"a": 3}, {"a": 1}, {"a": 3}, ["a"]),  # changed there
        ({"a": 1}, {"a": 3}, {"a": 2}, {"a": 3}, ["a"]),  # both
        ({"a": 1}, {"a": 2}, {"a": 2}, {"a": 2}, []),  # both the same
        ({"a": 1}, {}, {"a": 1}, {}, ["a"]),  # removed there
        ({"a": 1}, {}, {}, {}, []),
        ({"a": 1}, {"a": 1}, {}, {}, []),  # declared no more
        ({"a": 1}, {"a": 3}, {}, {"a": 3}, []),  # declared no more, and somebody's
        ({}, {"b": 3}, {}, {"b": 3}, []),  # never ours
        ({}, {}, {"a": 1}, {"a": 1}, []),  # new
        ({}, {"a": 3}, {"a": 1}, {"a": 3}, ["a"]),  # there before us
        ({"a": {"b": 1}}, {"a": {"b": 1, "c": 2}}, {"a": {"b": 5}}, {"a": {"b": 5, "c": 2}}, []),
        ({"a": None}, {"a": None}, {"a": 1}, {"a": 1}, []),  # none is a value, too
    ],
)
def test_each_leaf_is_taken_from_who_changed_it(
    last: dict[str, Any],
    there: dict[str, Any],
    declared: dict[str, Any],
    after: dict[str, Any],
    kept: list[str],
) -> None:
    result = merged(applied(last), there, declared, force=False)
    assert with_changes(there, result.changes) == after
    assert ["/".join(each.path) for each in result.differences if each.kept] == kept


def test_what_somebody_changed_follows_again_once_it_is_as_it_was_applied() -> None:
    last = applied({"cron": "1"})
    result = merged(last, {"cron": "mine"}, {"cron": "2"}, force=False)
    result = merged(result.applied, {"cron": "1"}, {"cron": "2"}, force=False)
    assert with_changes({"cron": "1"}, result.changes) == {"cron": "2"}


def test_a_leaf_of_several_parts_is_compared_as_one() -> None:
    one, other = Leaf(cron="1", timezone="UTC"), Leaf(cron="2", timezone="UTC")
    [difference] = merged({}, {}, {"at": {"night": other}}, force=False).differences
    assert (difference.path, difference.there) == (("at", "night"), MISSING)
    last = applied({"at": {"night": one}})
    [difference] = merged(
        last, {"at": {"night": one}}, {"at": {"night": other}}, force=False
    ).differences
    assert difference.declared == other


def test_the_order_of_names_makes_no_difference() -> None:
    assert digest_of({"a": 1, "b": 2}) == digest_of({"b": 2, "a": 1}) != digest_of({"a": 1, "b": 3})


@settings(max_examples=40)
@given(TREES, TREES, TREES)
def test_applied_twice_it_changes_nothing_the_second_time(
    last: dict[str, Any], there: dict[str, Any], declared: dict[str, Any]
) -> None:
    first = merged(applied(last), there, declared, force=False)
    after = with_changes(there, first.changes)
    second = merged(first.applied, after, declared, force=False)
    assert second.changes == []
    assert second.applied == first.applied


@settings(max_examples=40)
@given(TREES, TREES, TREES)
def test_by_force_all_that_is_declared_is_there(
    last: dict[str, Any], there: dict[str, Any], declared: dict[str, Any]
) -> None:
    result = merged(applied(last), there, declared, force=True)
    after = with_changes(there, result.changes)
    assert merged({}, after, declared, force=False).differences == []
