"""A run whose output nobody reads any more goes on; no server is asked."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.processes

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
