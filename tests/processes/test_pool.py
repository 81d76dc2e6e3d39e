"""A pool's processes do the work, and end with the process that started them."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tasks.processes.pool import process_pool
from tests.inference.test_worker import is_running

pytestmark = pytest.mark.processes

WORKS = """
import os, sys, time
from tasks.processes.pool import process_pool

def work(number):
    print(os.getpid(), flush=True)
    time.sleep(600 if number else 0)

if __name__ == "__main__":
    with process_pool(2) as pool:
        list(pool.map(work, range(40)))
"""


def test_work_is_done_in_the_order_it_was_given() -> None:
    with process_pool(2) as pool:
        assert list(pool.map(abs, range(-20, 0))) == list(range(20, 0, -1))


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_no_process_is_left_when_the_one_that_started_them_is_killed(
    tmp_path: Path, how: signal.Signals
) -> None:
    (tmp_path / "works.py").write_text(WORKS)
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen(
        [sys.executable, tmp_path / "works.py"], stdout=subprocess.PIPE, env=environment
    ) as process:
        assert process.stdout is not None
        pids = {int(process.stdout.readline()) for _ in range(3)}
        assert pids and all(map(is_running, pids))
        process.send_signal(how)
        process.wait()
        deadline = time.monotonic() + 20
        while any(map(is_running, pids)):
            assert time.monotonic() < deadline
            time.sleep(0.02)
