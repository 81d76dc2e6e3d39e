"""What a person says is a row that counts, with all pages of its file, for that content alone."""

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tasks.results import commit
from tasks.results import table as results
from tasks.results.take_back import take_back
from tasks.review import answers
from tasks.review.answers import NO_DIGIT, SEVERAL, Answer, Wanted, settle
from tasks.review.queue import PictureKey, waiting
from tests.results.test_table import read_row, store
from tests.review.rows import for_audit, keys, picture_of, place, say, unsure

AT = datetime(2026, 11, 28, 12, 0, 0, 123456, tzinfo=UTC)


def answer(path: str, said: str, page: int = 0, by: str = "Ada", at: datetime = AT) -> Answer:
    return Answer(PictureKey("/pictures", path, page), "ab", said, by, at)


def current(table: str, *columns: str) -> list[tuple[Any, ...]]:
    rows = results.select(table, columns=["path", "page", *columns]).to_pylist()
    return [tuple(row[name] for name in ("path", "page", *columns)) for row in rows]


@pytest.mark.parametrize(
    ("said", "row"),
    [
        ("7", ("read", "answered", 7)),
        ("3", ("read", "answered", 3)),
        (NO_DIGIT, ("rejected", "not_a_digit", None)),
        (SEVERAL, ("rejected", "several_digits", None)),
    ],
)
def test_an_answer_is_a_row_that_counts(
    tmp_path: Path, said: str, row: tuple[str, str, int | None]
) -> None:
    table = place(tmp_path)
    store(table, unsure("a.png", digit=3))
    assert say(table, answer("a.png", said)) == {}
    assert current(table, "status", "reason", "digit") == [("a.png", 0, *row)]
    person = ("answered_by", "answered_at", "model_status", "model_digit", "run_id")
    assert current(table, *person) == [("a.png", 0, "Ada", AT, "review", 3, "review-1")]
    assert keys(table) == []


def test_all_else_of_the_row_stays_the_models(tmp_path: Path) -> None:
    table = place(tmp_path)
    store(table, for_audit("a.png", digit=3))
    [before] = results.select(table).to_pylist()
    say(table, answer("a.png", "8"))
    [after] = results.select(table).to_pylist()
    changed = {name for name in after if after[name] != before[name]}
    assert changed == {
        *("reason", "digit", "run_id", "commit_version"),
        *("answered_by", "answered_at", "model_status", "model_digit"),
    }
    assert (after["model_status"], after["model_digit"], after["audit"]) == ("read", 3, 0.25)
    query = results.Query(history=True)
    assert results.select(table, query, ["reason"])["reason"].to_pylist() == ["ok", "answered"]


def test_all_pages_of_a_file_stay_together(tmp_path: Path) -> None:
    table = place(tmp_path)
    store(table, *(unsure("a.tif", page=page) for page in range(3)), unsure("b.png"))
    say(table, answer("a.tif", "1", page=1))
    rows = current(table, "status", "run_id")
    assert rows == [
        ("a.tif", 0, "review", "review-1"),
        ("a.tif", 1, "read", "review-1"),
        ("a.tif", 2, "review", "review-1"),
        ("b.png", 0, "review", "run-1"),
    ]
    assert keys(table) == [("a.tif", 0), ("a.tif", 2), ("b.png", 0)]


def test_an_answer_of_content_that_was_read_again_is_left(tmp_path: Path) -> None:
    table = place(tmp_path)
    store(table, unsure("a.png"))
    store(table, unsure("a.png", run="run-2", content_hash="cd", size=5))
    [why] = say(table, answer("a.png", "7")).values()
    assert "read again" in why
    assert keys(table) == [("a.png", 0)]


def test_an_answer_holds_where_another_model_has_read_the_same_meanwhile(tmp_path: Path) -> None:
    table = place(tmp_path)
    store(table, unsure("a.png", digit=3))
    store(table, unsure("a.png", digit=5, run="run-2", model_version="other"))
    assert say(table, answer("a.png", "7")) == {}
    assert current(table, "digit", "model_digit", "model_version") == [("a.png", 0, 7, 5, "other")]


def test_the_first_of_two_peoples_answers_stays(tmp_path: Path) -> None:
    table = place(tmp_path)
    store(table, unsure("a.png"))
    say(table, answer("a.png", "7", by="Ada"))
    [why] = say(table, answer("a.png", "8", by="Bob")).values()
    assert why == "Ada has answered meanwhile"
    assert current(table, "digit", "answered_by") == [("a.png", 0, 7, "Ada")]


def test_what_is_there_already_is_not_committed_again(tmp_path: Path) -> None:
    table = place(tmp_path)
    store(table, unsure("a.png"))
    say(table, answer("a.png", "7"))
    version = results.open_table(table).version()
    assert say(table, answer("a.png", "7"), "review-2") == {}
    assert results.open_table(table).version() == version


