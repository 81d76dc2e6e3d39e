"""What is kept leaves nothing behind: not at its own end, not at the end of who had it kept."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.inference.test_worker import is_running, wait_until

pytestmark = pytest.mark.processes

ROOT = Path(__file__).parents[3]
# as Prefect's worker does it: in a session of its own; and deaf to friendly requests
LEAVES = """
import subprocess, sys, time
deaf = "import signal, time; signal.signal(15, signal.SIG_IGN); print(flush=True); time.sleep(600)"
left = subprocess.Popen(
    [sys.executable, "-c", deaf], start_new_session=True, stdout=subprocess.PIPE)
left.stdout.readline()
with open("pids.part", "w") as file:
    file.write(f"{left.pid}")
import os
os.rename("pids.part", "pids")
"""
WAITS = LEAVES + "time.sleep(600)\n"


@pytest.fixture
def kept(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[subprocess.Popen[bytes]]:
    """Return a keeper of a program that has started another one."""
    (tmp_path / "program.py").write_text(request.param)
    process = subprocess.Popen(
        [sys.executable, "-m", "flows.server.subreaper", "program"],
        cwd=tmp_path,
        env={"PYTHONPATH": f"{ROOT}:{tmp_path}"},
        stdin=subprocess.PIPE,
    )
    wait_until((tmp_path / "pids").exists)
    yield process
    process.kill()
    process.wait()


@pytest.mark.parametrize("kept", [LEAVES], indirect=True)
def test_what_the_program_leaves_ends_with_it(
    kept: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    assert kept.wait(60) == 0
    assert not is_running(int((tmp_path / "pids").read_text()))


@pytest.mark.parametrize("kept", [WAITS], indirect=True)
def test_all_ends_at_the_end_of_the_parent(kept: subprocess.Popen[bytes], tmp_path: Path) -> None:
    assert kept.stdin
    kept.stdin.close()
    assert kept.wait(60) == 1
    assert not is_running(int((tmp_path / "pids").read_text()))


@pytest.mark.parametrize("kept", [WAITS], indirect=True)
def test_a_request_to_end_reaches_the_program(
    kept: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    kept.send_signal(signal.SIGTERM)
    assert kept.wait(60) == -signal.SIGTERM % 256
    assert not is_running(int((tmp_path / "pids").read_text()))
