"""A run whose output nobody reads any more goes on; no server is asked."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from flows.orchestration.run_console import RunProgress

processes = pytest.mark.processes

LEVELS = ("PREFECT_LOGGING_LEVEL", "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL")
LOGS = """
import sys
from pathlib import Path
from prefect.logging import get_logger
from prefect.logging.configuration import setup_logging
from flows.orchestration.run_console import outlive_readers

setup_logging()
if sys.argv[2:] == ["outlive"]:
    outlive_readers()
sys.stdin.readline()  # until the reader of the log has gone
for _ in range(3):
    get_logger("tests").info("a line of a run")
Path(sys.argv[1]).write_text("went on")
"""


@pytest.mark.parametrize(
    ("done", "seconds", "sentence"),
    [
        (0, 0, "0 %, of 1,000 pictures"),
        (0, 9, "0 %, of 1,000 pictures"),
        (250, 10, "25 %, 30 s left, 25 a second, of 1,000 pictures"),
        (1, 3, "0 %, 50 min left, 3 s each, of 1,000 pictures"),
        (1000, 50, "100 % in 50 s, 20 a second, of 1,000 pictures"),
    ],
)
def test_progress_is_told_with_percentage_rate_and_time_left(
    done: float, seconds: float, sentence: str
) -> None:
    progress = RunProgress("Gate", 1000, "pictures")
    progress.done = done
    assert progress.sentence(seconds) == sentence


def test_what_has_no_unit_is_told_as_a_share_and_nothing_to_do_is_done() -> None:
    data = RunProgress("Data", 100, "")
    data.done = 50
    assert data.sentence(300) == "50 %, 5 min left"
    assert RunProgress("Reading", 0, "files").sentence(0.2) == (
        "100 % in less than 1 s, of 0 files"
    )


@processes
def test_prefects_log_does_not_end_a_process_whose_worker_has_gone(tmp_path: Path) -> None:
    logs_where_nobody_reads(tmp_path / "ended")
    logs_where_nobody_reads(tmp_path / "lives", "outlive")
    assert (tmp_path / "lives").read_text() == "went on"
    assert not (tmp_path / "ended").exists()  # or else there is nothing to prevent


def logs_where_nobody_reads(done: Path, *arguments: str) -> None:
    """Run a program that logs into a pipe, which is closed before, and then writes a file."""
    program = subprocess.Popen(
        [sys.executable, "-c", LOGS, str(done), *arguments],
        env=os.environ | dict.fromkeys(LEVELS, "INFO"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert program.stdin and program.stdout
    program.stdout.close()
    with program.stdin as start:
        start.write(b"\n")
    program.wait()
