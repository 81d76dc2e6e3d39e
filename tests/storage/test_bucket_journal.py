"""A history in a bucket loses no line and doubles none, whoever writes at once and what is lost."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tasks.errors import DigitflowError, InputError
from tasks.storage import bucket_journal
from tasks.storage.bucket_journal import BucketHistory
from tasks.storage.conditional_objects import Objects
from tasks.storage.journal import Entry
from tests.places import BucketPlace
from tests.s3 import Failing

NAME = "history.jsonl"


@pytest.fixture
def place(s3_client: Any) -> BucketPlace:
    """Return a part of a new bucket."""
    return BucketPlace(s3_client)


def test_writers_at_once_leave_whole_lines_and_each_sees_those_before(place: BucketPlace) -> None:
    seen: dict[int, int] = {}

    def write(number: int) -> None:
        def decide(entries: list[Entry]) -> list[Entry]:
            seen[number] = len(entries)  # of the last decision, which is the one that counts
            return [{"action": "count", "reason": f"{number}"}]

        BucketHistory(Objects(place.url), NAME).append(decide)

    with ThreadPoolExecutor(4) as writers:
        list(writers.map(write, range(12)))
    entries = BucketHistory(Objects(place.url), NAME).entries()
    assert sorted(seen.values()) == list(range(12))
    assert [seen[int(entry["reason"])] for entry in entries] == list(range(12))
    assert place.paths() == [NAME, f"{NAME}.head"]


def test_a_line_whose_answer_was_lost_is_there_once_and_decided_once(
    place: BucketPlace, failing: Failing
) -> None:
    history = BucketHistory(Objects(place.url), NAME)
    for number in range(2):  # the object is made, then replaced
        history._objects.require_conditions()
        decided: list[int] = []

        def decide(entries: list[Entry], decided: list[int] = decided) -> list[Entry]:
            decided.append(len(entries))
            return [{"action": "count"}]

        failing.troubles = ["", "lost"]  # of the question what is there, and of the answer to it
        added = history.append(decide)
        assert not failing.troubles
        assert decided == [number]
        assert history.entries()[number:] == added


def test_a_history_that_others_keep_writing_to_is_given_up_with_nothing_written(
    place: BucketPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bucket_journal, "ATTEMPTS", 3)
    monkeypatch.setattr(bucket_journal, "LONGEST_PAUSE", 0)
    history = BucketHistory(Objects(place.url), NAME)

    def decide(entries: list[Entry]) -> list[Entry]:
        BucketHistory(Objects(place.url), NAME).append(lambda _: [{"action": "theirs"}])
        return [{"action": "ours"}]

    with pytest.raises(DigitflowError, match=r"history.jsonl: other writers were faster 3 times"):
        history.append(decide)
    assert [entry["action"] for entry in history.entries()] == ["theirs"] * 3


def test_nothing_is_written_if_nothing_is_decided_or_conditions_are_not_kept(
    place: BucketPlace, failing: Failing
) -> None:
    history = BucketHistory(Objects(place.url), NAME)
    failing.troubles = ["unconditional"]
    with pytest.raises(InputError, match="does not keep the condition of a write"):
        history.append(lambda _: [{"action": "ours"}])
    assert history.append(lambda _: []) == []
    assert place.paths() == []


def test_a_damaged_line_is_an_error_with_its_number(place: BucketPlace) -> None:
    place.write(NAME, b'{"action": "a"}\n{"action"\n')
    with pytest.raises(DigitflowError, match=f"{place.url}/{NAME}, line 2 is damaged"):
        BucketHistory(Objects(place.url), NAME).entries()
