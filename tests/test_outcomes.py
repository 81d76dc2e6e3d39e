"""Every outcome is accounted for: it has a status, words and a code that fits into any table."""

import pickle
import re

import pytest

from tasks.outcomes import (
    ALL,
    BY_CONFIDENCE,
    MEANINGS,
    PASSING,
    STATUSES,
    Reason,
    Status,
    Undecodable,
)


def test_every_reason_has_a_status_and_words_of_its_own() -> None:
    assert set(MEANINGS) == set(STATUSES) == set(Reason)
    assert len(set(MEANINGS.values())) == len(Reason)
    assert all(MEANINGS.values())


def test_a_model_reads_a_picture_for_one_reason_alone_and_a_person_for_another() -> None:
    read = [reason for reason in Reason if STATUSES[reason] == Status.READ]
    assert read == [Reason.OK, Reason.ANSWERED]


def test_what_is_read_again_by_itself_was_rejected_and_gave_no_digit() -> None:
    assert {STATUSES[reason] for reason in PASSING} == {Status.REJECTED}
    assert Status.REJECTED not in {STATUSES[reason] for reason in BY_CONFIDENCE}


def test_codes_are_plain_words_and_none_of_them_asks_for_all() -> None:
    codes = [*Reason, *Status]
    assert all(re.fullmatch("[a-z]+(_[a-z]+)*", code) for code in codes)
    assert ALL not in codes


@pytest.mark.parametrize(
    "trouble",
    [
        Undecodable(Reason.TRUNCATED, "ends: early"),
        Undecodable(Reason.VANISHED, "", 0, -1),
        Undecodable(Reason.UNREADABLE, "caf\udce9 \u202e", 2**40, 2**63),
    ],
)
def test_why_a_page_gave_nothing_crosses_to_another_process_whole(trouble: Undecodable) -> None:
    other = pickle.loads(pickle.dumps(trouble))  # noqa: S301 - our own
    assert (type(other), vars(other)) == (type(trouble), vars(trouble))
    assert str(other) == str(trouble)
