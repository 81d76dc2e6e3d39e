"""People at work at once: each picture to one of them, each answer kept, each undone as it was."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tasks.errors import DigitflowError
from tasks.results import table as results
from tasks.review import session as session_file
from tasks.review.answers import NO_DIGIT, Row, settle
from tasks.review.as_read import PageAsRead
from tasks.review.journal import AnswerJournal, said_in
from tasks.review.leases import Leases
from tasks.review.queue import Choice
from tasks.review.session import Refused, ReviewSession
from tests.results.test_table import store
from tests.review.rows import for_audit, place, unsure

FIVE = [f"{number}.png" for number in range(5)]


@pytest.fixture
def table(tmp_path: Path) -> str:
    """Return results in which five pictures wait."""
    store(place(tmp_path), *(unsure(path) for path in FIVE))
    return place(tmp_path)


def session_of(table: str, **more: Any) -> ReviewSession:
    """Return a session that commits when it is told to."""
    journal = AnswerJournal(Path(table).with_name("answers.jsonl"), table)
    return ReviewSession(table, "review-1", journal, **more)


def shown(session: ReviewSession, reviewer: str, count: int = 1, **choice: Any) -> list[str]:
    return [p.path for _, p in session.upcoming(reviewer, Choice(**choice), count).pictures]


def answer_next(session: ReviewSession, said: str, reviewer: str = "Ada") -> None:
    [(number, _)] = session.upcoming(reviewer).pictures
    session.answer(reviewer, reviewer, number, said)


def digits(table: str) -> dict[str, Any]:
    rows = results.select(table, columns=["path", "digit", "answered_by"]).to_pylist()
    return {row["path"]: row["digit"] for row in rows if row["answered_by"]}


def test_two_people_never_get_the_same_picture(table: str) -> None:
    session = session_of(table)
    assert shown(session, "Ada", 2) == FIVE[:2]
    assert shown(session, "Bob", 2) == FIVE[2:4]
    answer_next(session, "7", "Ada")
    assert shown(session, "Ada", 2) == [FIVE[1], FIVE[4]]
    assert shown(session, "Cem", 2) == []
    session.leave("Bob")
    assert shown(session, "Cem", 2) == FIVE[2:4]


def test_many_who_answer_at_once_answer_each_picture_once(tmp_path: Path) -> None:
    table = place(tmp_path)
    paths = [f"{number:03}.png" for number in range(120)]
    store(table, *(unsure(path) for path in paths))
    session = session_of(table)
    answered = list[str]()

    def work(name: str) -> None:
        while (found := session.upcoming(name, count=3)).pictures:
            number, picture = found.pictures[0]
            session.answer(name, name, number, "7")
            answered.append(picture.path)

    threads = [threading.Thread(target=work, args=(f"person {n}",)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answered) == paths
    session.stop()
    assert set(digits(table)) == set(paths)


def test_a_picture_of_who_says_nothing_any_more_goes_to_another(table: str) -> None:
    session = session_of(table, lease_seconds=0.0)
    [(number, _)] = session.upcoming("Ada").pictures
    assert shown(session, "Bob") == FIVE[:1]
    session.answer("Bob", "Bob", number, "7")
    with pytest.raises(Refused, match="waits no more"):
        session.answer("Ada", "Ada", number, "8")


def test_an_answer_of_what_another_is_shown_is_refused(table: str) -> None:
    session = session_of(table)
    [(number, _)] = session.upcoming("Ada").pictures
    with pytest.raises(Refused, match="somebody else"):
        session.answer("Bob", "Bob", number, "7")
    with pytest.raises(Refused):
        session.answer("Bob", "Bob", 999, "7")


def test_an_answer_is_kept_at_once_and_committed_behind(table: str) -> None:
    session = session_of(table)
    answer_next(session, "7")
    said = said_in(Path(table).with_name("answers.jsonl"), table)
    assert said
    assert len(said.open()) == 1
    assert digits(table) == {}
    session.commit()
    assert digits(table) == {"0.png": 7}
    version = results.open_table(table).version()
    session.commit()
    assert results.open_table(table).version() == version


def test_what_is_undone_before_it_is_committed_is_in_no_row(table: str) -> None:
    session = session_of(table)
    answer_next(session, "7")
    assert session.undo("Ada")
    assert shown(session, "Ada") == FIVE[:1]
    session.commit()
    assert results.select(table, results.Query(history=True)).num_rows == len(FIVE)


def test_what_is_undone_after_it_is_committed_waits_again_and_can_be_answered(table: str) -> None:
    session = session_of(table)
    answer_next(session, "7")
    answer_next(session, NO_DIGIT)
    session.commit()
    assert (session.undo("Ada"), session.undo("Ada"), session.undo("Ada")) == (True, True, False)
    assert shown(session, "Ada", 3) == FIVE[:3]
    assert sorted(shown(session, "Ada", 9)) == FIVE
    answer_next(session, "8")
    session.commit()
    assert digits(table) == {"0.png": 8}
    session.renew()
    assert session.left == 4


def test_what_is_undone_is_shown_until_something_else_is_chosen(table: str) -> None:
    session = session_of(table)
    answer_next(session, "7")
    assert shown(session, "Ada", source="/elsewhere") == []
    session.undo("Ada")
    assert shown(session, "Ada", source="/elsewhere") == FIVE[:1]
    assert shown(session, "Ada", source="/nowhere") == []


def test_nobody_undoes_what_another_has_answered(table: str) -> None:
    session = session_of(table)
    answer_next(session, "7", "Ada")
    assert not session.undo("Bob")


def test_what_is_skipped_waits_and_comes_again_when_it_is_asked_for(table: str) -> None:
    session = session_of(table)
    [(number, _)] = session.upcoming("Ada").pictures
    session.skip("Ada", number)
    found = session.upcoming("Ada", count=9)
    assert [picture.path for _, picture in found.pictures] == FIVE[1:]
    assert (found.left, found.skipped, found.answered) == (5, 1, 0)
    session.leave("Ada")
    assert shown(session, "Bob") == FIVE[:1]
    session.leave("Bob")
    session.skip_no_more("Ada")
    assert shown(session, "Ada") == FIVE[:1]
    session.commit()
    assert digits(table) == {}


def test_a_choice_is_counted_by_itself(table: str) -> None:
    store(table, unsure("x.png", reason="ambiguous", root="/more"), shard=1)
    session = session_of(table)
    found = session.upcoming("Ada", Choice(source="/more"))
    assert (found.left, len(found.pictures)) == (1, 1)
    assert session.choices() == {
        "reason": ["ambiguous", "low_confidence"],
        "source": ["/more", "/pictures"],
        "run": ["run-1"],
    }


def test_what_other_programs_bring_and_take_is_seen(table: str) -> None:
    session = session_of(table)
    store(table, unsure("new.png", run="run-2"), unsure("0.png", run="run-2", content_hash="cd"))
    answer_next(session, "7")  # of content that is not there any more
    session.commit()
    session.renew()
    assert digits(table) == {}
    assert set(shown(session, "Ada", 9)) == {*FIVE[1:], "0.png", "new.png"}
    assert session.undo("Ada")
    assert shown(session, "Ada", 9).count("0.png") == 1


def test_what_cannot_be_committed_is_told_and_committed_later(
    table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = threading.Event()
    broken.set()

    def failing(*arguments: Any) -> Any:
        if broken.is_set():
            raise DigitflowError("the bucket is out of reach")
        return settle(*arguments)

    monkeypatch.setattr(session_file, "settle", failing)
    monkeypatch.setattr(session_file, "COMMIT_S", 0.01)
    monkeypatch.setattr(session_file, "AGAIN_S", 0.05)
    session = session_of(table)
    session.start()
    answer_next(session, "7")
    wait_until(lambda: session.upcoming("Ada").trouble == "the bucket is out of reach")
    broken.clear()
    wait_until(lambda: digits(table) == {"0.png": 7})
    wait_until(lambda: session.upcoming("Ada").trouble is None)
    session.stop()


def wait_until(holds: Callable[[], bool]) -> None:
    for _ in range(1_000):
        if holds():
            return
        threading.Event().wait(0.02)
    raise AssertionError


def test_each_digit_is_handed_over_with_its_page_once_its_row_says_so(table: str) -> None:
    kept = list[tuple[int | None, str]]()
    page = np.zeros((9, 9, 3), np.uint8)

    def keep(picture: Any, digit: int | None, row: Row) -> None:
        assert picture is page
        assert row["path"] in FIVE
        assert row["model_digit"] == 3 or digit is None
        kept.append((digit, row["path"]))

    def page_of(asked: PageAsRead) -> Any:
        return page if asked.path != "1.png" else None

    session = session_of(table, keep=keep, page_of=page_of)
    for said in ("7", "8", NO_DIGIT):
        answer_next(session, said)
    assert kept == []
    session.commit()
    assert sorted(kept, key=str) == [(7, "0.png"), (None, "2.png")]
    session.undo("Ada")
    session.undo("Ada")
    session.undo("Ada")
    session.commit()
    assert (None, "0.png") in kept


def test_what_is_of_the_audit_is_answered_like_all_else(tmp_path: Path) -> None:
    table = place(tmp_path)
    store(table, for_audit("a.png", digit=3), unsure("b.png"))
    session = session_of(table)
    answer_next(session, "8")
    session.stop()
    [row] = results.select(table, results.Query(path="a.png")).to_pylist()
    assert (row["digit"], row["model_status"], row["model_digit"]) == (8, "read", 3)
    assert row["audit"] == 0.25


def test_a_lease_ends_with_the_time_without_a_word() -> None:
    now = [0.0]
    leases = Leases(10.0, lambda: now[0])
    leases.renew("Ada")
    leases.hold("Ada", [1, 2])
    assert leases.is_free_for("Ada", 1)
    assert not leases.is_free_for("Bob", 1)
    now[0] = 9.0
    leases.renew("Ada")
    now[0] = 18.0
    assert not leases.is_free_for("Bob", 2)
    now[0] = 20.0
    assert leases.is_free_for("Bob", 2)