def test_an_undone_answer_gives_the_row_of_the_model_back(tmp_path: Path) -> None:
    table = place(tmp_path)
    store(table, unsure("a.tif"), unsure("a.tif", page=1, digit=9))
    [_, before] = results.select(table).to_pylist()
    given = answer("a.tif", NO_DIGIT, page=1)
    say(table, given)
    undone = {given.picture: Wanted(None, frozenset({given.signature}))}
    settle(table, "review-1", undone)
    [_, after] = results.select(table).to_pylist()
    changed = {name for name in after if after[name] != before[name]}
    assert changed == {"run_id", "commit_version"}
    assert settle(table, "review-1", undone).rows == []


def test_an_answer_that_was_undone_makes_room_for_another_of_the_same_session(
    tmp_path: Path,
) -> None:
    table = place(tmp_path)
    store(table, unsure("a.png"))
    first, second = answer("a.png", "7"), answer("a.png", "8", at=AT + timedelta(seconds=1))
    say(table, first)
    ours = frozenset({first.signature, second.signature})
    assert settle(table, "review-1", {second.picture: Wanted(second, ours)}).left == {}
    assert current(table, "digit", "model_status") == [("a.png", 0, 8, "review")]


def test_a_picture_that_is_not_in_the_results_is_left(tmp_path: Path) -> None:
    table = place(tmp_path)
    store(table, unsure("a.png"))
    assert list(say(table, answer("gone.png", "7"))) == [PictureKey("/pictures", "gone.png", 0)]
    assert list(say(table, answer("a.png", "7", page=4))) == [PictureKey("/pictures", "a.png", 4)]


def test_what_is_committed_between_is_looked_at_once_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = place(tmp_path)
    store(table, unsure("a.tif"), unsure("a.tif", page=1))

    def overtake() -> None:
        store(table, unsure("a.tif", run="run-2"), read_row("a.tif", "run-2", page=1))

    monkeypatch.setattr(commit, "_one_at_a_time", threading.RLock())  # both are in this thread
    monkeypatch.setattr(answers, "current_rows", _then(overtake))
    assert say(table, answer("a.tif", "7")) == {}
    assert current(table, "status", "run_id") == [
        ("a.tif", 0, "read", "review-1"),
        ("a.tif", 1, "read", "review-1"),
    ]


def _then(act: Any) -> Any:
    """Return what looks at the current rows, and lets another commit follow once."""
    acts = [act]

    def looked(*arguments: Any) -> Any:
        rows = results.current_rows(*arguments)
        if acts:
            acts.pop()()
        return rows

    return looked


def test_many_answers_of_several_sources_are_few_commits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "TOGETHER", 4)
    table = place(tmp_path)
    store(table, *(unsure(f"{number}.png") for number in range(6)))
    store(table, *(unsure(f"{number}.png", root="/more") for number in range(4)), shard=1)
    wanted = {
        picture.key: Wanted(Answer(picture.key, "ab", "7", "Ada", AT), frozenset())
        for picture in waiting(table)
    }
    version = results.open_table(table).version()
    done = settle(table, "review-1", wanted)
    assert (len(done.rows), done.left) == (10, {})
    assert results.open_table(table).version() == version + 3
    assert {row[2] for row in current(table, "digit")} == {7}


def test_a_picture_of_which_the_model_has_no_numbers_has_no_digit_of_the_model(
    tmp_path: Path,
) -> None:
    table = place(tmp_path)
    store(table, unsure("a.png", p0=None))
    assert picture_of(table, "a.png").likeliest(3) == []
    say(table, answer("a.png", "7"))
    assert current(table, "digit", "model_digit") == [("a.png", 0, 7, None)]


def test_a_table_in_a_bucket_takes_answers(s3_client: Any) -> None:
    s3_client.create_bucket(Bucket="answered")
    table = "s3://answered/results"
    store(table, unsure("a.png"), unsure("b.png"))
    given = answer("a.png", "7")
    assert say(table, given) == {}
    settle(table, "review-1", {given.picture: Wanted(None, frozenset({given.signature}))})
    assert say(table, answer("b.png", "8")) == {}
    assert current(table, "status", "digit") == [("a.png", 0, "review", 3), ("b.png", 0, "read", 8)]


def test_a_session_that_is_taken_back_leaves_the_rows_of_the_model(tmp_path: Path) -> None:
    table = place(tmp_path)
    store(table, unsure("a.png"), unsure("b.png"))
    say(table, answer("a.png", "7"))
    done = take_back(table, tmp_path / "runs", "review-1", "the wrong glasses")
    assert (done.rows, done.current_again) == (1, 1)
    assert keys(table) == [("a.png", 0), ("b.png", 0)]
    assert say(table, answer("a.png", "8"), "review-2") == {}
    assert current(table, "digit", "model_digit")[0] == ("a.png", 0, 8, 3)


def test_what_is_answered_stays_when_the_run_that_read_it_is_taken_back(tmp_path: Path) -> None:
    table = place(tmp_path)
    store(table, unsure("a.tif"), unsure("a.tif", page=1), unsure("b.png"))
    say(table, answer("a.tif", "7"))
    done = take_back(table, tmp_path / "runs", "run-1", "a wrong folder")
    assert (done.later, done.unread) == ({"review-1": 1}, 1)
    assert current(table, "status") == [("a.tif", 0, "read"), ("a.tif", 1, "review")]
    assert list(say(table, answer("b.png", "7"))) == [PictureKey("/pictures", "b.png", 0)]
