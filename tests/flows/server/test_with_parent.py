"""A program ends with the process that started it, and what it has started itself goes on."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.inference.test_worker import is_running, wait_until

pytestmark = pytest.mark.processes

ROOT = Path(__file__).parents[3]
PROGRAM = """
import subprocess, sys, time
left = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print(left.pid, *sys.argv[1:], flush=True)
time.sleep(600)
"""


@pytest.fixture
def program(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Return a program that has started another one."""
    (tmp_path / "program.py").write_text(PROGRAM)
    process = subprocess.Popen(
        [sys.executable, "-m", "flows.server.with_parent", "program", "an argument"],
        cwd=tmp_path,
        env={"PYTHONPATH": f"{ROOT}:{tmp_path}"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    yield process
    process.kill()
    process.wait()


def test_it_ends_at_the_end_of_its_parent_and_alone(program: subprocess.Popen[str]) -> None:
    assert program.stdin and program.stdout
    left, *arguments = program.stdout.readline().split(maxsplit=1)
    assert arguments == ["an argument\n"]
    program.stdin.close()
    assert program.wait(60) == -signal.SIGIO
    assert is_running(int(left))
    os.kill(int(left), signal.SIGKILL)
    wait_until(lambda: not is_running(int(left)))
