"""A process that is bound to its parent ends with it, whatever it does at that moment."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.inference.test_worker import is_running, run_to_its_end, wait_until

pytestmark = pytest.mark.processes

ROOT = Path(__file__).parents[2]
WAITS = "import time; time.sleep(600)"
# a regular expression that takes for ever: no other thread of Python's runs meanwhile
BUSY = "import re; re.match('(a*)*b', 'a' * 60)"


def bound(work: str) -> list[str]:
    """Return the command of a process that is bound to its parent, says so, and works."""
    start = (
        "from tasks.processes.parent import end_with_parent; end_with_parent(); print(flush=True)"
    )
    return [sys.executable, "-c", f"{start}; {work}"]


@pytest.mark.parametrize("work", [WAITS, BUSY])
def test_it_ends_with_a_parent_that_is_killed(work: str) -> None:
    program = f"""
import os, subprocess
child = subprocess.Popen({bound(work)!r}, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
child.stdout.readline()
print(child.pid, flush=True)
os.kill(os.getpid(), 9)
"""
    child = int(run_to_its_end(program))
    wait_until(lambda: not is_running(child))


def test_it_ends_if_the_parent_is_gone_before_it_is_bound() -> None:
    child = subprocess.Popen(
        bound(WAITS), cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
    )
    assert child.stdin
    child.stdin.close()
    assert child.wait(60) == -signal.SIGIO


def test_it_does_not_end_with_the_thread_that_started_it() -> None:
    program = f"""
import subprocess, threading
def start():
    global child
    child = subprocess.Popen({bound("input()")!r}, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    child.stdout.readline()
thread = threading.Thread(target=start)
thread.start()
thread.join()
try:
    child.wait(1)
except subprocess.TimeoutExpired:
    print("lives")
"""
    assert run_to_its_end(program) == "lives\n"


def test_a_reading_process_ends_though_what_it_decodes_takes_for_ever(
    model_file: Path, tmp_path: Path
) -> None:
    program = f"""
import os, threading, time
from pathlib import Path
from tasks.device import cpu
from tasks.inference.model_file import model_in
from tasks.inference.worker import Worker, WorkerStart
from tasks.inference.batch import PriorAttempts
from tests.deadly import once
from tests.inference.test_worker import plan_of
marker = Path({str(tmp_path / "decoding")!r})
reads = Worker(WorkerStart(model_in(Path({str(model_file)!r})), cpu(), 600.0))
plan = plan_of({{b"slow": once(marker)}})
rows = reads.read(plan, list(plan.inputs.entries()), PriorAttempts())
threading.Thread(target=list, args=(rows,)).start()
while not marker.exists():
    time.sleep(0.01)
print(reads.pid, flush=True)
os.kill(os.getpid(), 9)
"""
    pid = int(run_to_its_end(program))
    wait_until(lambda: not is_running(pid))
