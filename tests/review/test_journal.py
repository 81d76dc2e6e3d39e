"""What a person was told is kept is in the journal, whatever ends the session."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tasks.errors import DigitflowError, InputError
from tasks.review.answers import Answer, Wanted
from tasks.review.journal import AnswerJournal, said_in
from tasks.review.queue import PictureKey

AT = datetime(2026, 11, 28, 12, 0, 0, 123456, tzinfo=UTC)
A, B = PictureKey("/pictures", "a.png", 0), PictureKey("/pictures", 'ü"\\x.tif', 3)


def answer(picture: PictureKey, said: str = "7") -> Answer:
    return Answer(picture, "ab", said, "Ada", AT)


def test_what_was_said_is_read_as_it_was_written(tmp_path: Path) -> None:
    file = tmp_path / "answers.jsonl"
    journal = AnswerJournal(file, "/results")
    journal.answer(answer(A))
    journal.answer(answer(B, "no digit"))
    journal.committed(1)
    journal.undo(A)
    said = said_in(file, "/results")
    assert said
    assert said.open() == {
        A: Wanted(None, frozenset({("Ada", AT)})),
        B: Wanted(answer(B, "no digit"), frozenset({("Ada", AT)})),
    }
    journal.committed(3)
    assert (said_in(file, "/results") or said).open() == {}
    assert file.stat().st_mode & 0o077 == 0


def test_each_line_is_on_the_disk_before_its_answer_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = AnswerJournal(tmp_path / "answers.jsonl", "/results")
    synced = []
    monkeypatch.setattr(os, "fsync", synced.append)
    journal.answer(answer(A))
    journal.undo(A)
    assert len(synced) == 2


def test_a_line_that_was_being_written_when_all_ended_is_none(tmp_path: Path) -> None:
    file = tmp_path / "answers.jsonl"
    journal = AnswerJournal(file, "/results")
    journal.answer(answer(A))
    whole = file.read_bytes()
    journal.answer(answer(B))
    for length in range(len(whole), file.stat().st_size):
        cut = tmp_path / "cut.jsonl"
        cut.write_bytes(file.read_bytes()[:length])
        said = said_in(cut, "/results")
        assert said
        assert list(said.open()) == [A]


def test_what_is_about_other_results_is_left(tmp_path: Path) -> None:
    file = tmp_path / "answers.jsonl"
    AnswerJournal(file, "/results").answer(answer(A))
    assert said_in(file, "/other") is None
    file.write_bytes(b"")
    assert said_in(file, "/results") is None


@pytest.mark.parametrize(
    "line",
    [
        b"{",
        b"[]",
        json.dumps({"answer": A, "content_hash": "ab"}).encode(),
        json.dumps({"answer": A, "content_hash": "", "said": "x", "by": "", "at": ""}).encode(),
        json.dumps({"undone": ["a"]}).encode(),
    ],
)
def test_a_damaged_line_is_never_passed_over(tmp_path: Path, line: bytes) -> None:
    file = tmp_path / "answers.jsonl"
    AnswerJournal(file, "/results").answer(answer(A))
    file.write_bytes(file.read_bytes() + line + b"\n")
    with pytest.raises(InputError, match="line 3 is damaged"):
        said_in(file, "/results")


def test_an_answer_that_a_full_disk_has_not_taken_whole_leaves_no_trace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "answers.jsonl"
    journal = AnswerJournal(file, "/results")
    pwrite = os.pwrite
    with monkeypatch.context() as full:
        full.setattr(os, "pwrite", lambda at, data, place: pwrite(at, data[:9], place))
        with pytest.raises(DigitflowError, match="the disk is full"):
            journal.answer(answer(A))
    journal.answer(answer(B))
    said = said_in(file, "/results")
    assert said
    assert list(said.open()) == [B]
