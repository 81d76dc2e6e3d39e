"""Histories only grow, by whole lines, whoever writes at once."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tasks.errors import DigitflowError
from tasks.history import entries, locked


def test_an_entry_says_who_did_what_and_when(tmp_path: Path) -> None:
    with locked(tmp_path / "new" / "history.jsonl") as log:
        assert log.entries == []
        made = log.append("promote", version="v1")
        assert log.entries == [made]
    assert entries(tmp_path / "new" / "history.jsonl") == [made]
    assert list(made) == ["time", "actor", "action", "version"]


def test_writers_at_once_leave_whole_lines_and_each_sees_those_before(tmp_path: Path) -> None:
    def write(number: int) -> int:
        with locked(tmp_path / "history.jsonl") as log:
            log.append("count", reason=f"{number}" * 5000)
            return len(log.entries)

    with ThreadPoolExecutor(8) as writers:
        seen = list(writers.map(write, range(40)))
    assert sorted(seen) == list(range(1, 41))
    reasons = {entry["reason"] for entry in entries(tmp_path / "history.jsonl")}
    assert reasons == {f"{number}" * 5000 for number in range(40)}


def test_a_whole_line_that_is_damaged_is_an_error_with_its_number(tmp_path: Path) -> None:
    file = tmp_path / "history.jsonl"
    file.write_text('{"action": "a"}\n{"action"\n')
    with pytest.raises(DigitflowError, match=r"history.jsonl, line 2 is damaged"):
        entries(file)


def test_a_history_that_is_not_there_is_empty(tmp_path: Path) -> None:
    assert entries(tmp_path / "history.jsonl") == []
