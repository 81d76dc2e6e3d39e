"""Histories only grow, by whole lines, whoever writes at once."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tasks.errors import DigitflowError
from tasks.storage.journal import Entry, FileHistory


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "new" / "history.jsonl"


def counted(
    reason: str, seen: Callable[[int], None] = lambda _: None
) -> Callable[..., list[Entry]]:
    """Return what appends one entry, and tells how many were there before."""

    def decide(entries: list[Entry]) -> list[Entry]:
        seen(len(entries))
        return [{"action": "count", "reason": reason}]

    return decide


def test_an_entry_says_who_did_what_and_when(file: Path) -> None:
    history = FileHistory(file)
    assert history.entries() == []
    [made] = history.append(lambda _: [{"action": "promote", "version": "v1"}])
    assert list(made) == ["time", "actor", "action", "version", "id", "before"]
    assert history.entries() == FileHistory(file).entries() == [made]


def test_writers_at_once_leave_whole_lines_and_each_sees_those_before(file: Path) -> None:
    seen: list[int] = []

    def write(number: int) -> None:
        FileHistory(file).append(counted(f"{number}" * 5000, seen.append))

    with ThreadPoolExecutor(8) as writers:
        list(writers.map(write, range(40)))
    assert seen == list(range(40))
    entries = FileHistory(file).entries()
    assert {entry["reason"] for entry in entries} == {f"{number}" * 5000 for number in range(40)}
    assert len({entry["id"] for entry in entries}) == 40


def test_nothing_is_written_if_nothing_is_decided_or_the_decision_fails(file: Path) -> None:
    def refuse(_: list[Entry]) -> list[Entry]:
        raise DigitflowError("no")

    history = FileHistory(file)
    history.append(counted("one"))
    written = file.read_bytes()
    assert history.append(lambda _: []) == []
    with pytest.raises(DigitflowError, match="no"):
        history.append(refuse)
    assert file.read_bytes() == written


def test_a_whole_line_that_is_damaged_is_an_error_with_its_number(tmp_path: Path) -> None:
    file = tmp_path / "history.jsonl"
    file.write_text('{"action": "a"}\n{"action"\n')
    with pytest.raises(DigitflowError, match=r"history.jsonl, line 2 is damaged"):
        FileHistory(file).entries()
