"""The soak keeps its promises for two minutes, and sees where one is broken."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.bench import soak
from tests.bench.soak import Look
from tests.results.test_table import read_row, store

ROOT = Path(__file__).parents[1]
MB = 10**6


@pytest.mark.slow
@pytest.mark.server
@pytest.mark.timeout(900)  # start, files, and what goes on at the end, on a busy machine
def test_for_two_minutes_every_file_is_read_once_whatever_is_killed() -> None:
    command = [sys.executable, "-m", "tests.bench.soak", "--minutes", "2"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_file_that_is_lost_or_has_two_rows_or_another_digit_is_seen(home: Path) -> None:
    store(str(home / "results"), read_row("a.png", digit=7), read_row("b.png", digit=7))
    assert soak.files_promise(home, {"a.png": 7, "b.png": 7}).kept
    assert not soak.files_promise(home, {}).kept
    assert "1 lost, as c.png" in soak.files_promise(home, {"a.png": 7, "b.png": 7, "c.png": 1}).seen
    assert "1 wrong, as b.png" in soak.files_promise(home, {"a.png": 7, "b.png": 1}).seen
    store(str(home / "results"), read_row("a.png", "again", digit=7))
    twice = soak.files_promise(home, {"a.png": 7, "b.png": 7})
    assert not twice.kept
    assert "1 twice, as a.png" in twice.seen


@pytest.mark.parametrize("state", ["FAILED", "CRASHED", "RUNNING"])
def test_a_run_that_did_not_come_to_a_good_end_is_seen(state: str) -> None:
    good = {"state_type": "COMPLETED"}
    bad = {"state_type": state, "name": "inbox", "state": {"message": "made for a test"}}
    assert soak.runs_promise([good]).kept
    assert not soak.runs_promise([good, bad]).kept
    assert not soak.runs_promise([]).kept


def test_of_a_process_that_was_there_for_minutes_growth_is_seen() -> None:
    def looks(last: int, seconds: int = 600) -> list[Look]:
        return [
            Look(float(at), {("server", 1): 200 * MB + (last - 200) * MB * at // seconds})
            for at in range(0, seconds + 1, 10)
        ]

    assert soak.memory_promise("server", looks(205)).kept
    assert soak.memory_promise("server", looks(300)).kept is False
    assert soak.memory_promise("server", looks(300, seconds=60)).kept is None
